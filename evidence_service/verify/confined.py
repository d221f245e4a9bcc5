"""Run the PDF reader in a child process under limits of memory and time, away from everything else."""

from __future__ import annotations

import base64
import json
import resource
import subprocess
import sys
from collections.abc import Mapping

from evidence_service.errors import EvidenceError, LimitExceededError, MalformedError
from evidence_service.verify import pdf
from evidence_service.verify.pdf_updates import ByteRange, DocumentStamp, ValidationData

MEMORY = 512 * 1024 * 1024
"""Address space of the child, in bytes."""
SECONDS = 8
"""Processor time and wall time of the child; with what comes before and after it, a file takes at most 10."""

_KINDS: Mapping[str, type[EvidenceError]] = {
    "MalformedError": MalformedError,
    "LimitExceededError": LimitExceededError,
}


def read_pdf(data: bytes) -> pdf.PdfContents:
    """:func:`evidence_service.verify.pdf.read` in a child process.

    Raises:
        MalformedError, LimitExceededError: as the reader says, or the child ran into a limit.
    """
    if len(data) > pdf.SIZE_LIMIT:
        raise LimitExceededError(f"the PDF has {len(data)} bytes; the limit is {pdf.SIZE_LIMIT}")
    # -I and -S keep the child from the environment and from site hooks; the path it needs is given to it.
    package_root = __file__.rsplit("/", 3)[0]
    program = f"import sys; sys.path.insert(0, {package_root!r}); from {__name__} import main; main()"
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program],
            input=data,
            capture_output=True,
            timeout=SECONDS,
            close_fds=True,
            env={},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LimitExceededError(f"the PDF took longer than {SECONDS} s to read") from error
    if done.returncode < 0:
        raise LimitExceededError("reading the PDF ran into the limit of memory or time")
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise MalformedError("the PDF could not be read: the reader gave up") from error
    if "error" in answer:
        kind = _KINDS.get(answer["error"], MalformedError)
        raise kind(answer["message"], what_to_do=answer["what_to_do"])
    return pdf.PdfContents(
        attachments={name: base64.b64decode(text) for name, text in answer["attachments"].items()},
        byte_range=ByteRange(*answer["byte_range"]),
        subfilter=answer["subfilter"],
        validation=tuple(
            ValidationData(kind, base64.b64decode(text), revision)
            for kind, text, revision in answer["validation"]
        ),
        stamps=tuple(DocumentStamp(ByteRange(*place), revision) for place, revision in answer["stamps"]),
        revisions=tuple((kind, end) for kind, end in answer["revisions"]),
    )


def main() -> None:
    """The child: limits first, then the input."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        found = pdf.read(sys.stdin.buffer.read())
        answer = {
            "attachments": {
                name: base64.b64encode(data).decode() for name, data in found.attachments.items()
            },
            "byte_range": found.byte_range,
            "subfilter": found.subfilter,
            "validation": [
                (item.kind, base64.b64encode(item.data).decode(), item.revision) for item in found.validation
            ],
            "stamps": [(item.byte_range, item.revision) for item in found.stamps],
            "revisions": found.revisions,
        }
        text = json.dumps(answer)
    except EvidenceError as error:
        text = _failure(type(error).__name__, error.message, error.what_to_do)
    except (MemoryError, RecursionError):
        text = _failure("LimitExceededError", "reading the PDF needs more memory than the limit", "")
    sys.stdout.write(text)


def _failure(kind: str, message: str, what_to_do: str) -> str:
    return json.dumps({"error": kind, "message": message, "what_to_do": what_to_do})
