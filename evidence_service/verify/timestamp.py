"""RFC 3161 time-stamp tokens: first whether they hold, then whether somebody trusted made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import tsp

from evidence_service.core.bundle import TOKEN_LIMIT
from evidence_service.errors import LimitExceededError, MalformedError, MismatchError
from evidence_service.verify.cms import ID_TST_INFO, SignedData, read_signed_data
from evidence_service.verify.path import common_name, trusted_root
from evidence_service.verify.policy import Voucher


@dataclass(frozen=True, slots=True)
class TimestampFacts:
    """What a token whose signature holds says.

    Attributes:
        gen_time: UTC.
        policy: dotted OID of the policy the authority worked under.
        accuracy_ms: stated accuracy in milliseconds, None when none is stated.
        authority: common name of the signer's certificate; a claim until the path is trusted.
    """

    gen_time: datetime
    serial: int
    policy: str
    accuracy_ms: int | None
    nonce: int | None
    authority: str
    signed: SignedData


def read_token(token: bytes, *, imprint: bytes) -> TimestampFacts:
    """Check a token's integrity and that it is over this imprint.

    Args:
        token: DER of the TimeStampToken (a ContentInfo).
        imprint: SHA-512 of the stamped data, 64 bytes.

    Raises:
        MalformedError, LimitExceededError: not a token of RFC 3161.
        MismatchError: changed, or over other data.
    """
    if len(token) > TOKEN_LIMIT:
        raise LimitExceededError(f"a time stamp of {len(token)} bytes; the limit is {TOKEN_LIMIT}")
    signed = read_signed_data(token)
    if signed.content_type != ID_TST_INFO or signed.content is None:
        raise MalformedError("the signed content is not a time stamp")
    try:
        info = tsp.TSTInfo.load(signed.content, strict=True)
        version, native = info["version"].native, info["message_imprint"].native
        moment, accuracy, nonce = info["gen_time"].native, info["accuracy"].native, info["nonce"].native
        serial, policy = int(info["serial_number"].native), str(info["policy"].dotted)
    except (ValueError, TypeError, KeyError) as error:
        raise MalformedError(f"the time stamp cannot be read: {str(error)[:200]}") from error
    if version != "v1" or moment is None or moment.tzinfo is None:
        raise MalformedError("the time stamp is not of version 1 with a UTC time")
    if native["hash_algorithm"]["algorithm"] != "sha512":
        raise MismatchError("the time stamp is not over a SHA-512 digest")
    if native["hashed_message"] != imprint:
        raise MismatchError("the time stamp is over other data")
    return TimestampFacts(
        gen_time=moment,
        serial=serial,
        policy=policy,
        accuracy_ms=None if accuracy is None else _milliseconds(accuracy),
        nonce=nonce,
        authority=common_name(signed.signer.subject),
        signed=signed,
    )


def trust_token(facts: TimestampFacts, vouchers: Sequence[Voucher]) -> tuple[Voucher | None, str]:
    """The trusted authority that made a token, judged at the token's own time.

    A token outlives its authority's certificate: what counts is that the certificate was valid when the
    token was made.

    Returns:
        The authority, or None and why in words.
    """
    why = "no authority is trusted"
    for voucher in vouchers:
        trusted, why = trusted_root(facts.signed.path, voucher.roots, at=facts.gen_time, timestamping=True)
        if trusted:
            return voucher, ""
    return None, why


def _milliseconds(accuracy: dict[str, int | None]) -> int:
    seconds, millis, micros = (accuracy.get(name) or 0 for name in ("seconds", "millis", "micros"))
    return seconds * 1000 + millis + -(-micros // 1000)
