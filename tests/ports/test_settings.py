"""The settings ``objects``: what belongs together, and what is built from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from evidence_service import bootstrap
from evidence_service.config import ObjectSettings, Settings
from evidence_service.errors import ConfigurationError
from evidence_service.store.objects import LocalObjects
from evidence_service.store.s3 import S3Objects
from tests.ports import servers

LOCKED = {"kind": "s3", "bucket": "evidence", "retention_days": 3650}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "s3"}, "needs a bucket"),
        ({"kind": "s3", "bucket": "evidence"}, "compliance and retention_days belong together"),
        (LOCKED | {"compliance": False}, "compliance and retention_days belong together"),
        ({"bucket": "evidence"}, "belong to the kind s3"),
        ({"retention_days": 1}, "belong to the kind s3"),
        (LOCKED | {"retention_days": 0}, "greater than or equal to 1"),
        (LOCKED | {"retention_days": 36_501}, "less than or equal to 36500"),
        (LOCKED | {"bucket": "a/b"}, "match pattern"),
        (LOCKED | {"endpoint_url": "http://storage.example"}, "match pattern"),
        (LOCKED | {"endpoint_url": "https://key:secret@storage.example"}, "match pattern"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ObjectSettings.model_validate(settings)


def test_without_settings_objects_are_in_the_data_directory(tmp_path: Path) -> None:
    objects = bootstrap.objects(Settings(data_directory=tmp_path))
    assert isinstance(objects, LocalObjects)
    stored = objects.put_bytes(b"content")
    assert objects.path(stored.sha256).is_relative_to(tmp_path / "objects")


def test_a_bucket_is_used_only_when_it_locks(
    endpoint: str, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in servers.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    settings = Settings(
        data_directory=tmp_path,
        objects=ObjectSettings.model_validate(
            LOCKED | {"bucket": "settings", "endpoint_url": endpoint, "prefix": "evidence/"}
        ),
    )
    client.create_bucket(Bucket="settings")
    with pytest.raises(ConfigurationError, match="has no Object Lock"):
        bootstrap.objects(settings)
    client.delete_bucket(Bucket="settings")
    client.create_bucket(Bucket="settings", ObjectLockEnabledForBucket=True)
    objects = bootstrap.objects(settings)
    assert isinstance(objects, S3Objects)
    assert objects.inspect() == "bucket settings, writable; Object Lock in compliance mode for 3650 days"
    stored = objects.put_bytes(b"content")
    client.head_object(Bucket="settings", Key=f"evidence/{stored.sha256.hex()}")
