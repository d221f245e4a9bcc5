"""Orders of captures: how a listing is captured, and what receipts promise while others wait."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from evidence_service.api.orders import OptionsOrder, StepOrder
from evidence_service.capture import options
from evidence_service.service.parts import Parts
from evidence_service.service.promise import promise, promises
from tests.unit.api.conftest import Service

URL = "https://93.184.215.14/item/1"
OPTIONS = {
    "profile": "mobile",
    "locale": "zh-CN",
    "timezone": "Asia/Shanghai",
    "mode": "tunnel",
    "steps": [{"action": "click", "text": "规格参数"}, {"action": "open", "value": "/shop"}],
}


def order(service: Service, *, key: str | None = None, **more: Any) -> Any:
    return service.http.post(
        "/v1/captures",
        json={"matter_id": service.matter, "url": URL, **more},
        headers={} if key is None else {"Idempotency-Key": key},
    )


def when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_options_are_kept_as_the_capture_takes_them(service: Service) -> None:
    answer = order(service, options=OPTIONS)
    assert answer.status_code == 202, answer.text
    kept = service.parts.records.evidence(answer.json()["id"]).options
    assert kept is not None and answer.json()["options"] == kept
    assert options.options_json(options.parse_options(kept)) == kept
    assert options.parse_options(kept) == options.parse_options(OPTIONS)
    [event] = service.http.get(f"/v1/evidence/{answer.json()['id']}/custody").json()
    assert event["action"] == "order"
    assert event["detail"] | {"url": ""} == {
        "matter": service.matter,
        "kind": "platform_capture",
        "url": "",
        "profile": "mobile",
        "locale": "zh-CN",
        "timezone": "Asia/Shanghai",
        "mode": "tunnel",
        "steps": "2",
    }


def test_what_an_order_leaves_out_is_as_configured(service: Service) -> None:
    object.__setattr__(service.parts.capturing, "profile", "mobile")
    assert order(service).json()["options"]["profile"] == "mobile"
    assert order(service, options={"profile": "desktop"}).json()["options"]["profile"] == "desktop"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"profile": "tv"}, "body.options.profile"),
        ({"proflie": "mobile"}, "body.options.proflie"),
        ({"locale": "x\x00"}, "body.options.locale"),
        ({"steps": [{"action": "dance"}]}, "body.options.steps.0.action"),
        ({"steps": [{"action": "click"}]}, "step 1 names no element"),
        ({"steps": [{"action": "fill", "text": "x"}]}, "step 1 has no value"),
        ({"steps": [{"action": "click", "text": "x"}] * 21}, "body.options.steps"),
    ],
)
def test_a_wrong_option_is_named(service: Service, wrong: dict[str, Any], words: str) -> None:
    answer = order(service, options=wrong)
    assert answer.status_code == 422
    assert words in answer.json()["title"]


def test_the_schema_offers_what_a_capture_takes() -> None:
    def choices(model: Any, field: str) -> set[str]:
        return set(get_args(model.model_fields[field].annotation))

    assert choices(OptionsOrder, "profile") == set(options.PROFILES)
    assert choices(OptionsOrder, "mode") == set(options.MODES)
    assert choices(StepOrder, "action") == set(options.ACTIONS)
    assert set(OptionsOrder.model_fields) == set(options.options_json(options.CaptureOptions()))


def test_a_key_is_for_one_order_options_included(service: Service) -> None:
    first = order(service, key="k", options={"profile": "mobile"}).json()
    assert order(service, key="k", options={"profile": "mobile"}).json() == first
    assert order(service, key="k").status_code == 409


@pytest.fixture
def idle(service: Service) -> Parts:
    """Captures of at most 90 s, one at once; 600 s from a capture's begin to its batch."""
    assert service.parts.capturing.limits.seconds == 90
    assert service.parts.promised_delay == timedelta(seconds=600)
    return service.parts


def seconds(parts: Parts, moments: list[datetime]) -> list[float]:
    return [(moment - parts.now()).total_seconds() for moment in moments]


def test_a_promise_counts_the_captures_before_it(service: Service, idle: Parts) -> None:
    given = [when(order(service).json()["receipt"]["batch_by"]) for _ in range(3)]
    assert seconds(idle, given) == [600, 690, 780]


def test_more_browsers_promise_earlier(service: Service, idle: Parts) -> None:
    parts = replace(idle, capturing=replace(idle.capturing, at_once=3))
    assert seconds(parts, promises(parts, parts.now(), 3)) == [660, 720, 780]


def test_a_list_leaves_room_for_single_orders_and_keeps_its_promises(service: Service, idle: Parts) -> None:
    rows = [{"url": f"{URL}{number}"} for number in range(40)]
    accepted = service.http.post("/v1/capture-lists", json={"matter_id": service.matter, "rows": rows}).json()
    given = [when(row["receipt"]["batch_by"]) for row in accepted["rows"]]
    assert seconds(idle, given) == [600 + 180 * (number + 1) for number in range(40)]
    singles = [when(order(service).json()["receipt"]["batch_by"]) for _ in range(10)]
    assert max(seconds(idle, singles)) < 600 + 180 * 22, "a single order waits for the whole list"
    # Whoever is served in this order, each for as long as a capture may take, is in time.
    queue = idle.queue.next(100)
    assert [item.batch_by for item in queue] == sorted([*given, *singles])
    for place, item in enumerate(queue):
        assert item.batch_by is not None
        assert idle.now() + timedelta(seconds=90 * place + 600) <= item.batch_by


def test_captures_that_are_known_to_be_quick_are_promised_earlier(service: Service, idle: Parts) -> None:
    for _ in range(10):
        evidence_id = order(service).json()["id"]
        idle.records.captured(evidence_id, described())
    order(service)
    assert seconds(idle, [promise(idle, idle.now())]) == [610], "twice the mean of 5 s"


def described() -> dict[str, Any]:
    return {
        "outcome": {"status": "captured", "reasons": []},
        "started_at": "2026-01-02T03:04:05.000Z",
        "finished_at": "2026-01-02T03:04:10.000Z",
    }


def test_urgent_orders_come_first_and_what_is_refused_is_no_work(service: Service, idle: Parts) -> None:
    first, second, urgent = order(service), order(service), order(service, urgent=True)
    ids = [answer.json()["id"] for answer in (first, second, urgent)]
    assert [item.id for item in idle.queue.next(9)] == [ids[2], ids[0], ids[1]]
    assert [item.id for item in idle.queue.next(1)] == [ids[2]]
    idle.records.refuse(ids[0], "preserve refused: test")
    assert [item.id for item in idle.queue.next(9)] == [ids[2], ids[1]]
    view = service.http.get(f"/v1/evidence/{ids[0]}").json()
    assert (view["stopped"], view["progress"]) == (True, "preserve refused: test")
    assert view["certificate_refused"] == "preserve refused: test"


def test_the_examples_of_the_interface_are_orders(service: Service, tmp_path: Path) -> None:
    document = service.http.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    for path, name in (("/v1/captures", "NewCapture"), ("/v1/capture-lists", "NewCaptureList")):
        for example in schemas[name]["examples"]:
            filled = json.loads(json.dumps(example).replace("https://example.com", "https://93.184.215.14"))
            answer = service.http.post(path, json=filled | {"matter_id": service.matter})
            assert answer.status_code == 202, answer.text
