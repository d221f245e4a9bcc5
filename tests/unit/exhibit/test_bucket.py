"""The same use cases with the objects in a bucket: nothing knows where they lie."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evidence_service.service.audit import audit, audit_exhibits
from evidence_service.service.examine import examine_upload
from evidence_service.service.exhibit import build, order_exhibit
from evidence_service.service.parts import Parts
from evidence_service.service.preserve import describe_upload
from tests.ports.conftest import World, client, endpoint, s3  # noqa: F401 - fixtures
from tests.unit.exhibit.conftest import FILES, FIRST, NOW, SECOND, order, preserve
from tests.unit.exhibit.test_service import contents, failing


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary files go."""
    found = tmp_path / "scratch"
    found.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(found))
    yield found


def test_evidence_is_examined_audited_and_handed_over(
    parts: Parts,
    s3: World,  # noqa: F811
    scratch: Path,
    tmp_path: Path,
) -> None:
    parts = replace(parts, objects=s3.objects)
    preserve(parts)
    parts.records.add_evidence(
        evidence_id=SECOND,
        matter_id="m-1",
        kind="upload",
        url=None,
        operator="agent",
        certificate_wanted=False,
        created_at=NOW,
        capture=describe_upload(parts, "note.txt", "text/plain", parts.objects.put_bytes(b"uploaded")),
    )
    assert "examination" in (examine_upload(parts, parts.records.evidence(SECOND)).capture or {})["tool"]

    order_exhibit(parts, order({}))
    build(parts, "ex-00000001")
    made = parts.exhibits.exhibit("ex-00000001")
    assert made.status == "made", made.problem
    package = tmp_path / "exhibit.zip"
    package.write_bytes(parts.objects.read(made.sha256 or b""))
    assert not failing(package)
    found = contents(package)
    for path, (_, data) in FILES.items():
        assert found[f"evidence/{FIRST}/files/{path}"] == data

    # Other bytes under a key of the evidence are noticed by nobody: they are not the evidence.
    key = f"objects/{(made.sha256 or b'').hex()}"
    s3.client.put_object(Bucket=s3.bucket, Key=key, Body=b"forged")
    assert not [item for item in (*audit(parts), *audit_exhibits(parts)) if item.problems]
    s3.damage(made.sha256 or b"")
    [damaged] = [item for item in audit_exhibits(parts) if item.problems]
    assert "was changed in the bucket" in damaged.problems[0]
    assert list(scratch.iterdir()) == []
