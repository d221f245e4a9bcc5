"""The revisions after the seal: validation data (DSS), and a document time stamp over everything before it.

ISO 32000-2, 12.8.4.3 and 12.8.5; ETSI EN 319 142-1, clauses 5.4 and 5.5. Neither counts as a change under
DocMDP with P=1 (ISO 32000-2, 12.8.2.2.2).
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence

from asn1crypto import cms
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.signers import PdfTimeStamper
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.validation.dss import DocumentSecurityStore

from evidence_service.certificate.sealing.validation import ValidationData
from evidence_service.errors import AuthorityUnavailableError

Stamp = Callable[[bytes], bytes]
"""SHA-512 digest, 64 bytes → DER token. Raises AuthorityUnavailableError."""

_TOKEN_LIMIT = 16 * 1024
"""Largest token that is put into a PDF; space for it is reserved before it is known."""


class Addition(IncrementalPdfFileWriter):
    """A revision that leaves title, dates and all other metadata as the seal covers them.

    pyHanko writes a new date into them with every revision. DocMDP with P=1 permits that no more than any
    other change, and the verification refuses it (specification, 4.3).
    """

    def _update_meta(self) -> None:
        """Nothing."""


def with_validation_data(pdf: bytes, data: Sequence[ValidationData]) -> bytes:
    """The file with one more revision: validation data added to what is stored there.

    The revision is written even when all of it is stored already, so that the shape stays the same.
    """
    stream = io.BytesIO(pdf)
    writer = Addition(stream)
    # No VRI: it repeats which data belongs to which signature, and is optional (clause 5.4.2.3).
    DocumentSecurityStore.supply_dss_in_writer(
        writer,
        None,
        certs=[
            asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
            for item in data
            for certificate in item.certificates
        ],
        crls=[asn1_crl.CertificateList.load(der) for item in data for der in item.lists],
    )
    writer.mark_update(writer.root.raw_get("/DSS"))
    writer.write_in_place()
    return stream.getvalue()


def with_document_time_stamp(pdf: bytes, stamp: Stamp, *, number: int) -> bytes:
    """The file with one more revision: a time stamp over all its bytes.

    Args:
        number: of the document time stamp in this file, from 1.

    Raises:
        AuthorityUnavailableError: from ``stamp``, or its token is too large.
    """
    stamper = PdfTimeStamper(Stamper(stamp), field_name=f"ArchiveTimeStamp{number}")
    stream = io.BytesIO(pdf)
    # The loop is made here because a caller's thread has none.
    asyncio.run(
        stamper.async_timestamp_pdf(
            Addition(stream), "sha512", bytes_reserved=2 * _TOKEN_LIMIT, in_place=True
        )
    )
    return stream.getvalue()


class Stamper(TimeStamper):
    """pyHanko asks here; the answer comes from the service's own RFC 3161 client."""

    def __init__(self, stamp: Stamp) -> None:
        super().__init__(include_nonce=False)
        self._stamp = stamp

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        """Token over a digest of a signature value or of a file."""
        if md_algorithm != "sha512":
            raise ValueError(f"a time stamp over {md_algorithm} is not what we verify")
        token = await asyncio.to_thread(self._stamp, message_digest)
        if len(token) > _TOKEN_LIMIT:
            raise AuthorityUnavailableError(
                f"a time stamp of {len(token)} bytes; a PDF has room for {_TOKEN_LIMIT}",
                what_to_do="configure an authority that sends its own path alone",
            )
        return cms.ContentInfo.load(token)
