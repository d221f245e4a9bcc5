"""Seals with validation data and document time stamps, made revision by revision; every part can be exchanged."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence

from asn1crypto import cms
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.signers import PdfTimeStamper
from pyhanko.sign.timestamps import TimeStamper


class Writer(IncrementalPdfFileWriter):
    """An incremental update that leaves title, dates and all other metadata as they are."""

    def _update_meta(self) -> None:
        """Nothing: what is certified says when it was made, not when it was extended."""


def with_store(
    pdf: bytes,
    certificates: Sequence[bytes],
    lists: Sequence[bytes],
    *,
    change: Callable[[Writer, generic.DictionaryObject], None] = lambda writer, store: None,
) -> bytes:
    """One more revision with validation data.

    Args:
        change: gets the writer and the store before they are written.
    """
    stream = io.BytesIO(pdf)
    writer = Writer(stream)
    if "/DSS" in writer.root:
        store = writer.root["/DSS"]
        writer.update_container(store)
    else:
        store = generic.DictionaryObject()
        writer.root[pdf_name("/DSS")] = writer.add_object(store)
        writer.update_root()
    for name, items in (("/Certs", certificates), ("/CRLs", lists)):
        known = store.get(name, ())
        added = [writer.add_object(generic.StreamObject(stream_data=data)) for data in items]
        store[pdf_name(name)] = generic.ArrayObject([*(known), *added])
    change(writer, store)
    writer.write_in_place()
    return stream.getvalue()


def with_stamp(pdf: bytes, token: Callable[[bytes], bytes], *, name: str = "ArchiveTimeStamp1") -> bytes:
    """One more revision with a document time stamp.

    Args:
        token: SHA-512 of what is covered → DER of a token.
    """
    stream = io.BytesIO(pdf)
    stamper = PdfTimeStamper(_Stamper(token), field_name=name)
    asyncio.run(stamper.async_timestamp_pdf(Writer(stream), "sha512", bytes_reserved=8 * 1024, in_place=True))
    return stream.getvalue()


class _Stamper(TimeStamper):
    def __init__(self, token: Callable[[bytes], bytes]) -> None:
        super().__init__(include_nonce=False)
        self._token = token

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        del md_algorithm
        return cms.ContentInfo.load(self._token(message_digest))
