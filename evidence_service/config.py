"""Settings: a JSON file and the environment, read here and nowhere else.

``EVIDENCE_CONFIG`` names the file; a variable ``EVIDENCE_…`` outweighs it (``EVIDENCE_SEAL__PKCS12`` for a
nested one). The table in ``docs/reference/settings.md`` is generated from the descriptions below.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    JsonConfigSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

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


_ADDRESS = r"^0x[0-9a-fA-F]{40}$"


class KeystoreSettings(BaseModel):
    """A signer whose key is in an encrypted file (Web3 keystore JSON)."""

    kind: Literal["keystore"] = Field(description="`keystore`")
    path: Path = Field(description="The keystore")
    password_file: Path = Field(description="File with its password")


class AwsKmsSettings(BaseModel):
    """A signer whose key is in AWS KMS; credentials are found as AWS tools find them."""

    kind: Literal["aws_kms"] = Field(description="`aws_kms`")
    key_id: str = Field(description="Id, ARN or alias of a key of spec ECC_SECG_P256K1", min_length=1)
    region: str = Field(default="", description="AWS region; empty: that of the AWS configuration")
    endpoint: str = Field(default="", description="Address of KMS; empty: that of the region")
    address: str = Field(
        default="", pattern=f"^$|{_ADDRESS}", description="Address of the key; empty: KMS is asked"
    )


class Web3SignerSettings(BaseModel):
    """A signer whose key is in a Web3Signer."""

    kind: Literal["web3signer"] = Field(description="`web3signer`")
    url: str = Field(description="Where it listens (http or https)")
    address: str = Field(pattern=_ADDRESS, description="Address of the key it signs with")


SignerSettings = Annotated[
    KeystoreSettings | AwsKmsSettings | Web3SignerSettings, Field(discriminator="kind")
]
"""Who signs for a chain. In a list of them the first is the current one, the others are retiring: they only
finish what they began."""


class ChainSettings(BaseModel):
    """A chain batches are anchored on."""

    name: str = Field(default="", description="For people; empty: the chain id")
    chain_id: int = Field(ge=1, description="EIP-155 id; a node that answers with another one is not used")
    rpc_urls: list[str] = Field(
        description="Nodes of different providers, asked in order; what they say is checked", min_length=1
    )
    required: bool = Field(
        default=True, description="Whether a batch counts as anchored only with its anchor on this chain"
    )
    contract: str = Field(
        default="",
        pattern=f"^$|{_ADDRESS}",
        description="Address of the anchor contract; empty: the same on every chain",
    )
    signers: list[SignerSettings] = Field(
        min_length=1,
        description="Who signs: the first one sends, the others are retiring and finish what they began",
    )
    agreeing_nodes: int = Field(
        default=0,
        ge=0,
        description="Nodes that have to share a block, each by itself, before anything is begun or sealed; "
        "0: two, or the only one there is",
    )
    finality_depth: int | None = Field(
        default=None,
        ge=1,
        description="Only for a chain without the finalized tag: blocks on top of one that is final",
    )
    max_fee_gwei: float = Field(
        default=500,
        gt=0,
        allow_inf_nan=False,
        description="Most a transaction may cost, per gas; at it, anchors wait",
    )
    max_tip_gwei: float = Field(
        default=50, ge=0, allow_inf_nan=False, description="Most a block's producer is offered, per gas"
    )
    bump_after_blocks: int = Field(default=5, ge=1, description="Blocks after which the fees are raised")
    max_in_flight: int = Field(default=16, ge=1, le=1000, description="Transactions that wait at once")
    gas_cap: int = Field(default=1_000_000, ge=60_000, description="Most gas a transaction may use")
    balance_alert: float = Field(
        default=0.05,
        ge=0,
        allow_inf_nan=False,
        description="Balance, in the chain's own currency, below which it is told",
    )

    @field_validator("rpc_urls")
    @classmethod
    def _different_nodes(cls, urls: list[str]) -> list[str]:
        """One node under two spellings of its address must not count as two that agree."""
        seen: dict[tuple[str, str, int, str], int] = {}
        for position, url in enumerate(urls, start=1):
            first = seen.setdefault(_node(url, position), position)
            if first != position:
                raise ValueError(f"addresses {first} and {position} are the same node; name each node once")
        return urls


def _node(url: str, position: int) -> tuple[str, str, int, str]:
    """Scheme, host, port and path, which tell nodes apart. An address may hold a key: no error repeats it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(
            f"address {position} has a host or port that cannot be read; write http(s)://host:port/path"
        ) from None
    if parts.scheme not in ("http", "https") or not host or any(letter.isspace() for letter in url):
        raise ValueError(f"address {position} is not an http or https address with a host")
    usual = 443 if parts.scheme == "https" else 80
    return parts.scheme, host, usual if port is None else port, parts.path.rstrip("/")


class SealSettings(BaseModel):
    """The key certificates are sealed with."""

    pkcs12: Path = Field(description="Key, certificate and chain")
    password_file: Path = Field(description="File with its password")


class IssuerSettings(BaseModel):
    """The issuer as printed on certificates."""

    name: str = Field(default="not stated", description="Name of the issuing organisation")
    registration: str = Field(default="not stated", description="Register and number")
    independence: str = Field(default="not stated", description="Statement about independence and conflicts")
    filings: str = Field(default="none", description="Filings and certifications with authorities")


class KeySettings(BaseModel):
    """An API key, known by its hash."""

    actor: str = Field(description="Name written into custody logs")
    sha256: str = Field(description="SHA-256 of the key, hexadecimal", pattern=r"^[0-9a-f]{64}$")


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(env_prefix="EVIDENCE_", env_nested_delimiter="__", extra="forbid")

    data_directory: Path = Field(
        default=Path("evidence-data"), description="Objects, embedded database, scratch"
    )
    database_url: str = Field(default="", description="PostgreSQL; empty starts the embedded one")
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
    captures_at_once: int = Field(default=1, ge=1, le=64, description="Browsers at once in one worker")
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
    api_keys: list[KeySettings] = Field(default_factory=list, description="Who may use the API")
    worker_name: str = Field(
        default="worker-1", description="Stable name: a restart recovers this worker's work"
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
        return (init_settings, env_settings, JsonConfigSettingsSource(settings_cls, _file()))


class ClientSettings(BaseSettings):
    """What the commands that talk to a running service need."""

    model_config = SettingsConfigDict(env_prefix="EVIDENCE_")

    api_url: str = Field(default="http://127.0.0.1:8080", description="Address of the API")
    api_key: str = Field(default="", description="Key for the API")


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
        raise ConfigurationError(f"the settings file {_file()} cannot be read: {error}") from error


def _file() -> Path | None:
    name = os.environ.get("EVIDENCE_CONFIG", "")
    if name and not Path(name).is_file():
        raise ConfigurationError(f"the settings file {name} does not exist")
    return Path(name) if name else None
