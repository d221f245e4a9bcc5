"""Release links: what opens, for whom, how often, and what nobody learns from one that does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from evidence_service.core.digest import digest_of
from evidence_service.errors import StorageUnavailableError
from evidence_service.service import delete
from evidence_service.store.objects import LocalObjects
from tests.unit.api.conftest import SECOND, Service
from tests.unit.service.installation import Immediate
from tests.writes import failing

ORDER = {
    "what": "file",
    "name": "note.txt",
    "recipient": "LG Hamburg",
    "purpose": "Exhibit K 3",
    "expires_in": 3600,
    "max_downloads": 2,
}


@pytest.fixture
def evidence(service: Service) -> str:
    found: str = service.upload()["id"]
    service.register(found)
    return found


@pytest.fixture
def public(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.http.base_url, trust_env=False) as http:
        yield http


@pytest.fixture
def one_person(service: Service) -> None:
    assert service.http.put("/v1/organisation/release-rule", json={"two_persons": False}).status_code == 200


def made(service: Service, evidence: str, status: int = 201, **more: Any) -> dict[str, Any]:
    answer = service.http.post(f"/v1/evidence/{evidence}/release-links", json={**ORDER, **more})
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def exports(service: Service, evidence: str) -> list[dict[str, Any]]:
    events = service.http.get(f"/v1/evidence/{evidence}/custody").json()
    return [item for item in events if item["action"] == "export"]


@pytest.mark.usefixtures("one_person")
def test_a_link_opens_as_often_as_it_says(service: Service, public: httpx.Client, evidence: str) -> None:
    link = made(service, evidence)
    for _ in range(3):
        assert public.head(link["path"]).status_code == 200
    for count in ("1 of 2", "2 of 2"):
        answer = public.get(link["path"])
        assert answer.content == b"content"
        assert answer.headers["content-disposition"] == 'attachment; filename="note.txt"'
        assert answer.headers["content-type"] == "application/octet-stream"
        for name, value in (
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
        ):
            assert answer.headers[name] == value
        event = exports(service, evidence)[-1]
        assert event["actor"] == {"id": f"release link {link['id']}", "role": "recipient"}
        assert (event["detail"]["download"], event["detail"]["recipient"]) == (count, "LG Hamburg")
    assert public.head(link["path"]).status_code == 404
    assert public.get(link["path"]).status_code == 404
    assert len(exports(service, evidence)) == 2
    [listed] = service.http.get(f"/v1/evidence/{evidence}/release-links").json()["items"]
    assert listed["downloads"] == 2 and "path" not in listed


@pytest.mark.usefixtures("one_person")
@pytest.mark.parametrize(
    ("recorded", "given"),
    [
        ("application/pdf", "application/pdf"),
        ("image/png", "image/png"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/html", "application/octet-stream"),
        ("image/svg+xml", "application/octet-stream"),
        ("Text/HTML", "application/octet-stream"),
    ],
)
def test_a_file_has_the_type_it_came_with_unless_a_browser_would_carry_it_out(
    service: Service, public: httpx.Client, recorded: str, given: str
) -> None:
    query = {"matter_id": service.matter, "name": "note.txt", "certificate": "false"}
    answer = service.http.post("/v1/uploads", params=query, content=b"x", headers={"Content-Type": recorded})
    service.register(answer.json()["id"])
    opened = public.get(made(service, answer.json()["id"])["path"])
    assert (opened.status_code, opened.headers["content-type"]) == (200, given)
    assert opened.headers["content-disposition"].startswith("attachment;")
    assert opened.headers["x-content-type-options"] == "nosniff"


@pytest.mark.usefixtures("one_person")
def test_what_opens_nothing_is_answered_in_one_way(
    service: Service, public: httpx.Client, evidence: str
) -> None:
    revoked, old, used = (made(service, evidence, max_downloads=1, expires_in=60 * n) for n in (10, 1, 10))
    path = f"/v1/evidence/{evidence}/release-links/{revoked['id']}"
    first = service.http.delete(path).json()
    assert first["revoked_by"] == "agent" and service.http.delete(path).json() == first
    assert public.get(used["path"]).status_code == 200
    service.clock.forward(61)
    answers = []
    for item in (revoked["path"], old["path"], used["path"], "/v1/release/unknown"):
        problem = public.get(item).json()
        problem.pop("request_id")
        answers.append(problem)
    assert answers[0]["status"] == 404 and all(item == answers[0] for item in answers)


def test_two_persons_release_unless_the_organisation_says_otherwise(
    service: Service, public: httpx.Client, evidence: str
) -> None:
    link = made(service, evidence)
    assert public.get(link["path"]).status_code == 404
    approve = f"/v1/requests/{link['request_id']}/approve"
    because = {"reason": "as the court asked"}
    assert service.http.post(approve, json=because).status_code == 403
    second = {"Authorization": f"Bearer {SECOND}"}
    assert service.http.post(approve, json=because, headers=second).json()["state"] == "approved"
    assert public.get(link["path"]).content == b"content"
    assert service.http.get("/v1/organisation/release-rule").json() == {"two_persons": True}


@pytest.mark.usefixtures("one_person")
def test_many_at_the_same_time_get_no_more_than_there_are(
    service: Service, public: httpx.Client, evidence: str
) -> None:
    link = made(service, evidence, max_downloads=3)
    found: list[int] = []

    def get() -> None:
        found.append(public.get(link["path"]).status_code)

    threads = [threading.Thread(target=get) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [200] * 3 + [404] * 7
    assert len(exports(service, evidence)) == 3


@pytest.mark.usefixtures("one_person")
def test_the_token_is_kept_nowhere_and_shown_once(service: Service, engine: Engine, evidence: str) -> None:
    path, headers = f"/v1/evidence/{evidence}/release-links", {"Idempotency-Key": "k"}
    first, again = (service.http.post(path, json=ORDER, headers=headers).json() for _ in range(2))
    assert again == {**first, "path": None}
    token = first["path"].rsplit("/", 1)[1]
    assert len(token) == 43, "256 bits"
    with engine.connect() as connection:
        for table in ("release_links", "custody_events", "idempotency_keys", "requests"):
            rows = connection.execute(text(f"SELECT row_to_json({table})::text FROM {table}")).scalars()
            assert not any(token in row for row in rows)
        kept = connection.execute(text("SELECT token_sha256 FROM release_links")).scalar_one()
    assert bytes(kept) == digest_of(token.encode()).sha256


@pytest.mark.usefixtures("one_person")
@pytest.mark.parametrize(
    "changed",
    [
        {"what": "bundle", "name": ""},
        {"recipient": "somebody else"},
        {"purpose": "another"},
        {"max_downloads": 1},
        {"expires_in": 60},
    ],
)
def test_a_key_makes_one_link_and_no_other(service: Service, evidence: str, changed: dict[str, Any]) -> None:
    path, headers = f"/v1/evidence/{evidence}/release-links", {"Idempotency-Key": "k"}
    first = service.http.post(path, json=ORDER, headers=headers).json()
    other = service.http.post(path, json={**ORDER, **changed}, headers=headers)
    assert other.status_code == 409 and "Idempotency-Key" in other.json()["title"]
    service.clock.forward(5)
    assert service.http.post(path, json=ORDER, headers=headers).json() == {**first, "path": None}


def test_who_changes_the_rule_is_in_the_log_of_administrators(service: Service) -> None:
    for wanted in (True, False, False, True):
        rule = {"two_persons": wanted}
        assert service.http.put("/v1/organisation/release-rule", json=rule).json() == rule
        assert service.http.get("/v1/organisation/release-rule").json() == rule
    log = service.http.get("/v1/organisation/log").json()["items"]
    assert [(item["action"], item["actor"], item["subject"], item["detail"]) for item in log] == [
        ("set_release_rule", "agent", "o-default", {"two_persons": wanted}) for wanted in (False, True)
    ]


@pytest.mark.usefixtures("one_person")
def test_a_download_that_cannot_begin_is_not_counted(
    service: Service, public: httpx.Client, evidence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = made(service, evidence, max_downloads=1)
    with failing(monkeypatch, LocalObjects, "check", StorageUnavailableError("away"), landed=False):
        assert public.get(link["path"]).status_code == 503
    assert public.get(link["path"]).content == b"content"


@pytest.mark.usefixtures("one_person")
def test_a_bundle_opens_and_outlives_its_files(service: Service, public: httpx.Client, evidence: str) -> None:
    file, bundle = made(service, evidence), made(service, evidence, what="bundle", name="")
    delete.ask(service.parts, "rq-1", evidence, actor="agent", reason="over")
    delete.decide(service.parts, "rq-1", approve=True, actor="second", reason="")
    delete.delete(service.parts.within("o-default"), Immediate(), "rq-1 1")
    assert public.get(file["path"]).status_code == 404
    assert public.get(bundle["path"]).json()["manifest"]["evidence_id"] == evidence
    assert made(service, evidence, what="bundle", name="")["downloads"] == 0
    made(service, evidence, 410)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"name": "other.txt"}, 404),
        ({"what": "exhibit", "name": "ex-1"}, 404),
        ({"what": "certificate", "name": ""}, 404),
        ({"expires_in": 1}, 422),
        ({"max_downloads": 101}, 422),
        ({"recipient": "A\nB"}, 422),
    ],
)
def test_what_is_not_there_is_not_released(
    service: Service, evidence: str, more: dict[str, Any], status: int
) -> None:
    made(service, evidence, status, **more)
