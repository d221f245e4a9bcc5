"""A batch: salted entries in a Merkle tree, a header that authenticates size and order, one commitment.

Formats: entry version 1 and ``evidence-batch/1``; see ``docs/spec/formats.md`` sections 4 to 6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from evidence_service.core import canonical, document, merkle
from evidence_service.core.digest import Digest
from evidence_service.errors import MalformedError, MismatchError

ENTRY_TAG = b"EVENTRY\x01"
SALT_SIZE = 32
ENTRY_SIZE = len(ENTRY_TAG) + 32 + 64 + SALT_SIZE
FORMAT = "evidence-batch/1"
SUITE = "sha256-rfc9162"

SHAPE = document.of_format(
    FORMAT,
    document.record(
        {
            "format": document.choice(FORMAT),
            "suite": document.choice(SUITE),
            "sequence": document.integer(minimum=1),
            "previous": document.optional(document.hexadecimal(32)),
            "size": document.integer(minimum=1, maximum=merkle.MAX_SIZE),
            "roots": document.record({"sha256": document.hexadecimal(32)}),
            "opened_at": document.timestamp,
            "closed_at": document.timestamp,
        }
    ),
    what="batch header",
)

INCLUSION = document.record(
    {
        "index": document.integer(),
        "size": document.integer(minimum=1),
        "path": document.list_of(document.hexadecimal(32), maximum=32),
    }
)
"""Where an entry is in a tree, of a batch or of a renewal."""


def entry(manifest_digest: Digest, salt: bytes) -> bytes:
    """The 136 bytes that stand for a manifest in a batch.

    The salt keeps a root or a sibling from revealing whether a guessed manifest is in the batch.
    """
    if len(salt) != SALT_SIZE:
        raise MalformedError(f"a salt has {SALT_SIZE} bytes, not {len(salt)}")
    return ENTRY_TAG + manifest_digest.sha256 + manifest_digest.sha3_512 + salt


def entry_leaf(manifest_digest: Digest, salt: bytes) -> bytes:
    """Leaf hash of a manifest's entry, 32 bytes."""
    return merkle.leaf_hash(entry(manifest_digest, salt))


def build_header(
    *,
    tree: merkle.MerkleTree,
    sequence: int,
    previous: bytes | None,
    opened_at: datetime,
    closed_at: datetime,
) -> bytes:
    """Canonical bytes of the header of a closed batch.

    Args:
        tree: the batch's entries.
        sequence: 1 for the first batch of an installation, then without gaps.
        previous: commitment of the batch before (32 bytes), None for the first.
        opened_at: time of the first entry.
        closed_at: time after which no entry was added.
    """
    value = {
        "format": FORMAT,
        "suite": SUITE,
        "sequence": sequence,
        "previous": None if previous is None else previous.hex(),
        "size": tree.size,
        "roots": {"sha256": tree.root.hex()},
        "opened_at": document.format_time(opened_at),
        "closed_at": document.format_time(closed_at),
    }
    check_header(value)
    return canonical.encode(value)


def check_header(value: Any) -> None:
    """Check the value of a batch header against the format."""
    SHAPE(value, "batch header")
    if (value["sequence"] == 1) != (value["previous"] is None):
        raise MalformedError("a batch header names the batch before it, except the first, which names none")
    if value["closed_at"] < value["opened_at"]:
        raise MalformedError("the batch was closed before it was opened")


def commitment(header: bytes) -> bytes:
    """``SHA-256(0x02 ‖ header)``: what the contract records, 32 bytes."""
    return hashlib.sha256(b"\x02" + header).digest()


def header_root(header: Mapping[str, Any]) -> bytes:
    """SHA-256 root of a checked header, 32 bytes."""
    return bytes.fromhex(header["roots"]["sha256"])


def verify_entry(header: Mapping[str, Any], inclusion: Mapping[str, Any], leaf: bytes) -> None:
    """Check that a leaf is in the batch of a checked header.

    Args:
        inclusion: ``index``, ``size`` and ``path`` (hexadecimal) as a bundle holds them.
        leaf: hash of the entry, 32 bytes.

    Raises:
        MismatchError: it is not, or the proof is for a batch of another size.
    """
    if inclusion["size"] != header["size"]:
        raise MismatchError(f"the proof is for {inclusion['size']} entries, the batch has {header['size']}")
    merkle.verify_inclusion(
        leaf,
        index=inclusion["index"],
        size=inclusion["size"],
        path=[bytes.fromhex(node) for node in inclusion["path"]],
        root=header_root(header),
    )
