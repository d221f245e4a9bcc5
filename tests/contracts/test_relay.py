"""Anchoring in another's name: the digest against eth_account's, and on real EVMs what is refused and why."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from eth_account.messages import encode_typed_data
from eth_keys import keys
from hypothesis import given
from hypothesis import strategies as st

from evidence_service.anchor import contract
from evidence_service.anchor.relay import Permission, anchor_for_call, signing_digest
from evidence_service.sandbox.devchain import ACCOUNTS
from evidence_service.verify.trie import keccak256
from tests.contracts.evm import EVENT, Evm, Reverted, encoded

KEY = keys.PrivateKey(b"\x2a" * 32)
SUBMITTER = KEY.public_key.to_address()
"""Owns no ether: the relayer pays."""
RELAYER = ACCOUNTS[1].address
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
FOREVER = 2**64 - 1


def signature(permission: Permission, evm: Evm, *, key: keys.PrivateKey = KEY, **domain: object) -> bytes:
    scope = {"chain_id": evm.chain_id, "contract": evm.contract, **domain}
    made = key.sign_msg_hash(signing_digest(permission, **scope))  # type: ignore[arg-type]
    return made.r.to_bytes(32) + made.s.to_bytes(32) + bytes([27 + made.v])


@pytest.fixture
def permission(request: pytest.FixtureRequest) -> Permission:
    """Another commitment for each test."""
    return Permission(SUBMITTER, hashlib.sha256(request.node.nodeid.encode()).digest(), 7, FOREVER)


def refusal(evm: Evm, call: bytes) -> bytes:
    with pytest.raises(Reverted) as caught:
        evm.call(call, sender=RELAYER)
    return caught.value.data


u64 = st.integers(0, 2**64 - 1)
addresses = st.binary(min_size=20, max_size=20).map(lambda data: "0x" + data.hex())


@given(
    st.builds(Permission, addresses, st.binary(min_size=32, max_size=32), u64, u64),
    st.integers(1, 2**64),
    addresses,
)
def test_the_digest_is_that_of_another_implementation(
    permission: Permission, chain_id: int, where: str
) -> None:
    names = ("submitter", "commitment", "leafCount", "deadline")
    types = ("address", "bytes32", "uint64", "uint64")
    values = (permission.submitter, permission.commitment, permission.leaf_count, permission.deadline)
    message = encode_typed_data(
        {"name": "EvidenceAnchor", "version": "1", "chainId": chain_id, "verifyingContract": where},
        {"Anchor": [{"name": name, "type": kind} for name, kind in zip(names, types, strict=True)]},
        dict(zip(names, values, strict=True)),
    )
    digest = keccak256(b"\x19" + message.version + message.header + message.body)
    assert digest == signing_digest(permission, chain_id=chain_id, contract=where)


def test_the_call_data_is_what_the_contracts_description_says(permission: Permission) -> None:
    from web3 import Web3

    described = Web3().eth.contract(abi=contract.artefact()["abi"])
    checksummed = Web3.to_checksum_address(permission.submitter)
    arguments = [checksummed, permission.commitment, 7, FOREVER, b"\5" * 65]
    expected = described.encode_abi("anchorFor", args=arguments)
    assert "0x" + anchor_for_call(permission, b"\5" * 65).hex() == expected


def test_a_relayer_anchors_in_the_submitters_name(evm: Evm, permission: Permission) -> None:
    receipt = evm.send(RELAYER, anchor_for_call(permission, signature(permission, evm)))
    (log,) = receipt["logs"]
    assert log["topics"][:2] == [EVENT, "0x" + SUBMITTER[2:].rjust(64, "0")]
    assert evm.anchor_of(SUBMITTER, permission.commitment) == (*evm.block(receipt), 7)
    assert evm.anchor_of(RELAYER, permission.commitment) == (0, 0, 0)


def test_using_a_signature_again_changes_nothing(evm: Evm, permission: Permission) -> None:
    call = anchor_for_call(permission, signature(permission, evm))
    first = evm.block(evm.send(RELAYER, call))
    evm.pass_seconds(60)
    assert evm.send(ACCOUNTS[0].address, call)["logs"] == []
    assert evm.anchor_of(SUBMITTER, permission.commitment) == (*first, 7)


def test_a_permission_holds_through_its_last_second(evm: Evm, permission: Permission) -> None:
    # Ganache runs a call in the latest block's time, anvil in the next one's: both are covered by a minute.
    lapsing = replace(permission, deadline=evm.now() + 60)
    call = anchor_for_call(lapsing, signature(lapsing, evm))
    assert int.from_bytes(evm.call(call, sender=RELAYER)) <= lapsing.deadline
    evm.pass_seconds(120)
    assert refusal(evm, call) == encoded("DeadlinePassed(uint64)", lapsing.deadline)


STRANGER = keys.PrivateKey(b"\x07" * 32)
FORGERIES = {
    "another signer": lambda p, e: (p, signature(p, e, key=STRANGER)),
    "another submitter": lambda p, e: (replace(p, submitter=RELAYER), signature(p, e)),
    "another commitment": lambda p, e: (replace(p, commitment=b"\1" * 32), signature(p, e)),
    "another number of leaves": lambda p, e: (replace(p, leaf_count=8), signature(p, e)),
    "another deadline": lambda p, e: (replace(p, deadline=FOREVER - 1), signature(p, e)),
    "another chain": lambda p, e: (p, signature(p, e, chain_id=e.chain_id + 1)),
    "another contract": lambda p, e: (p, signature(p, e, contract="0x" + "11" * 20)),
    "the malleable twin": lambda p, e: (p, twin(signature(p, e))),
    "v of 0 or 1": lambda p, e: (p, changed_v(signature(p, e), -27)),
    "v of 29 or 30": lambda p, e: (p, changed_v(signature(p, e), 2)),
    "the other v": lambda p, e: (p, signature(p, e)[:64] + bytes([55 - signature(p, e)[64]])),
    "64 bytes": lambda p, e: (p, signature(p, e)[:64]),
    "66 bytes": lambda p, e: (p, signature(p, e) + b"\0"),
    "no signature": lambda p, e: (p, b""),
    "r of zero": lambda p, e: (p, bytes(32) + signature(p, e)[32:]),
    "s of zero": lambda p, e: (p, signature(p, e)[:32] + bytes(32) + signature(p, e)[64:]),
    "the zero address and nothing that recovers": lambda p, e: (
        replace(p, submitter="0x" + "00" * 20),
        bytes(65),
    ),
    "the zero address and a high s": lambda p, e: (
        replace(p, submitter="0x" + "00" * 20),
        twin(signature(p, e)),
    ),
}


def twin(made: bytes) -> bytes:
    """The other signature of the same key and digest (EIP-2): s mirrored, parity flipped."""
    return made[:32] + (ORDER - int.from_bytes(made[32:64])).to_bytes(32) + bytes([55 - made[64]])


def changed_v(made: bytes, by: int) -> bytes:
    return made[:64] + bytes([made[64] + by])


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_permission_is_refused(evm: Evm, permission: Permission, name: str) -> None:
    assert refusal(evm, anchor_for_call(*FORGERIES[name](permission, evm))) == encoded("InvalidSignature()")


def test_the_twin_is_one_that_the_curve_accepts(evm: Evm, permission: Permission) -> None:
    """Otherwise its refusal would say nothing about the check of s."""
    digest = signing_digest(permission, chain_id=evm.chain_id, contract=evm.contract)
    mirrored = twin(signature(permission, evm))
    made = keys.Signature(
        vrs=(mirrored[64] - 27, int.from_bytes(mirrored[:32]), int.from_bytes(mirrored[32:64]))
    )
    assert made.recover_public_key_from_msg_hash(digest).to_address() == SUBMITTER


@pytest.mark.parametrize(
    ("change", "why"),
    [({"commitment": bytes(32)}, "ZeroCommitment()"), ({"leaf_count": 0}, "ZeroLeafCount()")],
    ids=["commitment", "number of leaves"],
)
def test_zero_is_refused_although_it_is_signed(
    evm: Evm, permission: Permission, change: dict[str, object], why: str
) -> None:
    signed = replace(permission, **change)  # type: ignore[arg-type]
    assert refusal(evm, anchor_for_call(signed, signature(signed, evm))) == encoded(why)
