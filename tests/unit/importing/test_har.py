"""Each defect of a HAR has its code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from evidence_service.importing import har
from tests.unit.importing.examined import codes, examined, wrong


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "startedDateTime": "2026-11-24T08:30:00.123Z",
        "time": 30,
        "request": {
            "method": "GET",
            "url": "https://shop.example/item/1",
            "httpVersion": "HTTP/1.1",
            "headers": [{"name": "Cookie", "value": "a=1"}],
            "cookies": [{"name": "a", "value": "1"}],
        },
        "response": response(),
        "timings": {"blocked": -1, "dns": 5, "connect": 5, "ssl": 4, "send": 0, "wait": 15, "receive": 5},
        "serverIPAddress": "192.0.2.7",
        **changes,
    }


def response(status: int = 200, **content: Any) -> dict[str, Any]:
    return {
        "status": status,
        "statusText": "OK",
        "headers": [],
        "cookies": [],
        "content": {"size": 5, "mimeType": "text/html", "text": "hello", **content},
    }


def made(*entries: Any, **log: Any) -> bytes:
    value = {
        "version": "1.2",
        "creator": {"name": "test", "version": "1"},
        "entries": entries or [entry()],
        **log,
    }
    return json.dumps({"log": value}).encode()


CASES: dict[str, Callable[[], bytes]] = {
    "har.structure": lambda: made(entry(request={"method": "GET"})),
    "har.version": lambda: made(version="1.1"),
    "har.duplicate_key": lambda: made().replace(b'"size": 5', b'"size": 5, "size": 5'),
    "har.time": lambda: made(entry(startedDateTime="yesterday")),
    "har.timings": lambda: made(entry(time=900)),
    "har.body_encoding": lambda: made(entry(response=response(encoding="base64", text="%%%"))),
    "har.body_size": lambda: made(entry(response=response(size=999))),
    "har.body_missing": lambda: made(entry(response=response(text=None))),
    "har.redacted": lambda: made(
        entry(request={**entry()["request"], "cookies": [{"name": "a", "value": "[REDACTED]"}]})
    ),
    "har.cookies_absent": lambda: made(entry(request={**entry()["request"], "cookies": [], "headers": []})),
    "har.order": lambda: made(entry(), entry(startedDateTime="2026-11-24T08:29:00Z")),
    "har.ip_address": lambda: made(entry(serverIPAddress="")),
    "har.no_answer": lambda: made(entry(response=response(0))),
}


@pytest.mark.parametrize("code", CASES)
def test_a_defect_is_named(code: str) -> None:
    assert code in codes(CASES[code]())


@pytest.mark.parametrize(
    "data",
    [
        made(),
        b"\xef\xbb\xbf" + made(),
        made(entry(response=response(encoding="base64", text="aGVsbG8="))),
        # The size is that of GBK, which two readers of the text could not tell.
        made(entry(response=response(text="商品", size=4))),
    ],
)
def test_nothing_is_wrong_with_what_is_genuine(data: bytes) -> None:
    assert (examined(data).kind, codes(data)) == ("har", set())


@pytest.mark.parametrize(
    "data",
    [
        made()[:-20],
        made() + b"x",
        made(*[[]]),
        made(entries={}),
        made(entry(timings={"wait": "x"})),
        made(entry(time=True)),
        made(entry(response=None)),
        made(creator=None),
        b'{"log": {"version": ' + b"[" * 100_000,
        b'{"log": {"version": "\xff"}}',
        b'{"log": {"version": ' + b"9" * 10_000 + b"}}",
    ],
)
def test_what_is_no_har_is_said(data: bytes) -> None:
    assert "har.structure" in wrong(data)


def test_a_har_of_more_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(har, "SIZE_LIMIT", 10)
    assert wrong(made()) == {"limit"}
