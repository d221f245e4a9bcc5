"""Boxes on the full-page picture for facts that an element shows (``scripts/locate.js`` measures them)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evidence_service.capture.listing.fact import Box, Fact, fold

_LARGEST = 1_000_000.0


def selectors_of(facts: Mapping[str, Fact]) -> list[str]:
    """Selectors to measure, each once; the argument of ``scripts/locate.js``."""
    return sorted({fact.selector for fact in facts.values() if fact.selector})


def place(facts: Mapping[str, Fact], boxes: Mapping[str, Any]) -> dict[str, Fact]:
    """Facts with the boxes of their elements.

    Args:
        boxes: what ``locate.js`` returned: selector → ``{"box": [left, top, width, height], "text": …}``, or
            null. It comes from the page's own world: a box is taken only if it is one, and only for a fact
            whose value is in the text that the browser found there.
    """
    return {name: replace(fact, box=_box(fact, boxes.get(fact.selector))) for name, fact in facts.items()}


def _box(fact: Fact, found: Any) -> Box | None:
    if not fact.selector or not isinstance(found, dict):
        return None
    sides, text = found.get("box"), found.get("text")
    if not isinstance(sides, list) or len(sides) != 4 or not isinstance(text, str):
        return None
    if not all(isinstance(side, int | float) and -_LARGEST < side < _LARGEST for side in sides):
        return None
    if _squeezed(text) not in _squeezed(fact.value) and _squeezed(fact.value) not in _squeezed(text):
        return None
    return (float(sides[0]), float(sides[1]), float(sides[2]), float(sides[3]))


def _squeezed(text: str) -> str:
    return fold(text).replace(" ", "")
