"""What a sealed file holds: its seal, time stamps and validation data, each checked for integrity.

Read anew from the bytes by the verifier's own reader, so that a judgement about a file never rests on what
was meant to be written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from evidence_service.errors import EvidenceError
from evidence_service.verify import crl, pdf
from evidence_service.verify.certificate import open_certificate, signature_value
from evidence_service.verify.signatures import DAMAGED
from evidence_service.verify.timestamp import TimestampFacts, read_token


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


def read(data: bytes) -> Contents:
    """Read a sealed file.

    Raises:
        MalformedError, LimitExceededError: it is not one of the shape the service makes.
        MismatchError: a signature or a time stamp in it does not hold.
    """
    # Our own file: no child process is needed to read it.
    opened = open_certificate(data, reader=pdf.read)
    stored: dict[str, list[bytes]] = {"certificate": [], "list": []}
    for item in opened.validation:
        stored[item.kind].append(item.data)
    return Contents(
        path=opened.seal.signed.path,
        token=opened.seal.timestamp,
        archive=tuple(
            read_token(signature_value(item.token), imprint=item.imprint) for item in opened.stamps
        ),
        stored=StoredData(
            tuple(x509.load_der_x509_certificate(item) for item in stored["certificate"]),
            tuple(crl.read(item) for item in stored["list"]),
        ),
        ends_with_stamp=opened.revisions[-1][0] == "stamp",
    )


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
