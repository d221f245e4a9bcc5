"""What the service fetches by itself goes only where the policy permits, redirects and proxies included."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from evidence_service.egress.http import Answer, exchange, guarded
from evidence_service.egress.policy import EgressPolicy
from evidence_service.egress.resolver import Resolution
from evidence_service.errors import PolicyRefusedError, UnavailableError
from tests.live.authority import ServerAuthority
from tests.running import answering


class Listener(ThreadingHTTPServer):
    """Counts connections; answers ``/redirect`` with one to itself."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.connections = 0
        self.paths: list[str] = []

    def get_request(self):
        self.connections += 1
        return super().get_request()


class _Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.send_response(302 if self.path == "/redirect" else 200)
        self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/inside")
        self.send_header("Content-Type", "Text/Plain; charset=utf-8")
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        assert self.rfile.read(length) == b"body"
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    with answering(server):
        yield server


def policy_for(listener: Listener) -> EgressPolicy:
    return EgressPolicy(
        frozenset({("shop.test", listener.server_port)}),
        resolver=lambda host, port: Resolution(("127.0.0.1",), "test"),
    )


def test_a_permitted_exchange(listener: Listener) -> None:
    send = guarded(policy_for(listener))
    url = f"http://shop.test:{listener.server_port}/a?b=c"
    assert send(url, limit=5) == Answer(200, "text/plain", b"hello")
    assert send(url, limit=5, content=b"body").body == b"hello"
    assert listener.paths == ["/a?b=c", "/a?b=c"]
    with pytest.raises(UnavailableError, match="larger"):
        send(url, limit=4)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "other.test"])
def test_a_forbidden_address_sees_no_connection(listener: Listener, host: str) -> None:
    with pytest.raises(PolicyRefusedError):
        exchange(f"http://{host}:{listener.server_port}/", limit=5, policy=policy_for(listener))
    assert listener.connections == 0


def test_a_redirect_is_not_followed(listener: Listener) -> None:
    with pytest.raises(UnavailableError, match="302"):
        guarded(policy_for(listener))(f"http://shop.test:{listener.server_port}/redirect", limit=5)
    assert listener.paths == ["/redirect"]


def test_proxy_variables_lead_nowhere(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{listener.server_port}")
    nowhere = EgressPolicy(
        frozenset({("shop.test", 1)}), resolver=lambda host, port: Resolution(("127.0.0.1",), "test")
    )
    with pytest.raises(UnavailableError, match="cannot be reached"):
        guarded(nowhere)("http://shop.test:1/", limit=5)
    assert listener.connections == 0


def test_a_port_of_another_protocol_is_refused() -> None:
    with pytest.raises(PolicyRefusedError, match="another protocol"):
        guarded(EgressPolicy())("http://8.8.8.8:25/", limit=5)


def test_an_address_that_cannot_be_read_is_a_matter_of_availability() -> None:
    for url in ("http://", "nothing", "ftp://8.8.8.8/"):
        with pytest.raises(UnavailableError):
            guarded(EgressPolicy())(url, limit=5)


def test_a_server_is_trusted_by_the_roots_it_was_given(tmp_path: Path) -> None:
    authority = ServerAuthority(tmp_path)
    files = authority.issue("shop", ("127.0.0.1",))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificates, files.key)
    server = Listener()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = f"https://127.0.0.1:{server.server_port}/"
    policy = EgressPolicy(frozenset({("127.0.0.1", server.server_port)}))
    with answering(server):
        with pytest.raises(UnavailableError, match="certificate verify failed"):
            exchange(url, limit=5, policy=policy)
        assert server.paths == []
        assert exchange(url, limit=5, policy=policy, roots=authority.root).body == b"hello"
