"""``make bench-digests``: manifests of digests registered in bulk, beside ``manifest.build`` of the same.

One thread, processor time, median of rounds:

* ``build_us``: one manifest with its two custody events, in a request of 1,000;
* ``leaf_us``: its entry in a batch: both digests of the manifest and the leaf hash;
* ``plain_us``: ``manifest.build`` of the same members, without the events.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from evidence_service.core import batch, manifest
from evidence_service.core.digest import digest_of
from evidence_service.service.digest_manifest import NOT_BEFORE, Registration, StatedDigest, build
from evidence_service.store.records import Matter

ROUNDS = 9


def registration() -> Registration:
    """A request as the service would take it."""
    now = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    matter = Matter("m-0123456789abcdef0123", "REF/2026/1", "Example Brand Ltd", ("trade mark 1",), now)
    return Registration(matter, "agent", now, "evidence", "host-1", "evidence-service 1.0", NOT_BEFORE)


def stated(number: int) -> StatedDigest:
    """One digest of many."""
    evidence_id = f"ev-{hashlib.sha256(b'%d' % number).hexdigest()[:20]}"
    return StatedDigest(evidence_id, f"photos/图片 {number}.png", "image/png", digest_of(b"file %d" % number))


def microseconds(work: Callable[[], object], count: int) -> float:
    """Median of rounds, processor time of one of ``count``."""
    times = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        work()
        times.append((time.process_time() - begin) / count * 1e6)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000, help="digests of one request")
    count = parser.parse_args().count
    common, digests = registration(), [stated(number) for number in range(count)]
    sealed = build(common, digests)
    members = json.loads(sealed[0].manifest)
    plain = {name: value for name, value in members.items() if name not in ("format", "suite")}
    figures = {
        "build_us": microseconds(lambda: build(common, digests), count),
        "leaf_us": microseconds(
            lambda: [batch.entry_leaf(digest_of(item.manifest), bytes(32)) for item in sealed], count
        ),
        "plain_us": microseconds(lambda: [manifest.build(plain) for _ in range(count)], count),
    }
    shown = " ".join(f"{name}={value:.1f}" for name, value in figures.items())
    print(f"RESULT digest_manifests count={count} bytes={len(sealed[0].manifest)} {shown}")


if __name__ == "__main__":
    main()
