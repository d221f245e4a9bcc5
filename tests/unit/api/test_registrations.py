"""Digests registered over the API: one by one, in lists, found again by digest."""

from __future__ import annotations

import hashlib
from typing import Any

from evidence_service.core import receipt
from evidence_service.service.enter_registrations import enter_registrations
from evidence_service.verify.receipt import check_signature, read_public_key
from tests.unit.api.conftest import Service


def stated(content: bytes = b"content", name: str = "photos/图片.png", **more: Any) -> dict[str, Any]:
    """A row."""
    return {
        "name": name,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "sha3_512": hashlib.sha3_512(content).hexdigest(),
        "media_type": "image/png",
        **more,
    }


def register(service: Service, content: bytes = b"content", *, key: str | None = None, **more: Any) -> Any:
    """The answer to one registration."""
    return service.http.post(
        "/v1/registrations",
        json={"matter_id": service.matter, **stated(content), **more},
        headers={} if key is None else {"Idempotency-Key": key},
    )


def register_list(service: Service, rows: list[Any], *, key: str | None = None) -> Any:
    """The answer to a list."""
    return service.http.post(
        "/v1/registration-lists",
        json={"matter_id": service.matter, "rows": rows},
        headers={} if key is None else {"Idempotency-Key": key},
    )


def test_a_digest_is_registered_and_becomes_evidence(service: Service) -> None:
    answer = register(service)
    assert answer.status_code == 202, answer.text
    found = answer.json()
    public_key = read_public_key(service.http.get("/v1/receipt-key").content)
    check_signature(receipt.parse(receipt.canonical.encode(found["receipt"])), public_key)
    view = service.http.get(answer.headers["location"]).json()
    assert (view["status"], view["name"], view["batch"]) == ("accepted", "photos/图片.png", None)
    assert enter_registrations(service.parts) == 1
    assert enter_registrations(service.parts) == 0
    view = service.http.get(f"/v1/evidence/{found['id']}").json()
    assert (view["status"], view["kind"]) == ("registered", "digest")
