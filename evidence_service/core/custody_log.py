"""The custody log of an organisation: the events of all its evidence in one chain, and its checkpoints.

Format ``evidence-custody-checkpoint/1``; see ``docs/spec/custody-log.md``. The chain of one piece of evidence
(:mod:`evidence_service.core.custody`) shows that nothing in it was changed; this one shows that nothing was
taken away, whole chains included: a checkpoint states length and head, and is anchored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from evidence_service.core import canonical, document

FORMAT = "evidence-custody-checkpoint/1"
START = bytes(32)
"""Head of an empty log."""
MAX_BYTES = 4_096

SHAPE = document.of_format(
    FORMAT,
    document.record(
        {
            "format": document.choice(FORMAT),
            "organisation": document.text(minimum=1, maximum=64),
            "size": document.integer(minimum=1),
            "head": document.hexadecimal(32),
            "previous": document.optional(document.hexadecimal(32)),
            "at": document.timestamp,
        }
    ),
    what="custody checkpoint",
)


def extend(head: bytes, event_hash: bytes) -> bytes:
    """The head after one more event, ``SHA-256(0x04 ‖ head ‖ event hash)``, 32 bytes."""
    return hashlib.sha256(b"\x04" + head + event_hash).digest()


def checkpoint(members: Mapping[str, Any]) -> bytes:
    """Canonical bytes of a checkpoint.

    Args:
        members: every member except ``format``.
    """
    value = {"format": FORMAT, **members}
    SHAPE(value, "custody checkpoint")
    return canonical.encode(value)


def parse_checkpoint(data: bytes) -> dict[str, Any]:
    """A checkpoint from its canonical bytes.

    Raises:
        MalformedError: it is none.
    """
    value: dict[str, Any] = canonical.decode(data, what="custody checkpoint", limit=MAX_BYTES)
    SHAPE(value, "custody checkpoint")
    return value
