"""What a killed process left is removed; what a living one uses is not."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from evidence_service.capture.scratch import Scratch, remove_abandoned


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def age(path: Path) -> None:
    os.utime(path, (1, 1))


def test_only_what_nobody_uses_is_removed(temporary: Path) -> None:
    code = "from evidence_service.capture.scratch import Scratch; import os; s = Scratch('wire'); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    (left,) = temporary.iterdir()
    (left / "x0001.request").write_text("Cookie: sid=secret")
    used, new = Scratch("browser"), Scratch("wire")
    elsewhere = temporary / "kept"
    elsewhere.mkdir()
    (temporary / "evidence-wire-link").symlink_to(elsewhere)
    for path in (left, used.path):
        age(path)
    assert remove_abandoned() == 1
    assert not left.exists()
    assert used.path.exists() and new.path.exists() and elsewhere.exists()
    used.close()
    used.close()
    new.close()
    assert not used.path.exists()


def test_another_process_leaves_what_is_locked(temporary: Path) -> None:
    used = Scratch("wire")
    age(used.path)
    code = "from evidence_service.capture.scratch import remove_abandoned; print(remove_abandoned())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
    assert used.path.exists()
    used.close()
