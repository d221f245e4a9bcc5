"""Generated files are those their generators make today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "script",
    ["generate_reference.py", "generate_client.py", "generate_vectors.py", "generate_report_schema.py"],
)
def test_generated_files_are_fresh(script: str) -> None:
    subprocess.run([sys.executable, str(ROOT / "scripts" / script), "--check"], cwd=ROOT, check=True)
