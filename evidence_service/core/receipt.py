"""The intake receipt ``evidence-receipt/1``: what was accepted, when, and by when it will be in a batch.

See ``docs/spec/formats.md`` section 12. Pure: the signature over :func:`signed_bytes` is made by
:mod:`evidence_service.service.receipts` and checked by :mod:`evidence_service.verify.receipt`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from evidence_service.core import canonical, document, manifest
from evidence_service.errors import MalformedError

FORMAT = "evidence-receipt/1"
LIMIT = 64 * 1024
SIGNATURE_SIZE = 64

_COMMON = {
    "format": document.choice(FORMAT),
    "evidence_id": manifest.EVIDENCE_ID,
    "purpose": document.choice(*manifest.PURPOSES),
    "matter_id": document.text(maximum=64, minimum=1),
    "operator": document.record(
        {"id": document.text(maximum=200, minimum=1), "role": document.text(maximum=60)}
    ),
    "accepted_at": document.timestamp,
    "batch_by": document.timestamp,
    "key_id": document.hexadecimal(32),
    "signature": document.binary(maximum=SIGNATURE_SIZE),
}
_URL = document.record({"url": document.text(maximum=8192, minimum=1)})
_FILE = document.record(
    {
        "name": document.text(maximum=400, minimum=1),
        "size": document.integer(),
        "sha256": document.hexadecimal(32),
        "sha3_512": document.hexadecimal(64),
    }
)
_LIST = document.record({"digests": document.integer(minimum=1), "sha256": document.hexadecimal(32)})
LIST = "digest_list"
SHAPE = document.one_of(
    "kind",
    {
        kind: document.record({**_COMMON, "kind": document.choice(kind), "accepted": accepted})
        for kind, accepted in (
            ("platform_capture", _URL),
            ("upload", _FILE),
            ("digest", _FILE),
            (LIST, _LIST),
        )
    },
)


def list_line(position: int, evidence_id: str, size: int, sha256: bytes, sha3_512: bytes) -> str:
    """The line of an accepted row, in the text whose SHA-256 the receipt of a list of digests states."""
    return f"{position} {evidence_id} {size} {sha256.hex()} {sha3_512.hex()}\n"


def key_id(public_key: bytes) -> str:
    """Name of a signing key: SHA-256 of the raw Ed25519 public key (32 bytes), hexadecimal."""
    return hashlib.sha256(public_key).hexdigest()


def signed_bytes(value: Mapping[str, Any]) -> bytes:
    """What the signature is over: the canonical receipt without its ``signature`` member."""
    return canonical.encode({name: member for name, member in value.items() if name != "signature"})


def build(members: Mapping[str, Any], signature: bytes) -> bytes:
    """Canonical bytes of a receipt.

    Args:
        members: everything but the signature, ``format`` included, as it was signed.
        signature: Ed25519 over :func:`signed_bytes` of these members, 64 bytes.
    """
    value = {**members, "signature": base64.b64encode(signature).decode()}
    check(value)
    return canonical.encode(value)


def joined(members: Mapping[str, bytes], signature: bytes) -> bytes:
    """The same of members that are canonical and checked already; see :func:`canonical.joined`."""
    encoded = b'"%s"' % base64.b64encode(signature)
    return canonical.joined({**members, "signature": encoded})


def parse(data: bytes) -> dict[str, Any]:
    """Parse a receipt; its signature is not checked here.

    Raises:
        MalformedError, UnsupportedVersionError, LimitExceededError: not a receipt of version 1.
    """
    value: dict[str, Any] = canonical.decode(data, what="receipt", limit=LIMIT)
    check(value)
    return value


def check(value: Any) -> None:
    """Check the value of a receipt against the format."""
    document.check_format(value, FORMAT, what="receipt")
    SHAPE(value, "receipt")
    if len(signature(value)) != SIGNATURE_SIZE:
        raise MalformedError(f"the receipt's signature has not {SIGNATURE_SIZE} bytes")
    if value["batch_by"] < value["accepted_at"]:
        raise MalformedError("the receipt promises a time before it accepted anything")


def signature(value: Mapping[str, Any]) -> bytes:
    """Raw signature of a checked receipt."""
    return base64.b64decode(value["signature"])
