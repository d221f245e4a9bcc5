"""Settings of the commands that talk to a running service."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ClientSettings(BaseSettings):
    """What the commands that talk to a running service need."""

    model_config = SettingsConfigDict(env_prefix="EVIDENCE_")

    api_url: str = Field(default="http://127.0.0.1:8080", description="Address of the API")
    api_key: str = Field(default="", description="Key for the API")
