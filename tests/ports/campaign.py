"""kill -9 against both object stores, and the lock of a real server: ``make campaign-objects``.

The bucket is one of a Ceph that is started for it. ``--local`` leaves it out.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from evidence_service.service.ports import Objects
from evidence_service.store.bucket import Bucket
from evidence_service.store.objects import LocalObjects
from evidence_service.store.s3 import S3Objects
from tests.ports import servers
from tests.ports.kills import Counted, kill_writers
from tests.ports.worm import CHECKS, Locked

_PART = 5 << 20
_MEMORY = {"small": 1 << 20, "large": 256 << 20}
_ALLOWED = 64 << 20
"""Bytes that storing and fetching the large file may take more than the small one: parts and buffers."""


def _now() -> datetime:
    return datetime.now(UTC)


def local(directory: Path, kills: int, seed: int) -> bool:
    """Kills against a directory; whether nothing was lost or torn."""
    objects = LocalObjects(directory)
    counted = kill_writers(objects, kills=kills, within=0.3, largest=1 << 20, seed=seed)
    torn = sum(
        hashlib.sha256(path.read_bytes()).hexdigest() != path.parent.name + path.name
        for path in directory.glob("??/*")
    )
    unfinished = len(list(directory.glob("incoming-*")))
    LocalObjects(directory)
    left = len(list(directory.glob("incoming-*")))
    return _told("local", counted, torn, f"unfinished={unfinished} left={left}") and left == 0


def bucket(endpoint: str, kills: int, seed: int) -> bool:
    """Kills against a bucket; whether nothing was lost, torn or left unlocked."""
    client = servers.client(endpoint, tries=4)
    client.create_bucket(Bucket="kills", ObjectLockEnabledForBucket=True)
    objects = _in_bucket(client, "kills")
    counted = kill_writers(objects, kills=kills, within=0.6, largest=8 << 20, seed=seed)
    torn = unlocked = 0
    for page in client.get_paginator("list_object_versions").paginate(Bucket="kills"):
        for item in page.get("Versions", ()):
            version = {"Bucket": "kills", "Key": item["Key"], "VersionId": item["VersionId"]}
            found = client.get_object(**version)
            torn += hashlib.sha256(found["Body"].read()).hexdigest() != item["Key"].removeprefix("objects/")
            unlocked += found.get("ObjectLockMode") != "COMPLIANCE"
    uploads = len(client.list_multipart_uploads(Bucket="kills").get("Uploads", ()))
    # Between its last part and its lock a writer may have been killed; that put was never acknowledged.
    return _told("s3", counted, torn, f"unacknowledged_unlocked={unlocked} unfinished={uploads}")


def worm(endpoint: str) -> bool:
    """Every check of ``worm.py``; whether all hold."""
    failed = 0
    for number, check in enumerate(CHECKS):
        client, name = servers.client(endpoint), f"worm-{number}"
        client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
        try:
            check(Locked(client, name))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted and told
            failed += 1
            print(f"FAILED {check.__name__}: {error!r}")
    print(f"RESULT campaign-objects worm checks={len(CHECKS)} failed={failed}")
    return failed == 0


def memory(endpoint: str) -> bool:
    """What storing and fetching a large file takes beside a small one, each in a process of its own."""
    client = servers.client(endpoint)
    client.create_bucket(Bucket="memory", ObjectLockEnabledForBucket=True)
    peak = {name: _peak(lambda size=size: _store_and_fetch(client, size)) for name, size in _MEMORY.items()}
    more = peak["large"] - peak["small"]
    told = " ".join(f"{name}_{_MEMORY[name] >> 20}MiB={found >> 20}MiB" for name, found in peak.items())
    print(f"RESULT campaign-objects memory {told} more={more >> 20}MiB allowed={_ALLOWED >> 20}MiB")
    return more <= _ALLOWED


def _store_and_fetch(client: Any, size: int) -> None:
    objects = _in_bucket(client, "memory")
    with tempfile.NamedTemporaryFile() as source:
        for _ in range(size >> 20):
            source.write(os.urandom(1 << 20))
        source.flush()
        stored = objects.put(Path(source.name))
    with objects.open(stored.sha256) as path:
        assert path.stat().st_size == stored.size == size


def _peak(work: Any) -> int:
    """Largest resident size of a child that does it, in bytes."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - a child ends here, whatever it was
            print(f"FAILED {error!r}", flush=True)
            os._exit(1)
        os._exit(0)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise RuntimeError("a large file was not stored")
    return usage.ru_maxrss * 1024


def _in_bucket(client: Any, name: str) -> Objects:
    objects = S3Objects(
        Bucket(client, name, part=_PART), prefix="objects/", retention=timedelta(days=1), now=_now
    )
    # Connections are not for forked processes to share.
    client.close()
    return objects


def _told(store: str, counted: Counted, torn: int, more: str) -> bool:
    print(
        f"RESULT campaign-objects store={store} kills={counted.kills} puts={counted.puts} "
        f"lost={counted.lost} torn={torn} {more}",
        flush=True,
    )
    return counted.puts > 0 and counted.lost == torn == 0


def main() -> int:
    """Run the parts; 0 when everything holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--local", action="store_true", help="only the local directory")
    parser.add_argument("--kills", type=int, default=1000, help="of writers into the local directory")
    parser.add_argument("--bucket-kills", type=int, default=300, help="of writers into the bucket")
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0xFFFF)
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}")
    with tempfile.TemporaryDirectory(prefix="campaign-objects-") as scratch:
        sound = local(Path(scratch) / "objects", chosen.kills, chosen.seed)
        if not chosen.local:
            with servers.ceph(Path(scratch) / "ceph") as endpoint:
                sound &= worm(endpoint)
                sound &= bucket(endpoint, chosen.bucket_kills, chosen.seed)
                sound &= memory(endpoint)
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
