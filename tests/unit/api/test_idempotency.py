"""Keys of repetitions: each caller's are his own, whatever their names, and outlast an upgrade."""

from __future__ import annotations

import httpx
from sqlalchemy import Engine, text

from tests.unit.api.conftest import KEY, Service

MATTER = {"reference": "R-2", "applicant": "Test SA"}


def create(service: Service, key: str, *, api_key: str = KEY, **more: str) -> httpx.Response:
    headers = {"Idempotency-Key": key, "Authorization": f"Bearer {api_key}"}
    return service.http.post("/v1/matters", json={**MATTER, **more}, headers=headers)


def member(service: Service, name: str) -> str:
    """The API key of a new member."""
    added = service.http.post("/v1/organisation/members", json={"name": name, "roles": ["operator"]}).json()
    issued = service.http.post(f"/v1/organisation/members/{added['id']}/keys", json={"label": "test"}).json()
    return str(issued["key"])


def test_keys_of_callers_whose_names_run_on_are_not_the_same(service: Service) -> None:
    short, long = member(service, "J."), member(service, "J. Doe")
    first = create(service, "Doe k1", api_key=short)
    second = create(service, "k1", api_key=long)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]
    assert create(service, "k1", api_key=long, reference="other").status_code == 409
    assert create(service, "Doe k1", api_key=short).json() == first.json()


def test_a_repetition_across_an_upgrade_finds_the_first(service: Service, engine: Engine) -> None:
    assert create(service, "k1").status_code == 201
    remembered = text("UPDATE idempotency_keys SET key = 'agent k1', body = '{\"id\": \"m-before\"}'")
    with engine.begin() as connection:
        connection.execute(remembered)
    assert create(service, "k1").json() == {"id": "m-before"}
    assert create(service, "k1", reference="other").status_code == 409


def test_a_row_of_before_that_may_be_another_caller_s_is_not_given_to_him(
    service: Service, engine: Engine
) -> None:
    short = member(service, "J.")
    create(service, "k1", api_key=member(service, "J. Doe"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE idempotency_keys SET key = 'J. Doe k1' WHERE key LIKE '%J. Doe%'"))
    assert create(service, "Doe k1", api_key=short, reference="other").status_code == 201


def test_an_empty_key_is_refused(service: Service) -> None:
    assert create(service, "").status_code == 422
    body = {"matter_id": service.matter, "sha256": "0" * 64, "sha3_512": "0" * 128, "size": 1}
    empty = {"Idempotency-Key": ""}
    answer = service.http.post("/v1/registrations", json={**body, "name": "a.png"}, headers=empty)
    assert answer.status_code == 422 and "idempotency-key" in answer.text
