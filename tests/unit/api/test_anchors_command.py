"""``evidence anchors`` against a running service."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner, Result

from evidence_service.anchor.submission import State
from evidence_service.cli import anchors, main
from tests.unit.api.anchoring import SUBMITTER, add_batch, add_batches, submit
from tests.unit.api.conftest import Service

OPEN, DONE = State.BROADCAST, State.SEALED


def run(service: Service, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["anchors", *arguments], env=service.environment)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list:
    """What happens while the command waits: one step a pause; without a further one the test fails."""
    steps: list = []
    monkeypatch.setattr(anchors.time, "sleep", lambda _: steps.pop(0)())
    return steps


def test_watching_evidence_waits_for_its_batch_its_submissions_and_all_chains(
    service: Service, steps: list
) -> None:
    evidence_id = service.upload()["id"]
    journal = service.parts.journal
    sent = {}

    def close() -> None:
        service.register(evidence_id)
        service.clock.forward(60)
        assert service.parts.batches.close_due(service.parts.batching, now=service.clock.now) is not None

    def begin(chain_id: int) -> None:
        sent[chain_id] = submit(service, "batch-1", chain_id, OPEN, reason="[/x]\x1b[2J")

    def seal(chain_id: int) -> None:
        journal.move(sent[chain_id], replace(sent[chain_id], state=DONE, reason=""))

    def begin_both() -> None:
        begin(1)
        begin(2)

    steps += [close, begin_both, lambda: None, lambda: seal(2), lambda: seal(1)]
    done = run(service, "watch", evidence_id, "--json")
    assert done.exit_code == 0, done.output
    assert steps == []
    assert [(item["chain_id"], item["state"]) for item in json.loads(done.stdout)] == [
        (1, "sealed"),
        (2, "sealed"),
    ]
    assert done.stderr.splitlines() == [
        f"{evidence_id}: nothing of it is on its way to a chain yet",
        r"batch-1 on chain 1: broadcast ([/x]\u001b[2J)",
        r"batch-1 on chain 2: broadcast ([/x]\u001b[2J)",
        "batch-1 on chain 2: sealed",
        "batch-1 on chain 1: sealed",
    ]


def test_a_batch_without_a_submission_is_pending(service: Service) -> None:
    add_batch(service, 1)
    done = run(service, "watch", "batch-1", "--timeout", "0.000001", "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (5, [])
    shown = run(service, "show", "batch-1")
    assert (shown.exit_code, shown.stdout) == (0, "")
    assert shown.stderr == "batch-1: nothing of it is on its way to a chain yet\n"


def test_evidence_that_was_refused_is_not_waited_for(service: Service) -> None:
    evidence_id = service.upload()["id"]
    service.parts.records.refuse(evidence_id, "preserve refused: the file is gone")
    assert run(service, "watch", evidence_id).exit_code == 5


def test_unknown_ids_are_refused(service: Service) -> None:
    for name in ("batch-9", "ev-unknown-1"):
        assert run(service, "watch", name).exit_code == 2


def test_without_an_id_every_page_of_open_ones_is_watched(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchors, "_MOST", 2)
    add_batches(service, *[(OPEN, DONE)] * 5, (DONE, DONE))
    done = run(service, "watch", "--timeout", "0.000001", "--json")
    assert done.exit_code == 5
    assert {item["batch"] for item in json.loads(done.stdout)} == {f"batch-{n}" for n in range(1, 6)}


def test_without_an_id_and_anything_open_there_is_nothing_to_wait_for(service: Service) -> None:
    add_batches(service, (DONE, DONE))
    done = run(service, "watch", "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, [])


def test_pieces_of_evidence_of_one_batch_show_its_anchors_once(service: Service) -> None:
    add_batches(service, (DONE, DONE))
    assert len(json.loads(run(service, "show", "batch-1", "batch-1", "--json").stdout)) == 2


def look(service: Service, chain_id: int) -> None:
    service.parts.chain_status.record(chain_id, SUBMITTER, at=service.clock.now, seen={}, events={})


def test_the_list_names_chains_that_no_worker_looks_at(service: Service) -> None:
    add_batches(service, (OPEN, OPEN))
    look(service, 2)
    done = run(service, "list")
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        "no worker has looked at chain 1 yet; is one running?",
        "no worker has looked at chain 2 since 2026-01-02 03:04:05 UTC; is one running?",
    ]


def test_the_list_names_no_chain_that_was_just_looked_at_or_that_has_nothing_open(service: Service) -> None:
    add_batches(service, (OPEN, DONE))
    look(service, 2)
    service.clock.now = datetime.now(UTC)
    look(service, 1)
    assert run(service, "list").stderr == ""


def test_a_batch_that_was_just_closed_is_not_overdue_for_a_look(service: Service) -> None:
    look(service, 1)
    service.clock.now = datetime.now(UTC)
    submit(service, add_batch(service, 1), 1)
    assert run(service, "list").stderr == ""
