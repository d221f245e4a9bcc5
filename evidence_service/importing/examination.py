"""Examine a file: what kind it is, then by what knows that kind. Here, in this process; see ``confined``."""

from __future__ import annotations

import importlib
from typing import BinaryIO, Final

from evidence_service.importing.detection import Detected, compare, detect
from evidence_service.importing.findings import Examination, Notes, OutOfTimeError

_MODULES: Final = {
    "warc": "warc",
    "wacz": "wacz",
    "har": "har",
    "pdf": "pdf",
    "image": "images",
    "email": "email_message",
}
_RECORDINGS: Final = {"video/webm": "matroska", "video/x-matroska": "matroska"}


def module_of(detected: Detected) -> str:
    """Name of the module that examines such a file; empty where there is none."""
    if detected.media_type.startswith("image/hei") or detected.media_type == "image/avif":
        return "isobmff"
    if detected.kind == "video":
        return _RECORDINGS.get(detected.media_type, "isobmff")
    return _MODULES.get(detected.kind, "")


def examine_here(
    file: BinaryIO, size: int, name: str, media_type: str, *, seconds: float | None
) -> Examination:
    """Detect and examine without leaving this process.

    Args:
        media_type: as the sender announced it; empty where nobody did.
        seconds: after which the examination ends with what it has.
    """
    notes = Notes(seconds)
    if size == 0:
        notes.add("empty", "the file has no bytes in it; look at where it came from")
        notes.fact("size", size)
        return Examination("unknown", "application/octet-stream", notes.facts(), notes.findings())
    detected = detect(file)
    compare(detected, name, media_type, notes)
    notes.fact("size", size)
    file.seek(0)
    try:
        _examine(file, size, detected, notes)
    except OutOfTimeError:
        notes.add("limit", f"examined for {seconds:g} s only; what comes later in the file was not looked at")
    except MemoryError:
        notes.add("limit", "it needs more memory than an examination may have; the rest was not examined")
    return Examination(detected.kind, detected.media_type, notes.facts(), notes.findings())


def _examine(file: BinaryIO, size: int, detected: Detected, notes: Notes) -> None:
    module = module_of(detected)
    if not module:
        notes.add("not_examined", f"files of the type {detected.media_type} are kept as they are")
        return
    examiner = importlib.import_module(f"evidence_service.importing.{module}")
    if module == "images":
        examiner.examine(file, size, notes, detected.media_type)
    elif module == "warc":
        examiner.examine(file, notes)
    elif detected.kind == "image":
        examiner.examine_still(file, size, notes)
    else:
        examiner.examine(file, size, notes)
