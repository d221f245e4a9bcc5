"""Open a sealed certificate: what its seal and its document time stamps cover, then whose seal it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from evidence_service.errors import MalformedError
from evidence_service.verify import confined, pdf
from evidence_service.verify.cms import ID_TIME_STAMP_TOKEN, SignedData, read_signed_data
from evidence_service.verify.path import common_name, trusted_path
from evidence_service.verify.pdf_updates import ByteRange, DocumentStamp, ValidationData
from evidence_service.verify.policy import Voucher
from evidence_service.verify.timestamp import TimestampFacts, read_token


@dataclass(frozen=True, slots=True)
class SealFacts:
    """What the seal says once it holds.

    Attributes:
        signer: common name of the signing certificate; a claim until the path is trusted.
        level: of the seal by itself, ``PAdES B-B`` or ``PAdES B-T``; what was added later raises it only
            where a policy lets it be judged (check 7.4).
        timestamp: the time stamp over the signature value, None at level B-B.
    """

    signer: str
    level: str
    timestamp: TimestampFacts | None
    signed: SignedData


@dataclass(frozen=True, slots=True)
class ArchiveStamp:
    """A document time stamp that nobody has read yet.

    Attributes:
        token: the reserved space, DER and zeros.
        imprint: SHA-512 of all bytes it covers.
        revision: number of its revision; the seal's is 2.
    """

    token: bytes
    imprint: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class OpenedCertificate:
    """A certificate whose seal holds.

    Attributes:
        attachments: by name.
        validation: data added for later validation, oldest first.
        stamps: document time stamps, oldest first.
        revisions: what each revision adds and where it ends, oldest first.
    """

    attachments: dict[str, bytes]
    seal: SealFacts
    validation: tuple[ValidationData, ...] = ()
    stamps: tuple[ArchiveStamp, ...] = ()
    revisions: tuple[tuple[str, int], ...] = ()


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
    first, second, end = contents.byte_range
    signature = signature_value(_gap(data, contents.byte_range))

    def covered(algorithm: str) -> bytes:
        digest = hashlib.new(algorithm)
        digest.update(memoryview(data)[:first])
        digest.update(memoryview(data)[second:end])
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
    return OpenedCertificate(
        contents.attachments, seal, contents.validation, _stamps(data, contents.stamps), contents.revisions
    )


def _stamps(data: bytes, found: Sequence[DocumentStamp]) -> tuple[ArchiveStamp, ...]:
    """What each document time stamp has to be over; the file is gone through once for all of them."""
    view, before, position = memoryview(data), hashlib.sha512(), 0
    result = []
    for item in found:
        first, second, end = item.byte_range
        before.update(view[position:first])
        position = first
        covered = before.copy()
        covered.update(view[second:end])
        result.append(ArchiveStamp(_gap(data, item.byte_range), covered.digest(), item.revision))
    return tuple(result)


@dataclass(frozen=True, slots=True)
class JudgedSeal:
    """Whose seal it is, as a policy sees it.

    Attributes:
        issuer: the trusted one, None when there is none.
        path: signer first, with the trusted root at its end; only what travels in the seal when not trusted.
        why: why it is not trusted, in words.
    """

    issuer: Voucher | None
    path: tuple[x509.Certificate, ...]
    why: str


def trust_seal(seal: SealFacts, issuers: Sequence[Voucher], *, at: datetime) -> JudgedSeal:
    """The trusted issuer under whose root the seal was made (check 7.2).

    Args:
        at: time the certificate is judged at: that of the first trusted time stamp over it, else now.
    """
    why = "no seal issuer is trusted"
    for issuer in issuers:
        path, why = trusted_path(seal.signed.path, issuer.roots, at=at, timestamping=False)
        if path is not None:
            return JudgedSeal(issuer, path, "")
    return JudgedSeal(None, seal.signed.path, why)


def _gap(data: bytes, byte_range: ByteRange) -> bytes:
    return bytes.fromhex(data[byte_range.first + 1 : byte_range.second - 1].decode("ascii"))


def signature_value(padded: bytes) -> bytes:
    """The DER in the space reserved for a signature or token; what follows it has to be zero.

    Raises:
        MalformedError: there is no DER value, or something behind it.
    """
    if len(padded) < 4 or padded[0] != 0x30 or not 0x81 <= padded[1] <= 0x83:
        raise MalformedError("the reserved space holds no signature")
    width = padded[1] - 0x80
    end = 2 + width + int.from_bytes(padded[2 : 2 + width], "big")
    if end > len(padded) or any(padded[end:]):
        raise MalformedError("the reserved space after the signature is not empty")
    return padded[:end]
