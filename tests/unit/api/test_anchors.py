"""Anchors over the API: pages of whole batches, and evidence that is in none yet."""

from __future__ import annotations

from typing import Any

import pytest

from evidence_service.anchor.submission import State
from tests.unit.api.anchoring import add_batch, add_batches
from tests.unit.api.conftest import Service

OPEN, DONE = State.BROADCAST, State.SEALED


def pages(service: Service, **query: Any) -> list[list[tuple[str, int]]]:
    """Batch and chain of every item, page for page, to the end."""
    found, before = [], {}
    while True:
        page = service.http.get("/v1/anchors", params={**query, **before}).json()
        found.append([(item["batch"], item["chain_id"]) for item in page["items"]])
        if page["next"] is None:
            return found
        before = {"before": page["next"]}


def rows(*sequences: int) -> list[tuple[str, int]]:
    return [(f"batch-{sequence}", chain_id) for sequence in sequences for chain_id in (1, 2)]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (1, [rows(3), rows(2), rows(1)]),
        (2, [rows(3, 2), rows(1)]),
        (3, [rows(3, 2, 1)]),
        (50, [rows(3, 2, 1)]),
    ],
)
def test_pages_hold_whole_batches_and_lead_to_the_last(
    service: Service, limit: int, expected: list[list[tuple[str, int]]]
) -> None:
    add_batches(service, (DONE, DONE), (OPEN, DONE), (DONE, OPEN))
    assert pages(service, limit=limit) == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (1, [[("batch-5", 2)], rows(4), [("batch-2", 1)]]),
        (2, [[("batch-5", 2), *rows(4)], [("batch-2", 1)]]),
        (3, [[("batch-5", 2), *rows(4), ("batch-2", 1)]]),
    ],
)
def test_pages_of_open_ones_pass_over_what_is_sealed(
    service: Service, limit: int, expected: list[list[tuple[str, int]]]
) -> None:
    add_batches(service, (DONE, DONE), (OPEN, DONE), (DONE, DONE), (OPEN, OPEN), (DONE, OPEN))
    assert pages(service, limit=limit, open_only=True) == expected


def test_a_batch_without_submissions_takes_no_place_on_a_page(service: Service) -> None:
    add_batches(service, (OPEN, OPEN))
    add_batch(service, 2)
    assert pages(service, limit=1) == [rows(1)]
    assert service.http.get("/v1/anchors/batch-2").json() == []


def test_evidence_in_no_batch_has_no_anchors_and_unknown_evidence_is_not_found(service: Service) -> None:
    uploaded = service.upload()["id"]
    answer = service.http.get(f"/v1/evidence/{uploaded}/anchors")
    assert (answer.status_code, answer.json()) == (200, [])
    assert service.http.get("/v1/evidence/ev-unknown-1/anchors").status_code == 404
    assert service.http.get("/v1/anchors/batch-9").status_code == 404
