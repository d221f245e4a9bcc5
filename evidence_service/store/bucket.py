"""Calls to one bucket of an S3 service, and what their failures mean.

Credentials are found as AWS tools find them (environment, profile, role of the machine); none is configured,
kept or told here. Operations are named as in the Amazon S3 API reference.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from evidence_service.errors import ConfigurationError, NotFoundError, StorageUnavailableError
from evidence_service.store.protection import Protection

CONNECT_SECONDS, READ_SECONDS, TRIES = 5, 60, 4
"""Patience with one request; tries are spaced by the SDK."""
_CHUNK = 1 << 20
PART = 16 << 20
"""Bytes of an object that are sent in one request, and held in memory, when it is larger than that."""
_MOST_PARTS = 10_000
COMPLIANCE = "COMPLIANCE"
_NO_VERSION = "null"
"""How S3 calls the one version of an object in a bucket without versioning."""

_ABSENT = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound", "MethodNotAllowed"})
_UNLOCKED = frozenset({"ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration"})
_WHAT_TO_DO = {
    "AccessDenied": "grant this service's role what docs/how-to/keep-objects-in-s3.md lists",
    "BadDigest": "the bytes arrived changed: store them again",
    "ExpiredToken": "renew this service's credentials",
    "InvalidAccessKeyId": "correct this service's credentials",
    "NoSuchBucket": "correct objects.bucket and objects.region, or create the bucket",
    "PermanentRedirect": "correct objects.region",
    "RequestTimeTooSkewed": "set this machine's clock",
    "SignatureDoesNotMatch": "correct this service's credentials",
}
_WAIT = "nothing is lost: what waits for it is tried again"


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent, and how it is to arrive.

    Attributes:
        reader: can be sought in; read from its begin.
    """

    reader: IO[bytes]
    size: int
    sha256: bytes
    md5: bytes


def connect(*, region: str = "", endpoint: str = "", tries: int = TRIES) -> Any:
    """An S3 client of boto3.

    Args:
        region: empty: that of the AWS configuration.
        endpoint: of another service than AWS; empty: that of the region.

    Raises:
        ConfigurationError: boto3 is not installed, or region and endpoint cannot be used.
    """
    try:
        import boto3  # noqa: PLC0415 - optional, and a fifth of a second
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ImportError as error:
        raise ConfigurationError(
            "objects of kind s3 need boto3, which is not installed", what_to_do="install evidence-service[s3]"
        ) from error
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": tries, "mode": "standard"},
        max_pool_connections=40,
        # Checksums are sent and compared here: CRC32 in trailers, the SDK's default, is neither proof nor
        # understood by every service.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path" if endpoint else "auto"},
    )
    try:
        return boto3.client("s3", region_name=region or None, endpoint_url=endpoint or None, config=config)
    except (BotoCoreError, ValueError) as error:
        raise ConfigurationError(
            f"the S3 service cannot be used: {error}",
            what_to_do="set objects.region and objects.endpoint_url",
        ) from error


class Bucket:
    """One bucket. Every method raises StorageUnavailableError when the service does not do what is asked.

    Args:
        client: of boto3.
        part: size of the parts larger objects are sent in; S3 takes 5 MiB and more.
    """

    def __init__(self, client: Any, name: str, *, part: int = PART) -> None:
        self.name = name
        self._client = client
        self._part = part

    def require_lock(self) -> None:
        """See that versions can be locked.

        Raises:
            ConfigurationError: versioning or Object Lock is not enabled.
        """
        versioning = self._call("get_bucket_versioning").get("Status")
        try:
            found = self._call("get_object_lock_configuration").get("ObjectLockConfiguration", {})
        except NotFoundError:
            found = {}
        if versioning != "Enabled" or found.get("ObjectLockEnabled") != "Enabled":
            raise ConfigurationError(
                f"the bucket {self.name} has no Object Lock: what is put there can be deleted",
                what_to_do="create a bucket with Object Lock, or set objects.compliance to false",
            )

    def versions(self, key: str) -> Iterator[str]:
        """Ids of a key's versions, oldest first, whatever was written or marked as deleted later."""
        found: list[str] = []
        marker: dict[str, str] = {}
        while True:
            page = self._call("list_object_versions", Prefix=key, **marker)
            if page.get("Name") != self.name:
                # A page of something in between, parsed as an empty list, would say that nothing was stored.
                raise self._improper("list_object_versions")
            found += [item["VersionId"] for item in page.get("Versions", ()) if item["Key"] == key]
            if not page.get("IsTruncated"):
                return reversed(found)
            marker = {
                "KeyMarker": page["NextKeyMarker"],
                "VersionIdMarker": page["NextVersionIdMarker"],
            }

    def stream(self, key: str, version: str) -> Iterator[bytes]:
        """Content of a version in pieces; nothing about it is checked.

        Raises:
            NotFoundError: there is no such version.
        """
        answer = self._call_for(version, "get_object", Key=key)
        with self._failures("get_object"), closing(answer["Body"]) as body:
            while chunk := body.read(_CHUNK):
                yield chunk

    def send(self, key: str, content: Content, retain_until: datetime | None) -> str:
        """Write a version; its id."""
        lock: dict[str, Any] = {}
        if retain_until is not None:
            lock = {"ObjectLockMode": COMPLIANCE, "ObjectLockRetainUntilDate": retain_until}
        if content.size > self._part:
            return self._send_parts(key, content, lock)
        content.reader.seek(0)
        answer = self._call(
            "put_object",
            Key=key,
            Body=content.reader,
            ContentLength=content.size,
            ContentMD5=_base64(content.md5),
            ChecksumSHA256=_base64(content.sha256),
            **lock,
        )
        return str(answer.get("VersionId", _NO_VERSION))

    def look(self, key: str, version: str) -> tuple[Protection, bool]:
        """What protects a version, and whether its retention binds everybody (compliance mode)."""
        head = self._call_for(version, "head_object", Key=key)
        protection = Protection(
            retain_until=head.get("ObjectLockRetainUntilDate"),
            held=head.get("ObjectLockLegalHoldStatus") == "ON",
            version=version,
        )
        return protection, head.get("ObjectLockMode") == COMPLIANCE

    def retain(self, key: str, version: str, until: datetime) -> None:
        """Set a version's retention. The service refuses to shorten it."""
        retention = {"Mode": COMPLIANCE, "RetainUntilDate": until}
        self._call("put_object_retention", Key=key, VersionId=version, Retention=retention)

    def delete(self, key: str, version: str) -> None:
        """Delete a version for good. The service refuses when it is locked."""
        self._call("delete_object", Key=key, VersionId=version)

    def try_writing(self, key: str, retain_until: datetime | None) -> None:
        """Begin an object and give it up: what is asked for a real one is granted, and nothing is left."""
        lock: dict[str, Any] = {}
        if retain_until is not None:
            lock = {"ObjectLockMode": COMPLIANCE, "ObjectLockRetainUntilDate": retain_until}
        begun = self._call("create_multipart_upload", Key=key, **lock)
        self._call("abort_multipart_upload", Key=key, UploadId=begun["UploadId"])

    def _send_parts(self, key: str, content: Content, lock: dict[str, Any]) -> str:
        """One part in memory at a time; nothing is visible before the last request."""
        size = max(self._part, -(-content.size // _MOST_PARTS))
        begun = self._call("create_multipart_upload", Key=key, ChecksumAlgorithm="SHA256", **lock)
        place = {"Key": key, "UploadId": begun["UploadId"]}
        try:
            content.reader.seek(0)
            digest = hashlib.sha256()
            parts: list[dict[str, Any]] = []
            while data := content.reader.read(size):
                digest.update(data)
                parts.append(self._send_part(place, len(parts) + 1, data))
            if digest.digest() != content.sha256:
                raise StorageUnavailableError(
                    "a file changed while it was stored", what_to_do="store it again"
                )
            answer = self._call("complete_multipart_upload", **place, MultipartUpload={"Parts": parts})
        except BaseException:
            # When the reply to the last request was lost, the version is there and this changes nothing.
            with suppress(StorageUnavailableError, NotFoundError):
                self._call("abort_multipart_upload", **place)
            raise
        return str(answer.get("VersionId", _NO_VERSION))

    def _send_part(self, place: dict[str, str], number: int, data: bytes) -> dict[str, Any]:
        checksum = _base64(hashlib.sha256(data).digest())
        md5 = _base64(hashlib.md5(data, usedforsecurity=False).digest())
        answer = self._call(
            "upload_part", **place, PartNumber=number, Body=data, ContentMD5=md5, ChecksumSHA256=checksum
        )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}

    def _call_for(self, version: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """An answer about this version and no other; what something in between says is no answer."""
        answer = self._call(operation, VersionId=version, **parameters)
        if answer.get("VersionId", _NO_VERSION) != version:
            raise self._improper(operation)
        return answer

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        with self._failures(operation):
            answer: dict[str, Any] = getattr(self._client, operation)(Bucket=self.name, **parameters)
            return answer

    @contextmanager
    def _failures(self, operation: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415 - optional

        try:
            yield
        except ClientError as error:
            # Only the code: the words quote account and role.
            code = str(error.response.get("Error", {}).get("Code", "an unknown error"))[:100]
            if code in _ABSENT | _UNLOCKED:
                raise NotFoundError(f"the bucket {self.name} has no such version") from error
            raise StorageUnavailableError(
                f"the bucket {self.name} refused {operation}: {code}", what_to_do=_WHAT_TO_DO.get(code, _WAIT)
            ) from error
        except NoCredentialsError as error:
            raise StorageUnavailableError(
                f"there are no credentials for the bucket {self.name}",
                what_to_do="give them by the environment, the profile or the machine's role",
            ) from error
        except (BotoCoreError, AttributeError, KeyError, TypeError, ValueError) as error:
            # All but the first are what the SDK's parser stumbles over in an answer that is not S3's.
            raise self._improper(operation, type(error).__name__) from error

    def _improper(
        self, operation: str, why: str = "it is not about what was asked"
    ) -> StorageUnavailableError:
        return StorageUnavailableError(
            f"the bucket {self.name} did not answer {operation} properly: {why}", what_to_do=_WAIT
        )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
