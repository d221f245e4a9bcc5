"""Signatures of webhooks as the Standard Webhooks specification has them (version 1, symmetric)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime

_SECRET_SIZE = 32
"""Bytes; the specification asks for 24 to 64."""


def new_secret(random_bytes: Callable[[int], bytes]) -> bytes:
    """A secret."""
    return random_bytes(_SECRET_SIZE)


def shown(secret: bytes) -> str:
    """A secret as receivers configure it."""
    return f"whsec_{base64.b64encode(secret).decode()}"


def message_id(webhook_id: str, position: int) -> str:
    """Id of the message that tells a webhook of an event."""
    return f"{webhook_id}-{position}"


def headers(message: str, at: datetime, body: bytes, secrets: Sequence[bytes]) -> dict[str, str]:
    """The three headers of a request.

    Args:
        message: its id, the same whenever it is sent again; no full stop in it.
        at: when this attempt is made.
        secrets: each signs, which is how one takes the place of another without a pause.
    """
    timestamp = str(int(at.timestamp()))
    signed = f"{message}.{timestamp}.".encode() + body
    signatures = (
        base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode() for secret in secrets
    )
    return {
        "webhook-id": message,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{item}" for item in signatures),
    }
