"""Coverage-guided fuzzing of one parser: ``python -m tests.fuzz.run NAME --seconds 60`` (atheris, libFuzzer).

``make fuzz`` runs every target for ten minutes; the tests run each for a few seconds. What is found interesting is
kept in ``.setup/fuzz/NAME`` and is where the next run begins. A crash ends with the input in a file.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

CORPORA = Path(__file__).parents[2] / ".setup" / "fuzz"


def fuzz_one(name: str, seconds: int) -> None:
    """Fuzz in this process; does not return."""
    import atheris

    with atheris.instrument_imports(
        include=["evidence_service.core", "evidence_service.importing", "evidence_service.verify"]
    ):
        from tests.fuzz.targets import TARGETS, seeds

    corpus = CORPORA / name
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        for data in seeds(name, Path(directory)):
            (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    options = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", "-max_len=200000"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={corpus}.crash-", str(corpus)], TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    """Fuzz one target here, or all of them one after the other in processes of their own."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("name", nargs="?", help="a target; every one when left out")
    options.add_argument("--seconds", type=int, default=600, help="for each target")
    chosen = options.parse_args()
    if chosen.name is not None:
        fuzz_one(chosen.name, chosen.seconds)
    from tests.fuzz.targets import TARGETS

    crashes = 0
    for name in TARGETS:
        command = [sys.executable, "-m", "tests.fuzz.run", name, "--seconds", str(chosen.seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        runs = [line for line in done.stderr.splitlines() if line.startswith("Done ")]
        print(f"{name}: {runs[-1] if runs else done.stderr[-2000:]}", file=sys.stderr)
        crashes += done.returncode != 0
    print(f"RESULT targets={len(TARGETS)} seconds_each={chosen.seconds} crashes={crashes}")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
