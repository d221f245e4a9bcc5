"""What was in an area of a picture is gone from the file, and so is everything that is no pixel."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from evidence_service.errors import RefusedError
from evidence_service.exhibit import pictures
from evidence_service.exhibit.content import kind_of
from evidence_service.exhibit.pictures import mask_areas
from evidence_service.exhibit.plan import Area


def png(picture: Image.Image, **options: Any) -> bytes:
    target = io.BytesIO()
    picture.save(target, "PNG", **options)
    return target.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "I;16"])
def test_the_pixels_of_an_area_are_other_pixels(mode: str) -> None:
    picture = Image.linear_gradient("L").convert("RGB").resize((20, 20)) if mode in ("P",) else None
    picture = Image.new(mode, (20, 20), 1) if picture is None else picture.convert("P")
    data = mask_areas(io.BytesIO(png(picture)), [Area(5, 6, 7, 8)], "a.png")
    found = Image.open(io.BytesIO(data))
    assert found.size == (20, 20)
    shown = found.convert("RGB")
    inside = {shown.getpixel((x, y)) for x in range(5, 12) for y in range(6, 14)}
    assert inside == {(0, 0, 0)}
    expected = Image.open(io.BytesIO(png(picture))).convert(found.mode)
    assert found.getpixel((4, 6)) == expected.getpixel((4, 6))
    assert found.getpixel((12, 13)) == expected.getpixel((12, 13))


def test_metadata_is_dropped_and_the_same_input_gives_the_same_bytes() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "Jane Doe")
    info.add_itxt("XML:com.adobe.xmp", "Jane Doe", zip=True)
    exif = Image.Exif()
    exif[0x013B] = "Jane Doe"
    source = png(Image.new("RGB", (9, 9)), pnginfo=info, exif=exif, dpi=(72, 72), icc_profile=b"profile")
    first, second = (mask_areas(io.BytesIO(source), [Area(0, 0, 1, 1)], "a.png") for _ in range(2))
    assert first == second
    chunks = [first[at + 4 : at + 8] for at in _chunks(first)]
    assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}


def _chunks(data: bytes) -> list[int]:
    found, at = [], 8
    while at < len(data):
        found.append(at)
        at += 12 + int.from_bytes(data[at : at + 4])
    return found


@pytest.mark.parametrize(
    ("data", "area", "words"),
    [
        (b"\x89PNG\r\n\x1a\n broken", Area(0, 0, 1, 1), "cannot be opened"),
        (png(Image.new("RGB", (9, 9)))[:45], Area(0, 0, 1, 1), "cannot be opened"),
        (png(Image.new("RGB", (9, 9))), Area(8, 8, 2, 1), "not inside the picture of 9 by 9"),
        (png(Image.new("RGB", (9, 9)), save_all=True, append_images=[Image.new("RGB", (9, 9), 5)]), Area(0, 0, 1, 1), "animation"),
    ],
)  # fmt: skip
def test_what_cannot_be_masked_is_refused(data: bytes, area: Area, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        mask_areas(io.BytesIO(data), [area], "a.png")


def test_a_picture_of_too_many_pixels_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_PIXELS", 80)
    with pytest.raises(RefusedError, match="more than 80 pixels"):
        mask_areas(io.BytesIO(png(Image.new("RGB", (9, 9)))), [Area(0, 0, 1, 1)], "a.png")


@pytest.mark.parametrize(
    ("media_type", "head", "kind"),
    [
        ("text/html; charset=utf-8", b"<html>", "text"),
        ("application/har+json", b"{", "text"),
        ("image/svg+xml", b"<svg", "text"),
        ("multipart/related", b"From:", "text"),
        ("application/x-pem-file", b"-----", "certificates"),
        ("image/png", b"\x89PNG\r\n\x1a\n", "picture"),
        ("text/plain", b"\x89PNG\r\n\x1a\n", "picture"),
        ("image/jpeg", b"\xff\xd8\xff", "picture"),
        ("text/html", b"\x1f\x8b\x08", "container"),
        ("text/plain", b"PK\x03\x04", "container"),
        ("application/wacz", b"PK\x03\x04", "container"),
        ("application/pdf", b"%PDF-1.7", "container"),
        ("video/mp4", b"\0\0\0\x18ftyp", "container"),
        ("application/octet-stream", b"", "container"),
    ],
)  # fmt: skip
def test_a_file_is_treated_as_what_it_is(media_type: str, head: bytes, kind: str) -> None:
    assert kind_of(media_type, head, 10) == kind


def test_a_text_too_large_to_be_masked_is_kept_whole_or_withheld() -> None:
    assert kind_of("text/html", b"<html>", 64 * 1024 * 1024 + 1) == "container"
