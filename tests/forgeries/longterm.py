"""Seals with validation data and document time stamps, made by pyHanko; and one revision with every part exchangeable."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from asn1crypto import cms
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.signers import PdfTimeStamper
from pyhanko.sign.timestamps import TimeStamper

from evidence_service.certificate.sealing.revisions import Addition

Token = Callable[[bytes], bytes]
"""SHA-512 of what is covered → DER of a token."""
RESERVED = 8 * 1024
"""Hexadecimal digits kept for a token."""


def with_store(
    pdf: bytes,
    certificates: Sequence[bytes] = (),
    lists: Sequence[bytes] = (),
    *,
    writing: type[IncrementalPdfFileWriter] = Addition,
) -> bytes:
    """One more revision with validation data."""
    stream = io.BytesIO(pdf)
    writer = writing(stream)
    if "/DSS" in writer.root:
        store = writer.root["/DSS"]
        writer.update_container(store)
    else:
        store = generic.DictionaryObject()
        writer.root[pdf_name("/DSS")] = writer.add_object(store)
        writer.update_root()
    for name, items in (("/Certs", certificates), ("/CRLs", lists)):
        added = [writer.add_object(generic.StreamObject(stream_data=data)) for data in items]
        store[pdf_name(name)] = generic.ArrayObject([*store.get(name, ()), *added])
    writer.write_in_place()
    return stream.getvalue()


def with_stamp(pdf: bytes, token: Token, *, writing: type[IncrementalPdfFileWriter] = Addition) -> bytes:
    """One more revision with a document time stamp."""
    stream = io.BytesIO(pdf)
    stamper = PdfTimeStamper(_Stamper(token), field_name=f"Archive{len(pdf)}")
    made = stamper.async_timestamp_pdf(writing(stream), "sha512", bytes_reserved=RESERVED, in_place=True)
    asyncio.run(made)
    return stream.getvalue()


class _Stamper(TimeStamper):
    def __init__(self, token: Token) -> None:
        super().__init__(include_nonce=False)
        self._token = token

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        del md_algorithm
        return cms.ContentInfo.load(self._token(message_digest))


@dataclass
class Update:
    """A revision about to be written behind a file, byte by byte; every part can be exchanged.

    Attributes:
        objects: number → what is between ``obj`` and ``endobj``.
        trailer: members by name.
        free: numbers that the table calls free.
        before: bytes in front of the first object, ``between`` those behind each one.
        moved: number → offset the table gives instead of the object's own.
        covered: changes the byte range, ``padding`` what follows the token in its space.
    """

    pdf: bytes
    objects: dict[int, bytes]
    trailer: dict[bytes, bytes]
    free: tuple[int, ...] = (0,)
    before: bytes = b""
    between: bytes = b""
    moved: dict[int, int] = field(default_factory=dict)
    covered: Callable[[list[int]], list[int]] = lambda parts: parts
    padding: bytes = b""

    @classmethod
    def of(cls, pdf: bytes, made: bytes) -> Update:
        """The revision that a genuine file has more than another."""
        revision = made[len(pdf) :]
        found = re.findall(rb"(\d+) 0 obj\n(.*?)\nendobj\n", revision, re.DOTALL)
        members = revision[revision.rindex(b"trailer\n<<") + 10 : revision.rindex(b">>\nstartxref")]
        trailer = dict(re.findall(rb"/(\w+) (.*)\n", members))
        return cls(pdf, {int(number): content for number, content in found}, trailer)

    def change(self, pattern: bytes, new: bytes) -> Update:
        """Exchange what a regular expression finds."""
        before = dict(self.objects)
        self.objects = {number: re.sub(pattern, new, content) for number, content in before.items()}
        if self.objects == before:
            raise AssertionError(f"{pattern!r} changes nothing in the revision")
        return self

    def add(self, content: bytes, number: int = 900) -> Update:
        """One more object."""
        self.objects[number] = content
        return self

    def write(self, token: Token | None = None) -> bytes:
        """The whole file.

        Args:
            token: stamps what the byte range of the revision's signature covers.
        """
        data = self.pdf + self.before
        offsets = {}
        for number, content in self.objects.items():
            offsets[number] = len(data)
            data += b"%d 0 obj\n%s\nendobj\n" % (number, content) + self.between
        table = b"".join(b"%d 1\n0000000000 65535 f \n" % number for number in self.free)
        for number, offset in (offsets | self.moved).items():
            table += b"%d 1\n%010d 00000 n \n" % (number, offset)
        members = b"".join(b"/%s %s\n" % member for member in self.trailer.items())
        end = b"startxref\n%d\n%%%%EOF\n" % len(data)
        data += b"xref\n%strailer\n<<\n%s>>\n%s" % (table, members, end)
        return data if token is None else self._stamped(data, token)

    def _stamped(self, data: bytes, token: Token) -> bytes:
        start = len(self.pdf)
        gap = re.compile(rb"<[0-9A-F]{1000,}>").search(data, start)
        places = re.compile(rb"/ByteRange \[[\d ]*\] *").search(data, start)
        assert gap is not None
        assert places is not None
        parts = self.covered([0, gap.start(), gap.end(), len(data) - gap.end()])
        text = b"/ByteRange [%s]" % b" ".join(b"%d" % part for part in parts)
        data = data[: places.start()] + text.ljust(len(places[0])) + data[places.end() :]
        digest = hashlib.sha512(data[: parts[1]] + data[parts[2] : parts[2] + parts[3]]).digest()
        value = (token(digest) + self.padding).hex().upper().encode()
        return data[: gap.start() + 1] + value.ljust(len(gap[0]) - 2, b"0") + data[gap.end() - 1 :]
