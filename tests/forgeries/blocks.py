"""Forged anchors: headers, transactions, receipts, state, policy (checks 0.1, 0.2, 5.1, 5.2, 5.3, 6.1)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import rlp

from evidence_service.verify.trie import keccak256
from tests.forgeries.chain import text
from tests.forgeries.world import Case, Evidence, World, built

OTHER = bytes.fromhex("ee" * 20)
BLANK = "0x" + "00" * 32


def cases(world: World) -> Iterator[Case]:
    """Every forgery of this kind."""
    for name, (number, changes) in BLOCKS.items():
        value = Evidence(blocks=(changes,)).value()
        yield Case(name, world.trust(value), bundle=built(value), refused_by=number, verdict=_verdict(number))
    for name, (number, change) in PROOFS.items():
        value = Evidence().value()
        trust = world.trust(value)
        change(value["anchors"][0])
        yield Case(name, trust, bundle=built(value), refused_by=number, verdict=_verdict(number))
    yield from _policies(world)
    # One genuine anchor does not make up for a forged one beside it.
    value = Evidence(blocks=({}, {"chain_id": 137, "status": b""})).value()
    yield Case(
        "anchors: a failed one beside a genuine one",
        world.trust(value),
        bundle=built(value),
        refused_by="5.1",
        verdict="invalid",
    )


def _verdict(number: str) -> str:
    return {"0.1": "over_limit", "0.2": "unsupported", "5.3": "untrusted"}.get(number, "invalid")


BLOCKS: dict[str, tuple[str, dict[str, Any]]] = {
    "transaction: calls another contract": ("5.1", {"recipient": OTHER}),
    "transaction: creates a contract": ("5.1", {"recipient": b""}),
    "transaction: for another chain": ("5.1", {"signed_for": 137}),
    "transaction: legacy, for another chain": ("5.1", {"kind": 0, "signed_for": 137}),
    "transaction: legacy, bound to no chain": ("5.1", {"kind": 0, "unprotected": True}),
    "transaction: of a type nobody knows": ("0.2", {"kind": 9}),
    "receipt: of another type": ("5.1", {"receipt_kind": 1}),
    "receipt: failed": ("5.1", {"status": b""}),
    "receipt: status that is neither": ("5.1", {"status": b"\x02"}),
    "receipt: a state root for a status": ("5.1", {"status": b"\x01" * 32}),
    "log: emitted by another contract": ("5.1", {"emitter": OTHER}),
    "log: another event": ("5.1", {"topic": keccak256(b"Transfer(address,address,uint256)")}),
    "log: of another submitter": ("5.1", {"logged_submitter": OTHER}),
    "log: of another commitment": ("5.1", {"logged_commitment": b"\x01" * 32}),
    "log: another number of leaves": ("5.1", {"logged_leaves": 4}),
    "state: other code at the address": ("5.2", {"code_hash": keccak256(b"a proxy")}),
    "state: record of another time": ("5.2", {"recorded_time": 1_600_000_000}),
    "state: record of a later block": ("5.2", {"recorded_block": 30_000_000}),
    "state: record with other leaves": ("5.2", {"recorded_leaves": 6}),
    "state: no record under the slot": ("5.2", {"slot": b"\x01" * 32}),
    "policy: another code, honestly claimed": (
        "5.3",
        {"code_hash": keccak256(b"a proxy"), "claimed_code_hash": keccak256(b"a proxy")},
    ),
    "policy: another code, claimed without a state proof": (
        "5.3",
        {"claimed_code_hash": keccak256(b"a proxy"), "state": False},
    ),
    "policy: another contract": ("5.3", {"contract": OTHER}),
}


def _header(change: Callable[[list[Any]], Any]) -> Callable[[dict[str, Any]], None]:
    """Change the header's fields and encode it again."""

    def forge(anchor: dict[str, Any]) -> None:
        fields = rlp.decode(base64.b64decode(anchor["header"]))
        fields = change(list(fields)) or fields
        anchor["header"] = text(rlp.encode(fields))

    return forge


def _field(position: int, data: bytes) -> Callable[[dict[str, Any]], None]:
    def change(fields: list[Any]) -> list[Any]:
        fields[position] = data
        return fields

    return _header(change)


def _raw_header(change: Callable[[bytes], bytes]) -> Callable[[dict[str, Any]], None]:
    def forge(anchor: dict[str, Any]) -> None:
        anchor["header"] = text(change(base64.b64decode(anchor["header"])))

    return forge


def _nodes(where: str, member: str, change: Callable[[list[str]], Any]) -> Callable[[dict[str, Any]], None]:
    def forge(anchor: dict[str, Any]) -> None:
        change(anchor[where][member])

    return forge


def _junk(nodes: list[str]) -> None:
    nodes.append(text(b"\xc1\x01" * 20))


def _flip(nodes: list[str]) -> None:
    data = bytearray(base64.b64decode(nodes[-1]))
    data[len(data) // 2] ^= 1
    nodes[-1] = text(bytes(data))


def _swap_receipt(anchor: dict[str, Any]) -> None:
    """The transactions trie's nodes for the receipt's."""
    anchor["receipt"]["proof"] = anchor["transaction"]["proof"]


def _swap_storage(anchor: dict[str, Any]) -> None:
    anchor["state"]["storage_proof"] = anchor["state"]["account_proof"]


def _other_storage(anchor: dict[str, Any]) -> None:
    """A genuine record of the same contract, but of another evidence's commitment."""
    other = Evidence(salt=bytes(32)).value()["anchors"][0]
    anchor["state"] = other["state"]


def _whole_other(anchor: dict[str, Any]) -> None:
    """The whole anchor of another piece of evidence, genuine in itself."""
    anchor.update(Evidence(salt=bytes(32)).value()["anchors"][0])


PROOFS: dict[str, tuple[str, Callable[[dict[str, Any]], None]]] = {
    "header: nonsense": ("5.1", _raw_header(lambda d: b"\x00" * 40)),
    "header: cut off": ("5.1", _raw_header(lambda d: d[:-1])),
    "header: bytes after the end": ("5.1", _raw_header(lambda d: d + b"\x00")),
    "header: a length in too many bytes": ("5.1", _raw_header(lambda d: b"\xfa\x00" + d[1:])),
    "header: too few fields": ("5.1", _header(lambda f: f[:14])),
    "header: too many fields": ("5.1", _header(lambda f: f + [b""] * 30)),
    "header: a list for a field": ("5.1", _header(lambda f: [*f[:10], [b"a"], *f[11:]])),
    "header: another state root": ("5.2", _field(3, bytes(32))),
    "header: another transactions root": ("5.1", _field(4, bytes(32))),
    "header: another receipts root": ("5.1", _field(5, bytes(32))),
    "header: a root of 31 bytes": ("5.1", _field(4, bytes(31))),
    "header: a number with a leading zero": ("5.1", _field(8, b"\x00\x01")),
    "header: moved back in time": ("5.2", _field(11, b"\x60\x00\x00\x00")),
    "header: another block number": ("5.2", _field(8, b"\x01")),
    "header: changed where no proof looks": ("6.1", _field(12, b"forger")),
    "header: a field more": ("6.1", _header(lambda f: [*f, b"\x01"])),
    "transaction: another index": ("5.1", lambda a: a["transaction"].update(index=0)),
    "transaction: an index nobody has": ("5.1", lambda a: a["transaction"].update(index=77)),
    "transaction: a node is missing": ("5.1", _nodes("transaction", "proof", lambda n: n.pop() if len(n) > 1 else n.clear() or n.append("wQE="))),
    "transaction: a node too many": ("5.1", _nodes("transaction", "proof", _junk)),
    "transaction: a node changed": ("5.1", _nodes("transaction", "proof", _flip)),
    "transaction: root node twice": ("5.1", _nodes("transaction", "proof", lambda n: n.insert(0, n[0]))),
    "receipt: the transaction's proof instead": ("5.1", _swap_receipt),
    "receipt: another log": ("5.1", lambda a: a["receipt"].update(log_index=0)),
    "receipt: a log that is not there": ("5.1", lambda a: a["receipt"].update(log_index=9)),
    "receipt: a node changed": ("5.1", _nodes("receipt", "proof", _flip)),
    "receipt: a node too many": ("5.1", _nodes("receipt", "proof", _junk)),
    "receipt: nodes in reverse": ("5.1", _nodes("receipt", "proof", lambda n: n.reverse())),
    "state: a node of the account changed": ("5.2", _nodes("state", "account_proof", _flip)),
    "state: a node of the account is missing": ("5.2", _nodes("state", "account_proof", lambda n: n.pop())),
    "state: a node of the account too many": ("5.2", _nodes("state", "account_proof", _junk)),
    "state: a node of the storage changed": ("5.2", _nodes("state", "storage_proof", _flip)),
    "state: a node of the storage too many": ("5.2", _nodes("state", "storage_proof", _junk)),
    "state: the account's proof for the storage": ("5.2", _swap_storage),
    "state: that of another commitment": ("5.2", _other_storage),
    "anchor: another submitter claimed": ("5.1", lambda a: a.update(submitter="0x" + "11" * 20)),
    "anchor: another contract claimed": ("5.1", lambda a: a.update(contract="0x" + "11" * 20)),
    "anchor: another chain claimed": ("5.1", lambda a: a.update(chain_id="137")),
    "anchor: that of other evidence": ("5.1", _whole_other),
    "anchor: another code claimed": ("5.2", lambda a: a.update(code_hash="0x" + "11" * 32)),
    "anchor: nested beyond the limit": ("0.1", _raw_header(lambda d: _deep(20))),
}  # fmt: skip


def _deep(depth: int) -> bytes:
    item: Any = []
    for _ in range(depth):
        item = [item]
    return bytes(rlp.encode([item, *[b""] * 20]))


def _policies(world: World) -> Iterator[Case]:
    """Genuine evidence on a chain the policy does not name, or has other blocks of."""
    value = Evidence().value()
    data = built(value)
    chain = json.loads(world.trust(value))["chains"][0]
    number = chain["checkpoints"][0]["number"]
    for name, refused, verdict, changes in (
        ("policy: no chain", "5.3", "untrusted", None),
        ("policy: another chain", "5.3", "untrusted", {"chain_id": "137"}),
        ("policy: another contract at the chain", "5.3", "untrusted", {"contract": "0x" + OTHER.hex()}),
        ("policy: another code hash", "5.3", "untrusted", {"code_hash": BLANK}),
        ("checkpoint: another block", "6.1", "invalid", {"checkpoints": [{"number": number, "hash": BLANK}]}),
        ("checkpoint: none", "6.1", "incomplete", {"checkpoints": []}),
        (
            "checkpoint: of another number",
            "6.1",
            "incomplete",
            {"checkpoints": [{"number": "1", "hash": chain["checkpoints"][0]["hash"]}]},
        ),
    ):
        chains = [] if changes is None else [{**chain, **changes}]
        trust = world.trust(value, chains=chains)
        yield Case(name, trust, bundle=data, refused_by=refused, verdict=verdict)
    # A test network shown as evidence: everything is genuine, the policy is generous, and still it is none.
    for chain_id in (5, 97, 1337, 5777, 17000, 31337, 80002, 84532, 421614, 560048, 11155111, 11155420):
        made = Evidence(blocks=({"chain_id": chain_id},)).value()
        yield Case(
            f"test network {chain_id} shown as evidence",
            world.trust(made),
            bundle=built(made),
            refused_by=None,
            verdict="demonstration",
        )
