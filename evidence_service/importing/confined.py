"""Examine a file in a child process: limits of memory and time, no other file, and no network.

The file is the child's standard input. Once everything it needs is loaded, the child may open no further
descriptor (RLIMIT_NOFILE): neither a file nor a socket. Whatever it comes to, there is an examination.
"""

from __future__ import annotations

import encodings
import importlib
import importlib.abc
import json
import logging
import os
import pkgutil
import resource
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

from evidence_service.importing.detection import detect
from evidence_service.importing.examination import examine_here, module_of
from evidence_service.importing.findings import Examination, Notes

MEMORY = 512 * 1024 * 1024
"""Address space of the child, in bytes."""
SECONDS = 7.0
"""After which an examination ends with what it has; what does not even notice is killed soon after."""
_PATIENCE = 9
_DESCRIPTORS = 3
_ENCODINGS = ("ascii", "cp437", "latin_1", "utf_8", "utf_8_sig", "utf_16", "utf_16_be", "utf_16_le")


def examine(path: Path, name: str, media_type: str = "") -> Examination:
    """Examine a file under limits.

    Args:
        name: under which it was given; compared with what it is.
        media_type: as it was announced; empty where nobody did.

    Raises:
        OSError: the file cannot be opened.
    """
    program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main()"
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", "-W", "ignore", "-c", program, name, media_type],
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_PATIENCE,
                env={},
                check=False,
            )
            return Examination.from_json(json.loads(done.stdout))
        except subprocess.TimeoutExpired:
            words = f"it was ended after {_PATIENCE} s"
        except (ValueError, KeyError, TypeError):
            words = "it broke down, or needed more memory or time than it may have"
    notes = Notes()
    notes.fact("size", size)
    notes.add("unfinished", f"the examination did not finish: {words}; nothing is known about the content")
    # Not even the kind is believed: finding it out is a part of what did not finish.
    return Examination("unknown", "application/octet-stream", notes.facts(), notes.findings())


def main() -> None:
    """The child: limits, then what the file's kind needs, then nothing but the file."""
    name, media_type = sys.argv[1:3]
    file = sys.stdin.buffer
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_PATIENCE, _PATIENCE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # A message would load what shows where it comes from.
    logging.disable()
    _load(file)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))
    size = os.fstat(file.fileno()).st_size
    found = examine_here(file, size, name, media_type, seconds=SECONDS)
    sys.stdout.write(json.dumps(found.to_json()))
    sys.stdout.flush()


class LoadingEndedError(BaseException):
    """Something is to be loaded after the limits; no handler of a library may take that for a defect."""


class _NothingMore(importlib.abc.MetaPathFinder):
    """Stands before all other finders and ends the child."""

    def find_spec(self, fullname: str, *_: object) -> None:
        raise LoadingEndedError(fullname)


def _load(file: BinaryIO) -> None:
    """What the file's kind needs; after the limits nothing can be loaded."""
    module = module_of(detect(file))
    if module:
        examiner = importlib.import_module(f"evidence_service.importing.{module}")
        getattr(examiner, "prepare", lambda: None)()
    # They are loaded by name, whenever a text names one: an email may name any.
    for name in _every_encoding() if module == "email_message" else _ENCODINGS:
        importlib.import_module(f"encodings.{name}")
    sys.meta_path.insert(0, _NothingMore())


def _every_encoding() -> list[str]:
    """All but those of Windows alone."""
    return [
        item.name for item in pkgutil.iter_modules(encodings.__path__) if item.name not in ("mbcs", "oem")
    ]
