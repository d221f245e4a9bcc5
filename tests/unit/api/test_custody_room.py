"""Nobody's requests fill a custody log so far that the service cannot go on with the evidence."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine

from evidence_service.core import custody
from evidence_service.errors import ConflictError
from evidence_service.service.certify import order_wanted
from evidence_service.service.hold import tell_hold
from evidence_service.service.hold import wanted as untold
from evidence_service.service.order_certificate import order_certificate, order_many
from evidence_service.store.custody_room import RESERVE, Room
from evidence_service.store.tenancy import API_ROLE, WORKER_ROLE
from tests.running import as_role
from tests.unit.api.conftest import SECOND, Service
from tests.unit.service.installation import Immediate

WHY = {"reason": "proceedings are pending"}
LINK = {"what": "file", "name": "note.txt", "recipient": "LG Hamburg", "purpose": "K 3", "expires_in": 3600}
OTHER = {"Authorization": f"Bearer {SECOND}"}


@pytest.fixture
def evidence(service: Service) -> str:
    found: str = service.upload()["id"]
    service.register(found)
    return found


def length(service: Service, evidence: str) -> int:
    return len(service.parts.records.custody(evidence))


def leave(monkeypatch: pytest.MonkeyPatch, service: Service, evidence: str, events: int) -> None:
    """Let callers have so many events beside the reserve."""
    monkeypatch.setattr(custody, "MAX_EVENTS", RESERVE + length(service, evidence) + events)


def retain(service: Service, evidence: str, year: int) -> int:
    until = {"keep_until": f"{year}-01-01T00:00:00Z"}
    return service.http.put(f"/v1/evidence/{evidence}/retention", json=until).status_code


def released(service: Service, evidence: str, **more: Any) -> Any:
    return service.http.post(f"/v1/evidence/{evidence}/release-links", json={**LINK, **more})


def test_what_callers_ask_for_leaves_room_for_the_service(
    service: Service, evidence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(monkeypatch, service, evidence, 1)
    assert retain(service, evidence, 2030) == 200
    assert retain(service, evidence, 2030) == 200, "nothing is changed, nothing is told"
    before = length(service, evidence)
    assert retain(service, evidence, 2031) == 409
    path = f"/v1/evidence/{evidence}"
    answers = [
        service.http.post(f"{path}/holds", json=WHY),
        service.http.post(f"{path}/deletion", json=WHY),
        service.http.get(f"{path}/files/note.txt"),
        released(service, evidence, max_downloads=1),
    ]
    assert [answer.status_code for answer in answers] == [409] * 4
    assert all("no room" in answer.json()["title"] for answer in answers)
    assert service.http.get(f"{path}/holds").json()["items"] == []
    assert service.http.get(f"{path}/release-links").json()["items"] == []
    assert length(service, evidence) == before
    for number in range(3):
        service.parts.custody(
            evidence, f"s {number}", "anchor", actor=("service", "service"), purpose="anchor"
        )
    assert length(service, evidence) == before + 3


def test_what_was_let_in_can_be_ended_in_a_full_log(
    service: Service, evidence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/v1/evidence/{evidence}"
    leave(monkeypatch, service, evidence, 8)
    hold = service.http.post(f"{path}/holds", json=WHY).json()["id"]
    request = service.http.post(f"{path}/deletion", json=WHY).json()["id"]
    link = released(service, evidence, max_downloads=1)
    assert link.status_code == 409, "a link needs its own event, its request's, and what both lead to"
    assert retain(service, evidence, 2030) == 200
    while length(service, evidence) < custody.MAX_EVENTS - RESERVE:
        name = f"s {length(service, evidence)}"
        service.parts.custody(evidence, name, "anchor", actor=("service", "service"), purpose="anchor")
    assert service.http.delete(f"{path}/holds/{hold}", params=WHY).status_code == 200
    refused = service.http.post(f"/v1/requests/{request}/refuse", json=WHY, headers=OTHER)
    assert refused.json()["state"] == "refused"
    custody.verify_chain(service.parts.records.custody(evidence), evidence_id=evidence)


def test_room_for_downloads_is_set_aside_when_a_link_is_made(
    service: Service, evidence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.http.put("/v1/organisation/release-rule", json={"two_persons": False})
    leave(monkeypatch, service, evidence, 7)
    link = released(service, evidence, max_downloads=3).json()
    for downloads in (1, 3, 100):
        assert released(service, evidence, max_downloads=downloads).status_code == 409
    assert retain(service, evidence, 2030) == 200
    assert retain(service, evidence, 2031) == 200
    assert retain(service, evidence, 2032) == 409, "what is left belongs to the link"
    assert [service.http.get(link["path"]).status_code for _ in range(3)] == [200] * 3
    path = f"/v1/evidence/{evidence}/release-links/{link['id']}"
    assert service.http.delete(path).json()["revoked_by"] == "agent"
    assert length(service, evidence) == custody.MAX_EVENTS - RESERVE


def test_a_log_that_was_filled_before_there_was_a_limit_ends_downloads(
    service: Service, evidence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.http.put("/v1/organisation/release-rule", json={"two_persons": False})
    link = released(service, evidence, max_downloads=3).json()
    monkeypatch.setattr(custody, "MAX_EVENTS", RESERVE // 2 + length(service, evidence))
    answer = service.http.get(link["path"])
    assert answer.status_code == 404 and "custody" not in answer.text
    path = f"/v1/evidence/{evidence}/release-links/{link['id']}"
    assert service.http.delete(path).json()["revoked_by"] == "agent"


def test_those_who_ask_at_the_same_time_are_counted_one_after_the_other(
    service: Service, evidence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(monkeypatch, service, evidence, 3)

    def append(number: int) -> bool:
        name, actor = f"copy {number}", (f"agent {number}", "applicant")
        try:
            service.parts.custody(
                evidence, name, "copy", actor=actor, purpose="download of a file", room=Room.OF_CALLERS
            )
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(append, range(8))) == [False] * 5 + [True] * 3


def test_certificates_are_ordered_where_the_log_has_room_for_them(
    service: Service, evidence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, other = service.parts, str(service.upload(b"other")["id"])
    leave(monkeypatch, service, evidence, 2)
    with pytest.raises(ConflictError, match="no room"):
        order_certificate(parts, evidence, "generic:en+zh", actor=("agent", "applicant"), order_id="co-1")
    ids = iter(["co-2", "co-3"])
    rows = order_many(
        parts, [evidence, other], "generic:en+zh", actor=("agent", "applicant"), new_id=lambda: next(ids)
    )
    assert [(row.order is None, isinstance(row.problem, ConflictError)) for row in rows] == [
        (True, True),
        (False, False),
    ]
    order_wanted(parts, evidence)
    again = order_certificate(parts, evidence, "generic:en+zh", actor=("agent", "applicant"), order_id="co-1")
    assert again.id == f"co-{evidence}", "what the service ordered itself is found"


@pytest.mark.parametrize("role", [API_ROLE, WORKER_ROLE])
def test_a_hold_on_a_matter_stands_where_a_log_is_full(
    service: Service, engine: Engine, evidence: str, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    other: str = service.upload(b"other")["id"]
    leave(monkeypatch, service, evidence, 0)
    before = length(service, evidence), length(service, other)
    assert before[1] < before[0], "the other log has room"
    hold = service.http.post(f"/v1/matters/{service.matter}/holds", json=WHY).json()
    narrow = as_role(engine, role)
    parts = replace(service.parts, database=narrow).within("o-default")
    for subject in untold(parts):
        tell_hold(parts, Immediate(), subject)
    narrow.dispose()
    assert untold(service.parts) == []
    assert (length(service, evidence), length(service, other)) == (before[0], before[1] + 1)
    assert service.http.get(f"/v1/evidence/{evidence}/holds").json()["items"] == [hold]
