"""Requests that create something, once per ``Idempotency-Key``."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Header
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from evidence_service.api.auth import Principal
from evidence_service.service.parts import Parts
from evidence_service.store.schema import DEFAULT_ORGANISATION

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        description="Repeating a request with the same key creates nothing twice",
    ),
]


def new_id(prefix: str, caller: Principal, key: str | None, *scope: str) -> str:
    """An id; derived from the key when there is one, so that a repetition after a crash finds the first.

    Args:
        scope: tells keys of one kind from those of another.
    """
    if key is None:
        return f"{prefix}-{secrets.token_hex(10)}"
    named: Any = [prefix, caller.actor, key, *scope]
    if caller.organisation != DEFAULT_ORGANISATION:
        # Ids of before there were organisations stay what they are.
        named = {"organisation": caller.organisation, "id": named}
    return f"{prefix}-{hashlib.sha256(json.dumps(named).encode()).hexdigest()[:20]}"


def once(
    parts: Parts,
    caller: Principal,
    key: str | None,
    request: Any,
    status: int,
    perform: Callable[[], BaseModel],
) -> JSONResponse:
    """Answer a creating request, from memory when its key was used before.

    Args:
        request: what identifies the request beside its key; another one under the same key is refused.
    """

    code, body = remembered(parts, caller, key, request, lambda: (status, perform().model_dump(mode="json")))
    return JSONResponse(body, status_code=code)


def remembered(
    parts: Parts,
    caller: Principal,
    key: str | None,
    request: Any,
    perform: Callable[[], tuple[int, dict[str, Any]]],
) -> tuple[int, dict[str, Any]]:
    """Status and body of a creating request; those of the first time when its key was used before."""
    if key is None:
        return perform()
    fingerprint = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).digest()
    # Rows of before are found by both with a space between; where a key has one, they may be another's.
    former = None if " " in key else f"{caller.actor} {key}"
    name = json.dumps([caller.actor, key])
    return parts.certificates.once(name, fingerprint, perform, now=parts.now(), former=former)
