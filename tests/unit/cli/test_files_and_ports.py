"""What cannot be written or listened on is named, without a traceback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

from tests.running import ROOT, reachable

VECTORS = Path(__file__).parents[2] / "vectors" / "receipts.json"
EVIDENCE = Path(sys.executable).with_name("evidence")


def run(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [EVIDENCE, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", **environment},
    )


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    receipt = bytes.fromhex(json.loads(VECTORS.read_text())["cases"][0]["receipt"])
    (tmp_path / "receipt.json").write_bytes(receipt)
    wanted = tmp_path / "nowhere" / "copy.json"
    done = run("receipt", tmp_path / "receipt.json", "--output", wanted)
    assert done.returncode == 2
    assert f"{wanted}: No such file or directory" in done.stderr
    assert "what to do" in done.stderr
    assert "fault of this program" not in done.stderr


def test_a_second_service_on_a_port_starts_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = {
            "data_directory": str(tmp_path / "data"),
            "api_port": taken.getsockname()[1],
            "api_keys": [{"actor": "a", "sha256": "0" * 64}],
        }
        (tmp_path / "settings.json").write_text(json.dumps(settings))
        done = run("serve", EVIDENCE_CONFIG=str(tmp_path / "settings.json"))
    assert done.returncode == 2
    assert "Address already in use" in done.stderr
    assert not (tmp_path / "data").exists(), "a database was started beside the running service"


def test_the_doctor_makes_nothing(tmp_path: Path) -> None:
    done = run("doctor", cwd=reachable(tmp_path), COLUMNS="200", PYTHONPATH=str(ROOT))
    assert done.returncode == 6, done.stderr
    assert "no settings are found: judging the defaults" in done.stdout
    assert "evidence serve” will make evidence-data" in done.stdout
    assert "a local directory, writable" in done.stdout
    assert list(tmp_path.iterdir()) == []
