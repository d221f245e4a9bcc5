"""What a lock forbids, tried on a server that keeps it: with every right, and not through our own code."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from evidence_service.core.digest import digest_of
from evidence_service.errors import ConfigurationError, NotFoundError, RefusedError, StorageUnavailableError
from evidence_service.store.bucket import Bucket, Content
from evidence_service.store.s3 import S3Objects

Check = Callable[["Locked"], None]
CHECKS: list[Check] = []
_SECONDS = 3
LARGE = b"large" * (2 << 20)


class Locked:
    """A client of the server with every right, and stores in a bucket of it."""

    def __init__(self, client: Any, bucket: str) -> None:
        self.client, self.bucket = client, bucket

    def objects(self, retention: timedelta | None = timedelta(days=30)) -> S3Objects:
        """A store with parts of 5 MiB."""
        bucket = Bucket(self.client, self.bucket, part=5 << 20)
        return S3Objects(bucket, prefix="objects/", retention=retention, now=lambda: datetime.now(UTC))

    def put(self, data: bytes, retention: timedelta = timedelta(days=30)) -> dict[str, str]:
        """Store; the version as the API names it."""
        objects = self.objects(retention)
        sha256 = objects.put_bytes(data).sha256
        version = objects.protection(sha256).version or ""
        return {"Bucket": self.bucket, "Key": f"objects/{sha256.hex()}", "VersionId": version}


def check(function: Check) -> Check:
    CHECKS.append(function)
    return function


@check
def a_locked_version_cannot_be_deleted(world: Locked) -> None:
    for data in (b"locked", LARGE):
        version = world.put(data)
        _refused(world.client.delete_object, **version)
        _refused(world.client.delete_object, **version, BypassGovernanceRetention=True)
        assert world.objects().read(digest_of(data).sha256) == data


@check
def retention_cannot_be_shortened_or_weakened(world: Locked) -> None:
    for data in (b"shortened", LARGE):
        version = world.put(data)
        until = world.client.get_object_retention(**version)["Retention"]["RetainUntilDate"]
        for mode, sooner in (("COMPLIANCE", 1), ("GOVERNANCE", 0), ("GOVERNANCE", 1)):
            weaker = {"Mode": mode, "RetainUntilDate": until - timedelta(days=sooner)}
            _refused(world.client.put_object_retention, **version, Retention=weaker)
            _refused(
                world.client.put_object_retention, **version, Retention=weaker, BypassGovernanceRetention=True
            )
        found = world.client.get_object_retention(**version)["Retention"]
        assert found == {"Mode": "COMPLIANCE", "RetainUntilDate": until}, found


@check
def retention_is_extended_by_us_and_never_shortened(world: Locked) -> None:
    version = world.put(b"extended")
    later = datetime.now(UTC) + timedelta(days=60)
    for retention in (timedelta(days=60), timedelta(days=10)):
        world.put(b"extended", retention)
        assert world.client.get_object_retention(**version)["Retention"]["RetainUntilDate"] >= later


@check
def nothing_of_ours_deletes_before_the_time(world: Locked) -> None:
    world.put(b"too early")
    try:
        world.objects().remove(digest_of(b"too early").sha256)
    except RefusedError as error:
        assert "kept until" in error.message
    else:
        raise AssertionError("it was removed")
    assert world.objects().read(digest_of(b"too early").sha256) == b"too early"


@check
def a_hold_wins_over_the_end_of_retention(world: Locked) -> None:
    version = world.put(b"held", timedelta(seconds=_SECONDS))
    sha256 = digest_of(b"held").sha256
    world.client.put_object_legal_hold(**version, LegalHold={"Status": "ON"})
    time.sleep(_SECONDS + 2)
    _refused(world.client.delete_object, **version)
    try:
        world.objects().remove(sha256)
    except RefusedError as error:
        assert "on hold" in error.message
    else:
        raise AssertionError("it was removed")
    world.client.put_object_legal_hold(**version, LegalHold={"Status": "OFF"})
    assert world.objects().remove(sha256) is True
    try:
        world.objects().read(sha256)
    except NotFoundError:
        return
    raise AssertionError("it is still there")


@check
def what_is_written_over_it_neither_hides_nor_replaces_it(world: Locked) -> None:
    version = world.put(b"covered")
    key = {"Bucket": world.bucket, "Key": version["Key"]}
    for _ in range(3):
        world.client.put_object(**key, Body=b"forged")
        world.client.delete_object(**key)
    sha256 = digest_of(b"covered").sha256
    assert world.objects().read(sha256) == b"covered"
    assert world.objects().protection(sha256).version == version["VersionId"]


@check
def versioning_cannot_be_suspended_nor_the_bucket_deleted(world: Locked) -> None:
    world.put(b"in the bucket")
    suspended = {"Status": "Suspended"}
    _refused(world.client.put_bucket_versioning, Bucket=world.bucket, VersioningConfiguration=suspended)
    _refused(world.client.delete_bucket, Bucket=world.bucket)


@check
def bytes_that_arrive_changed_are_refused(world: Locked) -> None:
    md5 = hashlib.md5(b"as sent").digest()
    broken = Content(io.BytesIO(b"as seen"), 7, digest_of(b"as sent").sha256, md5)
    try:
        Bucket(world.client, world.bucket).send("objects/changed", broken, None)
    except StorageUnavailableError as error:
        assert "BadDigest" in error.message
    else:
        raise AssertionError("it was taken")


@check
def a_bucket_without_a_lock_is_refused(world: Locked) -> None:
    world.client.create_bucket(Bucket="without-lock")
    plain = Locked(world.client, "without-lock")
    try:
        plain.objects()
    except ConfigurationError as error:
        assert "no Object Lock" in error.message
    else:
        raise AssertionError("it was accepted")
    unlocked = plain.objects(None)
    for data in (b"unlocked", LARGE):
        sha256 = unlocked.put_bytes(data).sha256
        assert unlocked.read(sha256) == data
        assert unlocked.remove(sha256) is True
        assert unlocked.remove(sha256) is False


@check
def it_says_that_it_locks_and_leaves_nothing(world: Locked) -> None:
    before = world.client.list_object_versions(Bucket=world.bucket, Prefix="objects/writable")
    assert "compliance mode for 30 days" in world.objects().inspect()
    assert "Versions" not in before


def _refused(operation: Callable[..., object], **parameters: Any) -> None:
    try:
        operation(**parameters)
    except ClientError:
        return
    raise AssertionError("the server allowed it")
