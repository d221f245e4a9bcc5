"""A list ordered from the command line, followed to its certificates."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.conftest import Result
from tests.running import ROOT


def test_a_list_is_captured_and_certified_row_by_row(result: Result, tmp_path: Path) -> None:
    listing = result.demo.marketplace.listing_url
    path = tmp_path / "list.csv"
    lines = ["url,label,profile", f"{listing('200101')},first,mobile", "http://10.0.0.1/,second,"]
    path.write_text("\n".join(lines), encoding="utf-8-sig")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "evidence_service.cli", "capture", "--list", str(path)),
            *("--reference", "L-1", "--applicant", "Test SA"),
        ],
        env={
            **os.environ,
            "EVIDENCE_API_URL": f"http://127.0.0.1:{result.demo.api_port}",
            "EVIDENCE_API_KEY": result.demo.api_key,
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 2, done.stderr  # for the second row alone
    with Path(f"{path}.results.csv").open(encoding="utf-8-sig", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["result"], first["status"]) == ("accepted", "certified"), first
    # On a machine that is busy enough the page is not scrolled to its end in time, and the record says so.
    assert first["outcome"] == "captured" or (first["outcome"] == "partial" and first["reasons"]), first
    certificate = result.client.call("GET", f"/v1/evidence/{first['evidence_id']}/certificate").json()
    assert certificate["number"].startswith("DEMO-")
    assert second["result"] == "refused" and "not public" in second["problem"]
    assert "line 3: 10.0.0.1:80 leads to 10.0.0.1" in done.stderr
    options = result.client.call("GET", f"/v1/evidence/{first['evidence_id']}").json()["options"]
    assert options["profile"] == "mobile"
