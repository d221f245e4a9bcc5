"""``make bench-gas``: what anchoring costs in gas, measured on a chain with the hard fork we compile for.

``RESULT anchor=… duplicate=… anchor_for=… deploy=… per_item_1000=…``; ends with 1 when one is over its bound.
``--write`` writes docs/reference/gas.md; a test compares, since gas is the same on every machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account

from evidence_service.anchor import contract
from evidence_service.anchor.relay import Permission, anchor_for_call, signing_digest
from evidence_service.sandbox.devchain import ACCOUNTS, HARDFORK
from tests.contracts.evm import Evm, anvil, deployed

TABLE = Path(__file__).parents[1] / "docs" / "reference" / "gas.md"
COMMITMENT = b"\xee"
"""Every byte of a commitment here: call data without a zero byte is the dearest (EIP-2028)."""
SIZES = (1, 100, 1_000, 4_096)
BOUNDS = {"anchor": 47_000, "duplicate": 25_000, "per_item_1000": 47}

# Figures of the design, for comparison; not measured here.
EAS_ONE, EAS_OF_A_HUNDRED = 45_800, 24_800


@dataclass(frozen=True)
class Gas:
    """Gas of one transaction each, its 21,000 included; ``anchor`` for each number of leaves."""

    anchor: dict[int, int]
    duplicate: int
    anchor_for: int
    deploy: int

    def per_item(self, size: int) -> float:
        """Gas for each entry of a batch."""
        return self.anchor[size] / size

    def result(self) -> dict[str, float]:
        """The figures of the RESULT line; ``anchor`` is the dearest of the sizes."""
        return {
            "anchor": max(self.anchor.values()),
            "duplicate": self.duplicate,
            "anchor_for": self.anchor_for,
            "deploy": self.deploy,
            "per_item_1000": self.per_item(1_000),
        }


def measure(evm: Evm) -> Gas:
    """Deploy the contract on an empty chain and use it."""
    signer = ACCOUNTS[0]

    def used(data: bytes) -> int:
        return int(evm.send(ACCOUNTS[1].address, data)["gasUsed"], 16)

    deployed(evm)
    creation = evm.ask("eth_getBlockByNumber", "latest", False)["transactions"][0]
    deploy = int(evm.ask("eth_getTransactionReceipt", creation)["gasUsed"], 16)
    anchors = {
        size: used(contract.anchor_call(COMMITMENT * 31 + bytes([number + 1]), size))
        for number, size in enumerate(SIZES)
    }
    duplicate = used(contract.anchor_call(COMMITMENT * 31 + b"\1", SIZES[-1]))
    permission = Permission(signer.address, COMMITMENT * 32, SIZES[-1], 2**64 - 1)
    digest = signing_digest(permission, chain_id=evm.chain_id, contract=evm.contract)
    signature = bytes(Account.from_key(signer.private_key).unsafe_sign_hash(digest).signature)
    return Gas(anchors, duplicate, used(anchor_for_call(permission, signature)), deploy)


def measured(hardfork: str = HARDFORK) -> Gas:
    """Measure on an anvil of its own."""
    with tempfile.TemporaryDirectory() as name, anvil(Path(name), hardfork=hardfork) as evm:
        return measure(evm)


def table(gas: Gas) -> str:
    """The page of documentation."""
    eas = {1: f"{EAS_ONE:,}", 100: f"{EAS_OF_A_HUNDRED:,}"}
    rows = "".join(f"| {size:,} | {gas.per_item(size):,.1f} | {eas.get(size, '—')} |\n" for size in SIZES)
    return f"""# Gas

Made by `python -m bench.gas --write`; do not edit. Whole transactions with their 21,000, measured on anvil
with the rules of {HARDFORK.capitalize()}; commitments without a zero byte, which are the dearest.

| Transaction | Gas |
|---|---|
| `anchor`, first | {max(gas.anchor.values()):,} |
| `anchor`, again (a repetition after a crash) | {gas.duplicate:,} |
| `anchorFor`, first | {gas.anchor_for:,} |
| deployment through the factory, once a chain | {gas.deploy:,} |

Ganache, and anvil with the rules of Osaka, use exactly as much. Before Shanghai the contract cannot run.

One transaction anchors a whole batch. EAS writes a slot for each item; its figures are those of our
design (`timestamp` of one, `multiTimestamp` of a hundred), not measured here.

| Entries in the batch | Gas for each | EAS for each |
|---|---|---|
{rows}"""


def main() -> int:
    """Measure, print, and compare with the bounds."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true", help="write docs/reference/gas.md")
    write = options.parse_args().write
    gas = measured()
    text, result = table(gas), gas.result()
    if write:
        TABLE.write_text(text)
    print(text, file=sys.stderr)
    print("RESULT " + " ".join(f"{name}={value}" for name, value in result.items()))
    return 1 if any(result[name] > bound for name, bound in BOUNDS.items()) else 0


if __name__ == "__main__":
    sys.exit(main())
