"""``make bench-recorder``: what recording costs, beside a direct download in the same run.

* 200 MB down over HTTP, 200 MB down over TLS, 50 MB up over TLS, in bodies of 50 MB, through one recorder;
* its peak resident memory, and how many times as long as without it each way down took;
* how long it takes from start to the first connection it accepts.

``RESULT recorder_mb=… ratio=… tls_ratio=… start_s=…``; more than 150 MB of memory fails.
"""

from __future__ import annotations

import multiprocessing
import re
import socket
import ssl
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from evidence_service.capture.recorder import Recorder, RecorderLimits
from evidence_service.egress.policy import EgressPolicy
from tests.unit.capture.recording.pki import Pki

BODY = 50 * 1024 * 1024
BODIES = 4
MOST_MB = 150
PIECE = b"0123456789abcdef" * 16_384


def now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def serve(listening: socket.socket, tls: ssl.SSLContext | None) -> None:
    """Accept connections, each in a thread."""
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=answer, args=(connection, tls), daemon=True).start()


def answer(connection: socket.socket, tls: ssl.SSLContext | None) -> None:
    """Answer requests with a body, and bodies with an answer."""
    if tls is not None:
        connection = tls.wrap_socket(connection, server_side=True)
    with connection:
        while data := connection.recv(65536):
            if data.startswith(b"POST"):
                left = BODY - len(data.partition(b"\r\n\r\n")[2])
                while left:
                    left -= len(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                continue
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BODY)
            for _ in range(BODY // len(PIECE)):
                connection.sendall(PIECE)


def download(connection: socket.socket, target: str) -> None:
    """All bodies, one after the other, on one connection."""
    for _ in range(BODIES):
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = connection.recv(65536)
        left = BODY - len(head.partition(b"\r\n\r\n")[2])
        while left:
            left -= len(connection.recv(262_144))


def upload(connection: socket.socket) -> None:
    """One body upwards."""
    connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % BODY)
    for _ in range(BODY // len(PIECE)):
        connection.sendall(PIECE)
    assert connection.recv(100).startswith(b"HTTP/1.1 200")


def seconds(work: Callable[[], None]) -> float:
    """Wall time."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def tunnelled(recorder: Recorder, port: int) -> socket.socket:
    """A connection through the recorder that asks for TLS inside."""
    plain = socket.create_connection(("127.0.0.1", recorder.port))
    plain.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert plain.recv(100).startswith(b"HTTP/1.1 200")
    return plain


def start_seconds() -> float:
    """Median time from start to readiness."""
    taken = []
    for _ in range(9):
        with tempfile.TemporaryDirectory() as name:
            recorder = Recorder(Path(name), EgressPolicy(), now=now)
            taken.append(seconds(recorder.wait))
            recorder.stop()
    return statistics.median(taken)


def main() -> int:
    """Measure and print."""
    fork = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pki = Pki(folder)
        trusting = ssl.create_default_context(cafile=str(pki.roots))
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname = False
        blind.verify_mode = ssl.CERT_NONE
        plain, secure = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
        ports = [item.getsockname()[1] for item in (plain, secure)]
        servers = [
            fork.Process(target=serve, args=(plain, None), daemon=True),
            fork.Process(target=serve, args=(secure, pki.server().context(folder)), daemon=True),
        ]
        for server in servers:
            server.start()
        policy = EgressPolicy(frozenset(("127.0.0.1", port) for port in ports))
        limits = RecorderLimits(body=2 * BODY, total=20 * BODY)
        with Recorder(folder / "wire", policy, now=now, limits=limits, roots=pki.roots) as recorder:
            with socket.create_connection(("127.0.0.1", ports[0])) as direct:
                alone = seconds(lambda: download(direct, "/"))
            with socket.create_connection(("127.0.0.1", recorder.port)) as through:
                recorded = seconds(lambda: download(through, f"http://127.0.0.1:{ports[0]}/"))
            with trusting.wrap_socket(
                socket.create_connection(("127.0.0.1", ports[1])), server_hostname="127.0.0.1"
            ) as direct:
                tls_alone = seconds(lambda: download(direct, "/"))
            with blind.wrap_socket(tunnelled(recorder, ports[1])) as through:
                tls_recorded = seconds(lambda: download(through, "/"))
                upload(through)
            status = Path(f"/proc/{recorder.pid}/status").read_text()
            problems = [item.problem for item in recorder.exchanges if item.problem]
        for server in servers:
            server.terminate()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None
    memory = int(peak[1]) / 1024
    amount = BODIES * BODY / 1e6
    print(f"HTTP: {amount / alone:.0f} MB/s alone, {amount / recorded:.0f} MB/s recorded")
    print(f"TLS:  {amount / tls_alone:.0f} MB/s alone, {amount / tls_recorded:.0f} MB/s recorded")
    print(
        f"RESULT recorder_mb={memory:.0f} ratio={recorded / alone:.2f} "
        f"tls_ratio={tls_recorded / tls_alone:.2f} start_s={start_seconds():.3f}"
    )
    return 1 if problems or memory > MOST_MB else 0


if __name__ == "__main__":
    raise SystemExit(main())
