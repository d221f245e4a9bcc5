"""``make bench-verify``: how long verification takes, beside another verifier in the same run.

* p95 of the engine on a bundle, after imports;
* whole processes, start-up included, taking turns with ``ots --version`` (OpenTimestamps' client, which by
  that only starts up): a bundle, and a certificate;
* 100 MB of evidence, and the memory that a sparse file of 10 GB takes.

``RESULT p95_ms=… bundle_ratio=… pdf_ratio=… evidence_100mb_s=… memory_small_mb=… memory_10gb_mb=…``
Bundle and certificate are those of ``./scripts/demo``, or made in the tests' own world where there are none.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from datetime import UTC, datetime
from pathlib import Path

from evidence_service.verify import policy
from evidence_service.verify.material import Material
from evidence_service.verify.verifier import verify
from tests.forgeries.world import Evidence, World, built

ROOT = Path(__file__).parents[1]
EVIDENCE = Path(sys.executable).with_name("evidence")
OTS = ROOT / ".setup" / "ots"
RUNS = 21


def ots_command() -> Path:
    """OpenTimestamps' client in an environment of its own, installed on the first run."""
    program = OTS / "bin" / "ots"
    if not program.exists():
        venv.create(OTS, with_pip=True)
        packages = ["opentimestamps-client==0.7.2", "setuptools<81"]
        subprocess.run([OTS / "bin" / "pip", "install", "--quiet", *packages], check=True)
    return program


def seconds(*command: object) -> float:
    """Wall time of one process."""
    started = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return time.perf_counter() - started


def p95(data: bytes, trusted: policy.Policy) -> float:
    """Milliseconds of the engine, 95th percentile of 300."""
    taken = []
    for _ in range(300):
        started = time.perf_counter()
        verify(Material("bench", bundle=data), trusted, now=datetime.now(UTC))
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.quantiles(taken, n=20)[-1]


def memory_mb(*command: object) -> float:
    """Peak resident memory of a process that may end with any code."""
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], capture_output=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, command)], check=True, capture_output=True, text=True
    )
    return int(done.stdout) / 1024


def main() -> int:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--skip-10gb", action="store_true", help="leave the file of 10 GB out (minutes)")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        big = b"\x5a" * 100_000_000
        value = Evidence(files={"big.bin": big}).value()
        world, data = World(folder), built(value)
        (folder / "trust").write_bytes(world.trust(value))
        (folder / "bundle.json").write_bytes(data)
        (folder / "certificate.pdf").write_bytes(world.sealed(data))
        (folder / "big.bin").write_bytes(big)
        base = [EVIDENCE, "verify", "--offline", "--quiet", "--trust", folder / "trust"]
        ots, taken = ots_command(), {"ots": [], "bundle": [], "pdf": []}
        for _ in range(RUNS):
            taken["ots"].append(seconds(ots, "--version"))
            taken["bundle"].append(seconds(*base, folder / "bundle.json"))
            taken["pdf"].append(seconds(*base, folder / "certificate.pdf"))
        middle = {key: statistics.median(times) for key, times in taken.items()}
        evidence_s = seconds(*base, folder / "bundle.json", folder / "big.bin")
        small = memory_mb(*base, folder / "bundle.json")
        words = f"evidence_100mb_s={evidence_s:.2f} memory_small_mb={small:.0f}"
        if not chosen.skip_10gb:
            with (folder / "sparse.bin").open("wb") as writer:
                writer.truncate(10 * 1000**3)
            large = memory_mb(*base, folder / "bundle.json", folder / "sparse.bin")
            words += f" memory_10gb_mb={large:.0f}"
        slowest = p95(data, policy.parse((folder / "trust").read_bytes()))
    print(
        f"RESULT p95_ms={slowest:.1f} bundle_ratio={middle['bundle'] / middle['ots']:.2f} "
        f"pdf_ratio={middle['pdf'] / middle['ots']:.2f} ots_s={middle['ots']:.3f} {words}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
