"""A file is examined in a process that can reach nothing else, and whatever happens there is a finding."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evidence_service.importing import confined
from evidence_service.importing.confined import examine
from evidence_service.importing.examination import examine_here
from tests.unit.importing import archives, test_email, test_har, test_images, test_pdf, test_video, test_wacz

FILES = {
    "a.warc.gz": archives.warc(),
    "a.wacz": test_wacz.signed(test_wacz.by_domain),
    "a.har": test_har.made(),
    "a.eml": test_email.made(test_email.TEXT.replace("utf-8", "gb18030")),
    "a.png": test_images.edited_png(),
    "a.jpg": test_images.with_exif(),
    "a.webp": test_images.made("WEBP"),
    "a.tiff": test_images.made("TIFF"),
    "a.gif": test_images.moving(),
    "a.mp4": test_video.mp4(),
    "a.webm": test_video.webm(),
    "a.heic": test_video.mp4(brand=b"heic"),
    "signed.pdf": test_pdf.GOLDEN.read_bytes(),
    "a.pdf": test_pdf.made(password="x"),
    "a.txt": b"text",
    "empty": b"",
}


@pytest.mark.parametrize("name", FILES)
def test_it_finds_what_is_found_without_limits(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    with path.open("rb") as file:
        assert examine(path, name) == examine_here(file, path.stat().st_size, name, "", seconds=None)


CHILD = """
import json, os, socket, sys
from evidence_service.importing import confined, detection
def examined(file, size, name, media_type, *, seconds):
    {body}
confined.examine_here = examined
confined.main()
"""


def child(body: str, path: Path) -> str:
    """What a child prints in whose place of the examination something else is done."""
    import subprocess

    program = CHILD.format(body=body)
    with path.open("rb") as file:
        done = subprocess.run(
            [sys.executable, "-c", program, "name", ""],
            stdin=file,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("socket.socket()", "Too many open files"),
        ("open('/etc/hostname')", "Too many open files"),
        ("os.listdir('/')", "Too many open files"),
        ("bytearray(600 * 1024 * 1024)", "MemoryError"),
    ],
)
def test_the_child_reaches_nothing(body: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"text")
    assert words in child(body, path)


@pytest.mark.parametrize(
    "program",
    [
        "import os; os.kill(os.getpid(), 9)",
        "raise SystemExit(3)",
        "print('nonsense')",
        "print('{}')",
        "import time; time.sleep(60)",
    ],
)
def test_a_child_that_fails_is_a_finding(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "python"
    path.write_text(f"#!{sys.executable}\n{program}\n")
    path.chmod(0o755)
    monkeypatch.setattr(confined.sys, "executable", str(path))
    monkeypatch.setattr(confined, "_PATIENCE", 1)
    (finding,) = examine(path, "a").findings
    assert (finding.severity, finding.code) == ("error", "unfinished")
    assert "the examination did not finish" in finding.what


def test_when_the_time_is_over_what_was_found_stands(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    path.write_bytes(archives.warc())
    with path.open("rb") as file:
        found = examine_here(file, path.stat().st_size, "a.pdf", "", seconds=-1.0)
    assert {item.code for item in found.findings} == {"type.name", "limit"}


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        examine(tmp_path / "absent", "absent")


def test_it_leaves_nothing_open(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"text")
    before = len(list(Path("/proc/self/fd").iterdir()))
    examine(path, "a.txt")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
