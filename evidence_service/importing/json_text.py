"""JSON of others: any spacing and numbers, but not nested without end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from evidence_service.core.canonical import check_nesting
from evidence_service.errors import EvidenceError

_MAX_DEPTH = 200
"""Browsers nest the asynchronous callers of a script, some tens of them."""

Pairs = Callable[[list[tuple[str, Any]]], dict[str, Any]]


def parse(data: bytes, pairs: Pairs | None = None) -> Any:
    """The value of a JSON text in UTF-8, with or without a byte order mark.

    Args:
        pairs: makes an object of its members, in their order.

    Raises:
        ValueError: it is none; the message says why.
    """
    try:
        check_nesting(data, what="text", maximum=_MAX_DEPTH)
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=pairs)
    except EvidenceError as error:
        raise ValueError(error.message) from error
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
