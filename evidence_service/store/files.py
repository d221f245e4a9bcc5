"""How a file becomes durable: written under another name, on disk, read-only, then under its own name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


def commit(writer: BinaryIO, temporary: Path, target: Path) -> None:
    """Give a written file its name; when this returns, bytes and directory entries are on disk.

    Args:
        writer: open on ``temporary``, everything written.
        target: on the same file system; a file that is there already is replaced in one step.
    """
    sync(writer)
    temporary.replace(target)
    for directory in {target.parent, temporary.parent}:
        sync_directory(directory)


def sync(writer: BinaryIO) -> None:
    """Make a written file read-only and bring its bytes to the disk.

    After an error the file must be given up, never synced again: the kernel reports a failed write-back once
    and then counts the pages as clean.
    """
    writer.flush()
    os.fchmod(writer.fileno(), 0o444)
    os.fsync(writer.fileno())


def sync_directory(directory: Path) -> None:
    """Bring a directory's entries to the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
