"""Settings of captures."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

AGE_RECIPIENT = r"^age1[02-9ac-hj-np-z]{58}$"
"""An X25519 recipient of age: Bech32 of 32 bytes."""


class CaptureLimitSettings(BaseModel):
    """Where a capture stops; a limit that fired is named in the record."""

    model_config = ConfigDict(extra="forbid")

    seconds: float = Field(default=90.0, ge=5, le=3600, description="For the whole visit of a page")
    body_bytes: int = Field(default=50 * 1024**2, ge=1024, description="Most bytes of one response")
    total_bytes: int = Field(default=200 * 1024**2, ge=1024, description="Most bytes of all responses")
    exchanges: int = Field(default=300, ge=1, description="Most requests of one page")
    height: int = Field(
        default=30_000, ge=1000, le=100_000, description="Most CSS pixels of a page's picture"
    )
