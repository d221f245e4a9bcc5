"""Settings of chains: their nodes, who signs, and what may be spent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

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
