"""k of n authorities: who is asked, in which order, and what happens when they fail in every way they can."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from evidence_service.egress.http import exchange
from evidence_service.errors import AuthorityUnavailableError
from evidence_service.processes import free_port
from evidence_service.timestamp.health import FIRST_REST
from evidence_service.timestamp.tsa import Authorities, Authority, Stamped
from evidence_service.verify.timestamp import read_token
from tests.authorities import TimedAuthority

DIGEST = hashlib.sha512(b"what was stamped").digest()
QUICK = partial(exchange, seconds=0.6)
DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC)


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[TimedAuthority]]:
    # The first signer has ended; the second signs, unless the fault asks for the first.
    signers = [(now() - 400 * DAY, now() - 35 * DAY), (now() - 40 * DAY, now() + 300 * DAY)]
    running = [
        TimedAuthority(name, tmp_path_factory.mktemp(name), signers=signers, clock=now)
        for name in ("first", "second", "third")
    ]
    yield running
    for item in running:
        item.stop()


@pytest.fixture(autouse=True)
def sound(three: list[TimedAuthority]) -> None:
    for item in three:
        item.fault = None
        item.asked = item.issued = item.redirected = item.lists = 0


def asking(
    authorities: list[Authority], *, minimum: int = 2, clock: Callable[[], float] = time.monotonic
) -> Authorities:
    return Authorities(authorities, minimum=minimum, clock=clock, send=QUICK)


def stamp(asked: Authorities, *, algorithm: str = "sha512", ends_after: datetime | None = None) -> Stamped:
    numbers = itertools.count(7)
    return asked.stamp(
        DIGEST, nonce=lambda: next(numbers), now=now, algorithm=algorithm, ends_after=ends_after
    )


def names(stamped: Stamped) -> list[str]:
    return [token.authority for token in stamped.tokens]


def test_no_more_are_asked_than_are_needed(three: list[TimedAuthority]) -> None:
    stamped = stamp(asking([item.authority for item in three]))
    assert names(stamped) == ["first", "second"]
    assert stamped.failures == ()
    assert [item.asked for item in three] == [1, 1, 0]
    for token in stamped.tokens:
        assert read_token(token.der, imprint=DIGEST).info.nonce in (7, 8)
        assert abs(token.ends_at - (now() + 300 * DAY)) < DAY


FAULTS = {
    "wrong nonce": "the answer is to another request",
    "wrong imprint": "over other data",
    "expired certificate": "was not valid at",
    "skewed time": "far from this clock",
    "HTTP 500": "it answered HTTP 500",
    "HTML with 200": "it answered text/html, not a time-stamp reply",
    "oversize": "larger than 65536 bytes",
    "nonsense": "cannot be read",
    "slow drip": "did not answer completely within 0.6 s",
    "slow header": "did not answer completely within 0.6 s",
    "rejection": "it refused with status rejection (bad_alg)",
    "redirect": "it answered HTTP 302",
    "reply lost": "it cannot be reached",
    "reply cut off": "it cannot be reached",
}


@pytest.mark.parametrize(("fault", "words"), FAULTS.items())
def test_what_one_does_wrong_is_recorded_and_the_next_one_is_asked(
    three: list[TimedAuthority], fault: str, words: str
) -> None:
    three[0].fault = fault
    began = time.monotonic()
    stamped = stamp(asking([item.authority for item in three]))
    assert time.monotonic() - began < 3
    assert names(stamped) == ["second", "third"]
    [(name, reason)] = stamped.failures
    assert name == "first"
    assert words in reason
    assert three[0].redirected == 0, "a redirect is never followed"


@pytest.mark.parametrize("fault", ["reply lost", "reply cut off", "slow drip"])
def test_failed_but_landed_a_second_token_is_harmless(three: list[TimedAuthority], fault: str) -> None:
    asked = asking([three[0].authority], minimum=1)
    three[0].fault = fault
    with pytest.raises(AuthorityUnavailableError, match="0 of 1 required"):
        stamp(asked)
    assert three[0].issued == 1
    three[0].fault = None
    assert names(stamp(asked)) == ["first"]
    assert three[0].issued == 2


def test_one_that_is_down_costs_nothing_but_its_place(three: list[TimedAuthority]) -> None:
    down = Authority("down", f"http://127.0.0.1:{free_port()}/", (three[0].root,))
    stamped = stamp(asking([down, *(item.authority for item in three)]))
    assert names(stamped) == ["first", "second"]
    assert "cannot be reached" in dict(stamped.failures)["down"]


def test_an_unknown_root_is_refused(three: list[TimedAuthority]) -> None:
    stranger = Authority("stranger", three[0].url, (three[1].root,))
    stamped = stamp(asking([stranger, three[1].authority, three[2].authority]))
    assert names(stamped) == ["second", "third"]
    assert "does not lead to a trusted root" in dict(stamped.failures)["stranger"]


def test_a_rogue_authority_whose_root_travels_in_its_tokens_is_refused(
    three: list[TimedAuthority], tmp_path: Path
) -> None:
    """The flaw of rfc3161-client 1.0.6 to 1.0.8: names, chain and signatures are right, the root is its own."""
    rogue = TimedAuthority(
        "first", tmp_path, signers=[(now() - DAY, now() + DAY)], clock=now, embed_root=True
    )
    try:
        with pytest.raises(AuthorityUnavailableError, match="does not lead to a trusted root"):
            stamp(asking([Authority("first", rogue.url, (three[0].root,))], minimum=1))
        assert rogue.issued == 1
        # It is whole in itself: with its own root pinned it is accepted, so nothing else refused it.
        assert names(stamp(asking([rogue.authority], minimum=1))) == ["first"]
    finally:
        rogue.stop()


def test_too_few_are_an_error_that_names_each_reason(three: list[TimedAuthority]) -> None:
    three[0].fault, three[2].fault = "HTTP 500", "rejection"
    with pytest.raises(AuthorityUnavailableError) as caught:
        stamp(asking([item.authority for item in three]))
    for words in (
        "1 of 2 required",
        "first: it answered HTTP 500",
        "third: it refused with status rejection",
    ):
        assert words in caught.value.message
    with pytest.raises(AuthorityUnavailableError, match="none is configured"):
        stamp(asking([]))


def test_one_that_failed_rests_and_is_asked_last(three: list[TimedAuthority]) -> None:
    clock = Clock()
    asked = asking([item.authority for item in three], clock=clock)
    three[0].fault = "slow header"
    stamp(asked)
    assert [item.asked for item in three] == [1, 1, 1]
    assert names(stamp(asked)) == ["second", "third"]
    assert three[0].asked == 1
    # Better one that rests than none.
    three[0].fault, three[1].fault = None, "HTTP 500"
    assert names(stamp(asked)) == ["first", "third"]
    three[1].fault = None
    assert names(stamp(asked)) == ["first", "third"]
    clock.seconds += FIRST_REST + 1
    assert names(stamp(asked)) == ["first", "second"]


def test_several_are_asked_at_once(three: list[TimedAuthority]) -> None:
    three[0].fault = three[1].fault = three[2].fault = "slow header"
    began = time.monotonic()
    with pytest.raises(AuthorityUnavailableError):
        stamp(asking([item.authority for item in three], minimum=3))
    assert time.monotonic() - began < 1.2, "three timeouts of 0.6 s one after the other would take 1.8 s"


def test_sha3_for_hash_tree_renewal(three: list[TimedAuthority]) -> None:
    stamped = stamp(asking([item.authority for item in three]), algorithm="sha3_512")
    for token in stamped.tokens:
        facts = read_token(token.der, imprint=DIGEST, sha3=True)
        assert facts.info.sha3_512 == DIGEST
        assert facts.info.sha512 is None


def test_certificates_that_end_too_early_do_not_renew(three: list[TimedAuthority], tmp_path: Path) -> None:
    late = TimedAuthority("late", tmp_path, signers=[(now() - DAY, now() + 900 * DAY)], clock=now)
    try:
        asked = asking([three[0].authority, late.authority], minimum=1)
        stamped = stamp(asked, ends_after=now() + 500 * DAY)
        assert names(stamped) == ["late"]
        assert "too early" in dict(stamped.failures)["first"]
        # That is no failure of the authority: it does not rest.
        assert names(stamp(asked)) == ["first"]
    finally:
        late.stop()


def test_an_authority_is_a_clock_whatever_its_time_is(three: list[TimedAuthority]) -> None:
    clocks = Authorities([item.authority for item in three[:2]], minimum=2, send=QUICK).clocks(lambda: 7)
    assert list(clocks) == ["first", "second"]
    assert abs(clocks["first"]() - now()) < timedelta(seconds=5)
    three[1].clock = lambda: now() - DAY
    try:
        assert abs(clocks["second"]() - (now() - DAY)) < timedelta(seconds=5)
    finally:
        three[1].clock = now
    three[1].fault = "wrong nonce"
    with pytest.raises(AuthorityUnavailableError, match="nonce differs"):
        clocks["second"]()
