"""A PDF of somebody else: its structure, what is active in it, its revisions and signatures (ISO 32000)."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.generic_cms import validate_sig_integrity
from pyhanko.sign.validation.status import SignatureCoverageLevel

from evidence_service.importing.findings import Notes, OutOfTimeError

SIZE_LIMIT = 128 * 1024 * 1024
_MAX_OBJECTS = 200_000
_ACTIVE = frozenset(
    {
        "/JavaScript",
        "/JS",
        "/Launch",
        "/OpenAction",
        "/AA",
        "/XFA",
        "/RichMedia",
        "/EmbeddedFiles",
        "/SubmitForm",
    }
)
_INFO = ("/Producer", "/Creator", "/CreationDate", "/ModDate", "/Title", "/Author")
_HEADER = re.compile(rb"%PDF-([0-9]\.[0-9])")


_NEEDED = (
    "cryptography.hazmat.backends.openssl.backend",
    *(
        f"cryptography.hazmat.primitives.asymmetric.{name}"
        for name in ("dsa", "ec", "ed448", "ed25519", "padding", "rsa")
    ),
    *(
        f"pyhanko.pdf_utils.{name}"
        for name in ("crypt.pdfmac", "crypt._saslprep", "filters", "metadata.xmp_xml", "rw_common")
    ),
    "pyhanko.sign.fields",
    "pyhanko.sign.validation.pdf_embedded",
)
"""What the libraries would load when they meet it."""


def prepare() -> None:
    """Load all of it; for a process that may open no file any more."""
    for name in _NEEDED:
        importlib.import_module(name)


def examine(file: BinaryIO, size: int, notes: Notes) -> None:
    """Examine a PDF."""
    if size > SIZE_LIMIT:
        notes.add("limit", f"{size} bytes; a PDF is examined up to {SIZE_LIMIT}")
        return
    _ends(file, size, notes)
    file.seek(0)
    try:
        reader = PdfFileReader(file, strict=False)
        if reader.encrypted:
            notes.add("pdf.encrypted", "it is encrypted: pages, content and signatures were not examined")
            return
        _structure(reader, notes)
        for signature in reader.embedded_signatures:
            _signature(signature, notes)
    except (OutOfTimeError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever a library stumbles over is a finding about the file
        notes.add("pdf.damaged", f"it cannot be read to its end: {type(error).__name__}: {error}")


def _ends(file: BinaryIO, size: int, notes: Notes) -> None:
    head = file.read(1100)
    found = _HEADER.search(head)
    if found is not None:
        notes.fact("version", found[1].decode())
    if found is None or found.start():
        notes.add("pdf.header", "it does not begin with %PDF-: it may be a file of two kinds at once")
    file.seek(max(size - 65536, 0))
    tail = file.read()
    end = tail.rfind(b"%%EOF")
    if end < 0:
        notes.add("pdf.damaged", "there is no %%EOF at its end: it is cut off, or something was appended")
    elif rest := tail[end + 5 :].strip(b"\r\n \t\0"):
        notes.add("trailing", f"{len(rest)} bytes behind %%EOF")


def _structure(reader: PdfFileReader, notes: Notes) -> None:
    pages = reader.root["/Pages"].get("/Count")
    notes.fact("pages", int(pages) if isinstance(pages, int) else "unknown")
    information: Any = reader.trailer_view.get("/Info")
    if isinstance(information, generic.DictionaryObject):
        for name in _INFO:
            if name in information:
                notes.fact(name[1:], str(information[name]))
    notes.fact("revisions", reader.total_revisions)
    if reader.total_revisions > 1:
        notes.add(
            "pdf.revisions", f"{reader.total_revisions - 1} times something was appended after it was made"
        )
    active = sorted({name for name in _names(reader, notes) if name in _ACTIVE})
    if active:
        notes.add("pdf.active", f"it holds active content or files: {', '.join(active)}")


def _names(reader: PdfFileReader, notes: Notes) -> Iterator[str]:
    """Keys of every dictionary that can be reached, and the names that are values of /S."""
    waiting: list[Any] = [reader.root]
    seen: set[Any] = set()
    while waiting:
        notes.tick()
        value = waiting.pop()
        if isinstance(value, generic.IndirectObject):
            if value.reference in seen or len(seen) > _MAX_OBJECTS:
                continue
            seen.add(value.reference)
            value = reader.get_object(value.reference)
        if isinstance(value, generic.DictionaryObject):
            yield from (str(name) for name in value)
            if isinstance(kind := value.get("/S"), generic.NameObject):
                yield str(kind)
            waiting.extend(value.raw_get(name) for name in value)
        elif isinstance(value, generic.ArrayObject):
            waiting.extend(value.raw_get(index) for index in range(len(value)))
    if len(seen) > _MAX_OBJECTS:
        notes.add("limit", f"more than {_MAX_OBJECTS} objects; the rest was not examined")


def _signature(signature: Any, notes: Notes) -> None:
    where = f"signature {signature.field_name}"
    covered = signature.evaluate_signature_coverage()
    if signature.sig_object_type == "/DocTimeStamp":
        notes.add("pdf.signature_not_checked", "a time stamp of an authority, which was not checked", where)
        return
    intact, valid = validate_sig_integrity(
        signature.signer_info, signature.signer_cert, "data", signature.compute_digest()
    )
    if not (intact and valid):
        words = (
            "the signed bytes were changed" if not intact else "the signature is not one of the key beside it"
        )
        notes.add("pdf.signature", words, where)
    if covered < SignatureCoverageLevel.ENTIRE_FILE:
        notes.add(
            "pdf.signature_coverage", "it does not cover the whole file: something was appended later", where
        )
    subject = signature.signer_cert.subject.human_friendly
    notes.fact(where, subject)
    notes.add("pdf.signature_not_checked", f"whether {subject} can be trusted was not checked", where)
