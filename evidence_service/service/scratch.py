"""Scratch: a directory of one attempt alone, whoever else works on the same thing at the same time.

A worker that was thought dead may still be writing when another one begins again, in the same data directory.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from evidence_service.service.parts import Parts

LEFT_BEHIND = timedelta(days=1)
"""Age of what a killed process left; no capture may last nearly as long (``capture.seconds``)."""


@contextmanager
def scratch(parts: Parts, subject_id: str) -> Iterator[Path]:
    """A path that nobody else uses and nothing is at; what the block puts there is gone afterwards.

    What earlier attempts at the same thing left behind is removed on the way.
    """
    parent = parts.capturing.directory / subject_id
    if parent.is_dir():
        for item in parent.iterdir():
            _remove_old(item, parts.now())
    directory = parent / parts.random_bytes(8).hex()
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        with suppress(OSError):  # another attempt is in there, or nothing was ever written
            parent.rmdir()


def _remove_old(directory: Path, now: datetime) -> None:
    try:
        written = directory.stat().st_mtime
    except OSError:
        return  # its owner has just removed it
    if now.timestamp() - written > LEFT_BEHIND.total_seconds():
        shutil.rmtree(directory, ignore_errors=True)
