"""Custody events: who did what to a piece of evidence, when, on which host; each chained to the one before.

Format ``evidence-custody/1``; see ``docs/spec/formats.md`` section 7. The processes are those of ISO/IEC
27037. The manifest holds the hash of the last event before sealing, so the record of how the evidence came
to be is stamped and anchored with it; later events are bound by the chain and by the certificate's seal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from evidence_service.core import canonical, document
from evidence_service.core.manifest import EVIDENCE_ID
from evidence_service.errors import MismatchError

FORMAT = "evidence-custody/1"
ACTIONS = (
    "order",
    "capture",
    "receive",
    "hash",
    "store",
    "seal",
    "stamp",
    "register",
    "anchor",
    "certify",
    "view",
    "copy",
    "export",
    "redact",
    "hold",
    "transfer",
    "delete",
    "failure",
)
MAX_EVENTS = 2_000

_DIGEST = document.optional(document.hexadecimal(32))

SHAPE = document.of_format(
    FORMAT,
    document.record(
        {
            "format": document.choice(FORMAT),
            "evidence_id": EVIDENCE_ID,
            "sequence": document.integer(minimum=1),
            "previous": _DIGEST,
            "action": document.choice(*ACTIONS),
            "actor": document.record(
                {"id": document.text(minimum=1, maximum=200), "role": document.text(maximum=60)}
            ),
            "at": document.timestamp,
            "host": document.text(maximum=255),
            "purpose": document.text(maximum=400),
            "before": _DIGEST,
            "after": _DIGEST,
            "tool": document.text(maximum=200),
            "detail": document.map_of(document.text(maximum=2_000), maximum=30),
        }
    ),
    what="custody event",
)


def build(members: Mapping[str, Any], *, previous: Mapping[str, Any] | None) -> dict[str, Any]:
    """The event that follows ``previous`` (None for the first one).

    Args:
        members: every member except ``format``, ``sequence`` and ``previous``.
    """
    event = {
        **members,
        "format": FORMAT,
        "sequence": 1 if previous is None else previous["sequence"] + 1,
        "previous": None if previous is None else event_hash(previous).hex(),
    }
    check(event)
    return event


def check(value: Any) -> None:
    """Check one event against the format."""
    SHAPE(value, "custody event")


def event_hash(event: Mapping[str, Any]) -> bytes:
    """``SHA-256(0x03 ‖ canonical event)``, 32 bytes."""
    return hash_of(canonical.encode(dict(event)))


def hash_of(encoded: bytes) -> bytes:
    """The same of an event's canonical bytes."""
    return hashlib.sha256(b"\x03" + encoded).digest()


def verify_chain(events: Sequence[Mapping[str, Any]], *, evidence_id: str) -> None:
    """Check that events follow one another without a gap, all about the same evidence, in order of time.

    Raises:
        MismatchError: naming the first event that does not follow.
    """
    previous: Mapping[str, Any] | None = None
    for position, event in enumerate(events, start=1):
        if event["evidence_id"] != evidence_id:
            raise MismatchError(f"custody event {position} is about other evidence")
        if event["sequence"] != position:
            raise MismatchError(f"custody event {position} carries the number {event['sequence']}")
        expected = None if previous is None else event_hash(previous).hex()
        if event["previous"] != expected:
            raise MismatchError(f"custody event {position} does not follow the event before it")
        if previous is not None and event["at"] < previous["at"]:
            raise MismatchError(f"custody event {position} is dated before the event it follows")
        previous = event


def verify_binding(
    events: Sequence[Mapping[str, Any]], *, manifest: Mapping[str, Any], manifest_sha256: bytes
) -> None:
    """Check that the manifest was sealed from exactly this history.

    The event numbered ``manifest.custody.events`` has the hash ``manifest.custody.head``, and the next one is
    the ``seal`` whose ``after`` is the manifest's SHA-256.

    Raises:
        MismatchError: it was not.
    """
    count = manifest["custody"]["events"]
    if len(events) <= count:
        raise MismatchError(f"the custody log ends at event {len(events)}, before the manifest was sealed")
    if event_hash(events[count - 1]).hex() != manifest["custody"]["head"]:
        raise MismatchError("the manifest was sealed over a different custody history")
    seal = events[count]
    if seal["action"] != "seal" or seal["after"] != manifest_sha256.hex():
        raise MismatchError(f"custody event {count + 1} is not the sealing of this manifest")
