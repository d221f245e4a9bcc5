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
    path.write_text(
        f"url,label,profile\n{listing('100201')},first,\n{listing('200101')},second,mobile\nhttp://10.0.0.1/,third,\n",
        encoding="utf-8-sig",
    )
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
    assert done.returncode == 2, done.stderr  # for the third row alone
    with Path(f"{path}.results.csv").open(encoding="utf-8-sig", newline="") as file:
        first, second, third = csv.DictReader(file)
    for row in (first, second):
        assert (row["result"], row["status"], row["outcome"]) == ("accepted", "certified", "captured"), row
        certificate = result.client.call("GET", f"/v1/evidence/{row['evidence_id']}/certificate").json()
        assert certificate["number"].startswith("DEMO-")
    assert third["result"] == "refused" and "not public" in third["problem"]
    assert "line 4: 10.0.0.1:80 leads to 10.0.0.1" in done.stderr
    options = result.client.call("GET", f"/v1/evidence/{second['evidence_id']}").json()["options"]
    assert options["profile"] == "mobile"
