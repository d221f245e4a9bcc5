"""Matters: rights in members, changes, and what sealed manifests keep saying."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evidence_service.core.rights import Right
from tests.unit.api.conftest import Service

MARK = {"kind": "trade_mark", "title": "AURELLE", "registration": "018000000", "jurisdiction": "EU"}
IN_WORDS = "Trade mark AURELLE, registration number 018000000 (EU)"


@pytest.mark.parametrize(
    ("right", "words"),
    [
        (Right("trade_mark", "AURELLE", "018000000", "EU"), IN_WORDS),
        (Right("copyright", "Photograph 17"), "Copyright Photograph 17"),
        (Right("design", registration="015049846-0001"), "Design, registration number 015049846-0001"),
        (Right("patent", jurisdiction="CN"), "Patent (CN)"),
    ],
)
def test_a_right_has_the_same_words_always(right: Right, words: str) -> None:
    assert right.words() == words


def test_rights_are_given_in_words_or_in_members(service: Service) -> None:
    given = {"reference": "R-2", "applicant": "Aurelle SA", "rights": ["EU trade mark 1", MARK]}
    made = service.http.post(
        "/v1/matters", json={**given, "respondent": "Shop", "court": "LG Hamburg"}
    ).json()
    assert made["rights"] == ["EU trade mark 1", IN_WORDS]
    assert made["structured_rights"] == [MARK]
    assert (made["respondent"], made["court"], made["case_number"]) == ("Shop", "LG Hamburg", None)
    assert service.http.get(f"/v1/matters/{made['id']}").json() == made


def manifest(service: Service, name: str) -> dict[str, Any]:
    evidence = service.upload(name=name)["id"]
    service.register(evidence)
    found: dict[str, Any] = json.loads(service.parts.records.evidence(evidence).manifest or b"")
    return found["matter"]


def test_a_change_leaves_sealed_manifests_alone(service: Service) -> None:
    path = f"/v1/matters/{service.matter}"
    evidence = service.upload()["id"]
    service.register(evidence)
    sealed = service.parts.records.evidence(evidence).manifest
    changed = service.http.patch(path, json={"rights": [MARK], "case_number": "327 O 1/26"}).json()
    assert (changed["reference"], changed["applicant"]) == ("R-1", "Test SA"), "what is not named stays"
    assert service.parts.records.evidence(evidence).manifest == sealed
    assert manifest(service, "later.txt")["rights"] == [IN_WORDS]
    assert service.http.patch(path, json={"case_number": None}).json()["case_number"] is None
    assert service.http.patch(path, json={}).json()["rights"] == [IN_WORDS]


@pytest.mark.parametrize(
    "change", [{"reference": None}, {"applicant": ""}, {"rights": [{"kind": "plant"}]}, {"id": "m-1"}]
)
def test_what_a_matter_cannot_become_is_refused(service: Service, change: dict[str, Any]) -> None:
    path = f"/v1/matters/{service.matter}"
    before = service.http.get(path).json()
    assert service.http.patch(path, json=change).status_code == 422
    assert service.http.get(path).json() == before


def test_a_change_of_no_matter_is_not_found(service: Service) -> None:
    assert service.http.patch("/v1/matters/m-none", json={"court": "LG"}).status_code == 404
