"""What a sealed file holds: its seal, time stamps and validation data, each checked for integrity.

Read anew from the bytes, so that a judgement about a file never rests on what was meant to be written.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import cms
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature

from evidence_service.errors import EvidenceError, MalformedError
from evidence_service.verify import crl
from evidence_service.verify.cms import ID_TIME_STAMP_TOKEN, read_signed_data
from evidence_service.verify.signatures import DAMAGED
from evidence_service.verify.timestamp import TimestampFacts, read_token

SEAL_FIELD = "Seal"


@dataclass(frozen=True, slots=True)
class StoredData:
    """The document security store (ISO 32000-2, 12.8.4.3)."""

    certificates: tuple[x509.Certificate, ...] = ()
    lists: tuple[crl.RevocationList, ...] = ()

    def complete(self, path: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
        """A path with the stored certificates above it, up to one that is self-signed where there is one."""
        result = list(path)
        while result[-1].issuer != result[-1].subject:
            above = next((item for item in self.certificates if _issued(item, result[-1])), None)
            if above is None or above in result:
                break
            result.append(above)
        return tuple(result)

    def proves(self, path: Sequence[x509.Certificate], *, at: datetime) -> bool:
        """Whether it leads to a root and has a list that says "not revoked" for each certificate below it."""
        whole = self.complete(path)
        if whole[-1].issuer != whole[-1].subject:
            return False
        return all(
            any(_is_clear(found, whole[position : position + 2], at) for found in self.lists)
            for position in range(len(whole) - 1)
        )


@dataclass(frozen=True, slots=True)
class Contents:
    """A sealed file.

    Attributes:
        path: the seal's certificates, signer first, as they travel in it.
        token: the time stamp over the seal's signature value, None when it has none.
        archive: document time stamps, oldest first.
        stored: validation data of the newest revision.
        ends_with_stamp: the last revision is an archive time stamp, which therefore covers everything.
    """

    path: tuple[x509.Certificate, ...]
    token: TimestampFacts | None
    archive: tuple[TimestampFacts, ...]
    stored: StoredData
    ends_with_stamp: bool


def read(pdf: bytes) -> Contents:
    """Read a sealed file.

    Raises:
        MalformedError: it is none, or cannot be read.
        MismatchError: a signature or a time stamp in it does not hold.
    """
    try:
        reader = PdfFileReader(io.BytesIO(pdf))
        found = reader.embedded_signatures
        stored = _stored(reader)
    except (PdfError, ValueError, TypeError, KeyError, *DAMAGED) as error:
        raise MalformedError(f"the sealed PDF cannot be read: {str(error)[:200]}") from error
    if not found or found[0].field_name != SEAL_FIELD:
        raise MalformedError("the PDF holds no seal", what_to_do="seal it first")

    def digest(signature: EmbeddedPdfSignature, algorithm: str) -> bytes:
        start, first, second, length = (int(item) for item in signature.byte_range)
        digester = hashlib.new(algorithm, memoryview(pdf)[start : start + first])
        digester.update(memoryview(pdf)[second : second + length])
        return digester.digest()

    seal, *later = found
    signed = read_signed_data(
        _value(seal),
        detached=lambda algorithm: digest(seal, algorithm),
        unsigned_allowed=frozenset({ID_TIME_STAMP_TOKEN}),
    )
    token = signed.unsigned.get(ID_TIME_STAMP_TOKEN)
    return Contents(
        path=signed.path,
        token=None if token is None else read_token(token, imprint=hashlib.sha512(signed.signature).digest()),
        archive=tuple(read_token(_value(item), imprint=digest(item, "sha512")) for item in later),
        stored=stored,
        ends_with_stamp=bool(later)
        and int(later[-1].byte_range[2]) + int(later[-1].byte_range[3]) == len(pdf),
    )


def _stored(reader: PdfFileReader) -> StoredData:
    if "/DSS" not in reader.root:
        return StoredData()
    store = reader.root["/DSS"]
    certificates = [
        item.get_object().read_data(DecodePurpose.CERTIFICATE) for item in store.get("/Certs", ())
    ]
    lists = [item.get_object().read_data(DecodePurpose.CRL) for item in store.get("/CRLs", ())]
    return StoredData(
        tuple(x509.load_der_x509_certificate(item) for item in certificates),
        tuple(crl.read(item) for item in lists),
    )


def _value(signature: EmbeddedPdfSignature) -> bytes:
    """DER of the signature without the zeros after it."""
    return bytes(cms.ContentInfo.load(signature.pkcs7_content).dump())


def _issued(above: x509.Certificate, certificate: x509.Certificate) -> bool:
    if above.subject != certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(above)
    except (InvalidSignature, *DAMAGED):
        return False
    return True


def _is_clear(found: crl.RevocationList, path: Sequence[x509.Certificate], at: datetime) -> bool:
    if found.next_update is None or found.next_update < at:
        return False
    try:
        return crl.revoked(found, path, at=at) == []
    except EvidenceError:
        return False
