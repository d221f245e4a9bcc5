"""What a relayer needs to anchor in a submitter's name and at its own cost: EIP-712 digest and call data.

The submitter signs the digest; whoever holds permission and signature may send the call. No nonce is part
of it: anchoring is idempotent, so using a signature again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from eth_abi.abi import encode

from evidence_service.verify.trie import keccak256

_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_ANCHOR_TYPE = b"Anchor(address submitter,bytes32 commitment,uint64 leafCount,uint64 deadline)"
_NAME = b"EvidenceAnchor"
_VERSION = b"1"
_FUNCTION = b"anchorFor(address,bytes32,uint64,uint64,bytes)"


@dataclass(frozen=True, slots=True)
class Permission:
    """What a submitter signs: the ``Anchor`` type of the contract."""

    submitter: str
    """Signer, in whose name the commitment is recorded; 0x and hexadecimal."""
    commitment: bytes
    """32 bytes, not zero."""
    leaf_count: int
    """Entries of the batch, 1 to 2⁶⁴ − 1."""
    deadline: int
    """Last second since 1970, by block time, at which the signature may be used."""


def signing_digest(permission: Permission, *, chain_id: int, contract: str) -> bytes:
    """The 32 bytes to sign (EIP-712): they hold for one chain and one contract only."""
    domain = encode(
        ["bytes32", "bytes32", "bytes32", "uint256", "address"],
        [keccak256(_DOMAIN_TYPE), keccak256(_NAME), keccak256(_VERSION), chain_id, contract],
    )
    message = encode(
        ["bytes32", "address", "bytes32", "uint64", "uint64"],
        [
            keccak256(_ANCHOR_TYPE),
            permission.submitter,
            permission.commitment,
            permission.leaf_count,
            permission.deadline,
        ],
    )
    return keccak256(b"\x19\x01" + keccak256(domain) + keccak256(message))


def anchor_for_call(permission: Permission, signature: bytes) -> bytes:
    """Call data of ``anchorFor``.

    Args:
        permission: as it was signed.
        signature: r ‖ s ‖ v, 65 bytes, s in the lower half of the order, v 27 or 28. The contract judges it.
    """
    arguments = encode(
        ["address", "bytes32", "uint64", "uint64", "bytes"],
        [
            permission.submitter,
            permission.commitment,
            permission.leaf_count,
            permission.deadline,
            signature,
        ],
    )
    return keccak256(_FUNCTION)[:4] + arguments
