"""Manifests of digests that are registered in bulk: the files are elsewhere, and no authority stamps each.

Pure: facts go in, bytes and custody events come out; nothing is stored, nobody is asked. The time of such
evidence is proved through the batch it is in (verification.md, section 8, 4.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence_service.core import canonical, custody, digest, document, manifest
from evidence_service.core.digest import Digest, digest_of
from evidence_service.service.parts import SERVICE
from evidence_service.service.preserve import matter_member
from evidence_service.store.records import Matter
from evidence_service.store.schema import OPERATOR

KIND = "digest"
PURPOSE = "register a digest as evidence"
NOT_BEFORE = {"status": "unavailable", "why": "a digest may be older than any block; none is claimed"}


@dataclass(frozen=True, slots=True)
class Registration:
    """What the digests of one request have in common.

    Attributes:
        operator: id of the one who states the digests.
        registered_at: time of the request; both times of the manifest.
        purpose: ``evidence`` or ``demonstration``.
        host, tool: of the service, as in every custody log.
        role: by which the operator could state them.
        not_before: member of the manifest; a block that was the newest one some time before is as true.
    """

    matter: Matter
    operator: str
    registered_at: datetime
    purpose: str
    host: str
    tool: str
    not_before: Mapping[str, str]
    role: str = OPERATOR


@dataclass(frozen=True, slots=True)
class StatedDigest:
    """One file as its owner states it.

    Attributes:
        path: its name, or a label, in the form of a path (formats.md, section 3).
        digest: size in bytes, SHA-256, SHA3-512; all of them, for nothing is filled in.
    """

    evidence_id: str
    path: str
    media_type: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class SealedDigest:
    """Evidence that can be entered into a batch.

    Attributes:
        manifest: its canonical bytes.
        events: its whole custody log: the registration, and the sealing of the manifest over it.
    """

    evidence_id: str
    manifest: bytes
    events: tuple[dict[str, Any], dict[str, Any]]


def build(common: Registration, stated: Sequence[StatedDigest]) -> list[SealedDigest]:
    """Seal a manifest over each digest, in their order.

    Raises:
        MalformedError, LimitExceededError: a text or number the formats do not allow, named with its place.
    """
    series = _Series(common)
    return [series.seal(item, f"digests[{position}]") for position, item in enumerate(stated)]


class _Series:
    """What is common, checked and encoded once: it is most of a manifest."""

    def __init__(self, common: Registration) -> None:
        self._registered, self._sealing = _registered(common), _sealing(common)
        members = _members(common)
        _check_samples(members, self._registered, self._sealing)
        self._event = _encoded(self._registered)
        self._members = _encoded({**members, "format": manifest.FORMAT, "suite": digest.SUITE})

    def seal(self, item: StatedDigest, where: str) -> SealedDigest:
        """One manifest and its events; what differs is checked here."""
        manifest.EVIDENCE_ID(item.evidence_id, f"{where}.evidence_id")
        file = manifest.file_record(item.path, item.media_type, manifest.STATED, item.digest)
        manifest.FILE(file, where)
        about = {"evidence_id": item.evidence_id, "after": file["sha256"]}
        head = custody.hash_of(canonical.joined({**self._event, **_encoded(about)})).hex()
        own = {
            "evidence_id": item.evidence_id,
            "files": [file],
            "custody": {"events": 1, "head": head},
        }
        data = canonical.joined({**self._members, **_encoded(own)})
        return SealedDigest(
            item.evidence_id,
            data,
            ({**self._registered, **about}, {**self._sealing, **_sealed(item.evidence_id, head, data)}),
        )


def _check_samples(members: Mapping[str, Any], registered: dict[str, Any], sealing: dict[str, Any]) -> None:
    """One of each as a whole, so that of all others only what differs has to be looked at."""
    nothing = Digest(0, bytes(32), bytes(64))
    about = {"evidence_id": "evidence", "after": nothing.sha256.hex()}
    first, second = {**registered, **about}, {**sealing, **_sealed("evidence", about["after"], b"")}
    custody.check(first)
    custody.check(second)
    manifest.build(
        {
            **members,
            "evidence_id": "evidence",
            "files": [manifest.file_record("sample", "text/plain", manifest.STATED, nothing)],
            "custody": {"events": 1, "head": custody.event_hash(first).hex()},
        }
    )


def _encoded(members: Mapping[str, Any]) -> dict[str, bytes]:
    return {name: canonical.encode(value) for name, value in members.items()}


def _members(common: Registration) -> dict[str, Any]:
    """Of the manifest: all but id, file and custody."""
    at = document.format_time(common.registered_at)
    return {
        "kind": KIND,
        "purpose": common.purpose,
        "matter": matter_member(common.matter),
        "operator": {"id": common.operator, "role": common.role},
        **manifest.received(at, common.tool, common.not_before),
    }


def _registered(common: Registration) -> dict[str, Any]:
    """Of the first event: all but evidence and digest."""
    event = _event(common, 1, "register", (common.operator, common.role), PURPOSE)
    return {**event, "previous": None, "detail": {"matter": common.matter.id, "kind": KIND}}


def _sealing(common: Registration) -> dict[str, Any]:
    """Of the second event: all but evidence, digests and the event before."""
    return _event(common, 2, "seal", SERVICE, "close the manifest")


def _sealed(evidence_id: str, head: str, data: bytes) -> dict[str, Any]:
    """The rest of the second event."""
    found = digest_of(data)
    return {
        "evidence_id": evidence_id,
        "previous": head,
        "after": found.sha256.hex(),
        "detail": {"sha3_512": found.sha3_512.hex(), "files": "1"},
    }


def _event(
    common: Registration, sequence: int, action: str, actor: tuple[str, str], purpose: str
) -> dict[str, Any]:
    return {
        "format": custody.FORMAT,
        "sequence": sequence,
        "action": action,
        "actor": {"id": actor[0], "role": actor[1]},
        "at": document.format_time(common.registered_at),
        "host": common.host,
        "purpose": purpose,
        "before": None,
        "tool": common.tool,
    }
