"""The content says what a file is; its name and its announcement are only compared with that."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from tests.unit.importing import archives, test_email, test_har, test_images, test_pdf, test_video
from tests.unit.importing.examined import examined

GENUINE = {
    "warc": archives.warc(),
    "wacz": archives.wacz(),
    "har": test_har.made(),
    "pdf": test_pdf.made(),
    "email": test_email.made(),
    "image": test_images.made(),
    "video": test_video.mp4(),
}


def zipped() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as target:
        target.writestr("a.txt", b"a")
    return sink.getvalue()


@pytest.mark.parametrize("kind", GENUINE)
@pytest.mark.parametrize(("name", "media_type"), [("", ""), ("x", "application/octet-stream")])
def test_the_kind_is_found_without_a_name(kind: str, name: str, media_type: str) -> None:
    found = examined(GENUINE[kind], name, media_type)
    assert found.kind == kind
    assert {item.code for item in found.findings} & {"type.name", "type.declared", "not_examined"} == set()


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"text", "text/plain"),
        (b"{}", "application/json"),
        (b"\x00\x01", "application/octet-stream"),
        (b"\xff\xfe\xfd" * 9, "application/octet-stream"),
        ("价格".encode() * 30_000, "text/plain"),
        (b"<!DOCTYPE html><p>", "text/html"),
        (gzip.compress(b"text", mtime=0), "application/gzip"),
        (b"\x1f\x8b\x08\x07" + bytes(9), "application/gzip"),
        (zipped(), "application/zip"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), "application/x-ole-storage"),
        (
            bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600) + "__substg1.0_".encode("utf-16-le"),
            "application/vnd.ms-outlook",
        ),
        (
            test_email.made(more="Snapshot-Content-Location: https://shop.example/\r\n"),
            "multipart/related",
        ),
    ],
)
def test_anything_else_is_not_examined_and_said_so(data: bytes, media_type: str) -> None:
    found = examined(data)
    assert (found.kind, found.media_type) == ("unknown", media_type)
    assert [item.code for item in found.findings] == ["not_examined"]
    assert found.summary == f"not examined ({media_type})"


@pytest.mark.parametrize(
    ("name", "media_type", "codes"),
    [
        ("a.warc.gz", "application/gzip", set()),
        ("a.warc", "application/warc", set()),
        ("a.pdf", "", {"type.name"}),
        ("a.unknown", "", set()),
        ("a.pdf", "application/pdf", {"type.name", "type.declared"}),
        ("a.gz", "image/png", {"type.declared"}),
    ],
)
def test_names_and_announcements_are_compared(name: str, media_type: str, codes: set[str]) -> None:
    assert {item.code for item in examined(archives.warc(), name, media_type).findings} == codes


@pytest.mark.parametrize(
    ("kind", "name", "media_type"),
    [
        ("wacz", "a.wacz", "application/zip"),
        ("har", "a.har", "application/json"),
        ("email", "a.eml", "message/rfc822"),
        ("image", "a.png", "image/png"),
        ("video", "a.mov", "video/quicktime"),
        ("pdf", "a.pdf", "application/pdf"),
    ],
)
def test_usual_names_fit(kind: str, name: str, media_type: str) -> None:
    codes = {item.code for item in examined(GENUINE[kind], name, media_type).findings}
    assert codes & {"type.name", "type.declared"} == set()


def test_a_file_without_bytes_is_found_empty() -> None:
    found = examined(b"", "page.pdf")
    assert [(item.code, item.severity) for item in found.findings] == [("empty", "error")]
