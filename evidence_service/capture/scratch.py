"""Directories a capture works in; what a killed process left is removed by the next capture.

They hold bytes as they were received, login states included, and must not stay (``docs/spec/package.md``, 5).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

_PREFIX = "evidence-"
_KINDS = ("wire", "browser")
_NEW_SECONDS = 60.0
"""A directory this young may not have been locked by its maker yet."""


class Scratch:
    """A new, empty directory, locked as long as its process lives.

    Args:
        kind: ``wire`` or ``browser``; part of its name.
    """

    def __init__(self, kind: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{kind}-"))
        # The kernel gives the lock back when the process ends, however it ends.
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Remove it; twice is once."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def remove_abandoned() -> int:
    """Remove the directories whose processes are gone; how many those were."""
    found = 0
    for kind in _KINDS:
        for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}{kind}-*"):
            found += _remove_abandoned(path)
    return found


def _remove_abandoned(path: Path) -> bool:
    try:
        if path.is_symlink() or time.time() - path.stat().st_mtime < _NEW_SECONDS:
            return False
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        # Gone meanwhile, or somebody else's.
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
        return not path.exists()
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
