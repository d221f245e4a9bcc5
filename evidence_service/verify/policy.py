"""Whom the verifier trusts, as an argument: the trust file.

Format ``evidence-trust/1``, JSON that people may write by hand; see ``docs/spec/verification.md`` section 2.
Nothing is trusted that a policy does not name, and no policy can turn a development chain or a test network
into evidence.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from evidence_service.core import canonical, document
from evidence_service.errors import ConfigurationError, EvidenceError

FORMAT = "evidence-trust/1"

NEVER_EVIDENCE = {
    1337: "Ganache development chain",
    5777: "Ganache development chain",
    31337: "Hardhat or anvil development chain",
    5: "Goerli test network",
    17000: "Holesky test network",
    560048: "Hoodi test network",
    11155111: "Sepolia test network",
    97: "BNB Smart Chain test network",
    80002: "Polygon Amoy test network",
    84532: "Base Sepolia test network",
    421614: "Arbitrum Sepolia test network",
    11155420: "Optimism Sepolia test network",
}
"""Chains that anybody can rewrite or that are reset by design. Fixed here, not a setting."""

_NAME = document.text(minimum=1, maximum=200)
_ROOTS = document.list_of(document.binary(maximum=16 * 1024), minimum=1, maximum=20)
_VOUCHER = document.record({"name": _NAME, "roots": _ROOTS, "demonstration": document.boolean})

SHAPE = document.record(
    {
        "format": document.choice(FORMAT),
        "name": _NAME,
        "authorities": document.record(
            {
                "minimum": document.integer(minimum=1, maximum=10),
                "trusted": document.list_of(_VOUCHER, maximum=50),
            }
        ),
        "seal_issuers": document.list_of(_VOUCHER, maximum=50),
        "chains": document.list_of(
            document.record(
                {
                    "name": _NAME,
                    "chain_id": document.decimal(),
                    "contract": document.prefixed_hexadecimal(20),
                    "code_hash": document.prefixed_hexadecimal(32),
                    "checkpoints": document.list_of(
                        document.record(
                            {"number": document.decimal(), "hash": document.prefixed_hexadecimal(32)}
                        ),
                        maximum=100_000,
                    ),
                }
            ),
            maximum=50,
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Voucher:
    """A time-stamping authority or a seal issuer.

    Attributes:
        roots: DER certificates a path may end in.
        demonstration: whoever it vouches for is a demonstration, never evidence.
    """

    name: str
    roots: tuple[bytes, ...]
    demonstration: bool


@dataclass(frozen=True, slots=True)
class TrustedChain:
    """A chain with the contract on it.

    Attributes:
        checkpoints: block number → block hash (0x, lower case), compared instead of asking a node.
    """

    name: str
    chain_id: int
    contract: str
    code_hash: str
    checkpoints: Mapping[int, str] = field(default_factory=dict)

    @property
    def demonstration(self) -> bool:
        """Whether an anchor on it can never be evidence."""
        return self.chain_id in NEVER_EVIDENCE


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything a verification trusts.

    Attributes:
        minimum: distinct authorities that must have stamped the manifest.
    """

    name: str
    minimum: int
    authorities: tuple[Voucher, ...]
    seal_issuers: tuple[Voucher, ...]
    chains: tuple[TrustedChain, ...]

    def chain(self, chain_id: int, contract: str) -> TrustedChain | None:
        """The trusted chain with this id and contract."""
        for chain in self.chains:
            if (chain.chain_id, chain.contract) == (chain_id, contract):
                return chain
        return None

    def lines(self) -> tuple[str, ...]:
        """Everything trusted, one line each, for the report."""
        mark = {True: " (demonstration)", False: ""}
        return (
            f"policy: {self.name}; at least {self.minimum} time-stamping authorities",
            *(f"time-stamping authority: {item.name}{mark[item.demonstration]}" for item in self.authorities),
            *(f"seal issuer: {item.name}{mark[item.demonstration]}" for item in self.seal_issuers),
            *(
                f"chain {item.chain_id}: {item.name}{mark[item.demonstration]}, contract {item.contract}, "
                f"{len(item.checkpoints)} checkpoints"
                for item in self.chains
            ),
        )


def parse(data: bytes) -> Policy:
    """Read a trust file.

    Raises:
        ConfigurationError: it is not one. A broken policy is the reader's own file, never broken evidence.
    """
    try:
        value = canonical.decode_json(data, what="trust file", limit=32 * 1024 * 1024)
        document.check_format(value, FORMAT, what="trust file")
        SHAPE(value, "trust file")
    except EvidenceError as error:
        raise ConfigurationError(
            f"the trust file cannot be used: {error.message}",
            what_to_do="correct the file, or leave --trust away to use the shipped policy",
        ) from error
    return Policy(
        name=value["name"],
        minimum=value["authorities"]["minimum"],
        authorities=_vouchers(value["authorities"]["trusted"]),
        seal_issuers=_vouchers(value["seal_issuers"]),
        chains=tuple(
            TrustedChain(
                name=item["name"],
                chain_id=int(item["chain_id"]),
                contract=item["contract"],
                code_hash=item["code_hash"],
                checkpoints={int(point["number"]): point["hash"] for point in item["checkpoints"]},
            )
            for item in value["chains"]
        ),
    )


@cache
def shipped() -> Policy:
    """The policy that comes with this release."""
    return parse(Path(__file__).with_name("trust.json").read_bytes())


def _vouchers(values: Sequence[Mapping[str, Any]]) -> tuple[Voucher, ...]:
    """A root that is a demonstration under one name is one under every name."""
    marked = {root for item in values if item["demonstration"] for root in item["roots"]}
    return tuple(
        Voucher(
            name=item["name"],
            roots=tuple(base64.b64decode(root) for root in item["roots"]),
            demonstration=not marked.isdisjoint(item["roots"]),
        )
        for item in values
    )
