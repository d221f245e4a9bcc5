"""``make bench-verify``: wall time of ``evidence verify`` beside that of an empty Python.

The promise is under one second, from the start of the process to its end.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RUNS = 11
PROMISE = 1.0


def seconds(command: list[str]) -> float:
    """Wall time of one process."""
    started = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - started


def main() -> int:
    """Measure, alternating the two."""
    found = sorted((ROOT / "demo-output" / "certificates").glob("certificate*.pdf"))
    if not found:
        print("no certificate: run ./scripts/demo first", file=sys.stderr)
        return 2
    trust = str(ROOT / "demo-output" / "trust.json")
    verify = ["verify", "--offline", "--quiet", "--trust", trust, str(found[0])]
    ours, empty = [], []
    for _ in range(RUNS):
        ours.append(seconds([sys.executable, "-m", "evidence_service.cli", *verify]))
        empty.append(seconds([sys.executable, "-c", ""]))
    median, base = statistics.median(ours), statistics.median(empty)
    print(f"RESULT verify_s={median:.3f} slowest_s={max(ours):.3f} ratio_to_empty_python={median / base:.1f}")
    return 0 if max(ours) < PROMISE else 1


if __name__ == "__main__":
    sys.exit(main())
