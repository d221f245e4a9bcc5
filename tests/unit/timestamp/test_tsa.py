"""Stamping at two real authorities of different make, and what a token may not be."""

from __future__ import annotations

import hashlib
import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_service.egress.http import Answer, exchange
from evidence_service.errors import AuthorityUnavailableError, EvidenceError, MismatchError
from evidence_service.timestamp import tsa
from evidence_service.verify.policy import Voucher
from evidence_service.verify.timestamp import judge_token, read_token

DATA = b"what was stamped"
DIGEST = hashlib.sha512(DATA).digest()


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def authorities(demo_authorities: list[tsa.Authority]) -> list[tsa.Authority]:
    return demo_authorities


@pytest.fixture(scope="module")
def tokens(authorities: list[tsa.Authority]) -> dict[str, bytes]:
    stamped = tsa.Authorities(authorities, minimum=2).stamp(DIGEST, nonce=lambda: 7, now=now)
    assert stamped.failures == ()
    assert [token.revocation["status"] for token in stamped.tokens] == ["collected", "collected"]
    return {token.authority: token.der for token in stamped.tokens}


def test_both_give_tokens_that_name_different_authorities(
    tokens: dict[str, bytes], authorities: list[tsa.Authority]
) -> None:
    facts = [read_token(token, imprint=DIGEST) for token in tokens.values()]
    assert len({item.authority for item in facts}) == 2
    for item, authority in zip(facts, authorities, strict=True):
        voucher = judge_token(item, [Voucher(authority.name, authority.roots, demonstration=True)]).voucher
        assert voucher is not None
        assert abs(item.gen_time - now()) < timedelta(minutes=5)


def test_openssl_agrees(tokens: dict[str, bytes], authorities: list[tsa.Authority], tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(DATA)
    for authority in authorities:
        (tmp_path / "token").write_bytes(tokens[authority.name])
        root = x509.load_der_x509_certificate(authority.roots[0])
        (tmp_path / "root.pem").write_bytes(root.public_bytes(Encoding.PEM))
        command = [
            "openssl",
            "ts",
            "-verify",
            "-token_in",
            "-in",
            "token",
            "-data",
            "data",
            "-CAfile",
            "root.pem",
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert "Verification: OK" in done.stdout, done.stderr


def test_any_changed_byte_is_refused_without_knowing_a_root(
    tokens: dict[str, bytes], authorities: list[tsa.Authority]
) -> None:
    patterns = random.Random(1)
    roots = {authority.name: authority.roots for authority in authorities}
    for name, token in tokens.items():
        signed = read_token(token, imprint=DIGEST).signed
        for position in range(len(token)):
            changed = bytearray(token)
            changed[position] ^= patterns.randrange(1, 256)
            try:
                facts = read_token(bytes(changed), imprint=DIGEST)
            except EvidenceError:
                continue
            # Only the signature of a top certificate whose issuer is not inside can be unbound.
            assert signed.unbound_top, f"byte {position} of {name}'s token is not bound by anything"
            voucher = judge_token(facts, [Voucher(name, roots[name], demonstration=True)]).voucher
            assert voucher is None, f"byte {position} of {name}'s token can change unnoticed"


def test_a_token_over_other_data_is_refused(tokens: dict[str, bytes]) -> None:
    for token in tokens.values():
        with pytest.raises(MismatchError, match="other data"):
            read_token(token, imprint=hashlib.sha512(b"other").digest())


def test_a_root_that_travels_in_the_token_is_not_trusted(
    tokens: dict[str, bytes], authorities: list[tsa.Authority]
) -> None:
    """The flaw of rfc3161-client 1.0.6 to 1.0.8: intact, complete, self-vouched, and still untrusted."""
    first, second = authorities
    info = cms.ContentInfo.load(tokens[first.name])
    root = cms.CertificateChoices.load(first.roots[0])
    certificates = sorted([*(item.dump() for item in info["content"]["certificates"]), root.dump()])
    info["content"]["certificates"] = cms.CertificateSet(map(cms.CertificateChoices.load, certificates))
    facts = read_token(info.dump(), imprint=DIGEST)
    assert len(facts.signed.path) == 2
    assert not facts.signed.unbound_top
    assert judge_token(facts, [Voucher(second.name, second.roots, demonstration=True)]).voucher is None
    assert judge_token(facts, []).voucher is None
    assert judge_token(facts, [Voucher(first.name, first.roots, demonstration=True)]).voucher is not None


def test_a_surplus_certificate_is_refused(tokens: dict[str, bytes], authorities: list[tsa.Authority]) -> None:
    first, second = authorities
    info = cms.ContentInfo.load(tokens[first.name])
    stranger = cms.CertificateChoices.load(second.roots[0])
    certificates = sorted([*(item.dump() for item in info["content"]["certificates"]), stranger.dump()])
    info["content"]["certificates"] = cms.CertificateSet(map(cms.CertificateChoices.load, certificates))
    with pytest.raises(EvidenceError, match="not on the signer's path"):
        read_token(info.dump(), imprint=DIGEST)


def test_an_answer_to_another_request_is_refused(authorities: list[tsa.Authority]) -> None:
    """A genuine token over the same digest, replayed: only the nonce tells."""
    recorded: list[Answer] = []

    def replay(url: str, **options: Any) -> Answer:
        if "content" in options:
            recorded.append(exchange(url, **options))
            return recorded[0]
        return exchange(url, **options)

    asked = tsa.Authorities(authorities[:1], minimum=1, send=replay)
    assert asked.request(authorities[0], DIGEST, nonce=1, now=now)
    with pytest.raises(AuthorityUnavailableError, match="nonce"):
        asked.request(authorities[0], DIGEST, nonce=2, now=now)


def test_a_skewed_clock_is_refused(authorities: list[tsa.Authority]) -> None:
    asked = tsa.Authorities(authorities, minimum=2)
    with pytest.raises(AuthorityUnavailableError, match="far from this clock"):
        asked.request(authorities[0], DIGEST, nonce=1, now=lambda: now() + timedelta(hours=1))
