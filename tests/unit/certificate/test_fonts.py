"""Fonts: every character is printed or shown as its code point; nothing hides and nothing stops a certificate."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from evidence_service.certificate.fonts import printable


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("plain ASCII ~", "plain ASCII ~"),
        ("仿制手表", "仿制手表"),
        ("Ärmel", "Ärmel"),
        ("A\u0308rmel", "Ärmel"),
        ("a\u200bb", "a[U+200B]b"),
        ("\u202eabc", "[U+202E]abc"),
        ("\ufeff", "[U+FEFF]"),
        ("\x00\x7f", "[U+0000][U+007F]"),
        ("no\u00a0break\u2007or\u3000wide", "no break or\u3000wide"),
        ("one\ntwo\tthree\r", "one two three "),
        ("\U0001f600", "[U+1F600]"),
        ("\U00020000", "[U+20000]"),
        ("\u2028", "[U+2028]"),
        ("\ud800", "[U+D800]"),
        ("", ""),
    ],
)
def test_a_text_is_printed_or_shown(text: str, printed: str) -> None:
    assert printable(text) == printed


def test_containers_are_gone_through() -> None:
    assert printable({"a\u200b": ["\u200b", 1, None, ("好",)]}) == {
        "a[U+200B]": ["[U+200B]", 1, None, ["好"]]
    }


def test_a_text_without_end_is_cut_and_counted() -> None:
    printed = printable("好" * 2_000)
    assert printed == "好" * 1_500 + " … [+500]"
    assert printable("x" * 1_500) == "x" * 1_500


def test_no_character_at_all_gets_through_that_hides_or_turns_the_text() -> None:
    hidden = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    for start in range(0, sys.maxunicode + 1, 1_500):
        text = "".join(map(chr, range(start, min(start + 1_500, sys.maxunicode + 1))))
        left = [mark for mark in printable(text) if unicodedata.category(mark) in hidden]
        assert left == []
