"""Organisations, members and keys: who may make whom, what opens what, and that all of it is written down."""

from __future__ import annotations

import hashlib
import json
import threading
from datetime import timedelta
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from evidence_service.cli import main
from evidence_service.errors import UnavailableError
from evidence_service.service import issue_key as issuing
from evidence_service.store.tenancy import scoped
from tests.running import as_role
from tests.unit.api.conftest import Service

MEMBERS = "/v1/organisation/members"


def as_(service: Service, key: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=service.http.base_url, headers=headers, trust_env=False)


def post(client: httpx.Client, path: str, body: dict[str, Any], *, key: str = "", status: int = 201) -> Any:
    answer = client.post(path, json=body, headers={"Idempotency-Key": key} if key else {})
    assert answer.status_code == status, answer.text
    return answer.json()


def member(client: httpx.Client, name: str, *roles: str) -> str:
    return str(post(client, MEMBERS, {"name": name, "roles": list(roles)})["id"])


def key_of(client: httpx.Client, member_id: str, **more: Any) -> str:
    return str(post(client, f"{MEMBERS}/{member_id}/keys", {"label": "k", **more})["key"])


@pytest.fixture
def administrator(service: Service) -> httpx.Client:
    """A new organisation's first administrator."""
    body = {"name": "Aurelle SA", "code": "AUR", "administrator": {"name": "C. Martin"}}
    return as_(service, post(service.http, "/v1/organisations", body)["key"])


def test_an_organisation_begins_with_an_administrator_who_sees_no_evidence(
    service: Service, administrator: httpx.Client
) -> None:
    own = administrator.get("/v1/organisation").json()
    assert (own["name"], own["code"]) == ("Aurelle SA", "AUR") and own["id"].startswith("o-")
    assert administrator.get("/v1/evidence").status_code == 403
    assert administrator.get("/v1/organisations").status_code == 403
    found = service.http.get("/v1/organisations").json()
    assert {item["name"] for item in found["items"]} == {"Aurelle SA", "Default organisation"}
    page = service.http.get("/v1/organisations", params={"limit": 1}).json()
    rest = service.http.get("/v1/organisations", params={"after": page["next"]}).json()
    assert page["items"] + rest["items"] == found["items"] and rest["next"] is None


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"name": "X", "code": "AUR"}, 409, "the code AUR is taken"),
        ({"name": "X", "code": "EP"}, 422, "this installation's own certificates"),
        ({"name": "X", "code": "A"}, 422, "body.code"),
        ({"name": "X", "code": "aurelle"}, 422, "body.code"),
        ({"name": " "}, 422, "body.name"),
        ({"name": "X", "administrator": {"name": "Evidence-Service"}}, 422, "the service itself"),
    ],
)
def test_an_organisation_that_cannot_be(
    service: Service, administrator: httpx.Client, body: dict[str, Any], status: int, words: str
) -> None:
    assert words in post(service.http, "/v1/organisations", body, status=status)["title"]


def test_a_key_is_shown_once_and_kept_nowhere(
    service: Service, administrator: httpx.Client, engine: Engine
) -> None:
    body = {"name": "Brand AG", "administrator": {"name": "B. Admin"}}
    first = post(service.http, "/v1/organisations", body, key="one")
    again = post(service.http, "/v1/organisations", body, key="one")
    assert again | {"key": first["key"], "note": ""} == first
    assert again["key"] is None and "kept nowhere" in again["note"]
    path = f"{MEMBERS}/{member(administrator, 'J. Doe', 'operator')}/keys"
    made = post(administrator, path, {"label": "k"}, key="two")
    repeated = post(administrator, path, {"label": "k"}, key="two")
    assert repeated["id"] == made["id"] and repeated["key"] is None and "revoke it" in repeated["note"]
    assert (
        "used for another request"
        in post(administrator, path, {"label": "x"}, key="two", status=409)["title"]
    )
    for secret in (first["key"], made["key"]):
        assert secret.startswith("evk_") and len(secret) == 47
        assert as_(service, secret).get("/v1/organisation").status_code == 200
    with engine.connect() as connection:
        kept = connection.execute(text("SELECT sha256 FROM api_keys")).scalars().all()
        assert hashlib.sha256(made["key"].encode()).digest() in kept
        tables = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ).scalars()
        for table in list(tables):
            rows = connection.execute(text(f"SELECT * FROM {table}")).all()
            assert "evk_" not in repr(rows), table


def test_a_key_whose_answer_was_lost_half_way_is_not_shown_and_not_another(
    service: Service, administrator: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{MEMBERS}/{member(administrator, 'J. Doe', 'operator')}/keys"
    true = issuing.issue_key

    def killed(*arguments: Any, **named: Any) -> Any:
        true(*arguments, **named)  # it landed, and then the process died
        raise UnavailableError("killed")

    monkeypatch.setattr(issuing, "issue_key", killed)
    assert administrator.post(path, json={"label": "k"}, headers={"Idempotency-Key": "x"}).status_code == 503
    monkeypatch.setattr(issuing, "issue_key", true)
    again = post(administrator, path, {"label": "k"}, key="x")
    assert again["key"] is None and "make another one" in again["note"]
    assert [item["id"] for item in administrator.get(path).json()["items"]] == [again["id"]]


def test_a_key_can_do_less_than_its_member_and_never_more(
    service: Service, administrator: httpx.Client
) -> None:
    doe = member(administrator, "J. Doe", "operator")
    narrow = as_(service, key_of(administrator, doe, scopes=["evidence:read"]))
    assert narrow.get("/v1/evidence").status_code == 200
    assert narrow.get("/v1/matters").status_code == 403
    beyond = {"label": "k", "scopes": ["evidence:read", "organisation:manage"]}
    problem = post(administrator, f"{MEMBERS}/{doe}/keys", beyond, status=422)
    assert "may not do organisation:manage" in problem["title"]
    answer = administrator.patch(f"{MEMBERS}/{doe}", json={"roles": ["administrator"]})
    assert answer.json()["roles"] == ["administrator"]
    assert narrow.get("/v1/evidence").status_code == 403, "keys follow their member at once"
    assert narrow.get("/v1/organisation").status_code == 403, "and what they were narrowed to stays"


@pytest.mark.parametrize("roles", [["installation"], ["root"], [], [1]])
def test_roles_that_no_member_can_have(administrator: httpx.Client, roles: list[Any]) -> None:
    post(administrator, MEMBERS, {"name": "X", "roles": roles}, status=422)
    doe = member(administrator, "J. Doe", "operator")
    assert administrator.patch(f"{MEMBERS}/{doe}", json={"roles": roles}).status_code == 422


def test_what_has_ended_opens_nothing(service: Service, administrator: httpx.Client) -> None:
    doe = member(administrator, "J. Doe", "operator")
    path = f"{MEMBERS}/{doe}/keys"
    clients = [as_(service, key_of(administrator, doe)) for _ in range(2)]
    past = {"label": "k", "expires_at": service.clock.now.isoformat()}
    assert "expired already" in post(administrator, path, past, status=422)["title"]
    # The database's clock is the true one; that of the parts is of the test.
    soon = (service.clock.now + timedelta(seconds=1)).isoformat()
    expired = as_(service, key_of(administrator, doe, expires_at=soon))
    assert [client.get("/v1/evidence").status_code for client in (*clients, expired)] == [200, 200, 401]
    first = administrator.get(path, params={"limit": 1}).json()
    rest = administrator.get(path, params={"after": first["next"]}).json()
    keys = [item["id"] for item in (*first["items"], *rest["items"])]
    assert len(keys) == 3
    for number in range(2):  # the second time changes nothing
        for key_id in keys[:2]:
            assert administrator.delete(f"{path}/{key_id}").status_code == 204, number
    assert administrator.get(f"{path}/{keys[0]}").json()["revoked_at"] is not None
    assert administrator.delete(f"{MEMBERS}/{doe}").status_code == 204
    assert administrator.delete(f"{MEMBERS}/{doe}").status_code == 204
    assert [client.get("/v1/evidence").status_code for client in clients] == [401, 401]
    assert "has left" in post(administrator, path, {"label": "k"}, status=409)["title"]
    assert administrator.patch(f"{MEMBERS}/{doe}", json={"roles": ["auditor"]}).status_code == 409
    again = {"name": "J. Doe", "roles": ["operator"]}
    assert "is taken" in post(administrator, MEMBERS, again, status=409)["title"], (
        "a name is never given again"
    )


@pytest.mark.parametrize("name", ["evidence-service", " Evidence-Service ", "ｅvidence-service"])
def test_nobody_is_called_as_the_service(administrator: httpx.Client, name: str) -> None:
    post(administrator, MEMBERS, {"name": name, "roles": ["operator"]}, status=422)


def test_nobody_is_called_as_a_key_of_the_settings(service: Service) -> None:
    problem = post(service.http, MEMBERS, {"name": "agent", "roles": ["operator"]}, status=409)
    assert "a key of the settings" in problem["title"]


def test_the_last_administrator_stays(service: Service, administrator: httpx.Client) -> None:
    [first] = administrator.get(MEMBERS).json()["items"]
    path = f"{MEMBERS}/{first['id']}"
    assert "last administrator" in administrator.delete(path).json()["title"]
    assert administrator.patch(path, json={"roles": ["auditor"]}).status_code == 409
    second = member(administrator, "Second", "administrator", "auditor")
    other = as_(service, key_of(administrator, second))
    # Both end each other at once: one of them is the last by then.
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda c=c, m=m: results.append(c.delete(f"{MEMBERS}/{m}").status_code))
        for c, m in ((administrator, second), (other, first["id"]))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(204) == 1 and set(results) <= {204, 409, 401}


def test_all_of_it_is_in_a_log_that_nobody_edits(
    service: Service, administrator: httpx.Client, engine: Engine
) -> None:
    assert administrator.get("/v1/organisation/log").status_code == 403
    doe = member(administrator, "J. Doe", "auditor")
    auditor = as_(service, key_of(administrator, doe))
    administrator.patch(f"{MEMBERS}/{doe}", json={"roles": ["auditor", "reviewer"]})
    administrator.patch(f"{MEMBERS}/{doe}", json={"roles": ["reviewer", "auditor"]})  # nothing new
    first = auditor.get("/v1/organisation/log", params={"limit": 3}).json()
    rest = auditor.get("/v1/organisation/log", params={"after": first["next"]}).json()
    events = [*first["items"], *rest["items"]]
    assert [(item["sequence"], item["actor"], item["action"]) for item in events] == [
        (1, "agent", "register_organisation"),
        (2, "agent", "add_member"),
        (3, "agent", "issue_key"),
        (4, "C. Martin", "add_member"),
        (5, "C. Martin", "issue_key"),
        (6, "C. Martin", "change_roles"),
    ]
    assert events[5]["subject"] == doe and events[5]["detail"] == {"roles": ["auditor", "reviewer"]}
    assert "evk_" not in str(events)
    own = administrator.get("/v1/organisation").json()["id"]
    for role in ("evidence_api", "evidence_worker"):
        narrow = as_role(engine, role)
        for change in ("UPDATE administration_events SET actor = 'x'", "DELETE FROM administration_events"):
            with (
                pytest.raises(ProgrammingError, match="permission denied"),
                scoped(narrow, own).begin() as found,
            ):
                found.execute(text(change))
        narrow.dispose()


def test_the_commands(service: Service) -> None:
    def run(*arguments: str, key: str = "", code: int = 0) -> str:
        environment = service.environment | ({"EVIDENCE_API_KEY": key} if key else {})
        done = CliRunner().invoke(main, arguments, env=environment)
        assert done.exit_code == code, done.output
        return done.stdout if code == 0 else done.output

    made = json.loads(
        run("organisation", "add", "Aurelle SA", "--code", "AUR", "--administrator", "C. Martin", "--json")
    )
    key = made["key"]
    assert "Aurelle SA" in run("organisation", "list")
    doe = json.loads(run("member", "add", "J. Doe", "--role", "operator", "--json", key=key))["id"]
    assert "J. Doe" in run("member", "list", key=key)
    assert "auditor" in run("member", "roles", doe, "auditor", "operator", key=key)
    nightly = ["key", "add", doe, "--label", "nightly", "--scope", "evidence:read"]
    told = CliRunner().invoke(main, nightly, env=service.environment | {"EVIDENCE_API_KEY": key})
    issued = told.output
    assert "evk_" in issued and "shown once" in issued
    listed = json.loads(run("key", "list", doe, "--json", key=key))
    assert [item["label"] for item in listed] == ["nightly"] and "evk_" not in str(listed)
    run("key", "revoke", doe, listed[0]["id"], key=key)
    assert "revoked" in run("key", "list", doe, key=key)
    run("member", "end", doe, key=key)
    assert "has left" in run("key", "add", doe, "--label", "x", key=key, code=2)
