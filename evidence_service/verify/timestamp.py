"""RFC 3161 time-stamp tokens: first whether they hold, then whether somebody trusted made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from evidence_service.core.stamp import TOKEN_LIMIT
from evidence_service.errors import LimitExceededError, MalformedError, MismatchError
from evidence_service.verify import tst_info
from evidence_service.verify.cms import ID_TST_INFO, SignedData, read_signed_data
from evidence_service.verify.path import common_name, trusted_path
from evidence_service.verify.policy import Voucher
from evidence_service.verify.tst_info import TstInfo


@dataclass(frozen=True, slots=True)
class TimestampFacts:
    """What a token whose signature holds says.

    Attributes:
        authority: common name of the signer's certificate; a claim until the path is trusted.
    """

    info: TstInfo
    authority: str
    signed: SignedData

    @property
    def gen_time(self) -> datetime:
        """The authority's time, UTC."""
        return self.info.gen_time


def read_token(token: bytes, *, imprint: bytes, sha3: bool = False) -> TimestampFacts:
    """Check a token's integrity and that it is over this imprint.

    Args:
        token: DER of the TimeStampToken (a ContentInfo).
        imprint: SHA-512 of the stamped data, 64 bytes.
        sha3: the imprint is SHA3-512, as hash-tree renewals and nothing else have it.

    Raises:
        MalformedError, LimitExceededError: not a token of RFC 3161.
        MismatchError: changed, or over other data.
    """
    if len(token) > TOKEN_LIMIT:
        raise LimitExceededError(f"a time stamp of {len(token)} bytes; the limit is {TOKEN_LIMIT}")
    signed = read_signed_data(token)
    if signed.content_type != ID_TST_INFO or signed.content is None:
        raise MalformedError("the signed content is not a time stamp")
    info = tst_info.read(signed.content)
    found, name = (info.sha3_512, "SHA3-512") if sha3 else (info.sha512, "SHA-512")
    if found is None:
        raise MismatchError(f"the time stamp is not over a {name} digest")
    if found != imprint:
        raise MismatchError("the time stamp is over other data")
    return TimestampFacts(info, common_name(signed.signer.subject), signed)


@dataclass(frozen=True, slots=True)
class JudgedToken:
    """A token whose signature holds, and what a policy says of who made it.

    Attributes:
        voucher: the trusted authority, None when there is none.
        path: signer first, with the trusted root at its end; only what travels in the token when not trusted.
        why: why it is not trusted, in words.
    """

    facts: TimestampFacts
    voucher: Voucher | None
    path: tuple[x509.Certificate, ...]
    why: str

    @property
    def ends(self) -> datetime:
        """When the first certificate of its path ends, UTC."""
        return min(certificate.not_valid_after_utc for certificate in self.path)


def judge_token(facts: TimestampFacts, vouchers: Sequence[Voucher]) -> JudgedToken:
    """Who made a token, judged at the token's own time.

    A token outlives its authority's certificate: what counts is that the certificate was valid when the
    token was made.
    """
    why = "no authority is trusted"
    for voucher in vouchers:
        path, why = trusted_path(facts.signed.path, voucher.roots, at=facts.gen_time, timestamping=True)
        if path is not None:
            return JudgedToken(facts, voucher, path, "")
    return JudgedToken(facts, None, facts.signed.path, why)
