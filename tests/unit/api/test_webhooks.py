"""Webhooks over the API: only where events may go, secrets shown once, and what became of each delivery."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from sqlalchemy import text

from evidence_service.store import webhooks
from tests.unit.api.conftest import Service

PUBLIC = "https://93.184.215.14/hook?token=in-the-address"


def add(service: Service, **more: Any) -> dict[str, Any]:
    answer = service.http.post("/v1/webhooks", json={"url": PUBLIC, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://93.184.215.14/", "by https only"),
        ("ftp://93.184.215.14/", "begins with https://"),
        ("https://", "begins with https://"),
        ("https://127.0.0.1/", "not public"),
        ("https://10.0.0.1/", "not public"),
        ("https://169.254.169.254/latest", "not public"),
        ("https://[::1]/", "not public"),
        ("https://93.184.215.14:25/", "another protocol"),
        ("https://user:secret@93.184.215.14/", "user name or password"),
    ],
)
def test_events_go_only_where_the_service_connects_to(service: Service, url: str, why: str) -> None:
    answer = service.http.post("/v1/webhooks", json={"url": url})
    assert answer.status_code == 422 and why in answer.json()["title"]
    assert service.http.get("/v1/webhooks").json() == {"items": [], "next": None}
    there = add(service)
    answer = service.http.patch(f"/v1/webhooks/{there['id']}", json={"url": url})
    assert answer.status_code == 422 and why in answer.json()["title"]


def test_a_secret_is_shown_once_and_kept_sealed(service: Service) -> None:
    made = add(service, types=["evidence.certified"])
    secret = made.pop("secret")
    assert secret.startswith("whsec_") and len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    path = f"/v1/webhooks/{made['id']}"
    assert service.http.get(path).json() == made
    assert service.http.get("/v1/webhooks").json() == {"items": [made], "next": None}
    turned = service.http.post(f"{path}/rotate", params={"overlap_hours": 1}).json()
    assert turned["secret"] != secret and turned["previous_secret_until"] == "2026-01-02T04:04:05.678000Z"
    assert "secret" not in service.http.get(path).json()
    with service.parts.database.connect() as connection:
        row = connection.execute(
            text("SELECT sealed, previous::text AS previous, webhooks::text AS words FROM webhooks")
        ).one()
    kept = bytes(row.sealed) + bytes.fromhex(json.loads(row.previous)[0][0])
    for shown in (secret, turned["secret"]):
        raw = base64.b64decode(shown.removeprefix("whsec_"))
        assert raw not in kept and raw.hex() not in row.words and shown not in row.words
    opened = service.parts.sealing_key.open_secret(made["id"], bytes(row.sealed))
    assert opened == base64.b64decode(turned["secret"].removeprefix("whsec_"))
    # The answer got lost, and was asked for again: the secret the receiver has is still one of those that sign.
    service.http.post(f"{path}/rotate")
    [webhook] = service.parts.webhooks.all()
    before = [service.parts.sealing_key.open_secret(made["id"], item) for item, _ in webhook.previous]
    assert base64.b64decode(secret.removeprefix("whsec_")) in before and len(before) == 2
    service.clock.forward(2 * 3600)
    service.http.post(f"{path}/rotate", params={"overlap_hours": 0})
    [webhook] = service.parts.webhooks.all()
    assert base64.b64decode(secret.removeprefix("whsec_")) not in [
        service.parts.sealing_key.open_secret(made["id"], item) for item, _ in webhook.previous
    ]


def test_a_repeated_request_makes_no_second_webhook_and_keeps_no_secret(service: Service) -> None:
    headers = {"Idempotency-Key": "once"}
    first = service.http.post("/v1/webhooks", json={"url": PUBLIC}, headers=headers)
    again = service.http.post("/v1/webhooks", json={"url": PUBLIC}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 409)
    assert f"{first.json()['id']}/rotate" in again.json()["what_to_do"]
    with service.parts.database.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM idempotency_keys")).scalar_one() == 0


def test_changing_disabling_enabling_and_deleting(service: Service) -> None:
    path = f"/v1/webhooks/{add(service)['id']}"
    changed = service.http.patch(path, json={"types": ["exhibit.made"]}).json()
    assert changed["types"] == ["exhibit.made"] and changed["url"] == PUBLIC
    assert service.http.patch(path, json={"types": ["evidence.lost"]}).status_code == 422
    disabled = service.http.patch(path, json={"enabled": False}).json()
    assert disabled["disabled_at"] is not None and disabled["reason"] == "disabled by agent"
    enabled = service.http.patch(path, json={"enabled": True}).json()
    assert enabled["disabled_at"] is None and enabled["reason"] == ""
    assert service.http.delete(path).status_code == 204
    log = service.http.get("/v1/organisation/log").json()["items"]
    told = [(item["action"], item["detail"]) for item in log]
    assert told[0] == ("add_webhook", {"host": "93.184.215.14", "types": []})
    assert told[1:4] == [
        ("change_webhook", {"types": ["exhibit.made"]}),
        ("change_webhook", {"enabled": False}),
        ("change_webhook", {"enabled": True}),
    ]
    assert told[4] == ("delete_webhook", {}) and "token" not in str(log)
    for method in ("GET", "DELETE"):
        assert service.http.request(method, path).status_code == 404
    for call in ("test", "rotate"):
        assert service.http.post(f"{path}/{call}").status_code == 404
    assert service.http.post(f"{path}/replay", json={"after": 0}).status_code == 404
    assert service.http.get(f"{path}/deliveries").status_code == 404


def test_an_organisation_has_so_many_at_most(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST", 1)
    add(service)
    answer = service.http.post("/v1/webhooks", json={"url": PUBLIC})
    assert answer.status_code == 422 and "at most" in answer.json()["title"]


def positions(service: Service, path: str, **query: Any) -> list[tuple[int, str, str]]:
    page = service.http.get(f"{path}/deliveries", params=query).json()
    return [(item["position"], item["type"], item["state"]) for item in page["items"]]


def test_deliveries_are_queued_for_what_is_wanted_and_can_be_read_and_repeated(service: Service) -> None:
    everything, nothing = add(service), add(service, types=["exhibit.made"])
    path, other = (f"/v1/webhooks/{item['id']}" for item in (everything, nothing))
    for number in range(3):
        service.upload(b"%d" % number)
    assert service.http.post(f"{path}/test").status_code == 202
    service.parts.events.give_positions(service.clock.now)
    accepted = "evidence.accepted"
    assert positions(service, path) == [
        (4, "webhook.test", "pending"),
        *[(position, accepted, "pending") for position in (3, 2, 1)],
    ]
    assert positions(service, other) == []
    first = service.http.get(f"{path}/deliveries", params={"limit": 2}).json()
    assert first["next"] == 3 and first["items"][0]["message_id"] == f"{everything['id']}-4"
    assert positions(service, path, before=3) == [(2, accepted, "pending"), (1, accepted, "pending")]
    # Disabled: what was to be told is given up, what happens is not queued; both can be had again.
    service.http.patch(path, json={"enabled": False})
    service.upload(b"meanwhile")
    service.parts.events.give_positions(service.clock.now)
    service.http.patch(path, json={"enabled": True})
    assert {state for _, _, state in positions(service, path)} == {"failed"}
    answer = service.http.post(f"{path}/replay", json={"after": 1})
    assert answer.status_code == 202 and answer.json() == {"queued": 3, "next": None}
    assert positions(service, path)[0] == (5, accepted, "pending")
    assert positions(service, path)[-1] == (1, accepted, "failed")
    assert service.http.post(f"{path}/replay", json={"since": "2100-01-01T00:00:00Z"}).json()["queued"] == 0
    assert service.http.post(f"{path}/replay", json={}).status_code == 422
    assert service.http.post(f"{other}/replay", json={"after": 0}).json()["queued"] == 0
    log = service.http.get("/v1/organisation/log").json()["items"]
    replayed = [(item["subject"], item["detail"]) for item in log if item["action"] == "replay_events"]
    assert replayed == [(everything["id"], {"after": 1})], "what queued nothing is not in the log"
