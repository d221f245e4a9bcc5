"""Both object stores, each promise tried on each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from evidence_service.service.ports import Objects
from evidence_service.store.bucket import Bucket
from evidence_service.store.objects import LocalObjects
from evidence_service.store.s3 import S3Objects
from tests.ports import servers

START = datetime(2026, 11, 25, 12, 0, 0, 500_000, tzinfo=UTC)
RETENTION = timedelta(days=30)
PART = 256 << 10
_buckets = count()


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@dataclass
class World:
    """A store, its clock, and ways to do to it what nobody should."""

    objects: Objects
    clock: Clock
    damage: Callable[[bytes], None]
    reopen: Callable[[], Objects]
    everything: Callable[[], list[str]]
    unlocked: Callable[[], Objects]
    retention: timedelta | None = None
    client: Any = None
    bucket: str = ""


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with servers.moto(smallest_part=PART) as address:
        yield address


@pytest.fixture(scope="session")
def client(endpoint: str) -> Any:
    return servers.client(endpoint)


@pytest.fixture
def s3(client: Any) -> World:
    """S3Objects with a bucket of its own."""
    # The server decides with its own clock what is locked.
    clock = Clock(datetime.now(UTC))
    name = f"evidence-{next(_buckets)}"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)

    def opened(retention: timedelta | None) -> S3Objects:
        bucket = Bucket(client, name, part=PART)
        return S3Objects(bucket, prefix="objects/", retention=retention, now=clock)

    def damage(sha256: bytes) -> None:
        """What is behind every version, changed in the server's own memory."""
        from moto.s3.models import s3_backends

        keys = s3_backends["123456789012"]["aws"].buckets[name].keys
        for version in keys.getlist(f"objects/{sha256.hex()}"):
            version.value = b"changed"

    def everything() -> list[str]:
        uploads = client.list_multipart_uploads(Bucket=name).get("Uploads", [])
        found = client.list_object_versions(Bucket=name).get("Versions", [])
        return [item["Key"] for item in (*uploads, *found)]

    return World(
        opened(RETENTION),
        clock,
        damage,
        lambda: opened(RETENTION),
        everything,
        lambda: opened(None),
        RETENTION,
        client,
        name,
    )


@pytest.fixture
def local(tmp_path: Path) -> World:
    """LocalObjects in a directory of its own."""
    clock, directory = Clock(), tmp_path / "objects"
    objects = LocalObjects(directory)

    def damage(sha256: bytes) -> None:
        objects.path(sha256).chmod(0o644)
        objects.path(sha256).write_bytes(b"changed")

    return World(
        objects,
        clock,
        damage,
        reopen=lambda: LocalObjects(directory),
        everything=lambda: [path.name for path in directory.rglob("*") if path.is_file()],
        unlocked=lambda: objects,
    )


@pytest.fixture(params=["local", "s3"])
def world(request: pytest.FixtureRequest) -> World:
    found: World = request.getfixturevalue(request.param)
    return found
