"""One fact about a listing, and where it was read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

MAX_VALUE = 4_000
_MAX_WORDS = 400

# Unicode's explicit directional controls (UAX 9, section 2): they make a text look like another one.
_BIDI = dict.fromkeys(
    map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"), ""
)

Box = tuple[float, float, float, float]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Source:
    """A response the page was made from.

    Attributes:
        record: its WARC-Record-ID.
        media_type: the value of its Content-Type header, parameters included.
        payload: its body without content and transfer codings.
    """

    record: str
    media_type: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Fact:
    """A value and its place.

    Attributes:
        value: as the page has it, white space folded; at most 4,000 characters.
        method: ``json-ld``, ``microdata``, ``opengraph``, ``state``, ``selector``, ``element``, ``url``, or
            ``comparison`` for what follows from the other facts.
        where: the place in words.
        selector: CSS selector; the element is the first in document order that has such a value. Empty
            when no element of the rendered page was met.
        box: left, top, width, height in CSS pixels on the full-page picture.
        record: WARC-Record-ID of the response; empty when it was read from the rendered page alone.
        span: first and one past the last byte in that record's payload, codings removed: the value itself or
            its escaped form (JSON string, HTML text).
        disagreements: what other places say that cannot both be true.
    """

    value: str
    method: str
    where: str
    selector: str = ""
    box: Box | None = None
    record: str = ""
    span: Span | None = None
    disagreements: tuple[Fact, ...] = ()

    @property
    def read_from(self) -> str:
        """The place in at most 400 characters, for the manifest."""
        words = self.where
        if self.record and self.span:
            words += f"; bytes {self.span[0]}–{self.span[1]} of {self.record}"
        if self.box:
            left, top, width, height = self.box
            words += f"; at {left:.0f},{top:.0f}, {width:.0f} by {height:.0f} pixels"
        if self.disagreements:
            words += "; other places disagree, see conflicts"
        if has_bidi_controls(self.value):
            words += "; the text holds direction controls"
        return words[:_MAX_WORDS]

    def to_json(self) -> dict[str, Any]:
        """Members by name, as ``listing.json`` has them."""
        members: dict[str, Any] = {
            "value": self.value,
            "method": self.method,
            "where": self.where,
            "read_from": self.read_from,
            "selector": self.selector,
            "box": None if self.box is None else list(self.box),
            "record": self.record,
            "span": None if self.span is None else list(self.span),
            "bidi_controls": has_bidi_controls(self.value),
        }
        if self.disagreements:
            members["disagreements"] = [item.to_json() for item in self.disagreements]
        return members

    def seen_at(self, other: Fact) -> Fact:
        """This fact with the place in the record, or on the page, that another reading of it adds."""
        found = self
        if other.span and not found.span:
            found = replace(found, record=other.record, span=other.span)
        if other.selector and not found.selector:
            found = replace(found, selector=other.selector, where=f"{found.where}; shown at {other.selector}")
        return found


def fold(text: str) -> str:
    """White space folded to single spaces, unpaired surrogates replaced, bounded."""
    return " ".join(text.encode("utf-8", "replace").decode().split())[:MAX_VALUE].strip()


def has_bidi_controls(text: str) -> bool:
    """Whether a text holds characters that change the direction it is shown in."""
    return text.translate(_BIDI) != text


def without_bidi_controls(text: str) -> str:
    """The text as it is compared; the fact itself keeps them."""
    return text.translate(_BIDI)
