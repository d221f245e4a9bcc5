"""``make bench-ordering``: how fast captures are accepted, on a real PostgreSQL, durable and with receipts.

* ``accepted_per_s``: rows a second in lists of 5,000, from the request to the answer with every receipt;
* ``single_per_s``: the same listings one request each, with one client;
* ``ratio``: the first beside the second;
* ``order_ms_behind``: a single order while all the rows of before are waiting, in the median.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from evidence_service import bootstrap
from evidence_service.api.app import create_app
from evidence_service.config import Settings
from evidence_service.store.postgres import connect
from tests.running import database, operator_key, serving

KEY = "bench"
HOST = "https://93.184.215.14"
LIST = 5_000


@contextmanager
def api(directory: Path) -> Iterator[httpx.Client]:
    """The API without a worker, and a client of it."""
    with database(directory) as url:
        engine = connect(url)
        parts = bootstrap.parts(Settings(data_directory=directory / "data", purpose="demonstration"), engine)
        app = create_app(parts, operator_key(KEY, "bench"))
        headers = {"Authorization": f"Bearer {KEY}"}
        with (
            serving(app) as base,
            httpx.Client(base_url=base, headers=headers, trust_env=False, timeout=300) as client,
        ):
            yield client
        engine.dispose()


def in_lists(client: httpx.Client, matter: str, count: int) -> float:
    """Rows a second."""
    started = time.perf_counter()
    for start in range(0, count, LIST):
        rows = [{"url": f"{HOST}/{number}"} for number in range(start, min(start + LIST, count))]
        answer = client.post("/v1/capture-lists", json={"matter_id": matter, "rows": rows})
        assert answer.status_code == 202 and answer.json()["accepted"] == len(rows), answer.text[:300]
        assert all(row["receipt"]["signature"] for row in answer.json()["rows"])
    return count / (time.perf_counter() - started)


def one_by_one(client: httpx.Client, matter: str, count: int) -> list[float]:
    """Seconds of each order."""
    spent = []
    for number in range(count):
        started = time.perf_counter()
        order = {"matter_id": matter, "url": f"{HOST}/single/{number}"}
        answer = client.post("/v1/captures", json=order)
        spent.append(time.perf_counter() - started)
        assert answer.status_code == 202, answer.text[:300]
    return spent


def main() -> int:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=20_000)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="evidence-ordering-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        with api(Path(name)) as client:
            order = {"reference": "bench", "applicant": "bench"}
            matter = str(client.post("/v1/matters", json=order).json()["id"])
            single = one_by_one(client, matter, 200)
            accepted = in_lists(client, matter, chosen.rows)
            behind = one_by_one(client, matter, 50)
    per_second = len(single) / sum(single)
    print(
        f"RESULT accepted_per_s={accepted:.0f} single_per_s={per_second:.0f} "
        f"ratio={accepted / per_second:.1f} order_ms_behind={1000 * statistics.median(behind):.0f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
