"""Asking a node: whatever it answers, a node that is wrong never looks like evidence that is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

import pytest

from evidence_service.errors import NodeUnavailableError
from evidence_service.verify import rpc
from evidence_service.verify.chain import AnchorFacts
from evidence_service.verify.nodes import compare_with
from tests.running import answering

HASH = "0x" + "ab" * 32


class Handler(BaseHTTPRequestHandler):
    """A node that says what a test wants."""

    says: ClassVar[dict[str, Any]] = {}
    raw: ClassVar[bytes | None] = None
    status: ClassVar[int] = 200

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = call["method"] if call["method"] == "eth_chainId" else call["params"][0]
        found = type(self).says[key]
        body = type(self).raw or json.dumps({"jsonrpc": "2.0", "id": 1, **found}).encode()
        self.send_response(type(self).status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def node() -> Iterator[str]:
    Handler.raw, Handler.status = None, 200
    Handler.says = {
        "eth_chainId": {"result": "0x1"},
        "finalized": {"result": {"number": "0x20"}},
        "0x10": {"result": {"hash": HASH.upper().replace("X", "x")}},
    }
    server = HTTPServer(("127.0.0.1", 0), Handler)
    with answering(server):
        yield f"http://127.0.0.1:{server.server_port}/key"


def compare(node: str) -> str:
    return rpc.compare_header(node, 16, HASH, 1, 5.0)


def test_what_a_node_may_say(node: str) -> None:
    assert compare(node) == "canonical"
    Handler.says["finalized"] = {"result": {"number": "0xf"}}
    assert compare(node) == "not_finalized"
    Handler.says["0x10"] = {"result": None}
    assert compare(node) == "not_finalized"
    Handler.says["0x10"] = {"result": {"hash": "0x" + "00" * 32}}
    assert compare(node) == "different"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"eth_chainId": {"result": "0x2"}}, "does not serve chain 1"),
        ({"eth_chainId": {"result": None}}, "not a number"),
        ({"eth_chainId": {"error": {"code": 1}}}, "with an error"),
        ({"finalized": {"result": None}}, "no finalized block"),
        ({"finalized": {"result": {"number": "many"}}}, "not a number"),
        ({"0x10": {"result": {}}}, "without a hash"),
    ],
)
def test_answers_that_are_none(node: str, changes: dict[str, Any], words: str) -> None:
    Handler.says = {**Handler.says, **changes}
    with pytest.raises(NodeUnavailableError, match=words):
        compare(node)


@pytest.mark.parametrize(
    ("raw", "status", "words"),
    [
        (b"<html>", 200, "not JSON"),
        (b"[" * 100_000, 200, "not JSON"),
        (b"[1]", 200, "with an error"),
        (b"x" * (rpc.MAX_ANSWER + 1), 200, "larger than"),
        (b"{}", 500, "did not answer"),
        (b"{}", 302, "did not answer"),
    ],
)
def test_answers_that_cannot_be_read(node: str, raw: bytes, status: int, words: str) -> None:
    Handler.raw, Handler.status = raw, status
    with pytest.raises(NodeUnavailableError, match=words):
        compare(node)


def test_addresses_that_are_none() -> None:
    for address in ("file:///etc/passwd", "ftp://127.0.0.1/", "node"):
        with pytest.raises(NodeUnavailableError, match="not an http or https address"):
            compare(address)


def test_every_node_is_asked_and_named_without_its_key(node: str) -> None:
    facts = AnchorFacts(1, "0x", None, "0x", "0x", 16, HASH, 0, 0, has_state_proof=False)
    said = compare_with([node, "http://user:password@127.0.0.1:1/key", "nonsense"])(facts)
    assert [item.answer for item in said] == ["canonical", "unavailable", "unavailable"]
    assert [item.node for item in said][1:] == ["127.0.0.1:1", "the node"]
    assert "key" not in said[0].node
