"""From a hold to a tombstone: who may, what stops it, what goes and what stays."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from evidence_service.core import custody
from evidence_service.core.digest import digest_of
from evidence_service.errors import ConflictError, NotFoundError, StorageUnavailableError
from evidence_service.service import delete
from evidence_service.service.audit import audit, audit_exhibits
from evidence_service.service.bundles import assemble
from evidence_service.service.hold import NewHold, place, tell_hold
from evidence_service.service.hold import wanted as untold
from evidence_service.service.keep import keep
from evidence_service.service.parts import Parts
from evidence_service.store import holds as store_holds
from evidence_service.store import requests as store_requests
from evidence_service.store.objects import LocalObjects
from evidence_service.store.protection import Protection
from evidence_service.store.schema import DEFAULT_ORGANISATION
from evidence_service.store.tenancy import WORKER_ROLE
from tests.running import as_role
from tests.unit.api.conftest import SECOND, Service
from tests.unit.service.installation import Immediate
from tests.writes import failing

BYTES = b"content"
SHA256 = digest_of(BYTES).sha256
WHY = {"reason": "proceedings are pending"}


@pytest.fixture
def worker(service: Service, engine: Engine) -> Iterator[Parts]:
    """What the worker does, it does with its own rights."""
    narrow = as_role(engine, WORKER_ROLE)
    yield replace(service.parts, database=narrow).within(DEFAULT_ORGANISATION)
    narrow.dispose()


@pytest.fixture
def second(service: Service) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {SECOND}"}
    with httpx.Client(base_url=service.http.base_url, headers=headers, trust_env=False) as http:
        yield http


def preserved(service: Service, content: bytes = BYTES) -> str:
    evidence: str = service.upload(content)["id"]
    service.register(evidence)
    return evidence


def post(client: httpx.Client, path: str, status: int, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/v1/{path}", json=body or WHY)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def approved(service: Service, second: httpx.Client, evidence: str) -> str:
    request: str = post(service.http, f"evidence/{evidence}/deletion", 202)["id"]
    post(second, f"requests/{request}/approve", 200)
    return request


def carry_out(worker: Parts, request: str) -> None:
    delete.delete(worker, Immediate(), f"{request} 2026010203")


def state(service: Service, request: str) -> str:
    found: str = service.http.get(f"/v1/requests/{request}").json()["state"]
    return found


def told(service: Service, evidence: str) -> list[tuple[str, str, str]]:
    events = service.http.get(f"/v1/evidence/{evidence}/custody").json()
    custody.verify_chain(events, evidence_id=evidence)
    return [
        (item["action"], item["actor"]["id"], item["purpose"])
        for item in events
        if item["action"] in ("hold", "delete")
    ]


def test_a_hold_keeps_evidence_until_it_is_lifted(service: Service, second: httpx.Client) -> None:
    evidence = preserved(service)
    hold = post(service.http, f"evidence/{evidence}/holds", 201)
    request = post(service.http, f"evidence/{evidence}/deletion", 202)["id"]
    refused = post(second, f"requests/{request}/approve", 409)
    assert hold["id"] in refused["title"] and state(service, request) == "requested"
    path = f"/v1/evidence/{evidence}/holds"
    lifted = service.http.delete(f"{path}/{hold['id']}", params=WHY).json()
    assert (lifted["lifted_by"], lifted["lift_reason"]) == ("agent", WHY["reason"])
    assert service.http.delete(f"{path}/{hold['id']}", params={"reason": "again"}).json() == lifted
    assert service.http.get(path).json() == {"items": [lifted], "next": None}
    post(second, f"requests/{request}/approve", 200)
    assert told(service, evidence) == [
        ("hold", "agent", "legal hold placed"),
        ("delete", "agent", "deletion asked for"),
        ("hold", "agent", "legal hold lifted"),
        ("delete", "second", "deletion approved"),
    ]


def test_a_hold_on_a_matter_is_on_all_of_it(service: Service, second: httpx.Client, worker: Parts) -> None:
    first = preserved(service)
    hold = post(service.http, f"matters/{service.matter}/holds", 201)
    later = preserved(service, b"later")
    for evidence in (first, later):
        request = post(service.http, f"evidence/{evidence}/deletion", 202)["id"]
        post(second, f"requests/{request}/approve", 409)
        found = service.http.get(f"/v1/evidence/{evidence}/holds").json()["items"]
        assert [item["id"] for item in found] == [hold["id"]]
    [subject] = untold(worker)
    tell_hold(worker, Immediate(), subject)
    assert untold(worker) == [] and told(service, first)[-1] == ("hold", "agent", "legal hold placed")
    service.http.delete(f"/v1/matters/{service.matter}/holds/{hold['id']}", params=WHY)
    for _ in range(2):
        tell_hold(worker, Immediate(), f"{hold['id']} lifted")
    assert [item[2] for item in told(service, first)].count("legal hold lifted") == 1


def test_nobody_approves_what_he_asked_for(service: Service, engine: Engine) -> None:
    evidence = preserved(service)
    request = post(service.http, f"evidence/{evidence}/deletion", 202)["id"]
    for decision in ("approve", "refuse"):
        assert post(service.http, f"requests/{request}/{decision}", 403)["status"] == 403
    with pytest.raises(ConflictError, match="himself"):
        delete.decide(service.parts, request, approve=True, actor="agent", reason="")
    with pytest.raises(IntegrityError, match="two_persons"), engine.begin() as connection:
        connection.execute(
            text("UPDATE requests SET state = 'approved', decided_by = 'agent', decided_at = now()")
        )


def test_a_decision_is_taken_once(service: Service, second: httpx.Client) -> None:
    evidence = preserved(service)
    request = post(service.http, f"evidence/{evidence}/deletion", 202)["id"]
    post(service.http, f"evidence/{evidence}/deletion", 409)
    refused = post(second, f"requests/{request}/refuse", 200)
    assert post(second, f"requests/{request}/refuse", 200) == refused
    post(second, f"requests/{request}/approve", 409)
    assert service.http.get("/v1/requests", params={"state": "refused"}).json()["items"] == [refused]
    assert delete.wanted(service.parts) == []


def test_what_is_being_preserved_is_not_deleted(service: Service, second: httpx.Client) -> None:
    request = post(service.http, f"evidence/{service.upload()['id']}/deletion", 202)["id"]
    assert "still being preserved" in post(second, f"requests/{request}/approve", 409)["title"]


def test_retention_keeps_and_is_not_shortened_under_a_hold(service: Service, second: httpx.Client) -> None:
    evidence = preserved(service)
    path = f"/v1/evidence/{evidence}/retention"
    for until in ("2026-01-04T00:00:00Z", "2026-01-03T00:00:00Z"):
        assert service.http.put(path, json={"keep_until": until}).json()["keep_until"] == until
    hold = post(service.http, f"evidence/{evidence}/holds", 201)["id"]
    assert service.http.put(path, json={"keep_until": "2026-01-02T04:00:00Z"}).status_code == 409
    assert service.http.put(path, json={"keep_until": "2026-01-03T01:00:00Z"}).status_code == 200
    service.http.delete(f"/v1/evidence/{evidence}/holds/{hold}", params=WHY)
    request = post(service.http, f"evidence/{evidence}/deletion", 202)["id"]
    assert "2026-01-03T01:00:00Z" in post(second, f"requests/{request}/approve", 409)["title"]
    service.clock.forward(86400)
    post(second, f"requests/{request}/approve", 200)


def test_a_hold_after_the_approval_stops_the_deletion(
    service: Service, second: httpx.Client, worker: Parts
) -> None:
    evidence = preserved(service)
    request = approved(service, second, evidence)
    post(service.http, f"matters/{service.matter}/holds", 201)
    carry_out(worker, request)
    assert state(service, request) == "stopped"
    assert service.http.get(f"/v1/evidence/{evidence}/files/note.txt").content == BYTES
    assert told(service, evidence)[-1] == (
        "delete",
        "evidence-service",
        "deletion stopped: the evidence has to be kept",
    )
    assert delete.wanted(worker) == []


def interleaved(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    first: Callable[[], object],
    then: Callable[[], object],
) -> list[object]:
    """Begin one act, begin another one before its transaction ends, and let both end; what they gave."""
    within, proceed = threading.Event(), threading.Event()
    original, found = module.append_custody, [None, None]

    def slowly(*arguments: Any) -> None:
        original(*arguments)
        within.set()
        assert proceed.wait(30)

    def run(index: int, act: Callable[[], object]) -> None:
        try:
            found[index] = act()  # type: ignore[call-overload]
        except ConflictError as error:
            found[index] = error  # type: ignore[call-overload]

    with monkeypatch.context() as patched:
        patched.setattr(module, "append_custody", slowly)
        threads = [threading.Thread(target=run, args=(0, first))]
        threads[0].start()
        assert within.wait(30)
    threads.append(threading.Thread(target=run, args=(1, then)))
    threads[1].start()
    while not waiting(engine):
        time.sleep(0.02)
    proceed.set()
    for thread in threads:
        thread.join(30)
    return found


def waiting(engine: Engine) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with engine.connect() as connection:
        return bool(connection.execute(text(query)).scalar_one())


@pytest.mark.parametrize("hold_first", [True, False])
def test_a_hold_and_an_approval_at_the_same_time(
    service: Service, engine: Engine, worker: Parts, monkeypatch: pytest.MonkeyPatch, *, hold_first: bool
) -> None:
    evidence = preserved(service)
    request = post(service.http, f"evidence/{evidence}/deletion", 202)["id"]

    def hold() -> object:
        return place(service.parts, NewHold("h-1", "held", "agent", evidence_id=evidence))

    def approve() -> object:
        return delete.decide(service.parts, request, approve=True, actor="second", reason="")

    if hold_first:
        _, decided = interleaved(engine, monkeypatch, store_holds, hold, approve)
        assert isinstance(decided, ConflictError) and "h-1" in decided.message
    else:
        decided, _ = interleaved(engine, monkeypatch, store_requests, approve, hold)
        assert getattr(decided, "state", None) == "approved"
        carry_out(worker, request)
        assert state(service, request) == "stopped"
    assert service.parts.objects.check(SHA256).size == len(BYTES)


@pytest.mark.parametrize("landed", [False, True])
def test_a_deletion_goes_on_where_it_broke_off(
    service: Service,
    second: httpx.Client,
    worker: Parts,
    monkeypatch: pytest.MonkeyPatch,
    *,
    landed: bool,
) -> None:
    evidence = preserved(service)
    before = json.loads(assemble(service.parts, evidence))
    request = approved(service, second, evidence)
    assert delete.begin(worker, request)
    away = StorageUnavailableError("the disk is away")
    with (
        failing(monkeypatch, LocalObjects, "remove", away, landed=landed),
        pytest.raises(StorageUnavailableError),
    ):
        delete.remove(worker, request)
    assert service.http.get(f"/v1/evidence/{evidence}/files/note.txt").status_code == 410
    assert state(service, request) == "approved"
    for _ in range(2):
        carry_out(worker, request)
    with pytest.raises(NotFoundError):
        service.parts.objects.check(SHA256)
    gone = service.http.get(f"/v1/evidence/{evidence}/files/note.txt")
    assert gone.json()["type"].endswith(":deleted") and WHY["reason"] in gone.json()["title"]
    view = service.http.get(f"/v1/evidence/{evidence}").json()
    assert view["deleted_at"] == "2026-01-02T03:04:05.678000Z"
    assert (state(service, request), delete.wanted(worker)) == ("executed", [])
    purposes = [item[2] for item in told(service, evidence)]
    assert purposes.count("files deleted; manifest, custody log, proofs and certificates kept") == 1
    after = json.loads(assemble(service.parts, evidence))
    assert after.pop("custody")[: len(before["custody"])] == before.pop("custody")
    assert {**after, "checksum": before["checksum"]} == before, "what proves it stays"
    assert [(item.status, item.problems) for item in audit(service.parts)] == [("deleted", ())]
    assert list(audit_exhibits(service.parts)) == []
    for path in ("holds", "deletion"):
        post(service.http, f"evidence/{evidence}/{path}", 410)
    body = {"for": "court", "recipient": "LG", "redact": {"without_certificate": True}}
    assert service.http.post(f"/v1/evidence/{evidence}/exhibit", json=body).status_code == 410


def test_bytes_that_others_refer_to_stay(service: Service, second: httpx.Client, worker: Parts) -> None:
    first, other = preserved(service), preserved(service)
    for evidence, kept in ((first, True), (other, False)):
        carry_out(worker, approved(service, second, evidence))
        assert service.http.get(f"/v1/evidence/{evidence}/files/note.txt").status_code == 410
        if kept:
            assert service.http.get(f"/v1/evidence/{other}/files/note.txt").content == BYTES
    with pytest.raises(NotFoundError):
        service.parts.objects.check(SHA256)


def test_bytes_of_another_organisation_stay_and_nobody_is_told(
    service: Service, engine: Engine, second: httpx.Client, worker: Parts
) -> None:
    evidence, other = preserved(service), preserved(service)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO organisations (id, name, created_at) VALUES ('o-other', 'Other', now())")
        )
        # As if another organisation had the second one.
        connection.execute(text("SET session_replication_role = replica"))
        for table in ("kept_files", "evidence"):
            column = "id" if table == "evidence" else "evidence_id"
            connection.execute(
                text(f"UPDATE {table} SET organisation_id = 'o-other' WHERE {column} = :id"), {"id": other}
            )
        connection.execute(text("SET session_replication_role = DEFAULT"))
    request = approved(service, second, evidence)
    carry_out(worker, request)
    assert state(service, request) == "executed"
    assert service.parts.objects.check(SHA256).size == len(BYTES)
    assert service.http.get(f"/v1/evidence/{other}/holds").status_code == 404
    post(service.http, f"evidence/{other}/holds", 404)
    post(service.http, f"evidence/{other}/deletion", 404)


def test_what_is_removed_before_it_is_referred_to_is_stored_again(
    service: Service, second: httpx.Client, worker: Parts
) -> None:
    request = approved(service, second, preserved(service))

    def record(_: object) -> None:
        carry_out(worker, request)  # comes between the two
        with pytest.raises(NotFoundError):
            service.parts.objects.check(SHA256)

    keep(service.parts, lambda: [service.parts.objects.put_bytes(BYTES)], record)
    assert service.parts.objects.check(SHA256).size == len(BYTES)


class Locked:
    """Objects of a store that keeps them under a lock of its own."""

    def __init__(self, objects: Any) -> None:
        self._objects = objects

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def protection(self, sha256: bytes) -> Protection:
        return replace(self._objects.protection(sha256), held=True)


def test_a_store_that_does_not_let_go_is_asked_again(
    service: Service, second: httpx.Client, worker: Parts
) -> None:
    evidence = preserved(service)
    request = approved(service, second, evidence)
    locked = Locked(service.parts.objects)
    carry_out(replace(worker, objects=locked), request)
    assert "on hold" in service.http.get(f"/v1/requests/{request}").json()["waiting_for"]
    assert service.http.get(f"/v1/evidence/{evidence}/files/note.txt").content == BYTES
    before = delete.wanted(worker)
    service.clock.forward(3600)
    assert delete.wanted(worker) != before
    carry_out(worker, request)
    assert state(service, request) == "executed"
