"""Whatever breaks during a capture: a truthful outcome inside the limits, a finished package, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evidence_service.capture.files import HashingWriter
from evidence_service.capture.recorder import RecorderLimits
from evidence_service.capture.session import CaptureLimits, CaptureResult
from evidence_service.core.digest import digest_of
from evidence_service.errors import StorageUnavailableError
from tests.capture.serving import WORDS, Answer, Pages, capture, says

pytestmark = pytest.mark.timeout(90)

LISTING = "<!doctype html><title>Lamp</title><body style='height:6000px'><h1>Lamp</h1>" + WORDS
LIMITS = CaptureLimits(seconds=6, settle=0.5, documents=5)


class Processes:
    """The process groups a capture starts; each of its children leads one.

    What other tests of the same run keep running was there before, and does not count.
    """

    def __init__(self) -> None:
        self.groups: set[int] = set()
        self._before = self._children()

    def note(self) -> None:
        self.groups |= self._children() - self._before

    @staticmethod
    def _children() -> set[int]:
        return {pid for pid, parent, _ in _processes() if parent == os.getpid()}

    def alive(self) -> list[str]:
        return [command for pid, _, command in _processes() if _group(pid) in self.groups]

    def kill(self, *words: str) -> None:
        """SIGKILL what has all the words in its command line; the capture's own processes only."""
        self.note()
        found = [
            pid
            for pid, _, command in _processes()
            if _group(pid) in self.groups and all(word in command for word in words)
        ]
        assert found, words
        for pid in found:
            # The first one's end may already have ended the others.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _processes() -> Iterator[tuple[int, int, str]]:
    """Process id, parent, command line of everything that runs."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rsplit(") ", 1)[1].split()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if fields[0] != "Z":
                yield int(entry.name), int(fields[1]), command


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Processes]:
    """Notes what is started, and holds that no process and no temporary file is left."""
    assert tmp_path.exists()
    scratch = Path(tempfile.mkdtemp(prefix="faults-"))
    scratch.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    noted = Processes()
    yield noted
    assert noted.groups
    deadline = time.monotonic() + 10
    while (left := noted.alive()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
    assert list(scratch.iterdir()) == []
    scratch.rmdir()


def spoiled(
    processes: Processes,
    directory: Path,
    answers: dict[str, Answer],
    when: str = "",
    fault: Callable[[], None] = lambda: None,
    limits: CaptureLimits = LIMITS,
) -> CaptureResult:
    """A capture during which a fault happens as soon as a step begins."""

    def progress(words: str) -> None:
        processes.note()
        if when and words.startswith(when):
            fault()

    with Pages(answers) as pages:
        result = capture(pages, directory, limits=limits, progress=progress)
    paths = {item.path for item in result.files}
    assert paths >= {
        "actions.jsonl",
        "environment.json",
        "exchanges.json",
        "capture.wacz",
        "listing.json",
    }
    for item in result.files:
        assert digest_of((directory / item.path).read_bytes()) == item.digest
    return result


@pytest.mark.parametrize("step", ["opening", "scrolling", "keeping"])
def test_the_browser_is_killed(processes: Processes, tmp_path: Path, step: str) -> None:
    result = spoiled(
        processes, tmp_path / "c", {"/item/1": LISTING}, step, lambda: processes.kill("--user-data-dir=")
    )
    assert result.outcome.status == "partial"
    assert says(result, "the page or its browser closed before the capture was done")


@pytest.mark.parametrize("step", ["scrolling", "keeping"])
def test_the_renderer_is_killed(processes: Processes, tmp_path: Path, step: str) -> None:
    result = spoiled(
        processes, tmp_path / "c", {"/item/1": LISTING}, step, lambda: processes.kill("--type=renderer")
    )
    assert result.outcome.status == "partial"
    assert says(result, "the page crashed the browser's renderer")


@pytest.mark.parametrize("step", ["opening", "scrolling"])
def test_the_recorder_is_killed(processes: Processes, tmp_path: Path, step: str) -> None:
    answers: dict[str, Answer] = {"/item/1": LISTING}
    result = spoiled(
        processes, tmp_path / "c", answers, step, lambda: processes.kill("evidence_service.capture.recording")
    )
    if step == "opening" and result.outcome.status == "blocked":
        assert says(result, "net::ERR_")  # killed before anything of the page had come through it
        return
    assert result.outcome.status == "partial"
    assert says(result, "the recorder ended while the page was being captured")


def test_a_page_that_never_gives_the_processor_back(processes: Processes, tmp_path: Path) -> None:
    busy = LISTING + "<script>addEventListener('scroll', () => { for (;;) {} });</script>"
    result = spoiled(processes, tmp_path / "c", {"/item/1": busy})
    assert result.outcome.status == "partial"
    assert says(result, "the capture's time was over")
    assert "screenshots/tile-01.png" in {item.path for item in result.files}


def _stalled(connection: socket.socket) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n"
    connection.sendall(head + b"<!doctype html><body><h1>Slow lamp</h1>" + b"<p>x</p>" * 200)
    time.sleep(20)


def test_a_body_that_stalls(processes: Processes, tmp_path: Path) -> None:
    result = spoiled(processes, tmp_path / "c", {"/item/1": _stalled})
    assert result.outcome.status == "partial"
    assert says(result, "did not finish loading")
    assert result.status == 200
    # What had come by then is kept.
    assert "Slow lamp" in (tmp_path / "c" / "dom.html").read_text()
    assert (tmp_path / "c" / "screenshot.png").exists()


def _endless(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<!doctype html><body>")
    while True:
        connection.sendall(b"<p>more</p>" * 1000)


def test_a_body_without_end(processes: Processes, tmp_path: Path) -> None:
    limits = CaptureLimits(seconds=6, settle=0.5, recorder=RecorderLimits(body=200_000))
    result = spoiled(processes, tmp_path / "c", {"/item/1": _endless}, limits=limits)
    assert result.outcome.status == "partial"
    assert says(result, "larger than 200000 bytes")


def test_documents_that_lead_from_one_to_the_next(processes: Processes, tmp_path: Path) -> None:
    loop = (
        "<!doctype html><script>setTimeout(() => location.replace('/item/1?' + Math.random()), 20)</script>"
    )
    result = spoiled(processes, tmp_path / "c", {"/item/1": loop})
    assert result.outcome.status == "partial"
    assert says(result, "more than 5 documents")


def test_a_page_of_300_000_elements(processes: Processes, tmp_path: Path) -> None:
    huge = "<!doctype html><body><script>for (let n = 0; n < 300000; n++) document.body.append(document.createElement('b'), 'x');</script></body>"
    result = spoiled(processes, tmp_path / "c", {"/item/1": huge})
    assert result.outcome.status in ("captured", "partial")
    if result.outcome.status == "captured":
        assert {item.path for item in result.files} >= {
            "screenshot.png",
            "dom.html",
            "page.mhtml",
            "page.pdf",
        }
    else:
        assert result.outcome.reasons


def test_a_page_that_closes_itself(processes: Processes, tmp_path: Path) -> None:
    closing = LISTING + "<script>addEventListener('scroll', () => { open('', '_self').close(); });</script>"
    result = spoiled(processes, tmp_path / "c", {"/item/1": closing})
    gone = says(result, "the page or its browser closed before the capture was done")
    assert (result.outcome.status, gone) in (("partial", True), ("captured", False))
    assert gone != ("screenshot.png" in {item.path for item in result.files})


def test_a_page_that_leaves_while_it_is_kept(processes: Processes, tmp_path: Path) -> None:
    leaving = (
        LISTING + "<script>addEventListener('beforeprint', () => { location.href = '/other'; });</script>"
    )
    result = spoiled(processes, tmp_path / "c", {"/item/1": leaving, "/other": "<h1>Other</h1>"})
    # The PDF is kept last: when the next document arrives after it, all that was kept is the listing's.
    left = says(result, "while it was being kept")
    assert result.outcome.status == ("partial" if left else "captured")
    assert result.final_url is not None
    assert result.final_url.endswith("/item/1")
    for kept in ("dom.html", "page.mhtml"):
        text = (tmp_path / "c" / kept).read_text()
        assert "Lamp" in text
        assert "<h1>Other" not in text


def test_dialogs_without_end(processes: Processes, tmp_path: Path) -> None:
    asking = LISTING + "<script>setInterval(() => alert('again'), 5)</script>"
    result = spoiled(processes, tmp_path / "c", {"/item/1": asking})
    assert result.outcome.status in ("captured", "partial")
    assert "alert “again” was dismissed" in (tmp_path / "c" / "actions.jsonl").read_text()


@pytest.fixture
def full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory on a file system of 256 KB; without the right to mount one, writes that fail as there."""
    place = tmp_path / "full"
    place.mkdir()
    mount = shutil.which("mount")
    mounted = (
        mount is not None
        and not subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True, check=False
        ).returncode
    )
    if not mounted:

        def write(_: HashingWriter, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(HashingWriter, "write", write)
    yield place
    if mounted:
        subprocess.run(["umount", place], check=True)


def test_a_disk_that_is_full(processes: Processes, full_disk: Path) -> None:
    picture = "<!doctype html><body>" + "".join(
        f"<div style='height:300px;background:linear-gradient({n}deg,red,blue)'>{n}</div>" for n in range(30)
    )
    with Pages({"/item/1": picture}) as pages, pytest.raises(StorageUnavailableError, match="No space left"):
        capture(pages, full_disk / "c", limits=LIMITS, progress=lambda _: processes.note())
