"""The proof bundle: everything needed to check one piece of evidence with nobody's help.

Format ``evidence-bundle/2``, one canonical JSON document; see ``docs/spec/formats.md`` section 8. Version 1
is read for ever and no longer written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from evidence_service.core import batch, canonical, custody, document, manifest, renewal, stamp
from evidence_service.errors import MalformedError, MismatchError

FIRST_FORMAT = "evidence-bundle/1"
FORMAT = "evidence-bundle/2"
LIMIT = 4 * 1024 * 1024
ATTESTATION_LIMIT = 64 * 1024
"""Largest proof of another kind, in bytes."""
NODE_LIMIT = 256 * 1024
"""Largest trie node in bytes: a leaf of the transactions trie holds a whole transaction."""

_NODES = document.list_of(document.binary(maximum=NODE_LIMIT), maximum=70, minimum=1)

_OF = document.choice("manifest", "batch_header")

TIMESTAMP = document.record({"of": _OF, "token": stamp.TOKEN, "revocation": stamp.REVOCATION})

ATTESTATION = document.record(
    {
        "kind": document.choice("opentimestamps"),
        "of": document.choice("batch_header"),
        "proof": document.binary(maximum=ATTESTATION_LIMIT),
    }
)

ANCHOR = document.record(
    {
        "chain_id": document.decimal(),
        "contract": document.prefixed_hexadecimal(20),
        "code_hash": document.prefixed_hexadecimal(32),
        "submitter": document.prefixed_hexadecimal(20),
        "header": document.binary(maximum=16 * 1024),
        "transaction": document.record({"index": document.integer(maximum=2**31), "proof": _NODES}),
        "receipt": document.record({"log_index": document.integer(maximum=2**31), "proof": _NODES}),
        "state": document.optional(document.record({"account_proof": _NODES, "storage_proof": _NODES})),
    }
)

_COMMON: Mapping[str, document.Shape] = {
    "format": document.choice(FIRST_FORMAT, FORMAT),
    "manifest": manifest.SHAPE,
    "salt": document.hexadecimal(batch.SALT_SIZE),
    "inclusion": document.optional(batch.INCLUSION),
    "batch_header": document.optional(batch.SHAPE),
    "anchors": document.list_of(ANCHOR, maximum=8),
    "custody": document.list_of(custody.SHAPE, maximum=custody.MAX_EVENTS, minimum=1),
    "checksum": document.hexadecimal(32),
}

SHAPES: Mapping[str, document.Shape] = {
    FIRST_FORMAT: document.record(
        {
            **_COMMON,
            "timestamps": document.list_of(document.record({"of": _OF, "token": stamp.TOKEN}), maximum=20),
        }
    ),
    FORMAT: document.record(
        {
            **_COMMON,
            "timestamps": document.list_of(TIMESTAMP, maximum=20),
            "attestations": document.list_of(ATTESTATION, maximum=5),
            "renewals": document.list_of(renewal.SHAPE, maximum=20),
        }
    ),
}
"""What a bundle holds, by its version."""


def build(members: Mapping[str, Any]) -> bytes:
    """Canonical bytes of a bundle; ``format`` and ``checksum`` are filled in."""
    value = {**members, "format": FORMAT}
    value["checksum"] = checksum(value)
    check(value)
    return canonical.encode(value)


def parse(data: bytes) -> dict[str, Any]:
    """Parse and check a bundle's bytes, including its checksum.

    Raises:
        MalformedError, UnsupportedVersionError, LimitExceededError: not a bundle of version 1 or 2.
        MismatchError: the checksum differs: some byte was changed by accident or by an editor.
    """
    value = canonical.decode(data, what="bundle", limit=LIMIT)
    check(value)
    if checksum(value) != value["checksum"]:
        raise MismatchError(
            "the bundle's checksum does not match its content",
            what_to_do="get the bundle again from the certificate or the issuer; this copy was changed",
        )
    result: dict[str, Any] = value
    return result


def check(value: Any) -> None:
    """Check the value of a bundle and of every document inside it against their formats."""
    document.check_format(value, *SHAPES, what="bundle")
    if not isinstance(value.get("manifest"), dict):
        raise MalformedError("the bundle holds no manifest")
    manifest.check(value["manifest"])
    SHAPES[value["format"]](value, "bundle")
    if (value["inclusion"] is None) != (value["batch_header"] is None):
        raise MalformedError("a bundle holds both an inclusion proof and a batch header, or neither")
    if value["batch_header"] is None and (value["anchors"] or attestations(value)):
        raise MalformedError("a bundle with an anchor or attestation needs the batch header it is about")
    if value["batch_header"] is not None:
        batch.check_header(value["batch_header"])
    for item in renewals(value):
        renewal.check_document(item["document"])


def attestations(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Proofs of other kinds in a checked bundle; version 1 has no place for them."""
    return list(value.get("attestations", ()))


def renewals(value: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Renewals of a checked bundle, oldest first; version 1 has no place for them."""
    return list(value.get("renewals", ()))


def checksum(value: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical bundle without its ``checksum`` member, hexadecimal.

    It finds accidents, nothing more: whoever changes a bundle on purpose recomputes it. What stops a forger
    are the digests, tokens, proofs and seals inside.
    """
    rest = {name: member for name, member in value.items() if name != "checksum"}
    return hashlib.sha256(canonical.encode(rest)).hexdigest()


def manifest_bytes(value: Mapping[str, Any]) -> bytes:
    """Canonical bytes of the manifest a checked bundle holds."""
    return canonical.encode(value["manifest"])


def header_bytes(value: Mapping[str, Any]) -> bytes:
    """Canonical bytes of the batch header a checked bundle holds.

    Raises:
        MalformedError: the bundle has none yet.
    """
    if value["batch_header"] is None:
        raise MalformedError("the bundle is not in a batch yet")
    return canonical.encode(value["batch_header"])
