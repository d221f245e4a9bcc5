"""A custody log names the role by which somebody could do what he did, never one that he does not have."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from evidence_service.service.enter_registrations import enter_registrations
from evidence_service.service.permissions import ROLES
from evidence_service.store.administration import Change
from evidence_service.store.members import Key, Member
from tests.unit.api.certificates import anchored, issued
from tests.unit.api.conftest import Service


def member(service: Service, *roles: str) -> dict[str, str]:
    """The header of a new member with these roles."""
    name, now = "-".join(roles), service.clock()
    of = Member(f"mb-{name}", name, None, None, list(roles), now, None)
    key = Key(f"k-{name}", of.id, "test", None, now, None, None)
    noted = Change("add_member", "test", of.id, now)
    service.parts.members.add(of, noted)
    service.parts.members.add_key(key, hashlib.sha256(name.encode()).digest(), noted)
    return {"Authorization": f"Bearer {name}"}


def told(service: Service, evidence_id: str, action: str) -> dict[str, str]:
    """Who did something last, as the custody log says."""
    found = [item for item in service.parts.records.custody(evidence_id) if item["action"] == action]
    actor: dict[str, str] = found[-1]["actor"]
    return actor


@pytest.mark.parametrize("role", ["applicant", "operator"])
def test_who_orders_has_his_role_in_receipt_log_and_manifest(service: Service, role: str) -> None:
    headers = member(service, role)
    who = {"id": role, "role": role}
    query = {"matter_id": service.matter, "name": "a.txt", "certificate": "false"}
    uploaded = service.http.post("/v1/uploads", params=query, content=b"x", headers=headers).json()
    order = {"matter_id": service.matter, "url": "https://93.184.215.14/item"}
    captured = service.http.post("/v1/captures", json=order, headers=headers).json()
    rows = [{"name": "b.txt", "size": 1, "sha256": "11" * 32, "sha3_512": "22" * 64}]
    single = {"matter_id": service.matter, **rows[0]}
    stated = service.http.post("/v1/registrations", json=single, headers=headers).json()
    many = {"matter_id": service.matter, "rows": rows}
    listed = service.http.post("/v1/registration-lists", json=many, headers=headers).json()
    assert [item["receipt"]["operator"] for item in (uploaded, captured, stated, listed)] == [who] * 4
    enter_registrations(service.parts)
    service.register(uploaded["id"])
    of_list = next(
        item.id
        for item in service.parts.records.list_evidence()
        if item.kind == "digest" and item.id != stated["id"]
    )
    for name, action in (
        (uploaded["id"], "order"),
        (captured["id"], "order"),
        (stated["id"], "register"),
        (of_list, "register"),
    ):
        assert told(service, name, action) == who
        found = service.parts.records.evidence(name)
        assert (found.operator, found.operator_role) == (role, role)
        assert found.manifest is None or json.loads(found.manifest)["operator"] == who
    assert json.loads(service.parts.records.receipt(of_list))["operator"] == who


@pytest.mark.parametrize(
    ("roles", "role"),
    [(["operator"], "operator"), (["applicant"], "applicant"), (["auditor", "custodian"], "custodian")],
)
def test_who_takes_a_copy_has_the_role_that_lets_him(service: Service, roles: list[str], role: str) -> None:
    evidence_id = service.upload(name="a.txt")["id"]
    service.register(evidence_id)
    answer = service.http.get(f"/v1/evidence/{evidence_id}/files/a.txt", headers=member(service, *roles))
    assert answer.status_code == 200
    assert told(service, evidence_id, "copy") == {"id": "-".join(roles), "role": role}


@pytest.mark.parametrize("role", ["applicant", "certifier"])
def test_who_ends_a_certificate_has_the_role_that_lets_him(service: Service, role: str) -> None:
    evidence_id = anchored(service)
    number = issued(service, evidence_id)
    answer = service.http.post(
        f"/v1/certificates/{number}/withdraw", json={"reason": "x"}, headers=member(service, role)
    )
    assert answer.status_code == 200, answer.text
    assert told(service, evidence_id, "certify") == {"id": role, "role": role}


@pytest.mark.parametrize("role", ["applicant", "custodian"])
def test_an_exhibit_is_of_the_role_that_ordered_it(service: Service, role: str) -> None:
    evidence_id = anchored(service)
    order: dict[str, Any] = {
        "audience": "court",
        "recipient": "Court",
        "redact": {"without_certificate": True},
    }
    answer = service.http.post(
        f"/v1/evidence/{evidence_id}/exhibit", json=order, headers=member(service, role)
    )
    assert answer.status_code == 202, answer.text
    assert service.parts.exhibits.exhibit(answer.json()["id"]).operator_role == role


def test_what_is_told_as_one_role_s_only_that_role_may_do() -> None:
    holding = {
        scope: [role for role, scopes in ROLES.items() if scope in scopes]
        for scope in ("custody:manage", "custody:approve")
    }
    assert holding == {"custody:manage": ["custodian"], "custody:approve": ["reviewer"]}
