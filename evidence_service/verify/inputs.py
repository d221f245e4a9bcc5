"""From paths to what the engine verifies: certificates, bundles, and the evidence files beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from evidence_service.core import bundle
from evidence_service.core.digest import Digest, Digester
from evidence_service.errors import (
    EvidenceError,
    LimitExceededError,
    MalformedError,
    NodeUnavailableError,
    RefusedError,
)
from evidence_service.verify import pdf, rpc
from evidence_service.verify.certificate import open_certificate
from evidence_service.verify.chain import AnchorFacts
from evidence_service.verify.verifier import BUNDLE_NAME, CompareHeader, EvidenceFile, Material

_CHUNK = 1 << 20
_MAX_FILES = 20_000
_RPC_SECONDS = 10.0


def gather(paths: Sequence[Path]) -> list[Material]:
    """What is to be verified among some paths; folders are looked through.

    A PDF is a certificate, a file that says it is a proof bundle is one, everything else is evidence to be
    compared with every one of them.

    Raises:
        RefusedError: a path cannot be read.
        LimitExceededError: too many files.
    """
    found: list[Material] = []
    files: list[EvidenceFile] = []
    for path in _files(paths):
        head = _head(path)
        if head.startswith(b"%PDF-") or path.suffix.lower() == ".pdf":
            found.append(_certificate(path))
        elif b'"format":"' + bundle.FORMAT.split("/")[0].encode() in head or path.name.endswith(BUNDLE_NAME):
            found.append(Material(str(path), bundle=_read(path, bundle.LIMIT)))
        else:
            files.append(EvidenceFile(path.as_posix(), _digest(path)))
    return [
        Material(item.subject, item.bundle, item.certificate, tuple(files), item.trouble) for item in found
    ]


def compare_with(rpc_urls: Sequence[str]) -> CompareHeader:
    """Compare headers with every node given; one that disagrees decides."""

    def compare(facts: AnchorFacts) -> str:
        answers, problems = set(), []
        for url in rpc_urls:
            try:
                answers.add(
                    rpc.compare_header(
                        url, facts.block_number, facts.block_hash, facts.chain_id, _RPC_SECONDS
                    )
                )
            except NodeUnavailableError as error:
                problems.append(error.message)
        for answer in ("different", "not_finalized", "canonical"):
            if answer in answers:
                return answer
        raise NodeUnavailableError("; ".join(problems), what_to_do="give another node with --rpc")

    return compare


def _certificate(path: Path) -> Material:
    try:
        opened = open_certificate(_read(path, pdf.SIZE_LIMIT))
        if BUNDLE_NAME not in opened.attachments:
            raise MalformedError(f"the PDF is sealed, but holds no {BUNDLE_NAME}: it is not a certificate")
    except EvidenceError as error:
        return Material(str(path), trouble=error)
    return Material(str(path), bundle=opened.attachments[BUNDLE_NAME], certificate=opened)


def _files(paths: Iterable[Path]) -> list[Path]:
    result: list[Path] = []
    for path in paths:
        if path.is_dir():
            # Links are not followed: a folder from somebody else must not lead out of itself.
            result += sorted(item for item in path.rglob("*") if item.is_file() and not item.is_symlink())
        elif path.is_file():
            result.append(path)
        else:
            raise RefusedError(f"there is no file {path}", what_to_do="check the path")
        if len(result) > _MAX_FILES:
            raise LimitExceededError(f"more than {_MAX_FILES} files were given")
    return result


def _head(path: Path) -> bytes:
    """Enough of a file to tell what it is: a bundle's members are in order, so its format is near."""
    return _read_part(path, 8 * 1024 * 1024) if path.suffix.lower() == ".json" else _read_part(path, 16)


def _read(path: Path, limit: int) -> bytes:
    data = _read_part(path, limit + 1)
    if len(data) > limit:
        raise LimitExceededError(f"{path} is larger than {limit} bytes")
    return data


def _read_part(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as reader:
            return reader.read(size)
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {error.strerror}") from error


def _digest(path: Path) -> Digest:
    digester = Digester()
    try:
        with path.open("rb") as reader:
            while chunk := reader.read(_CHUNK):
                digester.update(chunk)
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {error.strerror}") from error
    return digester.digest()
