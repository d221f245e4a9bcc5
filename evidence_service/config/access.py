"""Settings of who may use the API."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, field_validator

from evidence_service.service.permissions import ROLES


def _network(written: str) -> str:
    try:
        network = ipaddress.ip_network(written)
    except ValueError:
        raise ValueError(f"{written[:60]} is neither an address nor a network (ADDRESS/BITS)") from None
    if network.prefixlen == 0:
        raise ValueError("whoever is trusted says where a request comes from: name the proxy, not everybody")
    return written


Proxy = Annotated[str, AfterValidator(_network)]
"""Address or network of a proxy, in the form the HTTP server compares with."""


class KeySettings(BaseModel):
    """An API key, known by its hash."""

    actor: str = Field(description="Name written into custody logs")
    sha256: str = Field(description="SHA-256 of the key, hexadecimal", pattern=r"^[0-9a-f]{64}$")
    organisation: str = Field(default="o-default", description="Id of the organisation it works for")
    roles: list[str] = Field(
        default_factory=lambda: list(ROLES),
        description="What it may do; when not given, everything, the installation's own affairs included",
    )

    @field_validator("actor")
    @classmethod
    def _nobody_else(cls, actor: str) -> str:
        if actor == "evidence-service":
            raise ValueError("custody logs call the service itself so; give the key another name")
        return actor

    @field_validator("roles")
    @classmethod
    def _known(cls, roles: list[str]) -> list[str]:
        unknown = [role for role in roles if role not in ROLES]
        if unknown:
            raise ValueError(f"there is no role {unknown[0]}; there are {', '.join(sorted(ROLES))}")
        return roles


class ProviderSettings(BaseModel):
    """An OpenID provider whose tokens are taken beside API keys."""

    issuer: str = Field(
        pattern=r"^(https://|http://(127\.0\.0\.1|\[::1\]|localhost)[:/])\S+$",
        description="Its address, exactly as its tokens name it (`iss`)",
    )
    audience: str = Field(min_length=1, description="What its tokens for this service name (`aud`)")
    jwks_url: str | None = Field(default=None, description="Of its keys; null: found by discovery")
    algorithms: list[Literal["RS256", "PS256", "ES256", "ES384", "EdDSA"]] = Field(
        default=["RS256", "ES256", "EdDSA"], min_length=1, description="That its tokens may be signed with"
    )
    authorised_parties: list[str] = Field(
        default_factory=list,
        description="Clients (`azp`, `client_id`) its tokens may be made for; empty: any",
    )


class RateLimitSettings(BaseModel):
    """How often the API may be asked; each process counts by itself."""

    requests_per_second: float = Field(
        default=200, gt=0, description="Of each key's or token's holder, in the long run"
    )
    burst: int = Field(default=2000, ge=1, description="Of each holder, at once")
    public_requests_per_second: float = Field(
        default=20, gt=0, description="Of each address on routes that need no key (an IPv6 /64 is one)"
    )
    public_burst: int = Field(default=200, ge=1, description="Of each address, at once")
    failures_per_minute: float = Field(
        default=12,
        gt=0,
        description="Failed authentications of each address before its keys are not looked at",
    )
    failures_burst: int = Field(default=20, ge=1, description="Of them at once")
