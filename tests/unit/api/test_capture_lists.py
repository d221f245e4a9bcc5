"""Lists of captures: each row by itself, all of them durable, none twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from evidence_service.core import custody, receipt
from evidence_service.verify.receipt import check_signature, read_public_key
from tests.unit.api.conftest import Service

HOST = "https://93.184.215.14"


def order(service: Service, rows: list[Any], *, key: str | None = None, **more: Any) -> Any:
    return service.http.post(
        "/v1/capture-lists",
        json={"matter_id": service.matter, "rows": rows, **more},
        headers={} if key is None else {"Idempotency-Key": key},
    )


def count(engine: Engine, table: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_a_bad_row_refuses_no_other(service: Service) -> None:
    rows: list[Any] = [
        {"url": f"{HOST}/1", "label": "店铺 A"},
        {"url": "ftp://93.184.215.14/"},
        {"url": "http://127.0.0.1/"},
        {"label": "no address"},
        {"url": f"{HOST}/2", "options": {"profile": "tv"}},
        {"url": f"{HOST}/3", "options": {"steps": [{"action": "click"}]}},
        {"url": f"{HOST}/4", "colour": "red"},
        {"url": f"{HOST}/5", "label": "two\nlines"},
        {"url": "https://x\x00y/"},
        "not an object",
        None,
        {"url": "http://[::1"},
        {"url": f"{HOST}/6", "options": {"locale": "de-DE"}},
    ]
    answer = order(service, rows)
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert (body["accepted"], body["refused"]) == (2, 11)
    assert answer.headers["Location"] == f"/v1/capture-lists/{body['id']}"
    problems = {row["position"]: row["problem"] for row in body["rows"] if row["result"] == "refused"}
    for position, words in {
        2: "only http and https",
        3: "not public",
        4: "url: Field required",
        5: "options.profile",
        6: "step 1 names no element",
        7: "colour",
        8: "label",
        9: "white space",
        10: "",
        11: "",
        12: "not a URL",
    }.items():
        problem = problems[position]
        assert words in problem["title"], problem
        assert (problem["type"], problem["status"]) == ("urn:evidence-service:problem:refused", 422)
    assert set(problems) == set(range(2, 13))
    for row in body["rows"]:
        assert (row["id"] is None) == (row["receipt"] is None) == (row["problem"] is not None)


def test_every_accepted_row_is_durable_with_its_receipt_and_its_first_event(service: Service) -> None:
    body = order(service, [{"url": f"{HOST}/{number}"} for number in range(3)], options={"locale": "zh-CN"})
    for number, row in enumerate(body.json()["rows"]):
        view = service.http.get(f"/v1/evidence/{row['id']}").json()
        assert (view["url"], view["status"]) == (f"{HOST}/{number}", "accepted")
        assert view["options"]["locale"] == "zh-CN"
        kept = service.http.get(f"/v1/evidence/{row['id']}/receipt").content
        key = service.http.get("/v1/receipt-key").content
        check_signature(receipt.parse(kept), read_public_key(key))
        assert row["receipt"]["accepted"] == {"url": f"{HOST}/{number}"}
        events = service.http.get(f"/v1/evidence/{row['id']}/custody").json()
        custody.verify_chain(events, evidence_id=row["id"])
        assert [item["action"] for item in events] == ["order"]


def test_a_thousand_rows_take_few_statements(service: Service, engine: Engine) -> None:
    rows = [{"url": f"{HOST}/{number}", "label": f"row {number}"} for number in range(1_000)]
    rows[500]["url"] = "ftp://93.184.215.14/"
    statements: list[str] = []

    def note(*given: Any) -> None:
        statements.append(given[2])

    event.listen(engine, "before_cursor_execute", note)
    try:
        body = order(service, rows, key="thousand").json()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert (body["accepted"], body["refused"]) == (999, 1)
    assert len(statements) < 40
    assert len({row["id"] for row in body["rows"]}) == 1_000  # None among them
    assert order(service, rows, key="thousand").json() == body
    assert (count(engine, "evidence"), count(engine, "receipts")) == (999, 999)
    assert (count(engine, "capture_lists"), count(engine, "capture_list_rows")) == (1, 1_000)


def test_a_row_under_its_key_is_captured_once_in_whatever_list(service: Service, engine: Engine) -> None:
    rows = [{"url": f"{HOST}/{name}", "key": name} for name in "abc"]
    first = order(service, rows[:2]).json()["rows"]
    second = order(service, rows[1:]).json()["rows"]
    assert second[0]["id"] == first[1]["id"]
    assert second[0]["receipt"] == first[1]["receipt"]
    assert count(engine, "evidence") == 3
    [changed] = order(service, [{"url": f"{HOST}/other", "key": "a"}]).json()["rows"]
    assert changed["problem"]["status"] == 409
    assert "another capture" in changed["problem"]["title"]
    [same, again, other] = order(
        service, [rows[0] | {"key": "d"}, rows[0] | {"key": "d"}, rows[1] | {"key": "d"}]
    ).json()["rows"]
    assert same["id"] == again["id"] and other["problem"]["status"] == 409
    single = service.http.post(
        "/v1/captures",
        json={"matter_id": service.matter, "url": f"{HOST}/x"},
        headers={"Idempotency-Key": "a"},
    ).json()
    assert single["url"] == f"{HOST}/x", "keys of rows and of single orders are different things"


def test_a_list_key_is_for_one_list(service: Service) -> None:
    assert order(service, [{"url": f"{HOST}/1"}], key="k").status_code == 202
    answer = order(service, [{"url": f"{HOST}/2"}], key="k")
    assert answer.status_code == 409


@pytest.mark.parametrize("rows", [[], [{"url": f"{HOST}/"}] * 5_001])
def test_a_list_has_1_to_5000_rows(service: Service, rows: list[Any]) -> None:
    assert order(service, rows).status_code == 422


def test_a_request_that_is_too_large_is_refused_while_it_comes(service: Service, engine: Engine) -> None:
    def body() -> Iterator[bytes]:
        yield b'{"matter_id": "m", "rows": ["'
        for _ in range(33):
            yield b"x" * 1024 * 1024
        yield b'"]}'

    answer = service.http.post(
        "/v1/capture-lists", content=body(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:evidence-service:problem:too-large"
    assert "order in portions" in answer.json()["title"]
    assert count(engine, "capture_lists") == 0


def test_an_unknown_matter_refuses_the_list_and_records_nothing(service: Service, engine: Engine) -> None:
    answer = order(service, [{"url": f"{HOST}/1"}], matter_id="m-unknown")
    assert answer.status_code == 404
    assert count(engine, "capture_lists") == count(engine, "evidence") == 0


def test_where_a_list_stands_is_counted_and_its_rows_come_in_pages(service: Service) -> None:
    rows: list[Any] = [{"url": f"{HOST}/{number}", "label": str(number)} for number in range(7)]
    body = order(service, [*rows, {"url": "ftp://x/"}]).json()
    ids = [row["id"] for row in body["rows"]]
    described = {"started_at": "2026-01-02T03:04:05.000Z", "finished_at": "2026-01-02T03:04:07.000Z"}
    for name, status in zip(ids[:3], ("captured", "captured", "challenge"), strict=True):
        service.parts.records.captured(
            name, {**described, "outcome": {"status": status, "reasons": [status]}}
        )
    service.parts.records.refuse(ids[3], "preserve refused: test")
    base = f"/v1/capture-lists/{body['id']}"
    counts = service.http.get(base).json()
    assert (counts["accepted"], counts["refused"], counts["stopped"]) == (7, 1, 1)
    assert counts["statuses"] == {"captured": 3, "accepted": 4}
    assert counts["outcomes"] == {"captured": 2, "challenge": 1}
    found, after = [], 0
    while after is not None:
        page = service.http.get(f"{base}/rows", params={"limit": 3, "after": after}).json()
        assert len(page["items"]) <= 3
        found += page["items"]
        after = page["next"]
    assert [row["position"] for row in found] == list(range(1, 9))
    assert [row["outcome"] for row in found[:4]] == ["captured", "captured", "challenge", None]
    assert [row["stopped"] for row in found] == [False] * 3 + [True] + [False] * 4
    assert [row["certificate_refused"] for row in found[:5]] == [None] * 3 + ["preserve refused: test", None]
    assert [row["reasons"] for row in found[:4]] == [["captured"], ["captured"], ["challenge"], []]
    assert (found[7]["result"], found[7]["id"]) == ("refused", None)
    assert service.http.get("/v1/capture-lists/cl-unknown").status_code == 404
    assert service.http.get("/v1/capture-lists/cl-unknown/rows").status_code == 404


def test_hosts_are_looked_up_once_each(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def permit(_: object, host: str, port: int) -> list[str]:
        asked.append(f"{host}:{port}")
        return ["93.184.215.14"]

    monkeypatch.setattr(type(service.parts.capturing.policy), "permit", permit)
    rows = [{"url": f"https://{host}.example/{number}"} for number in range(50) for host in ("a", "b")]
    assert order(service, rows).json()["accepted"] == 100
    assert sorted(asked) == ["a.example:443", "b.example:443"]
