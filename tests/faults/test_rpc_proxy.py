"""The proxy, and its faults of the way: each does what its name says, to a real anvil."""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from evidence_service.processes import free_port
from evidence_service.sandbox.anvil import CHAIN_ID
from evidence_service.verify.trie import keccak256
from tests.faults.rpc_faults import FAULTS
from tests.faults.rpc_proxy import RpcProxy
from tests.faults.rpc_server import DRIP_SECONDS
from tests.faults.world import TIMEOUT, World, anchoring, answer, post

Check = Callable[[int, bytes], bool]


def refuses(words: str) -> Check:
    return lambda status, body: status == 200 and words in json.loads(body)["error"]["message"]


def no_json(status: int, body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return status == 200
    return False


ARRIVES: dict[str, Check] = {
    "http_429": lambda status, body: status == 429 and b"{" not in body,
    "rpc_429": lambda status, body: status == 429 and json.loads(body)["error"]["code"] == -32005,
    "rate_limited": refuses("limit exceeded"),
    "internal_error": refuses("internal error"),
    "http_500": lambda status, _body: status == 500,
    "http_502": lambda status, _body: status == 502,
    "http_503": lambda status, _body: status == 503,
    "html": lambda status, body: status == 200 and body.startswith(b"<!doctype html>"),
    "empty_body": lambda status, body: (status, body) == (200, b""),
    "truncated_json": no_json,
    "malformed_json": no_json,
    "not_an_object": lambda _status, body: isinstance(json.loads(body), list),
    "deep_nesting": lambda _status, body: body.count(b"[") == body.count(b"]") == 100_000,
    "too_large": lambda _status, body: len(body) > 64 * 1024 * 1024,
    "wrong_id": lambda _status, body: json.loads(body)["id"] != 1,
    "result_and_error": lambda _status, body: {"result", "error"} < set(json.loads(body)),
    "redirect": lambda status, _body: status == 307,
    "nonce_too_low": refuses("nonce too low"),
    "already_known": refuses("already known"),
    "underpriced": refuses("replacement transaction underpriced"),
    "insufficient_funds": refuses("insufficient funds"),
    "refused": refuses("busy"),
    "refused_with_nul": refuses("nul \x00 and lone surrogate \ud800"),
    "unhashable_code": lambda _status, body: json.loads(body)["error"]["code"] == [1],
}
NEVER_ARRIVES: dict[str, type[Exception]] = {
    "closed": http.client.RemoteDisconnected,
    "reset": ConnectionResetError,
    "timeout": TimeoutError,
    "cut_body": http.client.IncompleteRead,
}


@pytest.mark.parametrize("landed", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", [*ARRIVES, *NEVER_ARRIVES])
def test_an_answer_is_lost_before_or_after_its_effect(world: World, name: str, landed: bool) -> None:
    raw = anchoring(1)
    fault = f"{name}_{'after' if landed else 'before'}"
    world.proxy.inject(fault, method="eth_sendRawTransaction")
    if name in ARRIVES:
        assert ARRIVES[name](*post(world.proxy.url, "eth_sendRawTransaction", ["0x" + raw.hex()]))
    else:
        with pytest.raises(NEVER_ARRIVES[name]) as caught:
            post(world.proxy.url, "eth_sendRawTransaction", ["0x" + raw.hex()], timeout=TIMEOUT)
        assert type(caught.value) is NEVER_ARRIVES[name]
    assert world.anvil.pool() == ({"0x" + keccak256(raw).hex()} if landed else set())
    [entry] = world.proxy.log
    assert (entry.method, entry.fault, entry.landed) == ("eth_sendRawTransaction", fault, landed)
    assert answer(world.proxy.url, "eth_chainId", [])["result"] == hex(CHAIN_ID)


@pytest.mark.parametrize("name", ["slow_drip_head_before", "slow_drip_head_after"])
def test_headers_drip_without_end(world: World, name: str) -> None:
    world.proxy.inject(name)
    parts = urlsplit(world.proxy.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT) as raw:
        body = b'{"id":1,"method":"eth_chainId","params":[]}'
        raw.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        got, started = b"", time.monotonic()
        while time.monotonic() - started < 4 * DRIP_SECONDS:
            got += raw.recv(4096)
    assert got.startswith(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    assert b"\r\n\r\n" not in got


@pytest.mark.parametrize("name", ["slow_drip_before", "slow_drip_after"])
def test_an_answer_drips(world: World, name: str) -> None:
    world.proxy.inject(name)
    parts = urlsplit(world.proxy.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
    connection.request("POST", "/", json.dumps({"id": 1, "method": "eth_chainId", "params": []}))
    response = connection.getresponse()
    started = time.monotonic()
    assert response.read(4) == b'{"js'
    assert time.monotonic() - started > 2 * DRIP_SECONDS
    connection.close()


def test_a_client_that_follows_a_redirect_is_seen(world: World) -> None:
    world.proxy.inject("redirect_before")
    before = world.proxy.followed
    request = urllib.request.Request(world.proxy.url, b'{"id":1,"method":"eth_chainId","params":[]}')
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)  # follows no 307 of a POST
    assert world.proxy.followed == before
    urllib.request.urlopen(refused.value.headers["Location"], timeout=5).close()
    assert world.proxy.followed == before + 1


def test_connections_are_refused_for_a_while(world: World) -> None:
    with world.proxy.refusing(), pytest.raises(ConnectionRefusedError):
        post(world.proxy.url, "eth_chainId", [])
    assert answer(world.proxy.url, "eth_chainId", [])["result"] == hex(CHAIN_ID)


def test_a_node_that_is_down_closes_connections() -> None:
    with RpcProxy(f"http://127.0.0.1:{free_port()}") as proxy, pytest.raises(http.client.RemoteDisconnected):
        post(proxy.url, "eth_chainId", [])


def test_injections_are_for_a_method_skip_and_end(world: World) -> None:
    world.proxy.inject("http_500_before", method="eth_blockNumber", times=2, skip=1)
    statuses = [post(world.proxy.url, "eth_blockNumber", [])[0] for _ in range(4)]
    assert statuses == [200, 500, 500, 200]
    world.proxy.inject("http_500_before", times=None)
    assert post(world.proxy.url, "eth_chainId", [])[0] == 500
    world.proxy.clear()
    assert post(world.proxy.url, "eth_chainId", [])[0] == 200
    assert [entry.fault for entry in world.proxy.asked("eth_blockNumber")] == [
        *("", "http_500_before", "http_500_before", ""),
    ]


def test_a_fault_that_could_never_happen_is_refused(world: World) -> None:
    with pytest.raises(AssertionError, match="never happens to eth_chainId"):
        world.proxy.inject("receipt_failed", method="eth_chainId")
    with pytest.raises(KeyError):
        world.proxy.inject("no_such_fault")


def test_random_faults_come_again_with_their_seed(world: World) -> None:
    def faults(seed: int) -> list[str]:
        world.proxy.log.clear()
        quick = [
            name for name in FAULTS if name not in {"timeout_before", "timeout_after", "too_large_before"}
        ]
        world.proxy.randomly(0.3, seed=seed, among=[n for n in quick if "drip" not in n and "large" not in n])
        for _ in range(100):
            try:
                post(world.proxy.url, "eth_blockNumber", [])
            except (OSError, http.client.HTTPException):
                continue
        world.proxy.randomly(0, seed=0)
        return [entry.fault for entry in world.proxy.log]

    first = faults(7)
    assert first == faults(7) != faults(8)
    met = [fault for fault in first if fault]
    assert 15 <= len(met) <= 45
    assert len(set(met)) >= 10
    assert all(FAULTS[fault].concerns("eth_blockNumber", []) for fault in met)
