"""``make campaign-certificate``: every edition of every kind of record before every judge.

Prints ``RESULT certificates=… failures=…``; ends with 1 unless nobody has anything against any of them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from evidence_service.certificate.edition import editions
from tests.certificate.accessibility import accessibility_complaints
from tests.certificate.judges import complaints
from tests.certificate.making import KINDS, made
from tests.certificate.preflight import preflight_complaints

Case = tuple[str, str]
"""Edition and kind of record."""


def judged(case: Case) -> tuple[Case, list[str]]:
    """What the judges have against one certificate."""
    with tempfile.TemporaryDirectory(prefix="certificate-") as name:
        found = complaints(made(*case), Path(name))
        path = Path(name) / "certificate.pdf"
        return case, [*found, *preflight_complaints(path), *accessibility_complaints(path)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=sorted(KINDS), help="this kind of record alone")
    parser.add_argument("--edition", help="this edition alone")
    chosen = parser.parse_args(arguments)
    cases = [
        (edition.code, kind)
        for edition in editions()
        for kind in KINDS
        if chosen.kind in (None, kind) and chosen.edition in (None, edition.code)
    ]
    failures: Counter[str] = Counter()
    with ProcessPoolExecutor(2) as pool:
        for (edition, kind), found in pool.map(judged, cases):
            for words in found:
                failures[words.split(":")[0]] += 1
                print(f"{edition} {kind}: {words}", file=sys.stderr)
    by_judge = " ".join(f"{name}={count}" for name, count in sorted(failures.items()))
    print(f"RESULT certificates={len(cases)} failures={failures.total()} {by_judge}".rstrip())
    return 0 if cases and not failures else 1


if __name__ == "__main__":
    sys.exit(main())
