"""The recorder is a process: it starts, it is confined, it is killed, and the journal tells the truth."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence_service.capture.exchange import read_journal
from evidence_service.capture.framing import LengthBody, parse_request
from evidence_service.capture.recorder import Recorder, RecorderLimits
from evidence_service.capture.recording.channels import Channel
from evidence_service.capture.recording.ledger import Ledger
from evidence_service.capture.recording.servers import Origin, ServerConnection, Servers
from evidence_service.capture.recording.settings import Clock, Settings
from evidence_service.capture.recording.transfer import Transfer
from evidence_service.capture.recording.wire import Wire
from evidence_service.errors import UnavailableError
from tests.unit.capture.recording.raw import RawServer, allowing, everything, get, now, received

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def wait_for(condition: object, what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def half(connection: socket.socket) -> None:
    """Send half a response, then wait until the other side is gone."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
    connection.recv(1)


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer({"/": OK, "/half": half}) as running:
        yield running


def test_killed_in_the_middle_it_leaves_a_truthful_journal(server: RawServer, tmp_path: Path) -> None:
    with Recorder(tmp_path / "w", allowing(server.port), now=now) as recorder:
        get(recorder, server.port, "/")
        with socket.create_connection(("127.0.0.1", recorder.port), timeout=20) as browser:
            browser.sendall(f"GET http://127.0.0.1:{server.port}/half HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            seen = browser.recv(10_000)
            recorder.kill()
            seen += everything(browser)
        assert not recorder.alive
    whole, cut = recorder.exchanges
    assert (whole.problem, received(tmp_path / "w", whole)) == ("", OK)
    assert cut.problem == "the recorder ended before the exchange did"
    assert (cut.status, cut.truncated, cut.finished_at) == (200, "disconnect", "")
    assert cut.peer == ("127.0.0.1", server.port)
    assert cut.response is not None
    kept = (tmp_path / "w" / cut.response.name).read_bytes()
    assert cut.response.size == len(kept)
    assert kept.startswith(seen)


def test_its_parent_s_death_is_its_own(server: RawServer, tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from datetime import UTC, datetime\n"
        "from evidence_service.capture.recorder import Recorder\n"
        "from evidence_service.egress.policy import EgressPolicy\n"
        "r = Recorder(Path(sys.argv[1]), EgressPolicy(), now=lambda: datetime.now(UTC)); r.wait()\n"
        "print(r.pid, flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "w"], stdout=subprocess.PIPE, env={**os.environ}
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    parent.wait(10)
    parent.stdout.close()
    wait_for(
        lambda: not Path(f"/proc/{pid}/exe").exists() or _is_zombie(pid), "the recorder outlived its parent"
    )


def _is_zombie(pid: int) -> bool:
    return ") Z " in Path(f"/proc/{pid}/stat").read_text()


def test_told_to_end_it_ends_the_journal(server: RawServer, tmp_path: Path) -> None:
    with (
        Recorder(tmp_path / "w", allowing(server.port), now=now) as recorder,
        socket.create_connection(("127.0.0.1", recorder.port), timeout=20) as browser,
    ):
        browser.sendall(f"GET http://127.0.0.1:{server.port}/half HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        browser.recv(10_000)
        recorder.stop()
        (cut,) = recorder.exchanges
    assert cut.problem == "the recorder was stopped before the exchange ended"
    assert (cut.truncated, cut.finished_at != "") == ("time", True)
    assert received(tmp_path / "w", cut).endswith(b"x" * 500)


def test_a_signal_ends_it_as_well(tmp_path: Path) -> None:
    with Recorder(tmp_path / "w", allowing(), now=now) as recorder:
        os.kill(recorder.pid, signal.SIGTERM)
        wait_for(lambda: not recorder.alive, "SIGTERM did not end the recorder")


def test_it_holds_no_rights_it_does_not_need(
    server: RawServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVIDENCE_SECRET", "in the environment of the service")
    directory = tmp_path / "w"
    with Recorder(directory, allowing(server.port), now=now) as recorder:
        get(recorder, server.port, "/")
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{recorder.pid}/status").read_text().splitlines()
            if ":\t" in line
        )
        limits = Path(f"/proc/{recorder.pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits)
        assert status["NoNewPrivs"] == "1"
        if os.geteuid() == 0:
            assert recorder.user != ""
            owner = directory.stat()
            assert owner.st_uid not in {0}
            assert status["Uid"].split() == [str(owner.st_uid)] * 4
            assert status["Gid"].split() == [str(owner.st_gid)] * 4
            assert status["Groups"].split() == []
            assert int(status["CapEff"], 16) == 0
            environment = Path(f"/proc/{recorder.pid}/environ").read_bytes()
            assert b"PYTHONPATH=" in environment
            assert b"EVIDENCE_SECRET" not in environment
        else:
            assert recorder.user == ""
    assert Path(directory / "recorder.log").read_text() == ""


def test_a_file_that_cannot_grow_is_named(tmp_path: Path) -> None:
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000
    with RawServer({"/": body}) as server:
        recorder = Recorder(tmp_path / "w", allowing(server.port), now=now)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
        try:
            recorder.start()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with recorder:
            get(recorder, server.port, "/")
            assert b"the disk does not take the record" in get(recorder, server.port, "/")
            assert recorder.limits_fired == ["the disk does not take the record: File too large"]
            (cut,) = recorder.exchanges
    assert cut.problem == "the disk does not take the record: File too large"
    assert cut.truncated == "length"
    assert received(tmp_path / "w", cut) == body[:300_000]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=False, capture_output=True
    ).returncode:
        pytest.skip("this machine lets nobody mount")
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + b"x" * 5_000_000
    try:
        with (
            RawServer({"/": body}) as server,
            Recorder(disk, allowing(server.port), now=now) as recorder,
        ):
            get(recorder, server.port, "/")
            assert recorder.limits_fired == ["the disk does not take the record: No space left on device"]
            (cut,) = recorder.exchanges
            assert cut.problem == recorder.limits_fired[0]
            assert received(disk, cut) == body[: cut.response.size if cut.response else 0]
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_one_that_does_not_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "roots.pem").write_text("no certificate")
    with pytest.raises(UnavailableError, match=r"recorder ended while starting(.|\n)*PEM"):
        Recorder(tmp_path / "w", allowing(), now=now, roots=tmp_path / "roots.pem").wait()


class _Silent(Channel):
    """A browser that is there and says nothing."""

    async def _read(self) -> bytes:
        return b""

    async def write(self, data: bytes) -> None:
        self.heard = data

    def end_writing(self) -> None: ...

    def close(self) -> None: ...


def test_a_fault_of_its_own_never_looks_like_an_exchange_that_went_well(tmp_path: Path) -> None:
    class Faulty(Servers):
        def __init__(self) -> None: ...

        async def take(self, *_: object, **__: object) -> ServerConnection:
            raise ValueError("never foreseen")

    async def attempt() -> bytes:
        wire, browser = Wire(tmp_path), _Silent()
        wire.open_journal()
        ledger = Ledger(wire, RecorderLimits(), now)
        with pytest.raises(ValueError, match="never foreseen"):
            await Transfer(
                ledger.begin("http://shop.test/", "GET", "http"),
                ledger,
                Faulty(),
                browser=browser,
                origin=Origin("http", "shop.test", 80),
                request=parse_request(b"GET / HTTP/1.1\r\n\r\n"),
                head=b"GET / HTTP/1.1\r\n\r\n",
                body=LengthBody(0),
            ).run()
        wire.close()
        return browser.heard

    assert b"502 Evidence recorder" in asyncio.run(attempt())
    (exchange,) = read_journal(tmp_path)
    assert exchange.problem == "the recorder failed: ValueError"


def test_settings_survive_their_way(tmp_path: Path) -> None:
    settings = Settings(
        directory=str(tmp_path),
        policy=allowing(1, 2),
        clock=Clock(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 1.5),
        mode="tunnel",
        websockets=False,
        roots="PEM",
        limits=RecorderLimits(body=5),
    )
    assert Settings.from_json(settings.to_json()) == settings
    assert json.loads(settings.to_json())["mode"] == "tunnel"
