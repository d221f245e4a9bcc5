"""A seal is extended in time, again and again, and never after its newest time stamp has ended."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from evidence_service.certificate.sealing import SealKey, due, extend, seal
from evidence_service.certificate.sealing.archive import ends_at
from evidence_service.certificate.sealing.levels import judged
from evidence_service.errors import (
    AuthorityUnavailableError,
    ConfigurationError,
    MismatchError,
    UnavailableError,
)
from tests.forgeries.keys import Authority, Issuer, authority, later, seal_issuer
from tests.forgeries.renewing import until
from tests.forgeries.world import FIRST, plain
from tests.sealing import no_stamp, nobody_publishes, published_by, sealed_at

YEAR = timedelta(days=365)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[SealKey, Issuer]:
    issuer = seal_issuer("Archive", tmp_path_factory.mktemp("seal"))
    return issuer.key, issuer.root


@pytest.fixture(scope="module")
def first() -> Authority:
    """Its signer ends a year from the beginning."""
    return until(FIRST, "p256", "sha256", YEAR)


@pytest.fixture(scope="module")
def archived(world: tuple[SealKey, Issuer], first: Authority) -> bytes:
    key, root = world
    return sealed_at(
        plain({}), key, "PAdES B-LTA", root, first.root, stamps=[(first, later()), (first, later(seconds=1))]
    )


def test_it_is_due_before_its_newest_time_stamp_ends(archived: bytes) -> None:
    assert ends_at(archived) == later(days=365)
    month = timedelta(days=30)
    assert not due(archived, later(days=334), before=month)
    assert due(archived, later(days=335), before=month)
    assert due(archived, later(days=1000), before=month)


def test_extensions_follow_each_other(
    archived: bytes, world: tuple[SealKey, Issuer], first: Authority
) -> None:
    longer = until(FIRST, "p256", "sha256", 3 * YEAR)
    _, root = world
    once = extend(
        archived,
        stamp=lambda digest: longer.token(digest, later(days=300)),
        revocation=published_by(root, first.root, at=later(days=300)),
    )
    assert once.level == "PAdES B-LTA"
    assert once.pdf.startswith(archived)
    assert once.pdf.count(b"%%EOF") == archived.count(b"%%EOF") + 2
    assert ends_at(once.pdf) == later(days=3 * 365)
    usual = authority(FIRST)
    twice = extend(
        once.pdf,
        stamp=lambda digest: usual.token(digest, later(days=1000)),
        revocation=published_by(root, first.root, at=later(days=1000)),
    )
    assert twice.level == "PAdES B-LTA"
    assert twice.pdf.startswith(once.pdf)
    assert ends_at(twice.pdf) > later(days=4 * 365)


def test_only_the_newest_time_stamp_needs_new_data(archived: bytes, first: Authority) -> None:
    asked: list[tuple[str, bool]] = []
    lists = published_by(first.root, at=later(days=300))

    def noted(path, *, timestamping):  # type: ignore[no-untyped-def]
        asked.append((path[0].subject.rfc4514_string(), timestamping))
        return lists(path, timestamping=timestamping)

    extend(archived, stamp=lambda digest: first.token(digest, later(days=300)), revocation=noted)
    assert asked == [("CN=First Authority signer until 365", True)]


def test_the_same_data_again_still_makes_a_pair_of_revisions(archived: bytes, first: Authority) -> None:
    lists = published_by(first.root, at=later(days=300))
    stamp = lambda digest: first.token(digest, later(days=300))  # noqa: E731
    once = extend(archived, stamp=stamp, revocation=lists).pdf
    again = extend(once, stamp=lambda digest: first.token(digest, later(days=301)), revocation=lists)
    assert again.level == "PAdES B-LTA"
    assert again.pdf.count(b"%%EOF") == once.count(b"%%EOF") + 2


@pytest.mark.parametrize("level", ["PAdES B-T", "PAdES B-LT"])
def test_a_lower_level_is_lifted(level, world: tuple[SealKey, Issuer], first: Authority) -> None:  # type: ignore[no-untyped-def]
    key, root = world
    sealed = sealed_at(plain({}), key, level, root, first.root, stamps=[(first, later())])
    lifted = extend(
        sealed,
        stamp=lambda digest: first.token(digest, later(days=1)),
        revocation=published_by(root, first.root, at=later(days=1)),
    )
    assert lifted.level == "PAdES B-LTA"
    assert lifted.pdf.startswith(sealed)


def test_too_late_is_refused(archived: bytes, first: Authority) -> None:
    with pytest.raises(MismatchError, match=r"ended at 2027-03-04 .*too late"):
        extend(
            archived,
            stamp=lambda digest: authority(FIRST).token(digest, later(days=365)),
            revocation=published_by(first.root, at=later(days=364)),
        )


def test_nothing_is_half_made(archived: bytes, first: Authority) -> None:
    def down(*_: object, **__: object) -> bytes:
        raise AuthorityUnavailableError("down")

    def unavailable(path: object, *, timestamping: bool) -> None:
        raise UnavailableError("no list")

    with pytest.raises(AuthorityUnavailableError):
        extend(archived, stamp=down, revocation=published_by(first.root, at=later(days=300)))
    with pytest.raises(UnavailableError, match="no list"):
        extend(archived, stamp=no_stamp, revocation=unavailable)
    assert judged(archived).level == "PAdES B-LTA"


def test_what_cannot_be_proved_is_not_extended(archived: bytes) -> None:
    with pytest.raises(ConfigurationError, match="names no revocation list") as raised:
        extend(archived, stamp=no_stamp, revocation=nobody_publishes)
    assert "trust file" in raised.value.what_to_do


def test_a_seal_without_a_time_stamp_is_not_extended(world: tuple[SealKey, Issuer]) -> None:
    key, _ = world
    bare = seal(plain({}), key, level="PAdES B-B", stamp=no_stamp, revocation=nobody_publishes, reason="x")
    assert ends_at(bare.pdf) == datetime(2040, 1, 1, tzinfo=later().tzinfo)
    with pytest.raises(MismatchError, match="without a time stamp"):
        extend(bare.pdf, stamp=no_stamp, revocation=nobody_publishes)
