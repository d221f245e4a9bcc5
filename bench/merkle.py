"""``make bench-merkle``: a tree of 1,000,000 entries and all its proofs, beside other implementations.

Each contender runs in a process of its own, one at a time, the others in a virtual environment under
``.setup/``. Compared is the time from entries to *bytes of every proof*: ours are bytes as they are made; the
objects that merkletools and pymerkle return become JSON, the form they are exchanged in. The table and
``vs_…_objects`` also say how it stands without that step. python-opentimestamps builds its tree only.

* ``vs_loop``: entries to root against a bare loop of as many hashlib calls over messages of the same sizes;
* ``stored_ratio``: bytes of the tree file against the raw bytes of every entry's proof (32 a node); the row
  that finds an entry comes on top either way and is left out of both;
* ``read_us``: median of cutting one proof from the file, opening it included, over random entries;
* ``flat``: most against least time an entry (tree and proofs) from 1,000 to all entries.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from bench.merkle_contenders import portions
from evidence_service.core import merkle
from evidence_service.store.trees import TreeFiles

ROOT = Path(__file__).parents[1]
THEIRS = ROOT / ".setup" / "merkle"
PACKAGES = ["pymerkle==7.0.0", "opentimestamps==0.4.5", "safe-pysha3==1.0.7"]
# Its requirement pysha3 does not build on this Python; safe-pysha3 is the same module.
ALONE = ["merkletools==1.0.3"]
ROUNDS = 3
READS = 5_000
SIZES = (1_000, 10_000, 100_000, 1_000_000)


def their_python() -> Path:
    """The interpreter of the others' environment, made on the first run."""
    python = THEIRS / "bin" / "python"
    complete = THEIRS / "complete"
    if not complete.exists():
        venv.create(THEIRS, with_pip=True, clear=True)
        install = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*install, *PACKAGES], check=True)
        subprocess.run([*install, "--no-deps", *ALONE], check=True)
        complete.touch()
    return python


def run(name: str, count: int, *, times: int = 1) -> dict[str, float]:
    """Figures of one contender in a process of its own."""
    python = Path(sys.executable) if name in ("ours", "loop") else their_python()
    command = [python, Path(__file__).with_name("merkle_contenders.py"), name, str(count), str(times)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    figures: dict[str, float] = json.loads(done.stdout)
    print(
        f"{name:15} {count:>9,} entries: build {figures['build']:7.3f} s, proofs {figures['proofs']:7.3f} s, "
        f"as bytes {figures['bytes']:7.3f} s, peak {figures['peak_mb']:6.0f} MB"
    )
    return figures


def total(figures: dict[str, float]) -> float:
    """Seconds from entries to the bytes of every proof."""
    return figures["build"] + figures["proofs"] + figures["bytes"]


def files(count: int) -> tuple[float, float]:
    """Bytes of the tree file against those of all proofs; median microseconds of cutting one."""
    tree = merkle.MerkleTree([leaf for some in portions(count) for leaf in merkle.leaf_hashes(some)])
    of_proofs = sum(len(path) for chunk in tree.paths() for path in chunk)
    with tempfile.TemporaryDirectory() as name:
        trees = TreeFiles(Path(name))
        trees.put("bench", tree)
        of_file = (Path(name) / "bench").stat().st_size
        taken = []
        for index in random.Random(1).choices(range(count), k=READS):
            started = time.perf_counter()
            path = trees.path("bench", size=count, index=index)
            taken.append(time.perf_counter() - started)
            if path != tree.path(index):
                raise SystemExit(f"the file gives another proof of entry {index} than the tree")
    return of_file / of_proofs, statistics.median(taken) * 1e6


def flatness(count: int) -> float:
    """Most against least time an entry takes, over sizes from 1,000 to all."""
    costs = []
    for size in [size for size in SIZES if size < count] + [count]:
        figures = run("ours", size, times=max(ROUNDS, min(100, count // size)))
        costs.append(total(figures) / size)
        print(f"{'':15} {size:>9,} entries: {costs[-1] * 1e6:.3f} µs an entry")
    return max(costs) / min(costs)


def main() -> int:
    """Measure, print, and fail on a broken promise."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--entries", type=int, default=1_000_000, help="fewer for a short run")
    count = options.parse_args().entries
    rounds = [(run("ours", count), run("loop", count)) for _ in range(ROUNDS)]
    ours = min((pair[0] for pair in rounds), key=total)
    vs_loop = min(pair[0]["build"] for pair in rounds) / min(pair[1]["build"] for pair in rounds)
    theirs = {name: run(name, count) for name in ("merkletools", "opentimestamps", "pymerkle")}
    ratio = {name: total(ours) / total(figures) for name, figures in theirs.items()}
    objects = {name: total(ours) / (figures["build"] + figures["proofs"]) for name, figures in theirs.items()}
    stored_ratio, read_us = files(count)
    flat = flatness(count)
    print(
        f"RESULT seconds={total(ours):.2f} vs_merkletools={ratio['merkletools']:.4f} "
        f"vs_pymerkle={ratio['pymerkle']:.4f} vs_opentimestamps={ratio['opentimestamps']:.4f} "
        f"vs_loop={vs_loop:.2f} peak_mb={ours['peak_mb']:.0f} stored_ratio={stored_ratio:.3f} "
        f"read_us={read_us:.1f} flat={flat:.2f} vs_merkletools_objects={objects['merkletools']:.4f} "
        f"vs_pymerkle_objects={objects['pymerkle']:.4f}"
    )
    promises = {
        "a tenth of merkletools' time": ratio["merkletools"] <= 1 / 10,
        "a fiftieth of pymerkle's time": ratio["pymerkle"] <= 1 / 50,
        "1.6 times a bare loop": vs_loop <= 1.6,
        "250 MB": ours["peak_mb"] <= 250,
        "a quarter of a proof for each entry": stored_ratio <= 1 / 4,
        "50 µs to read a proof": read_us <= 50,
        "a flat cost per entry": flat <= 1.5,
    }
    broken = [words for words, kept in promises.items() if not kept]
    for words in broken:
        print(f"promise broken: {words}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
