"""Figures of keys: those that are configured or have something open, and no others."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from evidence_service.anchor.node import Node
from evidence_service.anchor.submission import State
from evidence_service.errors import ConfigurationError, EvidenceServiceError, SignerUnavailableError
from evidence_service.service.metrics import metrics
from evidence_service.service.parts import Chain
from tests.unit.api.anchoring import add_batch, submit
from tests.unit.api.conftest import Service

CURRENT, RETIRING, ROTATED_OUT = ("0x" + digit * 40 for digit in "abc")
SEEN = {
    "head": 10,
    "final": 5,
    "nonce": 3,
    "balance": "0",
    "balance_low": True,
    "round_seconds": 0.1,
    "nodes": [{"name": "node", "resting": False, "lies": 0}],
}


class Away:
    """A signer whose address cannot be told."""

    def __init__(self, error: EvidenceServiceError) -> None:
        self._error = error

    @property
    def address(self) -> str:
        raise self._error


def figures(service: Service, *signers: Any) -> set[str]:
    """Keys with an age and a low balance."""
    chain = Chain("test", Node(["http://127.0.0.1:9"], 1), signers, "0x" + "22" * 20, ("http://127.0.0.1:9",))
    lines = metrics(replace(service.parts, chains=(chain,))).decode().splitlines()
    found = [
        {line.split('key="')[1].split('"')[0] for line in lines if line.startswith(f"{name}{{")}
        for name in ("evidence_round_age_seconds", "evidence_signer_balance_low")
    ]
    assert found[0] == found[1]
    return found[0]


@pytest.fixture
def seen(service: Service) -> Service:
    """All three keys were looked at once."""
    for address in (CURRENT, RETIRING, ROTATED_OUT):
        service.parts.chain_status.record(1, address, at=service.clock.now, seen=SEEN, events={"sealed": 1})
    return service


def key(address: str) -> Any:
    return SimpleNamespace(address=address)


def test_configured_keys_are_shown_also_when_they_have_nothing_open(seen: Service) -> None:
    assert figures(seen, key(CURRENT), key(RETIRING)) == {CURRENT, RETIRING}


def test_a_key_that_was_taken_out_is_shown_until_nothing_of_it_is_open(seen: Service) -> None:
    sent = submit(seen, add_batch(seen, 1), 1, State.BROADCAST, submitter=ROTATED_OUT)
    assert figures(seen, key(CURRENT)) == {CURRENT, ROTATED_OUT}
    seen.parts.journal.move(sent, replace(sent, state=State.SEALED))
    assert figures(seen, key(CURRENT)) == {CURRENT}


@pytest.mark.parametrize("error", [SignerUnavailableError("away"), ConfigurationError("another curve")])
def test_a_custodian_that_is_away_takes_no_figure_with_it(seen: Service, error: EvidenceServiceError) -> None:
    assert figures(seen, Away(error), key(RETIRING)) == {RETIRING}
    submit(seen, add_batch(seen, 1), 1, State.BROADCAST, submitter=CURRENT)
    assert figures(seen, Away(error), key(RETIRING)) == {CURRENT, RETIRING}


@pytest.mark.parametrize(("released", "gap"), [(4, 1), (5, 0)])
def test_a_nonce_that_nobody_holds_is_counted_when_a_later_one_waits_for_it(
    seen: Service, released: int, gap: int
) -> None:
    journal = seen.parts.journal
    for nonce in range(3, 6):
        submit(seen, add_batch(seen, nonce), 1, submitter=CURRENT)
        assert journal.reserve_nonce(1, CURRENT, 3, f"batch-{nonce}-1") == nonce
    journal.release_nonce(1, CURRENT, released, f"batch-{released}-1")
    chain = Chain("test", Node(["http://127.0.0.1:9"], 1), (key(CURRENT),), "", ())
    text = metrics(replace(seen.parts, chains=(chain,))).decode()
    assert f'evidence_nonce_gap{{chain="1",key="{CURRENT}"}} {gap}.0' in text
