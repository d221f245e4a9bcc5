"""Texts that regular expressions find, looked for in a child process under limits of memory and time.

The expression is the operator's and the file a stranger's: together they can cost centuries. What is found is
masked as a text from then on, in every form and in every file.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from evidence_service.errors import RefusedError
from evidence_service.exhibit.plan import MOST_TEXTS, SHORTEST
from evidence_service.exhibit.searching import readings

MEMORY = 1024 * 1024 * 1024
"""Address space of the child, in bytes: a text of 64 MiB and its readings."""
SECONDS = 60
"""Processor time of the child, for all patterns in one file."""


def find_texts(path: Path, patterns: Sequence[str]) -> set[str]:
    """Every text in a file that one of the patterns fits, in any reading of the file.

    Raises:
        RefusedError: a pattern finds too many texts, ones that are too short, or takes too long.
    """
    program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main()"
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", program],
            input=json.dumps({"path": str(path), "patterns": list(patterns)}).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=2 * SECONDS,
            env={},
            check=False,
        )
        found: list[str] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        raise RefusedError(
            f"the patterns of the plan took more than {SECONDS} s or {MEMORY >> 20} MiB in one file",
            what_to_do="make them simpler, or give the texts themselves",
        ) from error
    if len(found) > MOST_TEXTS:
        raise RefusedError(
            f"the patterns of the plan find more than {MOST_TEXTS} different texts",
            what_to_do="make them say more, or withhold the files",
        )
    if any(len(text.encode("utf-8", "surrogatepass")) < SHORTEST for text in found):
        raise RefusedError(
            f"a pattern of the plan finds texts of less than {SHORTEST} bytes, found everywhere",
            what_to_do="make it say more",
        )
    return set(found)


def main() -> None:
    """The child: limits first, then the file."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    order = json.loads(sys.stdin.buffer.read())
    found: set[str] = set()
    for text in _found(Path(order["path"]), order["patterns"]):
        found.add(text)
        if len(found) > MOST_TEXTS:
            break
    sys.stdout.write(json.dumps(sorted(found)))


def _found(path: Path, patterns: Sequence[str]) -> Iterator[str]:
    compiled = [re.compile(pattern) for pattern in patterns]
    for view in readings(path.read_bytes()):
        for pattern in compiled:
            yield from (match.group() for match in pattern.finditer(view))
