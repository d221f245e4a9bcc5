"""``make campaign-forgeries``: every forgery, 200 genuine certificates, and every single byte of 100 files.

Prints ``RESULT forgeries=… refused=… genuine=… false_alarms=… flips=… missed=…``; ends with 1 unless all
forgeries are refused by their check in both implementations and nothing else went wrong. The hundred files are
certificates (some 80,000 bytes, seven minutes each) and proof bundles (some 16,000 bytes, twelve seconds); a
sample of each file's bytes goes to the second implementation as well. In all three quarters of an hour.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from evidence_service.verify import pdf
from evidence_service.verify.certificate import open_certificate
from tests.forgeries import genuine
from tests.forgeries.corpus import forgeries, is_answered
from tests.forgeries.flips import flipped
from tests.forgeries.run import report_of, second_opinions
from tests.forgeries.world import Case, World

_REFUSED = ("invalid", "over_limit", "unsupported")


def main() -> int:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--genuine", type=int, default=200)
    options.add_argument("--flipped", type=int, default=100, help="files whose bytes are flipped")
    options.add_argument("--certificates", type=int, default=10, help="how many of them are certificates")
    options.add_argument("--places", type=int, help="bytes flipped in each; all of them when left out")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        world = World(Path(name))
        forged = list(forgeries(world))
        honest = list(genuine.cases(world, chosen.genuine))
    refused = _count_answered(forged)
    print(f"{refused} of {len(forged)} forgeries answered as demanded by both", file=sys.stderr)
    alarms = len(honest) - _count_answered(honest)
    print(f"{alarms} false alarms on {len(honest)} genuine certificates", file=sys.stderr)
    sealed = [case for case in honest if case.certificate is not None][: chosen.flipped]
    sample = [case if at < chosen.certificates else _bare(case) for at, case in enumerate(sealed)]
    flips, missed = _flip(sample, chosen.places)
    print(
        f"RESULT forgeries={len(forged)} refused={refused} genuine={len(honest)} false_alarms={alarms} "
        f"flips={flips} missed={missed}"
    )
    return 0 if refused == len(forged) and alarms == missed == 0 else 1


def _count_answered(cases: list[Case]) -> int:
    """Cases that both implementations answer as demanded."""
    count = 0
    for case, second in zip(cases, second_opinions(cases), strict=True):
        report = report_of(case)
        first = {check.id: check.status.value for check in report.checks}
        right = is_answered(case, report.verdict.value, first)
        also = is_answered(case, second["verdict"], second["checks"])
        if right and also:
            count += 1
        else:
            print(f"  {case.name}: {report.verdict.value} {first} | {second}", file=sys.stderr)
    return count


def _bare(case: Case) -> Case:
    """The bundle of a certificate alone."""
    opened = open_certificate(case.certificate or b"", reader=pdf.read)
    return replace(case, certificate=None, bundle=opened.attachments["bundle.json"])


def _flip(cases: list[Case], places: int | None) -> tuple[int, int]:
    flips = missed = 0
    with ProcessPoolExecutor() as pool:
        for done, (count, names) in enumerate(pool.map(_flip_one, cases, [places] * len(cases)), start=1):
            flips, missed = flips + count, missed + len(names)
            for name in names:
                print(f"  not detected: {name}", file=sys.stderr)
            if done % 10 == 0:
                print(f"{done} files, {flips} bytes flipped", file=sys.stderr)
    return flips, missed


def _flip_one(case: Case, places: int | None) -> tuple[int, list[str]]:
    numbers = random.Random(case.name)
    names = _undetected(flipped(case, numbers, places))
    sample = list(flipped(case, numbers, 20))
    names += [
        f"{item.name} (second implementation)"
        for item, answer in zip(sample, second_opinions(sample), strict=True)
        if answer["verdict"] not in _REFUSED
    ]
    return (places or len(case.certificate or case.bundle or b"")) + len(sample), names


def _undetected(cases: Iterable[Case]) -> list[str]:
    return [case.name for case in cases if report_of(case).verdict.value not in _REFUSED]


if __name__ == "__main__":
    sys.exit(main())
