"""Open a sealed certificate: every byte covered by one signature that holds, then whose signature it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from evidence_service.errors import MalformedError
from evidence_service.verify import confined, pdf
from evidence_service.verify.cms import ID_TIME_STAMP_TOKEN, SignedData, read_signed_data
from evidence_service.verify.path import common_name, trusted_path
from evidence_service.verify.policy import Voucher
from evidence_service.verify.timestamp import TimestampFacts, read_token


@dataclass(frozen=True, slots=True)
class SealFacts:
    """What the seal says once it holds.

    Attributes:
        signer: common name of the signing certificate; a claim until the path is trusted.
        level: signature level achieved, ``PAdES B-B`` or ``PAdES B-T``.
        timestamp: the time stamp over the signature value, None at level B-B.
    """

    signer: str
    level: str
    timestamp: TimestampFacts | None
    signed: SignedData


@dataclass(frozen=True, slots=True)
class OpenedCertificate:
    """A certificate whose seal holds: its attachments by name, and the seal."""

    attachments: dict[str, bytes]
    seal: SealFacts


def open_certificate(
    data: bytes, *, reader: Callable[[bytes], pdf.PdfContents] = confined.read_pdf
) -> OpenedCertificate:
    """Open a certificate and check its seal's integrity (check 7.1).

    Args:
        reader: parses the untrusted PDF; in a child process under limits unless a test says otherwise.

    Raises:
        MalformedError, LimitExceededError: not a sealed certificate of this project.
        MismatchError: some byte was changed since it was sealed.
    """
    contents = reader(data)
    if contents.subfilter != "ETSI.CAdES.detached":
        raise MalformedError(f"the seal is of kind {contents.subfilter!r}, not a PAdES signature")
    _, first, second, _ = contents.byte_range
    signature = _signature_value(data[first + 1 : second - 1])

    def covered(algorithm: str) -> bytes:
        digest = hashlib.new(algorithm)
        digest.update(memoryview(data)[:first])
        digest.update(memoryview(data)[second:])
        return digest.digest()

    signed = read_signed_data(signature, detached=covered, unsigned_allowed=frozenset({ID_TIME_STAMP_TOKEN}))
    token = signed.unsigned.get(ID_TIME_STAMP_TOKEN)
    timestamp = None
    if token is not None:
        timestamp = read_token(token, imprint=hashlib.sha512(signed.signature).digest())
    seal = SealFacts(
        signer=common_name(signed.signer.subject),
        level="PAdES B-B" if timestamp is None else "PAdES B-T",
        timestamp=timestamp,
        signed=signed,
    )
    return OpenedCertificate(contents.attachments, seal)


def trust_seal(seal: SealFacts, issuers: Sequence[Voucher], *, at: datetime) -> tuple[Voucher | None, str]:
    """The trusted issuer under whose root the seal was made, or None and why (check 7.2).

    Args:
        at: time the certificate is judged at: that of its time stamp where that is trusted, else now.
    """
    why = "no seal issuer is trusted"
    for issuer in issuers:
        path, why = trusted_path(seal.signed.path, issuer.roots, at=at, timestamping=False)
        if path is not None:
            return issuer, ""
    return None, why


def _signature_value(gap: bytes) -> bytes:
    """The DER inside the reserved space; what follows it has to be zero."""
    padded = bytes.fromhex(gap.decode("ascii"))
    if len(padded) < 4 or padded[0] != 0x30 or not 0x81 <= padded[1] <= 0x83:
        raise MalformedError("the seal's value is not a signature")
    width = padded[1] - 0x80
    end = 2 + width + int.from_bytes(padded[2 : 2 + width], "big")
    if end > len(padded) or any(padded[end:]):
        raise MalformedError("the reserved space after the seal's value is not empty")
    return padded[:end]
