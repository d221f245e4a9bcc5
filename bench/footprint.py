"""``make bench-footprint``: what one piece of evidence takes of the database and the object store.

Sizes, not times: they are the same on a busy machine. A whole demonstration installation runs as ``evidence
serve``; uploads of a few bytes show what the service itself adds, captures of a small fixture page what a
visit adds to that. A real listing's own bytes come on top.

One line for uploads without a certificate, one for those with one (its digest goes into a later batch), one
for captures with one; each says, for one piece of evidence:

* ``db_kb``: tables and indexes, those of the workflow engine among them;
* ``objects``, ``objects_kb``: files in the object store, and their bytes;
* ``wal_kb``, ``syncs``: of the write-ahead log, with what the waiting worker writes in the meantime.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from evidence_service.cli.client import ServiceClient
from evidence_service.sandbox.installation import DemoInstallation
from evidence_service.store.postgres import EmbeddedPostgres, connect
from tests.running import GANACHE, reachable, service

UPLOADS, CERTIFIED, CAPTURES = 60, 8, 3


@dataclass(frozen=True)
class Footprint:
    """What is stored at a moment; bytes.

    Attributes:
        written, left: of the write-ahead log, and how often it was synchronised, before and after measuring.
    """

    database: int
    objects: int
    object_bytes: int
    written: tuple[int, int]
    left: tuple[int, int]

    def since(self, before: Footprint, count: int) -> str:
        """For each of so many, in the words of the result."""
        log, syncs = (now - then for now, then in zip(self.written, before.left, strict=True))
        return (
            f"db_kb={(self.database - before.database) / count / 1000:.1f} "
            f"objects={(self.objects - before.objects) / count:.1f} "
            f"objects_kb={(self.object_bytes - before.object_bytes) / count / 1000:.0f} "
            f"wal_kb={log / count / 1000:.0f} syncs={syncs / count:.0f}"
        )


def measured(directory: Path) -> Footprint:
    """The record of an installation that is at rest."""
    server = EmbeddedPostgres(directory / "data" / "postgres")
    engine = connect(server.url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        written = _log(connection)
        # Dead rows of the way there are not what stays.
        connection.execute(text("VACUUM FULL"))
        size = connection.execute(
            text(
                "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c "
                "JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname IN ('public', 'dbos') AND c.relkind = 'r'"
            )
        ).scalar_one()
        left = _log(connection)
    engine.dispose()
    server.stop()
    files = [path.stat().st_size for path in (directory / "data" / "objects").glob("??/*")]
    return Footprint(int(size), len(files), sum(files), written, left)


def _log(connection: Connection) -> tuple[int, int]:
    # Of PostgreSQL 18, which the embedded server is.
    syncs = "SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'"
    row = connection.execute(text(f"SELECT wal_bytes, ({syncs}) AS syncs FROM pg_stat_wal")).one()
    return int(row.wal_bytes), int(row.syncs)


def ended(client: ServiceClient, ids: list[str], status: str) -> None:
    """Wait until all of them are there."""
    for evidence_id in ids:
        deadline = time.monotonic() + 300
        while (view := client.call("GET", f"/v1/evidence/{evidence_id}").json())["status"] != status:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{evidence_id} is {view['status']}, waiting for {view['waiting_for']}")
            time.sleep(0.5)


def upload(client: ServiceClient, matter: str, name: str, *, certificate: bool) -> str:
    """The id of a small file."""
    answer: dict[str, Any] = client.create(
        "/v1/uploads",
        params={"matter_id": matter, "name": name, "certificate": certificate},
        content=name.encode(),
    )
    return str(answer["id"])


def main() -> int:
    """Run it."""
    with tempfile.TemporaryDirectory(prefix="evidence-footprint-") as name:
        directory = reachable(Path(name))
        directory.chmod(0o755)
        with DemoInstallation(directory, ganache=GANACHE) as demo, service(demo) as client:
            matter = client.create("/v1/matters", json={"reference": "B-1", "applicant": "Bench"})["id"]
            ended(client, [upload(client, matter, "warm.txt", certificate=True)], "certified")
            first = measured(directory)
            ids = [upload(client, matter, f"{number}.txt", certificate=False) for number in range(UPLOADS)]
            ended(client, ids, "anchored")
            second = measured(directory)
            ids = [upload(client, matter, f"c{number}.txt", certificate=True) for number in range(CERTIFIED)]
            ended(client, ids, "certified")
            time.sleep(15)  # digests of certificates go into a batch of their own
            third = measured(directory)
            url = demo.marketplace.listing_url("200102")
            orders = [
                client.create("/v1/captures", json={"matter_id": matter, "url": f"{url}?again={number}"})
                for number in range(CAPTURES)
            ]
            ended(client, [item["id"] for item in orders], "certified")
            time.sleep(15)
            fourth = measured(directory)
    for kind, now, before, count in (
        ("upload", second, first, UPLOADS),
        ("certified_upload", third, second, CERTIFIED),
        ("certified_capture", fourth, third, CAPTURES),
    ):
        print(f"RESULT footprint={kind} {now.since(before, count)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
