"""Instants as callers write them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator

_BEGINS = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:")


def _written(value: Any) -> Any:
    if isinstance(value, str) and not _BEGINS.match(value):
        raise ValueError("an instant is written as in 2026-01-02T03:04:05Z")
    return value


Instant = Annotated[AwareDatetime, BeforeValidator(_written)]
"""RFC 3339, section 5.6. Pydantic alone also takes seconds since 1970 written as a text."""
