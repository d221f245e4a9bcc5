"""Coverage-guided fuzzing of parsers: ``python -m tests.fuzz.run NAME … --seconds 60`` (atheris, libFuzzer).

``make fuzz`` runs every target for ten minutes; the tests run each for a moment. What is found interesting is
kept in ``.setup/fuzz/NAME`` and is where the next run begins. A crash ends with the input in a file.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

CORPORA = Path(__file__).parents[2] / ".setup" / "fuzz"


def fuzz(names: Sequence[str], seconds: int, runs: int) -> int:
    """Fuzz targets one after the other, each in a fork of this process; how many of them crashed.

    What is fuzzed is imported and instrumented once: that takes longer than a short form fuzzes.

    Args:
        names: of targets; every one when empty.
        seconds, runs: for each, whichever is over first.
    """
    import atheris

    with atheris.instrument_imports(
        include=["evidence_service.core", "evidence_service.importing", "evidence_service.verify"]
    ):
        from tests.fuzz.targets import TARGETS, seeds

    names, crashes = names or list(TARGETS), 0
    for name in names:
        corpus = CORPORA / name
        corpus.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as directory:
            for data in seeds(name, Path(directory)):
                (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
        limits = [f"-max_total_time={seconds}", f"-runs={runs}"]
        code, told = _forked(TARGETS[name], corpus, limits)
        done = [line for line in told.splitlines() if line.startswith("Done ")]
        if code == 0 and done:
            print(f"{name}: {done[-1]}", flush=True)
        else:
            print(f"{name}: crashed ({code})", flush=True)
            print(f"{name}: {told[-3000:]}", file=sys.stderr)
            crashes += 1
    print(f"RESULT targets={len(names)} seconds_each={seconds} crashes={crashes}")
    return crashes


def _forked(target: Callable[[bytes], None], corpus: Path, limits: list[str]) -> tuple[int | None, str]:
    """Exit code of a fork that fuzzes, and what it wrote."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        fork = multiprocessing.get_context("fork")
        process = fork.Process(target=_fuzz_here, args=(target, corpus, limits, log.fileno()))
        process.start()
        process.join()
        log.seek(0)
        return process.exitcode, log.read()


def _fuzz_here(target: Callable[[bytes], None], corpus: Path, limits: list[str], log: int) -> None:
    """Fuzz in this process; does not return."""
    import atheris

    os.dup2(log, 1)
    os.dup2(log, 2)
    options = [*limits, "-timeout=10", "-rss_limit_mb=1024", "-max_len=200000"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={corpus}.crash-", str(corpus)], target)
    atheris.Fuzz()


def main() -> int:
    """Fuzz the targets that are named."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("names", nargs="*", help="targets; every one when left out")
    options.add_argument("--seconds", type=int, default=600, help="for each target")
    options.add_argument("--runs", type=int, default=-1, help="for each target, when they take less time")
    chosen = options.parse_args()
    return 1 if fuzz(chosen.names, chosen.seconds, chosen.runs) else 0


if __name__ == "__main__":
    sys.exit(main())
