"""Proofs in the Merkle Patricia trie (Ethereum yellow paper, appendix D).

Nodes are used in their order and all of them are needed; a value has to come out. Verifiers that look nodes
up by hash accept surplus nodes and answer "nothing there" where a proof of presence was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import sha3

from evidence_service.errors import MalformedError, MismatchError
from evidence_service.verify import rlp

MAX_NODES = 70
"""A path has at most 64 nibbles for hashed keys, one node each, and a value in the last."""


class AbsentKeyError(MismatchError):
    """The whole proof holds and shows that the trie has nothing under the key."""


def keccak256(data: bytes) -> bytes:
    """Keccak-256 with the original padding, the hash of Ethereum (not SHA3-256)."""
    return bytes(sha3.keccak_256(data).digest())


def verify_trie_proof(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes:
    """Value that a trie with this root holds under a key.

    Args:
        root: 32-byte root hash from a block header or account.
        key: key as the trie knows it: ``rlp(index)``, or the hash of an address or slot.
        nodes: RLP encodings of the nodes from the root downwards; nodes shorter than 32 bytes are inside
            their parents and not listed.

    Raises:
        AbsentKeyError: the proof is one of absence.
        MismatchError: a node's hash is not the one its parent names, or nodes are left.
        MalformedError, LimitExceededError: a node is not canonical RLP of a trie node.
    """
    if len(nodes) > MAX_NODES:
        raise MalformedError(f"a trie proof has {len(nodes)} nodes; at most {MAX_NODES} are possible")
    path = _nibbles(key)
    waiting = list(nodes)
    reference: rlp.Item = root
    at_root = True
    while True:
        node = _resolve(reference, waiting, at_root=at_root)
        at_root = False
        if len(node) == 17:
            if not path:
                return _value(node[16], waiting)
            reference, path = node[path[0]], path[1:]
        elif len(node) == 2:
            segment, is_leaf = _compact(node[0])
            if is_leaf:
                if segment != path:
                    raise _absent("the trie proof ends at another key: this one is absent", waiting)
                return _value(node[1], waiting)
            if not segment:
                raise MalformedError("an extension node with an empty path")
            if path[: len(segment)] != segment:
                raise _absent("the trie proof leaves the key's path: the key is absent", waiting)
            reference, path = node[1], path[len(segment) :]
        else:
            raise MalformedError(f"a trie node has {len(node)} items, not 2 or 17")


def _resolve(reference: rlp.Item, waiting: list[bytes], *, at_root: bool) -> list[rlp.Item]:
    """The node a reference stands for: embedded, or the next one of the proof with this hash."""
    if isinstance(reference, list):
        if len(_encode(reference)) >= 32:
            raise MalformedError("a trie node of 32 bytes or more is embedded in its parent")
        return reference
    if not reference:
        raise _absent("the trie proof ends in an empty branch: the key is absent", waiting)
    if len(reference) != 32:
        raise MalformedError("a reference to a trie node is not a 32-byte hash")
    if not waiting:
        raise MismatchError("the trie proof is incomplete: a node is missing")
    encoded = waiting.pop(0)
    if keccak256(encoded) != reference:
        raise MismatchError("a node of the trie proof has not the hash that its parent names")
    # Only the root may be shorter: any other short node has to be embedded (yellow paper, equation 202).
    if len(encoded) < 32 and not at_root:
        raise MalformedError("a trie node shorter than 32 bytes is not embedded in its parent")
    return rlp.decode_list(encoded, what="trie node")


def _absent(words: str, waiting: Sequence[bytes]) -> MismatchError:
    return MismatchError(f"{words}, and {len(waiting)} nodes are left") if waiting else AbsentKeyError(words)


def _value(item: rlp.Item, waiting: Sequence[bytes]) -> bytes:
    value = rlp.as_bytes(item, what="the value in a trie")
    if not value:
        raise _absent("the trie holds no value under the key", waiting)
    if waiting:
        raise MismatchError(f"{len(waiting)} nodes of the trie proof are not part of the path")
    return value


def _compact(item: rlp.Item) -> tuple[list[int], bool]:
    """Path segment and whether it ends in a leaf (hex-prefix encoding, yellow paper, appendix C)."""
    encoded = rlp.as_bytes(item, what="the path of a trie node")
    if not encoded:
        raise MalformedError("the path of a trie node is empty")
    flag, rest = encoded[0] >> 4, _nibbles(encoded)[1:]
    if flag > 3:
        raise MalformedError("the path of a trie node has an unknown flag")
    if flag % 2:
        return rest, flag >= 2
    if rest[0] != 0:
        raise MalformedError("the path of a trie node has a padding that is not zero")
    return rest[1:], flag >= 2


def _nibbles(data: bytes) -> list[int]:
    return [nibble for byte in data for nibble in (byte >> 4, byte & 15)]


def _encode(item: rlp.Item) -> bytes:
    """Encoding of an embedded node, only to measure it; its payload is below 56 bytes or refused anyway."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:
            return item
        return bytes([0x80 + min(len(item), 55)]) + item
    payload = b"".join(_encode(child) for child in item)
    return bytes([0xC0 + min(len(payload), 55)]) + payload
