"""What a file is, by its first bytes and its structure; names and announcements are compared with that."""

from __future__ import annotations

import re
import zipfile
import zlib
from typing import BinaryIO, Final, NamedTuple

from evidence_service.importing.findings import Notes
from evidence_service.verify import archive

_HEAD = 65536
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_EBML = bytes.fromhex("1a45dfa3")
_STILL = {
    "heic": "image/heic",
    "heix": "image/heic",
    "mif1": "image/heif",
    "msf1": "image/heif",
    "avif": "image/avif",
}
_WARC_INSIDE = re.compile(rb"PK\x03\x04.{26}archive/.+\.warc", re.DOTALL)
_FIELD = re.compile(rb"(?im)^([a-z][a-z-]*):[ \t]")
_OF_EMAIL = frozenset(
    b"received return-path delivered-to from to cc date subject message-id mime-version reply-to "
    b"dkim-signature".split()
)
_HAR = re.compile(rb"\s*\{.{0,4000}?\"log\"\s*:\s*\{", re.DOTALL)
_HAR_MEMBERS = (b'"entries"', b'"creator"', b'"pages"', b'"version"')

_BY_NAME: Final = {
    "warc": "warc", "wacz": "wacz", "har": "har", "pdf": "pdf", "eml": "email", "png": "image/png",
    "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp", "tif": "image/tiff",
    "tiff": "image/tiff", "heic": "image/heic", "heif": "image/heif", "avif": "image/avif",
    "mp4": "video", "m4v": "video", "mov": "video", "webm": "video", "mkv": "video", "zip": "application/zip",
}  # fmt: skip
"""Ending of a name → kind or media type it stands for."""
_ALIASES: Final = {
    "image/jpg": "image/jpeg",
    "application/x-pdf": "application/pdf",
    "application/x-zip-compressed": "application/zip",
    "application/gzip": "application/x-gzip",
}
_SAME: Final = {
    "application/warc": {"application/x-gzip", "application/warc+gzip"},
    "application/wacz": {"application/zip", "application/x-wacz", "application/wacz+zip"},
    "application/json": {"application/har+json", "application/x-har+json"},
    "message/rfc822": {"text/plain"},
    "video/mp4": {"video/quicktime", "audio/mp4", "video/x-m4v"},
    "video/quicktime": {"video/mp4"},
    "video/webm": {"video/x-matroska", "audio/webm"},
    "video/x-matroska": {"video/webm"},
    "image/heic": {"image/heif"},
    "image/heif": {"image/heic"},
}
"""Detected → announced that is as good."""
_SILENT = ("", "application/octet-stream", "binary/octet-stream")


class Detected(NamedTuple):
    """Kind of examination, ``unknown`` where there is none, and media type."""

    kind: str
    media_type: str


def detect(file: BinaryIO) -> Detected:
    """Detect a file's type; the position in it is anywhere afterwards."""
    file.seek(0)
    head = file.read(_HEAD)
    for test in (_archive, _picture, _recording, _document):
        if (found := test(head, file)) is not None:
            return found
    if head.startswith(_OLE):
        message = "__substg1.0_".encode("utf-16-le") in head + file.read(1 << 20)
        return Detected("unknown", "application/vnd.ms-outlook" if message else "application/x-ole-storage")
    return Detected("unknown", _text(head))


def compare(detected: Detected, name: str, media_type: str, notes: Notes) -> None:
    """Find where name or announcement say something else."""
    announced = _ALIASES.get(media_type.lower(), media_type.lower())
    same = {detected.media_type, *_SAME.get(detected.media_type, ())}
    if announced not in _SILENT and announced not in same:
        notes.add("type.declared", f"announced as {announced}, and it is {detected.media_type}")
    ending = name.lower().removesuffix(".gz").rpartition(".")[2]
    expected = _BY_NAME.get(ending)
    if expected is None or expected in (
        detected.kind,
        detected.media_type,
        *_SAME.get(detected.media_type, ()),
    ):
        return
    notes.add("type.name", f"the name ends like {expected}, and it is {detected.media_type}")


def _archive(head: bytes, file: BinaryIO) -> Detected | None:
    if head.startswith(b"WARC/"):
        return Detected("warc", "application/warc")
    if head.startswith(b"\x1f\x8b"):
        try:
            begun = zlib.decompressobj(wbits=31).decompress(head, 16)
        except zlib.error:
            begun = b""
        return (
            Detected("warc", "application/warc")
            if begun[:5] == b"WARC/"
            else Detected("unknown", "application/gzip")
        )
    if not head.startswith(b"PK\x03\x04"):
        return None
    try:
        with zipfile.ZipFile(file) as package:
            package_inside = "datapackage.json" in package.namelist()
    except archive.BROKEN:
        # A WACZ that is cut off has no table of contents; its first members tell.
        package_inside = b"datapackage.json" in head or _WARC_INSIDE.search(head) is not None
    return Detected("wacz", "application/wacz") if package_inside else Detected("unknown", "application/zip")


def _picture(head: bytes, _: BinaryIO) -> Detected | None:
    for magic, media_type in (
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
    ):
        if head.startswith(magic):
            return Detected("image", media_type)
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return Detected("image", "image/webp")
    return None


def _recording(head: bytes, _: BinaryIO) -> Detected | None:
    if head.startswith(_EBML):
        return Detected("video", "video/webm" if b"webm" in head[:64] else "video/x-matroska")
    if head[4:8] == b"ftyp":
        brand = head[8:12].decode("latin-1")
        if brand in _STILL:
            return Detected("image", _STILL[brand])
        return Detected("video", {"qt  ": "video/quicktime", "M4A ": "audio/mp4"}.get(brand, "video/mp4"))
    if head[4:8] in (b"moov", b"mdat", b"wide"):
        return Detected("video", "video/quicktime")
    return None


def _document(head: bytes, _: BinaryIO) -> Detected | None:
    if b"%PDF-" in head[:1024]:
        return Detected("pdf", "application/pdf")
    bare = head.removeprefix(b"\xef\xbb\xbf")
    if _HAR.match(bare) and any(member in bare for member in _HAR_MEMBERS):
        return Detected("har", "application/json")
    fields = re.split(rb"\r?\n\r?\n", bare, maxsplit=1)[0]
    names = {name.lower() for name in _FIELD.findall(fields)}
    if re.match(rb"(?i)(From |[a-z][a-z-]*:[ \t])", bare) and len(names & _OF_EMAIL) >= 3:
        if b"snapshot-content-location" in names:
            return Detected("unknown", "multipart/related")
        return Detected("email", "message/rfc822")
    return None


def _text(head: bytes) -> str:
    if not head or b"\0" in head:
        return "application/octet-stream"
    try:
        # The last character may be cut.
        text = head[: max(len(head) - 4, 1)].decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 8:
            return "application/octet-stream"
        text = head[: error.start].decode("utf-8")
    begun = text.lstrip("\ufeff \r\n\t").lower()
    if begun.startswith(("<!doctype html", "<html")):
        return "text/html"
    return "application/json" if begun.startswith(("{", "[")) else "text/plain"
