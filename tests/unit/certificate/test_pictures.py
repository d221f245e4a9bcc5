"""Pictures: every row of pixels is printed once, in its order, as far as there is room."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from evidence_service.certificate.pictures import plates
from evidence_service.certificate.recorded import Screenshot
from tests.unit.certificate.certified import png


def shot(width: int, height: int, path: str = "a.png") -> Screenshot:
    return Screenshot("screenshot.full", png(width, height), path)


@pytest.mark.parametrize("height", [1, 99, 130, 131, 1_000])
def test_the_parts_of_a_picture_are_the_picture(height: int) -> None:
    found = plates([shot(100, height)])
    assert [part["top"] for part in found.shown] == list(range(0, height, 130))
    assert [part["bottom"] for part in found.shown][-1] == height
    for part in found.shown:
        made = Image.open(io.BytesIO(found.files[part["path"].removeprefix("/")]))
        assert made.size == (100, part["bottom"] - part["top"])
    assert found.left == []


def test_what_there_is_no_room_for_is_named() -> None:
    found = plates([shot(100, 130 * 30), shot(100, 130 * 30, "b.png"), shot(100, 130, "c.png")])
    assert len(found.shown) == 40
    assert found.left == [
        {"picture": "a.png", "from": 24 * 130, "height": 30 * 130},
        {"picture": "b.png", "from": 16 * 130, "height": 30 * 130},
        {"picture": "c.png", "from": 0, "height": 130},
    ]


def test_a_phones_picture_is_as_wide_as_half_the_page() -> None:
    assert [plates([shot(width, 100)]).shown[0]["share"] for width in (390, 899, 900, 1280)] == [
        0.5,
        0.5,
        1,
        1,
    ]


def test_the_same_picture_is_cut_once() -> None:
    first, second = plates([shot(100, 500)]), plates([shot(100, 500)])
    for name, data in first.files.items():
        assert second.files[name] is data


def test_a_picture_larger_than_any_screen_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    found = plates([shot(101, 61)])
    assert (found.broken, found.shown) == (["a.png"], [])
