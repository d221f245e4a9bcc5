"""Read a certificate's PDF: exactly the shape this project emits, and nothing else.

The document, its seal, then what may follow a seal; classic cross-reference tables, no object streams, no
encryption, no active content. Everything is parsed before anything is believed. Standard library only: this
module runs in a child process under limits (:mod:`evidence_service.verify.confined`).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evidence_service.errors import LimitExceededError, MalformedError
from evidence_service.verify.pdf_objects import Reference, Stream, dictionary
from evidence_service.verify.pdf_tables import read_revisions
from evidence_service.verify.pdf_updates import (
    ByteRange,
    DocumentStamp,
    Updates,
    ValidationData,
    signature_range,
)

SIZE_LIMIT = 64 * 1024 * 1024
"""Largest certificate, in bytes."""
ATTACHMENT_LIMIT = 16 * 1024 * 1024
"""Most bytes of all attachments together, decompressed."""


@dataclass(frozen=True, slots=True)
class PdfContents:
    """What the certificate's PDF holds for the verifier.

    Attributes:
        attachments: by file name, decompressed.
        byte_range: what the seal covers.
        subfilter: kind of the seal's signature.
        validation: what was added after sealing, oldest first.
        stamps: document time stamps, oldest first.
        revisions: what each revision adds, ``document``, ``seal``, ``validation`` or ``stamp``, and its end.
    """

    attachments: dict[str, bytes]
    byte_range: ByteRange
    subfilter: str
    validation: tuple[ValidationData, ...]
    stamps: tuple[DocumentStamp, ...]
    revisions: tuple[tuple[str, int], ...]


def read(data: bytes) -> PdfContents:
    """Parse a sealed certificate.

    Raises:
        MalformedError: not a PDF of this shape; the message names what is wrong.
        LimitExceededError: too large, too deep, too many objects or revisions, or decompressing to too much.
    """
    if len(data) > SIZE_LIMIT:
        raise LimitExceededError(f"the PDF has {len(data)} bytes; the limit is {SIZE_LIMIT}")
    if not data.startswith(b"%PDF-1.7\n"):
        raise MalformedError("this is not a PDF that starts with %PDF-1.7")
    document, seal, *later = revisions = read_revisions(data)
    objects = {**document.objects, **seal.objects}
    catalog = dictionary(objects, seal.trailer.get("Root"), "the catalogue")
    attachments = _attachments(objects, catalog)
    signature, field = _signature(objects, catalog)
    byte_range = signature_range(data, signature, end=seal.end)
    updates = Updates(objects, seal.trailer, field)
    updates.read(data, later)
    kinds = ("document", "seal", *updates.kinds)
    return PdfContents(
        attachments,
        byte_range,
        str(signature.get("SubFilter", "")),
        tuple(updates.validation),
        tuple(updates.stamps),
        tuple((kind, revision.end) for kind, revision in zip(kinds, revisions, strict=True)),
    )


def _attachments(objects: Mapping[int, Any], catalog: Mapping[str, Any]) -> dict[str, bytes]:
    names = dictionary(objects, catalog.get("Names", {}), "the name dictionary")
    if not names.keys() <= {"EmbeddedFiles", "Dests"}:
        raise MalformedError("the PDF's name dictionary has entries a certificate has no use for")
    tree = dictionary(objects, names.get("EmbeddedFiles", {}), "the list of attachments")
    pairs = tree.get("Names", [])
    if "Kids" in tree or not isinstance(pairs, list) or len(pairs) % 2:
        raise MalformedError("the list of attachments is not a flat list")
    result: dict[str, bytes] = {}
    room = ATTACHMENT_LIMIT
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        specification = dictionary(objects, value, "an attachment")
        name = specification.get("F")
        if not isinstance(name, bytes) or name != key:
            raise MalformedError("an attachment is listed under another name than its own")
        text = _text(name)
        embedded = dictionary(objects, specification.get("EF", {}), "an attachment's file")
        reference = embedded.get("F")
        stream = objects.get(reference.number) if isinstance(reference, Reference) else None
        if not isinstance(stream, Stream) or text in result:
            raise MalformedError(f"attachment {text} has no content, or is there twice")
        result[text] = _decompress(stream, room)
        room -= len(result[text])
    return result


def _decompress(stream: Stream, room: int) -> bytes:
    filters = stream.dictionary.get("Filter")
    if filters is None:
        if len(stream.raw) > room:
            raise LimitExceededError("the attachments are larger than the limit")
        return stream.raw
    if filters != "FlateDecode" or "DecodeParms" in stream.dictionary:
        raise MalformedError("an attachment is compressed in a way that is not read")
    engine = zlib.decompressobj()
    try:
        data = engine.decompress(stream.raw, room + 1)
    except zlib.error as error:
        raise MalformedError(f"an attachment's compression is broken: {error}") from error
    if len(data) > room:
        raise LimitExceededError("the attachments decompress to more than the limit")
    if not engine.eof or engine.unused_data:
        raise MalformedError("an attachment's compressed data is cut off or has bytes after its end")
    return data


def _signature(
    objects: Mapping[int, Any], catalog: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The certification and its field (4.1, point 7)."""
    signatures = [
        (number, value)
        for number, value in objects.items()
        if isinstance(value, dict) and ("ByteRange" in value or value.get("Type") in ("Sig", "DocTimeStamp"))
    ]
    if len(signatures) != 1:
        raise MalformedError(f"the PDF has {len(signatures)} signatures; what is sealed has one")
    number, signature = signatures[0]
    permissions = dictionary(objects, catalog.get("Perms", {}), "the permissions")
    form = dictionary(objects, catalog.get("AcroForm", {}), "the form")
    if permissions.get("DocMDP") != Reference(number) or len(form.get("Fields", [])) != 1:
        raise MalformedError("the signature is not the certification of this PDF")
    field = dictionary(objects, form["Fields"][0], "the signature's field")
    if field.get("V") != Reference(number):
        raise MalformedError("the form's field does not hold the signature")
    return signature, field


def _text(value: bytes) -> str:
    if re.fullmatch(rb"[A-Za-z0-9._-]{1,100}", value) is None or value.startswith(b"."):
        raise MalformedError("an attachment has a name that is not a plain file name")
    return value.decode()
