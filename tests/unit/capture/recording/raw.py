"""Servers that send exactly the bytes they are told, and a browser that does the same."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from evidence_service.capture.exchange import Exchange, Stored
from evidence_service.capture.recorder import Recorder
from evidence_service.egress.policy import EgressPolicy
from tests.accepting import Acceptor, beside

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
Answer = bytes | Callable[[socket.socket], None]


def now() -> datetime:
    return datetime.now(UTC)


def allowing(*ports: int) -> EgressPolicy:
    return EgressPolicy(frozenset(("127.0.0.1", port) for port in ports))


class RawServer:
    """Answers by path; keeps exactly the bytes it was sent, request by request.

    Args:
        answers: the bytes for a path, or a function that gets the socket after the request was read.
        keep: whether the connection stays open after an answer of bytes.
    """

    def __init__(
        self, answers: Mapping[str, Answer], tls: ssl.SSLContext | None = None, *, keep: bool = False
    ) -> None:
        self._answers, self._tls, self._keep = answers, tls, keep
        self.requests: list[bytes] = []
        self._acceptor = Acceptor(beside(self._serve))
        self.port = self._acceptor.port
        self._acceptor.start()

    @property
    def connections(self) -> int:
        return self._acceptor.connections

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            while (request := read_message(connection)) is not None:
                self.requests.append(request)
                answer = self._answers.get(request.split(b" ")[1].split(b"?")[0].decode(), NOT_FOUND)
                if callable(answer):
                    answer(connection)
                    break
                connection.sendall(answer)
                if not self._keep:
                    break
            if isinstance(connection, ssl.SSLSocket):
                connection = connection.unwrap()
        except OSError:
            pass
        finally:
            connection.close()

    def close(self) -> None:
        self._acceptor.close()

    def __enter__(self) -> RawServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Scripted:
    """A server whose connections each do what they are told, one function for each."""

    def __init__(self, *scripts: Callable[[socket.socket], None]) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.requests: list[bytes] = []
        self._threads = [threading.Thread(target=self._run, args=(item,), daemon=True) for item in scripts]
        self._threads[0].start()

    def _run(self, script: Callable[[socket.socket], None]) -> None:
        connection, _ = self._socket.accept()
        follower = self._threads.index(threading.current_thread()) + 1
        if follower < len(self._threads):
            self._threads[follower].start()
        with connection:
            connection.settimeout(20)
            script(connection)

    def read(self, connection: socket.socket) -> None:
        request = read_message(connection)
        if request is not None:
            self.requests.append(request)

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(20)


def read_message(connection: socket.socket) -> bytes | None:
    """One request with its body, byte for byte; None when the other side has ended."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    chunked = b"transfer-encoding: chunked" in head.lower()
    while (length and len(body) < int(length[1])) or (chunked and not body.endswith(b"0\r\n\r\n")):
        piece = connection.recv(65536)
        if not piece:
            break
        body += piece
    return head + b"\r\n\r\n" + body


def talk(recorder: Recorder, request: bytes) -> bytes:
    """Say something to the recorder, end, and give all that it says."""
    with socket.create_connection(("127.0.0.1", recorder.port), timeout=20) as browser:
        browser.sendall(request)
        browser.shutdown(socket.SHUT_WR)
        return everything(browser)


def everything(browser: socket.socket) -> bytes:
    answer = b""
    while data := browser.recv(65536):
        answer += data
    return answer


def get(recorder: Recorder, port: int, path: str, *, method: str = "GET", headers: str = "") -> bytes:
    line = f"{method} http://127.0.0.1:{port}{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    return talk(recorder, f"{line}{headers}Proxy-Connection: keep-alive\r\nX-Case: Kept\r\n\r\n".encode())


def inside(recorder: Recorder, port: int, *, host: str = "127.0.0.1") -> ssl.SSLSocket:
    """A TLS connection through the recorder, which has to be who its key says."""
    plain = socket.create_connection(("127.0.0.1", recorder.port), timeout=20)
    plain.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert plain.recv(19) == b"HTTP/1.1 200 OK\r\n\r\n"
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    return trusting.wrap_socket(plain, server_hostname=host, suppress_ragged_eofs=False)


def get_inside(recorder: Recorder, port: int, path: str, *, host: str = "127.0.0.1") -> bytes:
    """One GET over TLS; the connection is not to be used again."""
    with inside(recorder, port, host=host) as browser:
        browser.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return everything(browser)


def stored(directory: Path, part: Stored | None) -> bytes:
    """Bytes of one direction, as they were kept, after size and hash were compared."""
    assert part is not None
    data = (directory / part.name).read_bytes()
    assert (part.size, part.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    return data


def received(directory: Path, exchange: Exchange) -> bytes:
    return stored(directory, exchange.response)


def sent(directory: Path, exchange: Exchange) -> bytes:
    return stored(directory, exchange.request)
