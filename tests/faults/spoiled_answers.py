"""Faults of the way: an answer that does not arrive, or not as JSON-RPC, or with an error that is untrue.

Each comes twice. ``…_before``: the request never reaches the node. ``…_after``: it took effect there, and only
the answer is lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from tests.faults.rpc_exchange import Answer, Ending, Exchange, Fault, Reply

TOO_LARGE = 65 * 1024 * 1024
NESTING = 100_000

Spoil = Callable[[Exchange, Answer], Reply]

SEND = frozenset({"eth_sendRawTransaction"})


def _closed(_exchange: Exchange, _answer: Answer) -> Reply:
    return Reply(ending=Ending.CLOSED)


def _reset(_exchange: Exchange, _answer: Answer) -> Reply:
    return Reply(ending=Ending.RESET)


def _timeout(_exchange: Exchange, _answer: Answer) -> Reply:
    return Reply(ending=Ending.SILENT)


def _slow_drip(_exchange: Exchange, answer: Answer) -> Reply:
    return Reply(json.dumps(answer).encode(), ending=Ending.DRIP)


def _cut_body(_exchange: Exchange, answer: Answer) -> Reply:
    return Reply(json.dumps(answer).encode(), ending=Ending.CUT)


def _http_429(_exchange: Exchange, _answer: Answer) -> Reply:
    return Reply(b"Too Many Requests", 429, {"Retry-After": "1", "Content-Type": "text/plain"})


def _rpc_429(exchange: Exchange, _answer: Answer) -> Reply:
    return Reply.of(exchange.error(-32005, "daily request count exceeded, request rate limited"), 429)


def _rate_limited(exchange: Exchange, _answer: Answer) -> Reply:
    return Reply.of(exchange.error(-32005, "limit exceeded"))


def _internal_error(exchange: Exchange, _answer: Answer) -> Reply:
    return Reply.of(exchange.error(-32603, "internal error"))


def _status(status: int, words: bytes) -> Spoil:
    return lambda _exchange, _answer: Reply(words, status, {"Content-Type": "text/html"})


def _html(_exchange: Exchange, _answer: Answer) -> Reply:
    return Reply(b"<!doctype html><title>Maintenance</title>", headers={"Content-Type": "text/html"})


def _empty_body(_exchange: Exchange, _answer: Answer) -> Reply:
    return Reply()


def _truncated_json(_exchange: Exchange, answer: Answer) -> Reply:
    whole = json.dumps(answer).encode()
    return Reply(whole[: len(whole) * 2 // 3])


def _malformed_json(_exchange: Exchange, answer: Answer) -> Reply:
    return Reply(json.dumps(answer).replace('"', "'").encode())


def _not_an_object(exchange: Exchange, answer: Answer) -> Reply:
    return Reply.of([exchange.id, answer.get("result")])


def _deep_nesting(exchange: Exchange, _answer: Answer) -> Reply:
    start = json.dumps(exchange.result(None)).removesuffix("null}")
    return Reply((start + "[" * NESTING + "]" * NESTING + "}").encode())


def _too_large(exchange: Exchange, _answer: Answer) -> Reply:
    start = json.dumps(exchange.result("0x")).removesuffix('"}')
    return Reply(start.encode() + b"0" * TOO_LARGE + b'"}')


def _wrong_id(_exchange: Exchange, answer: Answer) -> Reply:
    return Reply.of({**answer, "id": 987654321})


def _result_and_error(_exchange: Exchange, answer: Answer) -> Reply:
    return Reply.of({"result": None, **answer, "error": {"code": -32000, "message": "both"}})


def _redirect(exchange: Exchange, _answer: Answer) -> Reply:
    return Reply(status=307, headers={"Location": exchange.elsewhere})


def _says(words: str, code: int = -32000) -> Spoil:
    return lambda exchange, _answer: Reply.of(exchange.error(code, words))


_SPOILED: tuple[tuple[str, str, Spoil, frozenset[str]], ...] = (
    ("closed", "closes the connection without an answer", _closed, frozenset()),
    ("reset", "breaks the connection off", _reset, frozenset()),
    ("timeout", "never answers", _timeout, frozenset()),
    ("slow_drip", "answers a byte at a time", _slow_drip, frozenset()),
    ("cut_body", "closes in the middle of its answer", _cut_body, frozenset()),
    ("http_429", "too many requests, as HTTP only", _http_429, frozenset()),
    ("rpc_429", "too many requests, as HTTP and JSON-RPC", _rpc_429, frozenset()),
    ("rate_limited", "too many requests, as JSON-RPC with HTTP 200", _rate_limited, frozenset()),
    ("internal_error", "JSON-RPC internal error", _internal_error, frozenset()),
    ("http_500", "HTTP 500", _status(500, b"Internal Server Error"), frozenset()),
    ("http_502", "HTTP 502 from a proxy", _status(502, b"<h1>Bad Gateway</h1>"), frozenset()),
    ("http_503", "HTTP 503", _status(503, b"Service Unavailable"), frozenset()),
    ("html", "a page of HTML with HTTP 200", _html, frozenset()),
    ("empty_body", "HTTP 200 and nothing else", _empty_body, frozenset()),
    ("truncated_json", "two thirds of a JSON document", _truncated_json, frozenset()),
    ("malformed_json", "single quotes for double ones", _malformed_json, frozenset()),
    ("not_an_object", "a JSON array", _not_an_object, frozenset()),
    ("deep_nesting", f"{NESTING} arrays in one another", _deep_nesting, frozenset()),
    ("too_large", f"a result of {TOO_LARGE} bytes", _too_large, frozenset()),
    ("wrong_id", "the answer to another request", _wrong_id, frozenset()),
    ("result_and_error", "a result and an error at once", _result_and_error, frozenset()),
    ("redirect", "sends the client to another address", _redirect, frozenset()),
    ("nonce_too_low", "says 'nonce too low' of a good transaction", _says("nonce too low"), SEND),
    ("already_known", "says 'already known' of a new transaction", _says("already known"), SEND),
    (
        "underpriced",
        "says 'replacement transaction underpriced' without a reason",
        _says("replacement transaction underpriced"),
        SEND,
    ),
    (
        "insufficient_funds",
        "says that a funded account is empty",
        _says("insufficient funds for gas * price + value"),
        SEND,
    ),
    ("refused", "refuses a good transaction in words nobody knows", _says("we are busy today"), SEND),
)


def faults() -> Iterator[Fault]:
    """All of them, both ways."""
    for name, what, spoil, methods in _SPOILED:
        yield Fault(f"{name}_before", f"{what}; the request did not arrive", _before(spoil), methods)
        yield Fault(f"{name}_after", f"{what}; the request took effect", _after(spoil), methods)


def _before(spoil: Spoil) -> Callable[[Exchange], Reply]:
    return lambda exchange: spoil(exchange, exchange.result("0x0"))


def _after(spoil: Spoil) -> Callable[[Exchange], Reply]:
    return lambda exchange: spoil(exchange, exchange.forward())
