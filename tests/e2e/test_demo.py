"""``./scripts/demo --keep-running``: what it says can be typed, and Ctrl-C leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import ROOT, reachable

PROGRAM = """
import signal
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import demo
# Who is started in the background may have been told to ignore Ctrl-C; here it is pressed.
signal.signal(signal.SIGINT, signal.default_int_handler)
# The demonstration itself is the main job, which has its own tests.
demo._state_directory = lambda output: output
demo._run = lambda *_: []
demo._summary = lambda *_: None
demo.main(["--keep-running", "--listener", "127.0.0.1:9000", "--output", sys.argv[2]])
"""


def mentions(directory: Path) -> list[str]:
    """Command lines of the processes that were started for a directory, and have not ended."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
            if words and str(directory).encode() in told:
                found.append(words)
    return found


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(ROOT / "scripts"), str(reachable(tmp_path))],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stays_until_it_is_told_to_end_and_leaves_no_process(
    demo: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
) -> None:
    printed = []
    for line in demo.stdout or ():
        printed.append(line.strip())
        if " verify " in line:
            break
    *_, url, key, settings, capture, table, verify = printed
    assert url.startswith("export EVIDENCE_API_URL=") and key.startswith("export EVIDENCE_API_KEY=")
    assert settings == f"export EVIDENCE_CONFIG={tmp_path / 'settings.json'}"
    allowed = json.loads((tmp_path / "settings.json").read_text())["egress_exceptions"]
    assert "127.0.0.1:9000" in allowed and len(allowed) > 1
    assert " capture http://127.0.0.1:" in capture and " --list " in table and " --rpc http" in verify
    assert (tmp_path / "api.key").read_text() not in "".join(printed)
    assert (tmp_path / "listings.csv").read_text().count("http://127.0.0.1:") == 4
    script = f"set -e; {url}; {key}; {settings}; {table.replace('.venv/bin/evidence', sys.executable + ' -m evidence_service.cli')} --no-wait"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "4 rows: 4 accepted" in done.stdout
    assert mentions(tmp_path)
    demo.send_signal(number)
    demo.communicate(timeout=90)
    assert demo.returncode == (0 if number == signal.SIGINT else 143)
    assert mentions(tmp_path) == []
