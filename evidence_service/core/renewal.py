"""Renewal: old time stamps are hashed and stamped again before what holds them grows weak.

Format ``evidence-renewal/1`` in the manner of RFC 4998 section 5; see ``docs/spec/formats.md`` section 9. One
document is shared by many pieces of evidence: it holds the root of a tree over their entries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from evidence_service.core import batch, canonical, document, merkle, stamp
from evidence_service.core.digest import digest_of
from evidence_service.errors import MalformedError

FORMAT = "evidence-renewal/1"
ENTRY_TAG = b"EVRENEW\x01"
ALGORITHMS: Mapping[str, merkle.Algorithm] = {
    "sha256-rfc9162": hashlib.sha256,
    "sha3-256-rfc9162": hashlib.sha3_256,
}
"""Hash of the tree by the suite's name."""
NEWEST_SUITE = "sha3-256-rfc9162"
"""The only suite of a hash-tree renewal: it is there for the day SHA-256 is in doubt."""

_COVERED = {
    "timestamp": ("timestamps",),
    "hash_tree": ("manifest", "salt", "batch_header", "inclusion", "timestamps", "anchors"),
}
KINDS = tuple(_COVERED)
"""``timestamp``: the tokens are renewed (RFC 4998 section 5.2); ``hash_tree``: all is, hashes too (5.3)."""

DOCUMENT = document.of_format(
    FORMAT,
    document.record(
        {
            "format": document.choice(FORMAT),
            "kind": document.choice(*KINDS),
            "suite": document.choice(*ALGORITHMS),
            "size": document.integer(minimum=1, maximum=merkle.MAX_SIZE),
            "root": document.hexadecimal(32),
        }
    ),
    what="renewal document",
)

SHAPE = document.record(
    {
        "document": DOCUMENT,
        "inclusion": batch.INCLUSION,
        "timestamps": document.list_of(
            document.record({"token": stamp.TOKEN, "revocation": stamp.REVOCATION}), minimum=1, maximum=20
        ),
    }
)
"""A member of a bundle's ``renewals``."""


def covered(members: Mapping[str, Any], kind: str, earlier: Sequence[Mapping[str, Any]]) -> bytes:
    """Canonical bytes of the part of a bundle that a renewal is about.

    Args:
        members: members of the bundle, as they stand in it.
        kind: one of ``KINDS``.
        earlier: every renewal before this one, oldest first.
    """
    return Coverage({**members, "renewals": earlier}).of(kind, len(earlier))


class Coverage:
    """What the renewals of one bundle cover.

    Each of its members is encoded once: many renewals of a large bundle must not cost a verifier minutes.

    Args:
        members: members of the bundle, its renewals among them.
    """

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members
        self._encoded: dict[str, bytes] = {}
        self._renewals = [canonical.encode(item) for item in members["renewals"]]

    def of(self, kind: str, earlier: int) -> bytes:
        """Canonical bytes that a renewal covers which comes after so many ``earlier`` ones."""
        for name in _COVERED[kind]:
            if name not in self._encoded:
                self._encoded[name] = canonical.encode(self._members[name])
        parts = {name: self._encoded[name] for name in _COVERED[kind]}
        parts["renewals"] = b"[" + b",".join(self._renewals[:earlier]) + b"]"
        return canonical.joined(parts)


def entry(covered_bytes: bytes, salt: bytes) -> bytes:
    """The 136 bytes that stand for one bundle in a renewal.

    Args:
        covered_bytes: from :func:`covered`.
        salt: that of the bundle, 32 bytes.
    """
    if len(salt) != batch.SALT_SIZE:
        raise MalformedError(f"a salt has {batch.SALT_SIZE} bytes, not {len(salt)}")
    found = digest_of(covered_bytes)
    return ENTRY_TAG + found.sha256 + found.sha3_512 + salt


def build_document(kind: str, tree: merkle.MerkleTree, *, suite: str = NEWEST_SUITE) -> bytes:
    """Canonical bytes of the document that authorities stamp.

    Args:
        kind: one of ``KINDS``.
        tree: over the leaf hashes of the entries, both made with ``ALGORITHMS[suite]``.
    """
    value = {"format": FORMAT, "kind": kind, "suite": suite, "size": tree.size, "root": tree.root.hex()}
    check_document(value)
    return canonical.encode(value)


def check_document(value: Any) -> None:
    """Check the value of a renewal document against the format."""
    DOCUMENT(value, "renewal document")
    if value["kind"] == "hash_tree" and value["suite"] != NEWEST_SUITE:
        raise MalformedError(f"a hash-tree renewal has the suite {NEWEST_SUITE}, not {value['suite']}")


def stamped_digest(document_bytes: bytes, kind: str) -> bytes:
    """What authorities stamp, 64 bytes: SHA-512, or SHA3-512 where the hashes are renewed as well."""
    algorithm = hashlib.sha3_512 if kind == "hash_tree" else hashlib.sha512
    return algorithm(document_bytes).digest()
