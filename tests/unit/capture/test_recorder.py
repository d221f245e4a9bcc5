"""What the recorder keeps is what was on the wire, for every framing, over HTTP and TLS; policy holds."""

from __future__ import annotations

import gzip
import hashlib
import io
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from warcio.archiveiterator import ArchiveIterator

from evidence_service.capture.exchange import Exchange, Stored
from evidence_service.capture.interception import InterceptionAuthority
from evidence_service.capture.recorder import Recorder, RecorderLimits
from evidence_service.capture.warc import write_warc
from evidence_service.egress.policy import EgressPolicy

BIG = bytes(range(256)) * 2_000
RESPONSES: dict[str, bytes] = {
    "/length": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
    "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n",
    "/gzip": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        % len(gzip.compress(b"hello", mtime=0))
        + gzip.compress(b"hello", mtime=0)
    ),
    "/duplicates": (
        b"HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nset-cookie:b=2\r\nX:  y \r\nContent-Length: 0\r\n\r\n"
    ),
    "/close": b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    "/no-content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/not-modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n",
    "/early": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "/cut": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nonly this",
    "/big": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BIG) + BIG,
    "/missing": b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone",
}
COMPLETE = [path for path in RESPONSES if path != "/cut"]


class RawServer:
    """Answers with exactly the bytes above and keeps exactly the bytes it was sent."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.requests: list[bytes] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            data = b""
            while b"\r\n\r\n" not in data:
                data += connection.recv(65536)
            self.requests.append(data)
            path = data.split(b" ")[1].split(b"?")[0].decode()
            connection.sendall(RESPONSES.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
        except OSError:
            pass
        finally:
            connection.close()

    def close(self) -> None:
        # Closing alone does not wake the thread: it would go on accepting what is meant for a later test.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def server() -> Iterator[RawServer]:
    server = RawServer()
    yield server
    server.close()


def allowing(port: int) -> EgressPolicy:
    return EgressPolicy(frozenset({("127.0.0.1", port)}))


def talk(recorder: Recorder, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", recorder.port), timeout=10) as browser:
        browser.sendall(request)
        browser.shutdown(socket.SHUT_WR)
        answer = b""
        while data := browser.recv(65536):
            answer += data
    return answer


def get(recorder: Recorder, port: int, path: str, *, method: str = "GET", headers: str = "") -> bytes:
    line = f"{method} http://127.0.0.1:{port}{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    return talk(recorder, f"{line}{headers}Proxy-Connection: keep-alive\r\nX-Case: Kept\r\n\r\n".encode())


def recorded(directory: Path, exchange: Exchange) -> bytes:
    return stored(directory, exchange.response)


def sent(directory: Path, exchange: Exchange) -> bytes:
    return stored(directory, exchange.request)


def stored(directory: Path, part: Stored | None) -> bytes:
    assert part is not None
    data = (directory / part.name).read_bytes()
    assert (part.size, part.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    return data


@pytest.mark.parametrize("path", COMPLETE)
def test_bytes_are_verbatim_both_ways(server: RawServer, tmp_path: Path, path: str) -> None:
    with Recorder(tmp_path, allowing(server.port), now=now) as recorder:
        assert get(recorder, server.port, path) == RESPONSES[path]
    (exchange,) = recorder.exchanges
    assert recorded(tmp_path, exchange) == RESPONSES[path]
    request = sent(tmp_path, exchange)
    assert server.requests == [request]
    assert request.startswith(f"GET {path} HTTP/1.1\r\n".encode())
    assert b"X-Case: Kept\r\n" in request
    assert b"Proxy-Connection" not in request
    assert exchange.peer == ("127.0.0.1", server.port)
    assert exchange.status == int(RESPONSES[path].split(b"HTTP/1.")[-1].split(b" ")[1])
    assert exchange.problem == ""


def test_a_response_that_was_cut_off_says_so(server: RawServer, tmp_path: Path) -> None:
    with Recorder(tmp_path, allowing(server.port), now=now) as recorder:
        get(recorder, server.port, "/cut")
    assert recorded(tmp_path, recorder.exchanges[0]) == RESPONSES["/cut"]
    assert "closed before" in recorder.exchanges[0].problem


def test_a_request_with_a_body_is_kept_whole(server: RawServer, tmp_path: Path) -> None:
    with Recorder(tmp_path, allowing(server.port), now=now) as recorder:
        line = f"POST http://127.0.0.1:{server.port}/length?q=1 HTTP/1.1\r\nHost: x\r\n"
        talk(recorder, f"{line}Content-Length: 4\r\n\r\nbody".encode())
    assert sent(tmp_path, recorder.exchanges[0]).endswith(b"\r\n\r\nbody")


def test_limits_fire_and_are_named(server: RawServer, tmp_path: Path) -> None:
    limits = RecorderLimits(body=1000, exchanges=1)
    with Recorder(tmp_path, allowing(server.port), now=now, limits=limits) as recorder:
        get(recorder, server.port, "/big")
        assert b"limit of exchanges" in get(recorder, server.port, "/length")
    assert recorder.limits_fired == ["the response is larger than 1000 bytes", "more than 1 exchanges"]


def test_a_private_address_gets_no_byte(server: RawServer, tmp_path: Path) -> None:
    with Recorder(tmp_path, EgressPolicy(), now=now) as recorder:
        answer = get(recorder, server.port, "/length")
    assert b"not public" in answer
    assert server.requests == []
    assert "not public" in recorder.exchanges[0].problem
    assert recorder.exchanges[0].response is None


def test_a_web_socket_is_refused_and_recorded(server: RawServer, tmp_path: Path) -> None:
    with Recorder(tmp_path, allowing(server.port), now=now) as recorder:
        get(recorder, server.port, "/length", headers="Connection: Upgrade\r\nUpgrade: websocket\r\n")
    assert server.requests == []
    assert "WebSocket" in recorder.exchanges[0].problem


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with Recorder(tmp_path, allowing(1), now=now) as recorder:
        assert b"cannot be reached" in get(recorder, 1, "/")


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[RawServer, ssl.SSLContext]]:
    authority = InterceptionAuthority(now())
    context = authority.context("127.0.0.1")
    server = RawServer(context)
    pem = ssl.get_server_certificate(("127.0.0.1", server.port))
    client = ssl.create_default_context(cadata=pem)
    # The server's certificate is its own root here; a leaf is accepted as an anchor only when told so.
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    yield server, client
    server.close()


def connect_through(recorder: Recorder, port: int, path: str) -> bytes:
    with socket.create_connection(("127.0.0.1", recorder.port), timeout=10) as plain:
        plain.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert plain.recv(100).startswith(b"HTTP/1.1 200")
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        with trusting.wrap_socket(plain, server_hostname="127.0.0.1") as browser:
            browser.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while data := browser.recv(65536):
                answer += data
                if len(answer) >= len(RESPONSES[path]) or b"Recorder" in answer:
                    break
    return answer


def test_tls_is_recorded_from_the_socket_that_carried_it(
    secure: tuple[RawServer, ssl.SSLContext], tmp_path: Path
) -> None:
    server, client = secure
    with Recorder(tmp_path / "r", allowing(server.port), now=now, tls=client) as recorder:
        assert connect_through(recorder, server.port, "/length") == RESPONSES["/length"]
    (exchange,) = recorder.exchanges
    assert exchange.url == f"https://127.0.0.1:{server.port}/length"
    assert recorded(tmp_path / "r", exchange) == RESPONSES["/length"]
    assert exchange.tls["verified"] == "yes"
    assert exchange.tls["version"].startswith("TLSv1.")
    assert len(exchange.chain) == 1


def test_a_certificate_nobody_vouches_for_is_not_accepted(
    secure: tuple[RawServer, ssl.SSLContext], tmp_path: Path
) -> None:
    server, _ = secure
    with Recorder(tmp_path / "r", allowing(server.port), now=now) as recorder:
        assert b"no valid certificate" in connect_through(recorder, server.port, "/length")
    assert server.requests == []
    assert "self" in recorder.exchanges[0].tls["verified"]


def test_the_capture_key_never_reaches_the_disk(tmp_path: Path) -> None:
    authority = InterceptionAuthority(now())
    authority.context("shop.example")
    key = authority._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and key in path.read_bytes()]


def test_the_warc_holds_the_same_bytes_and_warcio_accepts_it(server: RawServer, tmp_path: Path) -> None:
    with Recorder(tmp_path / "r", allowing(server.port), now=now) as recorder:
        for path in RESPONSES:
            get(recorder, server.port, path)
    warc = tmp_path / "out.warc.gz"
    digest = write_warc(
        warc,
        tmp_path / "r",
        recorder.exchanges,
        written_at="2026-01-02T03:04:05.000Z",
        software="evidence-service",
    )
    assert digest.size == warc.stat().st_size
    program = Path(sys.executable).with_name("warcio")
    checked = subprocess.run([program, "check", "-v", warc], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert "failed" not in checked.stdout
    kinds: dict[str, int] = {}
    plain = gzip.decompress(warc.read_bytes())
    with warc.open("rb") as stream:
        for record in ArchiveIterator(io.BytesIO(stream.read()), no_record_parse=True):
            kinds[record.rec_type] = kinds.get(record.rec_type, 0) + 1
    assert kinds == {"warcinfo": 1, "response": len(RESPONSES), "request": len(RESPONSES)}
    for data in [*RESPONSES.values(), *server.requests]:
        assert data in plain
