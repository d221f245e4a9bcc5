"""What the project's scripts answer, held against the form it has to have before anything is done with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from evidence_service.capture.steps.worlds import ScriptFailedError

Kind = Callable[[Any], Any]
_MOST = 2**31
_MAX_TEXTS = 50


def members(answer: Any, kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """The members of an answer, each as its kind takes it; others are left out.

    Raises:
        ScriptFailedError: one is missing or is not of its kind.
    """
    if not isinstance(answer, dict):
        raise ScriptFailedError("its script gave no object")
    found = {}
    for name, kind in kinds.items():
        try:
            found[name] = kind(answer.get(name))
        except (TypeError, ValueError) as error:
            raise ScriptFailedError(f"its script gave no sound {name}") from error
    return found


def pixels(value: Any) -> int:
    """A size or a count: a finite number from 0 on, rounded down."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    if not math.isfinite(value) or not 0 <= value <= _MOST:
        raise ValueError
    return int(value)


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise TypeError
    return value


def flag(value: Any) -> bool:
    """A yes or no."""
    if not isinstance(value, bool):
        raise TypeError
    return value


def texts(value: Any) -> list[str]:
    """A list of texts, the first fifty."""
    if not isinstance(value, list):
        raise TypeError
    return [text(item) for item in value[:_MAX_TEXTS]]
