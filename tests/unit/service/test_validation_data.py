"""Validation data of a path: had, not to be had at all, or not to be had now; and whom nobody connects to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from asn1crypto.tsp import TimeStampReq, TimeStampResp
from cryptography import x509

from evidence_service.egress.http import Answer, exchange, guarded
from evidence_service.egress.policy import EgressPolicy
from evidence_service.errors import MismatchError, UnavailableError
from evidence_service.sandbox.demo_certificates import distribution_point
from evidence_service.service.validation_data import PublishedLists
from evidence_service.timestamp.revocation import RevocationLists
from evidence_service.timestamp.tsa import Authorities
from evidence_service.verify.timestamp import read_token
from tests.authorities import TimedAuthority, lasting_authority
from tests.forgeries.keys import certify, key
from tests.forgeries.renewing import revocation_list

DIGEST = hashlib.sha512(b"what was stamped").digest()
DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TimedAuthority]:
    with lasting_authority(tmp_path_factory.mktemp("a")) as running:
        yield running


@pytest.fixture(scope="module")
def path(authority: TimedAuthority) -> Sequence[x509.Certificate]:
    """Of a token, as it travels."""
    asked = Authorities([authority.authority], minimum=1)
    token = asked.stamp(DIGEST, nonce=lambda: 7, now=now).tokens[0].der
    return read_token(token, imprint=DIGEST).signed.path


@pytest.fixture(autouse=True)
def sound(authority: TimedAuthority) -> None:
    authority.restore()


def lists_for(authority: TimedAuthority, **changes: object) -> PublishedLists:
    send = changes.pop("send", partial(exchange, seconds=0.6))
    usual = {"seal_roots": [], "authority_roots": [authority.root], "now": now}
    return PublishedLists(RevocationLists(send), **{**usual, **changes})  # type: ignore[arg-type]


def test_the_whole_path_and_its_lists(authority: TimedAuthority, path: Sequence[x509.Certificate]) -> None:
    published = lists_for(authority)
    data = published(path, timestamping=True)
    assert data is not None
    assert data.certificates == (*path, x509.load_der_x509_certificate(authority.root))
    assert len(data.lists) == 1
    # Kept until the next one is due: a seal asks three times.
    assert published(path, timestamping=True) == data
    assert authority.lists == 1


def test_seals_and_time_stamps_have_roots_of_their_own(
    authority: TimedAuthority, path: Sequence[x509.Certificate]
) -> None:
    assert lists_for(authority)(path, timestamping=False) is None
    assert (
        lists_for(authority, authority_roots=[], seal_roots=[authority.root])(path, timestamping=True) is None
    )
    assert authority.lists == 0


def test_a_certificate_that_names_no_list_has_none(authority: TimedAuthority) -> None:
    root = certify("Root", key("Root"), None, ca=True)
    published = lists_for(authority, seal_roots=[root.der])
    assert published([certify("Leaf", key("Leaf"), root).certificate], timestamping=False) is None


def test_a_root_that_seals_itself_needs_no_list(authority: TimedAuthority) -> None:
    root = certify("Root", key("Root"), None, ca=True)
    data = lists_for(authority, seal_roots=[root.der])([root.certificate], timestamping=False)
    assert data is not None
    assert (data.certificates, data.lists) == ((root.certificate,), ())


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("list: HTTP 404", "HTTP 404"),
        ("list: oversize", "larger than"),
        ("list: nonsense", "cannot be read"),
        ("list: redirect", "HTTP 302"),
        ("list: slow drip", "did not answer completely"),
        ("list: stale", "not current"),
    ],
)
def test_a_list_that_cannot_be_had_now_is_waited_for(
    fault: str, words: str, authority: TimedAuthority, path: Sequence[x509.Certificate]
) -> None:
    authority.fault = fault
    published = lists_for(authority)
    with pytest.raises(UnavailableError, match=f"lists for A could not be had: .*{words}") as raised:
        published(path, timestamping=True)
    assert "egress_exceptions" in raised.value.what_to_do
    authority.fault = None
    assert published(path, timestamping=True) is not None


def test_an_address_the_egress_policy_does_not_name_is_never_reached(
    authority: TimedAuthority, path: Sequence[x509.Certificate]
) -> None:
    published = lists_for(authority, send=guarded(EgressPolicy()))
    with pytest.raises(UnavailableError, match="could not be had"):
        published(path, timestamping=True)
    assert authority.lists == 0


def test_a_revoked_certificate_is_not_waited_for(tmp_path_factory: pytest.TempPathFactory) -> None:
    # Long ago: its lists are simulated a month apart.
    revoked = TimedAuthority(
        "R",
        tmp_path_factory.mktemp("r"),
        signers=[(now() - 500 * DAY, now() + 300 * DAY)],
        clock=now,
        revoked=now() - 400 * DAY,
    )
    try:
        answer = TimeStampResp.load(revoked.reply(_request()))
        path = read_token(answer["time_stamp_token"].dump(), imprint=DIGEST).signed.path
        with pytest.raises(MismatchError, match="of R is revoked"):
            lists_for(revoked)(path, timestamping=True)
    finally:
        revoked.stop()


def test_what_was_signed_before_stays_good(authority: TimedAuthority) -> None:
    root = certify("Root", key("Root"), None, ca=True)
    valid = (now() - 500 * DAY, now() - 100 * DAY)
    point = distribution_point("http://127.0.0.1:1/list.crl")
    leaf = certify("Leaf", key("Leaf"), root, valid=valid, extensions=((point, False),))
    ceased = (leaf.certificate, now() - 200 * DAY, x509.ReasonFlags.cessation_of_operation)
    made = revocation_list(root, ceased, at=now() - timedelta(hours=1))

    def send(url: str, **_: object) -> Answer:
        return Answer(200, "application/pkix-crl", made)

    published = lists_for(authority, send=send, seal_roots=[root.der])
    path = [leaf.certificate]
    # Its certificate has ended and was revoked since; when it signed it was good.
    data = published(path, timestamping=False, at=now() - 300 * DAY)
    assert data is not None
    assert data.lists == (made,)
    assert published(path, timestamping=False) is None
    with pytest.raises(MismatchError, match="of Leaf is revoked"):
        published(path, timestamping=False, at=now() - 150 * DAY)


def _request() -> bytes:
    imprint = {"hash_algorithm": {"algorithm": "sha512"}, "hashed_message": DIGEST}
    return bytes(TimeStampReq({"version": 1, "message_imprint": imprint, "cert_req": True}).dump())
