"""Revocation lists: fetched, checked, kept beside the token; what cannot be had is said and stops nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from evidence_service.egress.http import exchange, guarded
from evidence_service.egress.policy import EgressPolicy
from evidence_service.errors import AuthorityUnavailableError
from evidence_service.timestamp.revocation import distribution_points
from evidence_service.timestamp.tsa import Authorities, Authority, Token
from evidence_service.verify import crl
from evidence_service.verify.policy import Voucher
from evidence_service.verify.timestamp import judge_token, read_token
from tests.authorities import TimedAuthority, lasting_authority

DIGEST = hashlib.sha512(b"what was stamped").digest()
DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimedAuthority]:
    with lasting_authority(tmp_path_factory.mktemp("a")) as running:
        yield running


@pytest.fixture(autouse=True)
def sound(authority: TimedAuthority) -> None:
    authority.restore()


def asking(*authorities: Authority) -> Authorities:
    return Authorities(authorities, minimum=1, send=partial(exchange, seconds=0.6))


def token(asked: Authorities, moment: datetime | None = None) -> Token:
    return asked.stamp(DIGEST, nonce=lambda: 7, now=lambda: moment or now()).tokens[0]


def test_the_list_is_kept_and_judged_like_everything_else(authority: TimedAuthority) -> None:
    found = token(asking(authority.authority))
    assert found.revocation["status"] == "collected"
    [text] = found.revocation["crls"]
    facts = read_token(found.der, imprint=DIGEST)
    judged = judge_token(facts, [Voucher("A", (authority.root,), demonstration=True)])
    assert crl.revoked(crl.read(base64.b64decode(text)), judged.path, at=facts.gen_time) == []


def test_a_list_is_fetched_once_until_its_next_update(authority: TimedAuthority) -> None:
    asked = asking(authority.authority)
    for _ in range(3):
        token(asked)
    assert authority.lists == 1


def test_it_is_fetched_again_after_its_next_update(tmp_path: Path) -> None:
    moments = [now()]
    running = TimedAuthority(
        "B", tmp_path, signers=[(now() - DAY, now() + 300 * DAY)], clock=lambda: moments[0]
    )
    try:
        asked = asking(running.authority)
        first = token(asked, moments[0])
        moments[0] += 60 * DAY
        second = token(asked, moments[0])
        assert running.lists == 2
        assert first.revocation["crls"] != second.revocation["crls"]
    finally:
        running.stop()


LISTS = {
    "list: HTTP 404": "HTTP 404",
    "list: oversize": "larger than 65536 bytes",
    "list: nonsense": "cannot be read",
    "list: redirect": "HTTP 302",
    "list: slow drip": "did not answer completely within 0.6 s",
    "list: stale": "is not current",
}


@pytest.mark.parametrize(("fault", "words"), LISTS.items())
def test_what_cannot_be_had_is_recorded_and_stops_no_stamp(
    authority: TimedAuthority, fault: str, words: str
) -> None:
    authority.fault = fault
    found = token(asking(authority.authority))
    assert found.revocation["status"] == "absent"
    assert words in found.revocation["why"]
    assert 1 <= len(found.revocation["why"]) <= 400
    assert authority.redirected == 0


def test_an_address_the_policy_does_not_permit_is_not_asked(authority: TimedAuthority) -> None:
    asked = Authorities([authority.authority], minimum=1, publishers=guarded(EgressPolicy()))
    found = token(asked)
    assert found.revocation["status"] == "absent"
    assert "not public" in found.revocation["why"]
    assert authority.lists == 0


def test_a_list_by_another_is_not_kept(authority: TimedAuthority, tmp_path: Path) -> None:
    other = TimedAuthority("A", tmp_path, signers=[(now() - DAY, now() + DAY)], clock=now)
    genuine = authority.list_at
    authority.list_at = other.list_at  # type: ignore[method-assign]
    try:
        found = token(asking(authority.authority))
        assert "not signed by the issuer it names" in found.revocation["why"]
    finally:
        authority.list_at = genuine  # type: ignore[method-assign]
        other.stop()


def test_a_revoked_certificate_is_refused(tmp_path: Path) -> None:
    running = TimedAuthority(
        "R", tmp_path, signers=[(now() - 90 * DAY, now() + DAY)], clock=now, revoked=now() - 60 * DAY
    )
    try:
        with pytest.raises(AuthorityUnavailableError, match="the certificate of R is revoked"):
            token(asking(running.authority))
        assert running.issued == 1
    finally:
        running.stop()


def certificate(*points: x509.DistributionPoint) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "n")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now())
        .not_valid_after(now() + DAY)
    )
    if points:
        builder = builder.add_extension(x509.CRLDistributionPoints(points), critical=False)
    return builder.sign(key, hashes.SHA256())


def point(url: str, **parts: object) -> x509.DistributionPoint:
    members = {"relative_name": None, "reasons": None, "crl_issuer": None, **parts}
    return x509.DistributionPoint(full_name=[x509.UniformResourceIdentifier(url)], **members)  # type: ignore[arg-type]


def test_only_complete_lists_over_http_are_asked_for() -> None:
    issuer = [x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "i")]))]
    assert distribution_points(certificate()) == []
    assert distribution_points(
        certificate(
            point("ldap://127.0.0.1/list"),
            point("file:///etc/passwd"),
            point("https://127.0.0.1/list"),
            point("http://127.0.0.1/indirect", crl_issuer=issuer),
            point("http://127.0.0.1/part", reasons=frozenset({x509.ReasonFlags.key_compromise})),
            point("http://127.0.0.1/list"),
        )
    ) == ["http://127.0.0.1/list"]
