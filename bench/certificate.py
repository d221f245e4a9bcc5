"""``make bench-certificate``: what a certificate of ten pages takes; whether many take more and more memory.

* ``render_ms``: rendering, the median; every certificate differs from the one before in number, time,
  digest and title, so nothing is only fetched from the typesetter's memory. ``first_ms``: the first in a
  process, with fonts not yet loaded; ``render_cpu_ms``: processor time of all threads, whatever else runs
  on the machine;
* ``seal_ms``: sealing it at PAdES B-LTA, the median, with authorities in this process: what the network
  takes comes on top (``make bench-sealing`` has it in);
* ``rss_growth_mb``: what two workers together hold after the last certificate and did not hold after the
  20th; ``late_growth_mb``: and not after six in ten of them. A worker's first thirty fill the
  typesetter's memory of what it has set before; then that memory is full.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from functools import cache
from pathlib import Path

from evidence_service.certificate.facts import CertificateFacts
from evidence_service.certificate.render import render
from tests.forgeries.keys import authority, later
from tests.forgeries.world import FIRST, World
from tests.sealing import sealed_at
from tests.unit.certificate.certified import changed, facts

EDITION = "generic:en"
RENDER_LIMIT, SEAL_LIMIT = 100, 1_500
"""Milliseconds."""
GROWTH_LIMIT = 16
"""Megabytes that two workers may hold more after the last certificate than after six in ten of them."""


@cache
def _usual() -> CertificateFacts:
    return facts(EDITION)


def facts_number(number: int) -> CertificateFacts:
    """Facts of a certificate like all others and the same as none."""
    usual = _usual()
    manifest = {**usual.values["manifest"]}
    listing = {
        **manifest["subject"]["listing"],
        "title": {"value": f"Watch {number}", "read_from": "JSON-LD"},
    }
    manifest["subject"] = {**manifest["subject"], "listing": listing}
    digest = {**usual.values["digest"], "sha256": hashlib.sha256(str(number).encode()).hexdigest()}
    found = changed(usual, number=f"EP-2026-{number:06}", manifest=manifest, digest=digest)
    return CertificateFacts(
        found.values, found.screenshots, found.attachments, usual.issued_at + timedelta(seconds=number)
    )


@cache
def _world() -> World:
    return World(Path(tempfile.mkdtemp(prefix="bench-certificate-")))


def seal(pdf: bytes) -> bytes:
    """The same, sealed at PAdES B-LTA."""
    issuer, first = _world().issuer, authority(FIRST)
    stamps = [(first, later(days=2)), (first, later(days=2, seconds=1))]
    return sealed_at(pdf, issuer.key, "PAdES B-LTA", issuer.root, first.root, stamps=stamps)


def certify(number: int) -> tuple[int, float]:
    """Render and seal in a worker: its process and what it holds now, in MB."""
    seal(render(facts_number(number)))
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return os.getpid(), pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def timed(function: Callable[[], bytes]) -> tuple[float, float, bytes]:
    """Milliseconds by the clock and of processor time, and what was made."""
    start, used = time.perf_counter(), time.process_time()
    made = function()
    return (time.perf_counter() - start) * 1e3, (time.process_time() - used) * 1e3, made


def held(count: int, workers: int) -> tuple[float, float, float]:
    """What all workers hold together after 20 certificates, after six in ten and after all of them, in MB."""
    held_by: dict[int, float] = {}
    after: list[float] = []
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for process, megabytes in pool.map(certify, range(1000, 1000 + count)):
            held_by[process] = megabytes
            after.append(sum(held_by.values()))
    return after[19], after[count * 6 // 10 - 1], after[-1]


def page_count(pdf: bytes) -> int:
    """By poppler."""
    with tempfile.NamedTemporaryFile(suffix=".pdf") as file:
        file.write(pdf)
        file.flush()
        done = subprocess.run(["pdfinfo", file.name], capture_output=True, text=True, check=True)
    return int(done.stdout.split("Pages:")[1].split()[0])


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--count", type=int, default=100)
    chosen = parser.parse_args()
    prepared = [facts_number(number) for number in range(chosen.rounds + 1)]
    first, _, pdf = timed(lambda: render(prepared[0]))
    rendered = [timed(lambda found=found: render(found)) for found in prepared[1:]]  # type: ignore[misc]
    seal(pdf)
    sealed = [timed(lambda pdf=pdf: seal(pdf)) for _, _, pdf in rendered]  # type: ignore[misc]
    before, late, after = held(chosen.count, workers=2)
    render_ms = statistics.median(item[0] for item in rendered)
    seal_ms = statistics.median(item[0] for item in sealed)
    print(
        f"RESULT render_ms={render_ms:.0f} seal_ms={seal_ms:.0f} rss_growth_mb={after - before:.0f} "
        f"pages={page_count(pdf)} first_ms={first:.0f} "
        f"render_cpu_ms={statistics.median(item[1] for item in rendered):.0f} "
        f"worst_render_ms={max(item[0] for item in rendered):.0f} "
        f"worst_seal_ms={max(item[0] for item in sealed):.0f} "
        f"late_growth_mb={after - late:.0f} rss_after_20_mb={before:.0f} "
        f"rss_after_{chosen.count}_mb={after:.0f} kb={len(pdf) / 1024:.0f}"
    )
    kept = render_ms <= RENDER_LIMIT and seal_ms <= SEAL_LIMIT and after - late <= GROWTH_LIMIT
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
