"""What holds for a bucket alone: versions, locks, and an S3 service that fails, lies or loses its answers.

What a lock forbids is proven by ``worm.py`` on a server that keeps it; moto does not.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError

from evidence_service.core.digest import digest_of
from evidence_service.errors import (
    ConfigurationError,
    EvidenceServiceError,
    MismatchError,
    RefusedError,
    StorageUnavailableError,
)
from evidence_service.store import bucket as calls
from evidence_service.store.bucket import Bucket, Content
from evidence_service.store.s3 import S3Objects
from tests.ports import faults, servers
from tests.ports.conftest import PART, RETENTION, World

CONTENT = b"content"
SHA256 = digest_of(CONTENT).sha256
KEY = f"objects/{SHA256.hex()}"
LARGE = b"large" * (PART // 4)
YEAR_2100 = datetime(2100, 1, 1, tzinfo=UTC)


def versions(s3: World, key: str = KEY) -> list[dict[str, Any]]:
    return list(s3.client.list_object_versions(Bucket=s3.bucket, Prefix=key).get("Versions", []))


# --- which version is the evidence ------------------------------------------------------------------


def test_what_others_write_later_is_never_read_and_hides_nothing(s3: World) -> None:
    s3.objects.put_bytes(CONTENT)
    put = s3.objects.protection(SHA256).version
    s3.client.put_object(Bucket=s3.bucket, Key=KEY, Body=b"forged")
    s3.client.delete_object(Bucket=s3.bucket, Key=KEY)
    s3.client.put_object(Bucket=s3.bucket, Key=KEY, Body=b"forged again")
    with faults.between(s3.client, "GET", _pass_on, times=9, query="versionId") as met:
        assert s3.objects.read(SHA256) == CONTENT
    assert [url.endswith(f"versionId={put}") for url in met] == [True]
    with s3.objects.open(SHA256) as path:
        assert path.read_bytes() == CONTENT
    assert s3.objects.put_bytes(CONTENT).sha256 == SHA256
    assert len(versions(s3)) == 3
    assert s3.objects.protection(SHA256).version == put


def test_what_lay_under_the_name_before_is_not_taken_for_it(s3: World) -> None:
    lie = base64.b64encode(SHA256).decode()
    s3.client.put_object(Bucket=s3.bucket, Key=KEY, Body=b"forged", Metadata={"sha256": lie})
    with pytest.raises(MismatchError):
        s3.objects.read(SHA256)
    s3.objects.put_bytes(CONTENT)
    assert s3.objects.read(SHA256) == CONTENT
    assert s3.objects.protection(SHA256).retain_until is not None


def test_versions_are_found_on_every_page(s3: World, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.objects.put_bytes(CONTENT)
    for _ in range(4):
        s3.client.put_object(Bucket=s3.bucket, Key=KEY, Body=b"forged")
    s3.client.put_object(Bucket=s3.bucket, Key=KEY + ".else", Body=b"another key")
    whole = s3.client.list_object_versions
    monkeypatch.setattr(s3.client, "list_object_versions", lambda **asked: whole(**asked, MaxKeys=2))
    assert s3.objects.read(SHA256) == CONTENT


def test_a_removal_leaves_no_copy_and_refuses_for_a_locked_one(s3: World) -> None:
    unlocked = s3.unlocked()
    unlocked.put_bytes(CONTENT)
    s3.client.put_object(Bucket=s3.bucket, Key=KEY, Body=b"forged", **_lock())
    s3.client.put_object(Bucket=s3.bucket, Key=KEY, Body=CONTENT, **_lock())
    with pytest.raises(RefusedError, match="kept until 2100-01-01T00:00:00Z"):
        unlocked.remove(SHA256)
    assert len(versions(s3)) == 3
    # moto shortens what a real service does not.
    newest = versions(s3)[0]["VersionId"]
    over = {"Mode": "COMPLIANCE", "RetainUntilDate": datetime(2020, 1, 1, tzinfo=UTC)}
    s3.client.put_object_retention(Bucket=s3.bucket, Key=KEY, VersionId=newest, Retention=over)
    assert unlocked.remove(SHA256) is True
    # What is left is locked, and is not the evidence.
    assert [item["Size"] for item in versions(s3)] == [len(b"forged")]
    assert unlocked.remove(SHA256) is False


# --- the lock ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [CONTENT, LARGE], ids=["whole", "in parts"])
def test_every_version_is_locked_in_compliance_mode(s3: World, data: bytes) -> None:
    stored = s3.objects.put_bytes(data)
    head = s3.client.head_object(Bucket=s3.bucket, Key=f"objects/{stored.sha256.hex()}")
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert head["ObjectLockRetainUntilDate"] >= s3.clock() + RETENTION
    assert s3.objects.protection(stored.sha256).version == head["VersionId"]


def test_putting_again_keeps_it_longer(s3: World) -> None:
    s3.objects.put_bytes(CONTENT)
    before = s3.objects.protection(SHA256).retain_until
    s3.clock.now += timedelta(days=10)
    s3.objects.put_bytes(CONTENT)
    after = s3.objects.protection(SHA256).retain_until
    assert before is not None and after is not None and after - before == timedelta(days=10)


def test_nothing_is_removed_before_its_time_nor_while_somebody_holds_it(s3: World) -> None:
    s3.objects.put_bytes(CONTENT)
    until = s3.objects.protection(SHA256).retain_until
    assert until is not None
    with pytest.raises(RefusedError, match=f"kept until {until:%Y-%m-%dT%H:%M:%SZ}"):
        s3.objects.remove(SHA256)
    s3.client.put_object_legal_hold(Bucket=s3.bucket, Key=KEY, LegalHold={"Status": "ON"})
    assert s3.objects.protection(SHA256).held
    s3.clock.now += RETENTION + timedelta(days=1)
    with pytest.raises(RefusedError, match="on hold in the object store"):
        s3.objects.remove(SHA256)
    assert s3.objects.read(SHA256) == CONTENT


def test_a_bucket_without_a_lock_is_refused_at_the_start(s3: World) -> None:
    name = f"{s3.bucket}-plain"
    s3.client.create_bucket(Bucket=name)
    s3.client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    plain = Bucket(s3.client, name)
    with pytest.raises(ConfigurationError, match="has no Object Lock"):
        S3Objects(plain, prefix="", retention=RETENTION, now=s3.clock)
    unlocked = S3Objects(plain, prefix="", retention=None, now=s3.clock)
    assert unlocked.read(unlocked.put_bytes(CONTENT).sha256) == CONTENT
    assert "no lock" in unlocked.inspect()
    assert unlocked.remove(SHA256)


def test_a_service_that_drops_the_lock_is_given_it_once_more(s3: World) -> None:
    """Ceph 16 does so with objects sent in parts."""
    lock = ("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date")
    with faults.between(s3.client, "HEAD", faults.without_headers(*lock)) as met:
        s3.objects.put_bytes(CONTENT)
    assert met


def test_a_lock_that_does_not_bind_everybody_is_none(s3: World) -> None:
    with (
        faults.between(s3.client, "HEAD", faults.without_headers("x-amz-object-lock-mode"), times=9),
        pytest.raises(ConfigurationError, match="does not lock what is put there"),
    ):
        s3.objects.put_bytes(CONTENT)


def test_a_service_that_knows_no_lock_is_not_believed(s3: World) -> None:
    lock = ("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date")
    with (
        faults.between(s3.client, "HEAD", faults.without_headers(*lock), times=9),
        pytest.raises(ConfigurationError, match="does not lock what is put there"),
    ):
        s3.objects.put_bytes(CONTENT)


def test_a_lock_that_somebody_can_lift_is_replaced(s3: World) -> None:
    governance = _lock() | {"ObjectLockMode": "GOVERNANCE"}
    s3.client.put_object(Bucket=s3.bucket, Key=KEY, Body=CONTENT, **governance)
    s3.objects.put_bytes(CONTENT)
    head = s3.client.head_object(Bucket=s3.bucket, Key=KEY)
    assert (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"]) == ("COMPLIANCE", YEAR_2100)


# --- a service that fails ---------------------------------------------------------------------------

FAULTS = {
    "gone before": faults.lost_before,
    "503": faults.refused(503, "SlowDown"),
    "500": faults.refused(500, "InternalError"),
    "denied": faults.refused(403, "AccessDenied"),
    "a proxy's page": faults.page_of_a_proxy,
}


@pytest.mark.parametrize("landed", [False, True], ids=["failed", "failed but landed"])
@pytest.mark.parametrize("data", [CONTENT, LARGE], ids=["whole", "in parts"])
def test_a_put_that_failed_is_repeated_and_stored_once(s3: World, data: bytes, landed: bool) -> None:
    sha256 = digest_of(data).sha256
    last = "POST" if data is LARGE else "PUT"
    fault = faults.lost_after if landed else faults.lost_before
    query = "uploadId" if data is LARGE else ""
    with faults.between(s3.client, last, fault, query=query) as met, pytest.raises(StorageUnavailableError):
        s3.objects.put_bytes(data)
    assert len(met) == 1
    assert len(versions(s3, f"objects/{sha256.hex()}")) == landed
    assert s3.objects.put_bytes(data) == digest_of(data)
    assert len(versions(s3, f"objects/{sha256.hex()}")) == 1
    # No parts of it are left either.
    assert len(s3.everything()) == 1
    assert s3.objects.read(sha256) == data


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
def test_a_service_that_fails_is_unavailable_and_never_a_mismatch(s3: World, name: str, method: str) -> None:
    fault = FAULTS[name]
    with faults.between(s3.client, method, fault, times=9), pytest.raises(StorageUnavailableError) as caught:
        s3.objects.put_bytes(CONTENT)
    assert caught.value.what_to_do
    assert "arn:" not in caught.value.told
    assert s3.objects.put_bytes(CONTENT).sha256 == SHA256
    with faults.between(s3.client, "GET", fault, query="versionId"), pytest.raises(StorageUnavailableError):
        s3.objects.read(SHA256)


def test_without_a_lock_too_what_was_not_kept_is_not_acknowledged(s3: World) -> None:
    objects = s3.unlocked()
    with (
        faults.between(s3.client, "PUT", faults.page_of_a_proxy),
        pytest.raises(StorageUnavailableError, match="has not what it said it took"),
    ):
        objects.put_bytes(CONTENT)
    assert objects.put_bytes(CONTENT).sha256 == SHA256


def test_a_busy_service_is_asked_again(endpoint: str, s3: World, monkeypatch: pytest.MonkeyPatch) -> None:
    patient = servers.client(endpoint, tries=3)
    objects = S3Objects(Bucket(patient, s3.bucket), prefix="objects/", retention=None, now=s3.clock)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    with faults.between(patient, "PUT", faults.refused(503, "SlowDown"), times=2) as met:
        objects.put_bytes(CONTENT)
    assert len(met) == 2


@pytest.mark.parametrize(
    ("change", "told", "error"),
    [
        (lambda data: data[:-1], False, StorageUnavailableError),
        (lambda data: data[:-1], True, MismatchError),
        (lambda data: data + b"!", True, MismatchError),
        (lambda data: bytes([data[0] ^ 1]) + data[1:], True, MismatchError),
        (lambda data: b"", True, MismatchError),
    ],
    ids=["cut off", "shorter", "longer", "flipped bit", "empty"],
)
def test_bytes_that_are_not_those_put_are_never_given_out(
    s3: World, change: Callable[[bytes], bytes], told: bool, error: type[EvidenceServiceError]
) -> None:
    s3.objects.put_bytes(CONTENT)
    fault = faults.body(change, told=told)
    for read in (s3.objects.read, s3.objects.check, lambda sha256: s3.objects.open(sha256).__enter__()):
        with faults.between(s3.client, "GET", fault, query="versionId"), pytest.raises(error):
            read(SHA256)
    assert s3.objects.read(SHA256) == CONTENT


def test_a_file_that_grows_while_it_is_sent_in_parts_is_not_stored(s3: World) -> None:
    grown = Content(io.BytesIO(LARGE + b"more"), len(LARGE), digest_of(LARGE).sha256, b"")
    with pytest.raises(StorageUnavailableError, match="changed while it was stored"):
        Bucket(s3.client, s3.bucket, part=PART).send(KEY, grown, None)
    assert s3.everything() == []


def test_checksums_of_what_is_sent_are_sent_with_it(s3: World) -> None:
    sent = []

    def note(request: Any, send: faults.Send) -> Any:
        sent.append(
            {
                name.lower(): value.decode() if isinstance(value, bytes) else value
                for name, value in request.headers.items()
            }
        )
        return send(request)

    with faults.between(s3.client, "PUT", note, times=9):
        s3.objects.put_bytes(CONTENT)
        s3.objects.put_bytes(LARGE)
    whole, *parts = [item for item in sent if "content-md5" in item and "x-amz-checksum-sha256" in item]
    assert whole["x-amz-checksum-sha256"] == base64.b64encode(SHA256).decode()
    assert len(parts) == 2


def test_one_part_is_in_memory_at_a_time(s3: World) -> None:
    class Watched(io.BytesIO):
        asked: list[int] = []  # noqa: RUF012

        def read(self, size: int | None = -1) -> bytes:
            self.asked.append(-1 if size is None else size)
            return super().read(size)

    content = Content(Watched(LARGE), len(LARGE), digest_of(LARGE).sha256, b"")
    Bucket(s3.client, s3.bucket, part=PART).send(KEY, content, None)
    assert set(content.reader.asked) == {PART}


# --- credentials ------------------------------------------------------------------------------------


def test_without_credentials_it_says_where_they_come_from(s3: World) -> None:
    def none(request: Any, send: faults.Send) -> Any:
        raise NoCredentialsError

    with (
        faults.between(s3.client, "PUT", none),
        pytest.raises(StorageUnavailableError, match="no credentials") as caught,
    ):
        s3.objects.put_bytes(CONTENT)
    assert "environment" in caught.value.what_to_do


def test_no_text_shows_a_credential(s3: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="evidence_service")
    told = [repr(s3.objects), repr(s3.objects._bucket), s3.objects.inspect()]
    for code in ("AccessDenied", "SignatureDoesNotMatch", "InvalidAccessKeyId"):
        with faults.between(s3.client, "PUT", faults.refused(403, code)):
            with pytest.raises(StorageUnavailableError) as caught:
                s3.objects.put_bytes(code.encode())
            told.append(caught.value.told)
    assert not [text for text in (*told, caplog.text) if servers.SECRET in text or servers.KEY in text]


def test_what_cannot_be_reached_is_named(s3: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in servers.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="the S3 service cannot be used"):
        calls.connect(endpoint="no address")
    nowhere = Bucket(calls.connect(endpoint="http://127.0.0.1:9", tries=1), "evidence")
    with pytest.raises(StorageUnavailableError, match="evidence did not answer get_bucket_versioning"):
        S3Objects(nowhere, prefix="", retention=RETENTION, now=s3.clock)


def _pass_on(request: Any, send: faults.Send) -> Any:
    return send(request)


def _lock() -> dict[str, Any]:
    """Of a version; a checksum has to come with it."""
    return {
        "ObjectLockMode": "COMPLIANCE",
        "ObjectLockRetainUntilDate": YEAR_2100,
        "ChecksumAlgorithm": "SHA256",
    }
