"""Pictures: whole or not, what they say of themselves, and what hangs on behind."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from evidence_service.importing import images
from tests.unit.importing.examined import codes, examined, wrong


def made(kind: str = "PNG", **options: Any) -> bytes:
    sink = io.BytesIO()
    picture = Image.effect_noise((64, 48), 60).convert("RGB")
    picture.save(sink, kind, **options)
    return sink.getvalue()


def with_exif(software: str = "") -> bytes:
    exif = Image.Exif()
    exif[271], exif[272] = "Maker", "Model"
    exif.get_ifd(0x8769)[0x9003] = "2026:11:24 08:30:00"
    exif.get_ifd(0x8825)[1] = "N"
    if software:
        exif[305] = software
    return made("JPEG", exif=exif)


def moving() -> bytes:
    frames = [Image.new("RGB", (8, 8), (n, 0, 0)) for n in (10, 200, 90)]
    sink = io.BytesIO()
    frames[0].save(sink, "GIF", save_all=True, append_images=frames[1:])
    return sink.getvalue()


def edited_png() -> bytes:
    note = PngImagePlugin.PngInfo()
    note.add_text("Software", "GIMP 3.0")
    return made(pnginfo=note)


KINDS = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
}
CASES: dict[str, Callable[[], bytes]] = {
    "image.damaged": lambda: made()[:-40],
    "image.edited": lambda: with_exif("Adobe Photoshop 27.0"),
    "image.location": with_exif,
    "image.no_time": made,
    "trailing": lambda: made() + b"hidden",
}


@pytest.mark.parametrize("code", CASES)
def test_a_defect_is_named(code: str) -> None:
    assert code in codes(CASES[code]())


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_wrong_with_what_is_genuine(kind: str) -> None:
    found = examined(made(kind))
    assert (found.kind, found.media_type, wrong(made(kind))) == ("image", KINDS[kind], set())
    assert found.facts["dimensions"] == "64 x 48"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_what_hangs_on_behind_is_found(kind: str) -> None:
    assert wrong(made(kind) + b"PK\x03\x04 hidden") == {"trailing"}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_picture_cut_in_half_is_found(kind: str) -> None:
    data = made(kind)
    assert "image.damaged" in wrong(data[: len(data) // 2])


def test_what_a_camera_writes() -> None:
    facts = examined(with_exif()).facts
    assert (facts["made"], facts["camera"]) == ("2026:11:24 08:30:00", "Maker Model")


def test_what_an_editor_writes_into_a_png() -> None:
    assert "image.edited" in codes(edited_png())
    assert examined(edited_png()).facts["software"] == "GIMP 3.0"


def test_every_frame_is_decoded() -> None:
    assert (examined(moving()).facts["frames"], wrong(moving())) == (3, set())


def test_a_flood_of_pixels_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "PIXEL_LIMIT", 1000)
    assert wrong(made()) == {"limit"}
    monkeypatch.setattr(images, "PIXEL_LIMIT", 64)
    monkeypatch.setattr(images, "ALL_PIXELS", 100)
    assert wrong(moving()) == {"limit"}
    monkeypatch.setattr(images, "SIZE_LIMIT", 10)
    assert wrong(made()) == {"limit"}
