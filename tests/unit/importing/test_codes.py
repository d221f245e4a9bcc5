"""Every code is given by some file, told in the manual, and nothing but findings comes of any bytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_service.importing.codes import CODES
from evidence_service.importing.findings import Examination, Notes, clean
from tests.unit.importing import (
    archives,
    test_detection,
    test_email,
    test_har,
    test_images,
    test_pdf,
    test_video,
    test_wacz,
    test_warc,
)
from tests.unit.importing.examined import examined

ELSEWHERE = {"empty", "not_examined", "type.declared", "type.name", "unfinished", "limit"}
"""Tested in test_detection and test_confined."""
MODULES = (test_email, test_har, test_images, test_pdf, test_video, test_wacz, test_warc)
MANUAL = Path(__file__).parents[3] / "docs" / "how-to" / "import-evidence.md"


def test_every_code_has_a_file_that_gives_it() -> None:
    assert set().union(*(module.CASES for module in MODULES)) | ELSEWHERE == set(CODES)


def test_every_code_is_in_the_manual() -> None:
    text = MANUAL.read_text()
    assert [code for code in CODES if f"`{code}`" not in text] == []


@pytest.mark.parametrize("code", sorted(set(test_warc.CASES)))
def test_an_examination_survives_json(code: str) -> None:
    found = examined(test_warc.CASES[code]())
    assert Examination.from_json(json.loads(json.dumps(found.to_json()))) == found


@given(st.text())
def test_words_are_clean(text: str) -> None:
    words = clean(text)
    assert len(words) <= 400
    assert words.isprintable()
    words.encode()


def test_lone_surrogates_are_shown() -> None:
    assert clean("a\ud800b\x00c") == "a\\ud800b\\x00c"


def test_facts_are_bounded() -> None:
    notes = Notes()
    for number in range(1000):
        notes.fact(f"name {number}", number)
    assert len(notes.facts()) == 60


SEEDS = [
    *test_detection.GENUINE.values(),
    test_video.webm(),
    test_images.made("JPEG"),
    archives.wacz(test_wacz.zipnum()),
]


@settings(max_examples=150)
@given(st.sampled_from(SEEDS), st.data())
def test_arbitrary_bytes_give_findings_only(seed: bytes, data: st.DataObject) -> None:
    changed = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(changed)))
    found = examined(bytes(changed[:end]))
    assert found.kind in ("warc", "wacz", "har", "pdf", "email", "image", "video", "unknown")
    assert {item.code for item in found.findings} <= set(CODES)


@given(st.binary(max_size=300))
def test_any_bytes_give_findings_only(data: bytes) -> None:
    assert {item.code for item in examined(data).findings} <= set(CODES)
