"""Evidence with files of every kind, sealed and without a certificate, in a real record."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin
from sqlalchemy import Engine

from evidence_service import bootstrap
from evidence_service.config import Settings
from evidence_service.core import manifest
from evidence_service.service.exhibit import build, order_exhibit
from evidence_service.service.parts import Parts
from evidence_service.service.preserve import describe_upload, record_order, register, seal_manifest
from evidence_service.store.exhibits import Exhibit
from evidence_service.store.records import Matter
from tests.running import empty

FIRST, SECOND = "ev-0000000000000001", "ev-0000000000000002"
NAME, PHONE = "张小三丰", "13800138000"
NOW = datetime.fromisoformat("2026-01-02T03:04:05.678Z")


def picture(colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    """A PNG with words in its metadata."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", NAME)
    target = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(target, "PNG", pnginfo=info)
    return target.getvalue()


FILES: Mapping[str, tuple[str, bytes]] = {
    "dom.html": ("text/html", f"<p>Sold by {NAME}, call {PHONE}</p>".encode()),
    "exchanges.har": ("application/json", b'{"text": "\\u5f20\\u5c0f\\u4e09\\u4e30", "tel": 13800138000}'),
    "images/深.png": ("image/png", picture()),
    "note.txt": ("text/plain", b"nothing personal"),
    "page.pdf": ("application/pdf", b"%PDF-1.7 compressed"),
}
ROLES = {"original.warc.gz.age": "original.encrypted", "capture.wacz": "package.wacz"}


@pytest.fixture
def parts(engine: Engine, tmp_path: Path) -> Iterator[Parts]:
    empty(engine)
    found = bootstrap.parts(Settings(data_directory=tmp_path / "data", purpose="demonstration"), engine)
    found = replace(found, now=lambda: NOW)
    found.records.add_matter(Matter("m-1", "REF/1", "Example Brand Ltd", (), NOW))
    yield found


def preserve(
    parts: Parts,
    evidence_id: str = FIRST,
    files: Mapping[str, tuple[str, bytes]] = FILES,
    **described: Any,
) -> None:
    """Evidence with some files, up to its registration for a batch."""
    capture = {**describe_upload(parts, "x", "text/plain", parts.objects.put_bytes(b"x")), **described}
    capture["files"] = [
        manifest.file_record(path, media_type, ROLES.get(path, "file"), parts.objects.put_bytes(data))
        for path, (media_type, data) in files.items()
    ]
    parts.records.add_evidence(
        evidence_id=evidence_id,
        matter_id="m-1",
        kind="upload",
        url=None,
        operator="agent",
        certificate_wanted=False,
        created_at=NOW,
        capture=capture,
    )
    record_order(parts, evidence_id)
    seal_manifest(parts, evidence_id)
    register(parts, evidence_id)


def order(plan: Mapping[str, Any], *evidence: str, exhibit_id: str = "ex-00000001") -> Exhibit:
    """An order of an exhibit without certificate."""
    return Exhibit(
        id=exhibit_id,
        evidence=evidence or (FIRST,),
        operator="agent",
        audience="opponent",
        recipient="Kanzlei Muster & Co <Hamburg>",
        purpose="inspection before the hearing",
        plan={"without_certificate": True, **plan},
        status="ordered",
        waiting_for=None,
        problem=None,
        sha256=None,
        size=None,
        files=None,
        ordered_at=NOW,
    )


def made(parts: Parts, wanted: Exhibit) -> Path:
    """The package of an order, made now."""
    order_exhibit(parts, wanted)
    build(parts, wanted.id)
    found = parts.exhibits.exhibit(wanted.id)
    assert found.status == "made", found.problem
    return parts.objects.path(found.sha256 or b"")
