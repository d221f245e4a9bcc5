"""What the main job leaves for who runs the service: one trace, a log in JSON, and no secret in either."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from evidence_service.service.tracing import trace_of
from tests.e2e.conftest import Result

SECRET = "a-secret-of-a-caller-0123"
LOGIN_STATE = {
    "cookies": [
        {
            "name": "session",
            "value": SECRET,
            "domain": "127.0.0.1",
            "path": "/",
            "expires": -1,
            "httpOnly": True,
            "secure": False,
            "sameSite": "Lax",
        }
    ],
    "origins": [],
}


def lines(result: Result) -> list[dict[str, Any]]:
    """Every line of the service's output that is JSON."""
    text = (result.demo.directory / "service.log").read_text()
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def written(result: Result) -> list[dict[str, Any]]:
    """The output once everything about the evidence is exported."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = lines(result)
        if any(item.get("name") == "certify: record" for item in found):
            break
        time.sleep(0.2)
    return found


def test_one_order_is_one_trace_from_its_request_to_its_certificate(
    result: Result, written: list[dict[str, Any]]
) -> None:
    trace_id, span_id = trace_of(result.evidence_id)
    spans = [item for item in written if "context" in item]
    trace = [item for item in spans if item["context"]["trace_id"] == f"0x{trace_id:032x}"]
    names = [item["name"] for item in sorted(trace, key=lambda item: item["start_time"])]
    assert names == [
        "POST /v1/captures",
        "preserve: order",
        "preserve: capture",
        "preserve: seal",
        "preserve: stamp",
        "preserve: register",
        "anchor",
        "certify: issue",
        "certify: record",
    ]
    first = f"0x{span_id:016x}"
    assert [item["context"]["span_id"] for item in trace if item["parent_id"] is None] == [first]
    assert {item["parent_id"] for item in trace} == {None, first}
    [anchor] = [item for item in trace if item["name"] == "anchor"]
    [batch_trace] = {link["context"]["trace_id"] for link in anchor["links"]}
    of_batch = {item["name"] for item in spans if item["context"]["trace_id"] == batch_trace}
    assert {"stamp: stamp header", "anchor round", "note: record"} <= of_batch


def test_spans_and_lines_hold_no_listing_and_nobodys_name(
    result: Result, written: list[dict[str, Any]]
) -> None:
    listing = result.demo.marketplace.listing_url("200102")
    for item in written:
        assert listing not in json.dumps(item)
        if "context" in item:
            assert "Test SA" not in json.dumps(item) and "demo-agent" not in json.dumps(item)


def test_every_request_is_one_line_with_the_route_and_not_the_path(
    result: Result, written: list[dict[str, Any]]
) -> None:
    requests = [item for item in written if item.get("event") == "request"]
    ordered = [item for item in requests if item["route"] == "/v1/captures"]
    assert [(item["method"], item["status"], item["evidence_id"]) for item in ordered] == [
        ("POST", 202, result.evidence_id)
    ]
    assert {"method", "route", "status", "ms", "request_id"} <= set(ordered[0])


def test_no_secret_is_told_whatever_is_done_with_it(result: Result) -> None:
    demo, base = result.demo, f"http://127.0.0.1:{result.demo.api_port}"
    listing = demo.marketplace.listing_url("200102")
    good = {"Authorization": f"Bearer {demo.api_key}"}
    with httpx.Client(base_url=base, trust_env=False) as http:
        answers = [
            http.get("/v1/matters", headers={"Authorization": f"Bearer {SECRET}"}),
            http.get("/v1/evidence/nothing", params={"token": SECRET}, headers=good),
            http.get(f"/{SECRET}", headers=good),
            http.post(
                "/v1/captures",
                headers=good,
                json={"matter_id": "m-none", "url": listing, "options": {}, "login_state": LOGIN_STATE},
            ),
            http.post(
                "/v1/captures",
                headers=good,
                json={"matter_id": 1, "url": f"http://user:{SECRET}@shop.example/?key={SECRET}"},
            ),
        ]
    assert [answer.status_code for answer in answers] == [401, 404, 404, 404, 422]
    assert all(SECRET not in answer.text for answer in answers)
    passwords = [(demo.directory / "keystore.password").read_text(), demo.api_key]
    passwords.append(next((demo.directory / "seal").glob("*password*")).read_text())
    log = (demo.directory / "service.log").read_text()
    assert [secret for secret in (SECRET, *passwords) if secret in log] == []
