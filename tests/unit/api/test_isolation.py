"""Nobody sees another's: every route, with every kind of id, by every role, and by keys that are none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request
from sqlalchemy import Engine, text

from evidence_service import bootstrap
from evidence_service.api.app import create_app
from evidence_service.api.auth import Principal, Reader, Wired, may
from evidence_service.api.keys import KeyHolder
from evidence_service.api.rates import Rate, Rates
from evidence_service.api.routes import events
from evidence_service.api.routes.organisations import Overall
from evidence_service.config import Settings
from evidence_service.service.parts import Parts
from evidence_service.service.permissions import OF_MEMBERS, ROLES, scopes_of
from evidence_service.store.closing import Due
from evidence_service.store.tenancy import API_ROLE, WORKER_ROLE
from tests.running import as_role, empty, serving
from tests.unit.api.certificates import issued
from tests.unit.api.conftest import Clock, Service
from tests.unit.api.isolation import COMMON, MARK, UNKNOWN, examine, operations, sha256

A, B = "o-a", "o-b"
MANY = Rate(1e9, 10**9)


@dataclass
class World:
    """The two organisations, and what A has.

    Attributes:
        a, b: keys that may do whatever members can.
        roles: of A: a key and its scopes.
    """

    app: FastAPI
    parts: Parts
    client: httpx.Client
    ids: dict[str, str]
    unknown: dict[str, str]
    a: str
    b: str
    roles: dict[str, tuple[str, frozenset[str]]]
    bad_keys: dict[str, str | None]
    scopes_of_b: frozenset[str]
    of_a: Service
    of_b: Service
    of_b_ids: dict[str, str]


@pytest.fixture(scope="module")
def world(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    empty(engine)
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO organisations VALUES ('o-a', 'A', NULL, now()), ('o-b', 'B', NULL, now())")
        )
    clock = Clock()
    settings = Settings(data_directory=tmp_path_factory.mktemp("data"), purpose="demonstration", batch_size=4)
    narrow, wide = as_role(engine, API_ROLE), as_role(engine, WORKER_ROLE)
    parts = replace(bootstrap.parts(settings, engine), now=clock)
    everything = scopes_of(OF_MEMBERS)
    roles = {role: (f"A {role}", scopes) for role, scopes in ROLES.items()}
    keys = {sha256(key): KeyHolder(A, "somebody", scopes, (role,)) for role, (key, scopes) in roles.items()}
    keys |= {
        sha256("A"): KeyHolder(A, "ann", everything, tuple(ROLES)),
        sha256("B"): KeyHolder(B, "bob", everything, tuple(ROLES)),
    }
    app = create_app(
        replace(bootstrap.parts(settings, narrow), now=clock),
        keys,
        overall=replace(bootstrap.parts(settings, wide), now=clock),
        rates=Rates(MANY, MANY, MANY),
    )
    with (
        pytest.MonkeyPatch.context() as patched,
        serving(app) as url,
        client_of(url, "A") as a,
        client_of(url, "B") as b,
        httpx.Client(base_url=url, trust_env=False) as nobody,
    ):
        # Each stream ends after what it begins with.
        patched.setattr(events, "_LIFE_SECONDS", 0.0)
        of_a, of_b = (
            Service(parts.within(organisation), clock, http) for organisation, http in ((A, a), (B, b))
        )
        ids, bad = furnish(of_a)
        theirs = {"evidence": of_b.upload()["id"], "matter": of_b.matter, "member": member(of_b)}
        yield World(
            app, parts, nobody, {**COMMON, **ids}, {**COMMON, **UNKNOWN}, "A", "B", roles, bad,
            everything, of_a, of_b, theirs,
        )  # fmt: skip
    for used in (narrow, wide):
        used.dispose()


def client_of(url: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False)


def member(service: Service, name: str = "somebody of B") -> str:
    answer = service.http.post("/v1/organisation/members", json={"name": name, "roles": ["auditor"]})
    return str(answer.json()["id"])


def furnish(service: Service) -> tuple[dict[str, str], dict[str, str | None]]:
    """One of each thing, with a text of A's in it; and keys of A's that are good no more."""

    def post(path: str, **body: Any) -> dict[str, Any]:
        answer = service.http.post(path, json=body)
        assert answer.status_code in (201, 202), (path, answer.text)
        return dict(answer.json())

    matter = post("/v1/matters", reference=MARK, applicant=MARK, rights=[MARK])["id"]
    url = f"https://93.184.215.14/{MARK.replace(' ', '-')}"
    post("/v1/captures", matter_id=matter, url=url)
    rows = post("/v1/capture-lists", matter_id=matter, rows=[{"url": url, "label": MARK}])
    file = {"name": MARK, "size": 1, "sha256": sha256(MARK).hex(), "sha3_512": "00" * 64}
    registration = post("/v1/registrations", matter_id=matter, **file)
    registrations = post("/v1/registration-lists", matter_id=matter, rows=[file])
    service.matter = matter
    evidence = service.upload(MARK.encode())["id"]
    service.register(evidence)
    batch = service.parts.batches.close_due(
        Due(age=timedelta(0), size=1, margin=timedelta(0)), now=service.clock.now
    )
    assert batch is not None
    service.parts.records.advance(evidence, "anchored")
    number = issued(service, evidence)
    order = post(f"/v1/certificates/{number}/supersede", reason=MARK)["id"]
    exhibit = post(f"/v1/evidence/{evidence}/exhibit", **{"for": "court", "recipient": MARK})["id"]
    member = post("/v1/organisation/members", name=MARK, roles=["auditor"])["id"]
    webhook = post("/v1/webhooks", url=url)["id"]
    keys = [post(f"/v1/organisation/members/{member}/keys", label=MARK) for _ in range(2)]
    service.http.delete(f"/v1/organisation/members/{member}/keys/{keys[0]['id']}").raise_for_status()
    with service.parts.database.begin() as connection:
        connection.execute(
            text("UPDATE api_keys SET expires_at = now() - interval '1 s' WHERE id = :id"),
            {"id": keys[1]["id"]},
        )
    hold = post(f"/v1/evidence/{evidence}/holds", reason=MARK)["id"]
    request = post(f"/v1/evidence/{evidence}/deletion", reason=MARK)["id"]
    link = post(
        f"/v1/evidence/{evidence}/release-links",
        what="bundle", recipient=MARK, purpose=MARK, expires_in=3600,
    )["id"]  # fmt: skip
    session = post("/v1/uploads/sessions", matter_id=matter, name=MARK, size=9)["id"]
    ids = {
        "hold": hold,
        "request": request,
        "link": link,
        "session": session,
        "matter": matter,
        "list": rows["id"],
        "registration": registration["id"],
        "registration list": registrations["id"],
        "evidence": evidence,
        "batch": batch.id,
        "certificate": number,
        "exhibit": exhibit,
        "member": member,
        "key": keys[0]["id"],
        "order": order,
        "webhook": webhook,
    }
    return ids, {
        "no key": None,
        "an unknown key": "evk_unknown",
        "a revoked key": keys[0]["key"],
        "an expired key": keys[1]["key"],
    }


def test_no_route_tells_one_organisation_of_another(
    world: World, record_property: Callable[[str, object], None]
) -> None:
    matrix = examine(world.client, world.app.openapi(), world)
    record_property("RESULT", f"routes={matrix.routes} cases={matrix.cases} leaks={len(matrix.leaks)}")
    assert matrix.leaks == []
    assert matrix.cases > 10 * matrix.routes


# --- the matrix can fail ---


def planted(world: World) -> FastAPI:
    """The same application, to which a test adds what must not be."""
    narrow: Parts = world.app.state.parts
    app = create_app(
        narrow, dict(world.app.state.keys._configured), overall=world.app.state.overall,
        rates=Rates(MANY, MANY, MANY),
    )  # fmt: skip

    @app.get("/leak/{evidence_id}/read")
    def read(evidence_id: str, _: Reader, parts: Overall) -> str:
        return parts.records.evidence(evidence_id).id

    @app.get("/leak/{evidence_id}/tell")
    def tell(evidence_id: str, _: Reader, parts: Wired, all_parts: Overall) -> str:
        all_parts.records.evidence(evidence_id)
        raise HTTPException(403, "this is another organisation's")

    @app.get("/leak/matters")
    def matters(_: Reader, parts: Overall) -> list[str]:
        return [item.applicant for item in parts.records.matters()]

    @app.get("/leak/filter")
    def count(_: Reader, parts: Overall, matter_id: str) -> int:
        return len(parts.records.list_evidence(matter_id=matter_id))

    @app.get("/leak/careless")
    def careless(caller: Annotated[Principal, may("evidence:read")], request: Request) -> str:
        return "anybody of the organisation"

    return app


def test_the_matrix_sees_what_leaks(world: World) -> None:
    app = planted(world)
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        leaks = examine(client, app.openapi(), world, under="/leak/").leaks
    assert {words.split(" with ")[0] for words in leaks} == {
        "GET /leak/{evidence_id}/read",
        "GET /leak/{evidence_id}/tell",
        "GET /leak/matters",
        "GET /leak/filter",
    }


def test_the_matrix_sees_who_may_too_much(world: World) -> None:
    app = planted(world)
    widened = {**world.roles, "auditor": world.roles["administrator"]}
    widened = {
        role: (key, scopes | {"evidence:read"} if role == "administrator" else scopes)
        for role, (key, scopes) in widened.items()
    }
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        other = replace(world, roles=widened, bad_keys={"a good key": "A"})
        leaks = examine(client, app.openapi(), other, under="/leak/careless").leaks
    assert leaks == [
        "GET /leak/careless as administrator: 403",
        "GET /leak/careless with a good key: 200",
    ]


def test_a_route_has_a_scope_or_is_public(world: World) -> None:
    app = planted(world)

    @app.get("/open/to/all")
    def open_to_all() -> str:
        return ""

    @app.get("/open/{thing_id}")
    def unknown(thing_id: str, _: Annotated[Principal, may("evidence:read")]) -> str:
        return ""

    with pytest.raises(AssertionError, match="names no scope: give its caller one"):
        list(operations(app.openapi(), under="/open/to"))
    with pytest.raises(AssertionError, match=r"takes thing_id: say in tests/unit/api/isolation\.py"):
        list(operations(app.openapi(), under="/open/{"))


# --- what could be inferred ---


def both(world: World, method: str, path: str, **request: Any) -> tuple[httpx.Response, httpx.Response]:
    """The answers to A and to B, to one request."""
    return (
        world.of_a.http.request(method, path, **request),
        world.of_b.http.request(method, path, **request),
    )


def test_one_idempotency_key_is_two_for_two_organisations(world: World) -> None:
    body = {"reference": "R", "applicant": "Same"}
    first, second = both(world, "POST", "/v1/matters", json=body, headers={"Idempotency-Key": "same"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]
    other = world.of_b.http.post(
        "/v1/matters", json={"reference": "R", "applicant": "Another"}, headers={"Idempotency-Key": "same"}
    )
    assert other.status_code == 409, "each is bound by its own use of the key alone"
    third = world.of_a.http.post("/v1/matters", json=body, headers={"Idempotency-Key": "same"})
    assert third.json() == first.json()


def shape(value: Any) -> Any:
    """A document without its texts and numbers."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else type(value).__name__


def test_content_that_another_has_already_is_taken_as_if_it_were_new(world: World) -> None:
    shared = world.of_b.upload(MARK.encode())
    fresh = world.of_b.upload(b"content nobody has")
    assert shape(shared) == shape(fresh)
    logs = [world.of_b.http.get(f"/v1/evidence/{item['id']}/custody").json() for item in (shared, fresh)]
    assert shape(logs[0]) == shape(logs[1])
    assert [event["action"] for event in logs[0]] == [event["action"] for event in logs[1]]


def test_a_batch_of_both_shows_each_his_own(world: World) -> None:
    mine, theirs = world.of_b.upload(b"of B in a batch"), world.of_a.upload(b"of A in a batch")
    for service, item in ((world.of_b, mine), (world.of_a, theirs)):
        service.register(item["id"])
    due = Due(age=timedelta(0), size=2, margin=timedelta(0))
    batch = world.parts.batches.close_due(due, now=world.of_a.clock.now + timedelta(hours=1))
    assert batch is not None
    manifests = [
        hashlib.sha256(world.parts.records.evidence(item["id"]).manifest or b"").hexdigest()
        for item in (theirs, mine)
    ]
    answers = both(world, "GET", f"/v1/batches/{batch.id}/proofs")
    for answer, own, other in ((answers[0], *manifests), (answers[1], *reversed(manifests))):
        assert answer.status_code == 200, answer.text
        shown = [json.loads(line)["sha256"] for line in answer.text.splitlines()]
        assert own in shown and other not in shown


def test_lists_and_counts_are_of_ones_own(world: World) -> None:
    for path in ("evidence", "certificates", "matters", "anchors", "organisation/members"):
        first, second = (
            {json.dumps(item) for item in answer.json()["items"]}
            for answer in both(world, "GET", f"/v1/{path}", params={"limit": 200})
        )
        assert not first & second or path == "anchors", path
        assert not any(MARK in item for item in second), path
    log = world.of_b.http.get("/v1/organisation/log").json()["items"]
    assert [item["sequence"] for item in log] == list(range(1, len(log) + 1)), "no gap tells of another"


def test_a_number_of_a_certificate_tells_anybody_no_more_than_the_register_does(world: World) -> None:
    number = world.ids["certificate"]
    assert world.client.get(f"/v1/register/{number}").status_code == 200
    assert world.of_b.http.get(f"/v1/certificates/{number}").status_code == 404
    entry = world.client.get(f"/v1/register/{number}").json()
    assert MARK not in str(entry) and A not in str(entry.get("organisation", ""))
