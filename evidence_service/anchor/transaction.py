"""EIP-1559 transactions: what is signed, and how a signature makes it a transaction.

A custodian's signature is never believed: the key that made it is recovered and has to be the signer's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import rlp
from coincurve import PublicKey

from evidence_service.errors import SignerUnavailableError
from evidence_service.verify.trie import keccak256

_TYPE = b"\x02"
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of secp256k1 (SEC 2, section 2.4.1)."""


class Signature(NamedTuple):
    """A signature over Keccak-256 of a payload, with the parity of its point's y coordinate."""

    r: int
    s: int
    y_parity: int


def unsigned(transaction: Mapping[str, Any]) -> bytes:
    """The payload that is hashed and signed (EIP-1559, EIP-2718).

    Args:
        transaction: as for :meth:`evidence_service.anchor.signer.Signer.sign_transaction`.
    """
    return _TYPE + bytes(rlp.encode(_fields(transaction)))


def signed(transaction: Mapping[str, Any], signature: Signature) -> bytes:
    """The raw transaction, ready to send."""
    return _TYPE + bytes(rlp.encode([*_fields(transaction), signature.y_parity, signature.r, signature.s]))


def checked(payload: bytes, r: int, s: int, address: str) -> Signature:
    """The signature with its parity and the lower of both values of s (EIP-2); its key is the address's.

    Args:
        payload: what was signed.
        address: 0x and lower-case hexadecimal.

    Raises:
        SignerUnavailableError: it is not a signature of the payload by that key.
    """
    if not (0 < r < _ORDER and 0 < s < _ORDER):
        raise _foreign(address, "its numbers are not those of a signature")
    low = min(s, _ORDER - s)
    digest = keccak256(payload)
    for parity in (0, 1):
        encoded = r.to_bytes(32, "big") + low.to_bytes(32, "big") + bytes([parity])
        try:
            key = PublicKey.from_signature_and_message(encoded, digest, hasher=None)
        except ValueError:  # r is the x coordinate of no point
            continue
        if address_of(key.format(compressed=False)) == address:
            return Signature(r, low, parity)
    raise _foreign(address, "it was made by another key, or over other bytes")


def address_of(public_key: bytes) -> str:
    """Address of a key, 0x and lower-case hexadecimal.

    Args:
        public_key: 04 and both coordinates, 65 bytes (SEC 1, section 2.3.3).
    """
    return "0x" + keccak256(public_key[1:])[12:].hex()


def _fields(transaction: Mapping[str, Any]) -> list[Any]:
    return [
        *(transaction[name] for name in ("chainId", "nonce", "maxPriorityFeePerGas", "maxFeePerGas", "gas")),
        *(transaction[name] for name in ("to", "value", "data")),
        [],  # access list
    ]


def _foreign(address: str, why: str) -> SignerUnavailableError:
    return SignerUnavailableError(
        f"what the key's custodian returned is not a signature of {address}: {why}",
        what_to_do="check that the configured key and address belong together; nothing was sent",
    )
