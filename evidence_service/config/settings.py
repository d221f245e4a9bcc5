"""All settings of the service, in one object."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    JsonConfigSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from evidence_service.config.access import KeySettings, ProviderSettings, Proxy, RateLimitSettings
from evidence_service.config.capture import AGE_RECIPIENT, CaptureLimitSettings
from evidence_service.config.chains import ChainSettings
from evidence_service.config.objects import ObjectSettings
from evidence_service.config.seal import SealSettings
from evidence_service.errors import ConfigurationError


class AuthoritySettings(BaseModel):
    """A time-stamping authority."""

    name: str = Field(description="Name as in the trust file")
    url: str = Field(description="Address that takes RFC 3161 requests by HTTP POST")
    root: Path = Field(description="File with the root certificate its tokens have to lead to (DER)")


class CalendarSettings(BaseModel):
    """An OpenTimestamps calendar."""

    url: str = Field(description="Address that takes digests, e.g. of a pool of calendars")
    named: list[str] = Field(
        default_factory=list,
        description="Further addresses it may name for the rest of a proof: the members of the pool",
    )


class IssuerSettings(BaseModel):
    """The issuer as printed on certificates."""

    name: str = Field(default="not stated", description="Name of the issuing organisation")
    registration: str = Field(default="not stated", description="Register and number")
    independence: str = Field(default="not stated", description="Statement about independence and conflicts")
    filings: str = Field(default="none", description="Filings and certifications with authorities")


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix="EVIDENCE_", env_nested_delimiter="__", extra="forbid", hide_input_in_errors=True
    )

    data_directory: Path = Field(
        default=Path("evidence-data"), description="Objects, embedded database, scratch"
    )
    database_url: str = Field(default="", description="PostgreSQL; empty starts the embedded one")
    objects: ObjectSettings = Field(
        default_factory=ObjectSettings, description="Where evidence and certificates are kept"
    )
    purpose: Literal["evidence", "demonstration"] = Field(
        default="evidence",
        description="Written into every manifest; a demonstration can never become evidence",
    )
    chromium: str = Field(default="", description="The browser's program; empty looks for Chromium")
    locale: str = Field(default="en-US", description="Locale the browser tells pages")
    timezone: str = Field(default="UTC", description="Time zone the browser tells pages")
    egress_exceptions: list[str] = Field(
        default_factory=list, description="host:port pairs captures may reach although they are not public"
    )
    egress_denied: list[str] = Field(
        default_factory=list,
        description="Networks (`ADDRESS/BITS`) that are not to be reached although they are public: your own",
    )
    nameservers: list[str] = Field(
        default_factory=list,
        description="Who is asked for addresses, `ADDRESS[:PORT]`; empty: the machine's own resolver",
    )
    second_nameserver: str = Field(
        default="",
        description="Nameserver (`ADDRESS[:PORT]`) whose answers are compared with those captures use; "
        "empty: the environment's point 5 is unavailable",
    )
    control_url: str = Field(
        default="",
        pattern=r"^$|^https?://",
        description="A page that is known to be there, fetched before and after each capture; empty: none",
    )
    second_fetch: bool = Field(
        default=True,
        description="Whether each listing is fetched once more, beside the browser and without it",
    )
    captures_at_once: int = Field(
        default=1, ge=1, le=64, description="Browsers at once in one worker; the same for all workers"
    )
    captures_at_once_in_all: int | None = Field(
        default=None,
        ge=1,
        description="Captures at once in all workers; empty: as many as they have browsers",
    )
    captures_at_once_per_organisation: int | None = Field(
        default=None,
        ge=1,
        description="Captures at once of one organisation, in all workers; empty: no limit",
    )
    capture_profile: Literal["desktop", "mobile"] = Field(
        default="desktop", description="Profile of captures whose order names none"
    )
    capture_limits: CaptureLimitSettings = Field(
        default_factory=CaptureLimitSettings, description="Where a capture stops"
    )
    capture_tls_roots: Path | None = Field(
        default=None,
        description="Further root certificates (PEM) that servers of captured pages may lead to; "
        "empty: only those of the system",
    )
    capture_websockets: Literal["record", "refuse"] = Field(
        default="record", description="What becomes of WebSocket connections a page opens"
    )
    originals_recipients: list[Annotated[str, Field(pattern=AGE_RECIPIENT)]] = Field(
        default_factory=list,
        max_length=20,
        description="Public keys (age1…) that can open the unredacted originals of captures behind a login; "
        "without one, orders with a login state are refused",
    )
    authorities: list[AuthoritySettings] = Field(
        default_factory=list, description="Time-stamping authorities, in the order they are asked"
    )
    authorities_minimum: int = Field(
        default=2, ge=1, description="How many of them have to answer; no more are asked than are needed"
    )
    opentimestamps: list[CalendarSettings] = Field(
        default_factory=list,
        max_length=5,
        description="Calendars that attest batch headers beside the authorities; needs the optional library",
    )
    renewal_days: int = Field(
        default=180, ge=1, description="Days before a certificate's end at which its time stamps are renewed"
    )
    weak_digests: list[Literal["sha256", "sha512"]] = Field(
        default_factory=list,
        description="Algorithms not trusted any more; naming one renews all evidence with SHA-3",
    )
    chains: list[ChainSettings] = Field(
        default_factory=list, description="Every batch is anchored on each; without one, batches wait"
    )
    seal: SealSettings | None = Field(default=None, description="The seal; without one, certificates wait")
    issuer: IssuerSettings = Field(default_factory=IssuerSettings, description="Who issues certificates")
    trust_file: Path | None = Field(
        default=None, description="The issuer's own policy; empty: the shipped one"
    )
    certificate_prefix: str = Field(
        default="EP", pattern=r"^[A-Z]{1,8}$", description="Of certificate numbers"
    )
    register_url: str = Field(
        default="",
        pattern=r"^$|^https?://[^\s/]+$",
        description="Public address of this service, printed on certificates for their online status; "
        "empty: none is printed",
    )
    batch_seconds: float = Field(default=60.0, ge=0, description="Longest wait of an entry for its batch")
    batch_size: int = Field(default=4096, ge=1, le=1_000_000, description="Entries that close a batch early")
    promised_delay_seconds: float = Field(
        default=600.0,
        gt=0,
        description="What receipts promise: the longest time from acceptance to a closed batch; "
        "at least batch_seconds and a capture's own limit",
    )
    receipt_key: Path | None = Field(
        default=None,
        description="Ed25519 key that signs receipts (PEM); empty: made in the data directory when absent",
    )
    api_host: str = Field(default="127.0.0.1", description="Address the API listens on")
    api_port: int = Field(default=8080, ge=0, le=65535, description="Port the API listens on")
    trusted_proxies: list[Proxy] = Field(
        default=["127.0.0.1", "::1"],
        description="Addresses and networks (`ADDRESS/BITS`) of proxies whose `X-Forwarded-For` is believed;"
        " any other proxy is one caller, whose failed authentications refuse all who come through it",
    )
    api_keys: list[KeySettings] = Field(default_factory=list, description="Who may use the API")
    oidc: list[ProviderSettings] = Field(
        default_factory=list,
        description="OpenID providers whose tokens are taken; asked for their keys under the egress policy",
    )
    rate_limits: RateLimitSettings = Field(
        default_factory=RateLimitSettings, description="How often the API may be asked"
    )
    worker_name: str = Field(
        default="",
        max_length=100,
        description="Stable name, each only once on a database; empty: the host's name and a number",
    )
    worker_lapse_seconds: float = Field(
        default=30.0,
        ge=2,
        le=3600,
        description="Seconds without a sign of life after which a worker's work is taken over; "
        "the same for all workers",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment before the file; no dotenv, no secrets directory."""
        return (init_settings, env_settings, JsonConfigSettingsSource(settings_cls, settings_file()))


def load() -> Settings:
    """The settings of this process.

    Raises:
        ConfigurationError: the file or a value cannot be used; names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"the setting {where} cannot be used: {first['msg'].removeprefix('Value error, ')}",
            what_to_do="see docs/reference/settings.md for what can be set",
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"the settings file {settings_file()} cannot be read: {error}") from error


def settings_file() -> Path | None:
    """The file that ``EVIDENCE_CONFIG`` names; None where it is not set.

    Raises:
        ConfigurationError: there is no such file.
    """
    name = os.environ.get("EVIDENCE_CONFIG", "")
    if name and not Path(name).is_file():
        raise ConfigurationError(f"the settings file {name} does not exist")
    return Path(name) if name else None
