"""Audit of custody logs: every event is there, unchanged and in its place, as far as it was ever logged.

What one piece of evidence's own chain cannot show (that its end was cut off, or that the evidence is gone
altogether) its organisation's chain shows, and what that one cannot show, its anchored checkpoints do.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from evidence_service.core import custody, custody_log
from evidence_service.errors import EvidenceServiceError
from evidence_service.service.audit import Audited
from evidence_service.service.custody_matter import matter_id_of
from evidence_service.service.log_custody import NAME
from evidence_service.service.parts import SERVICE, Parts
from evidence_service.store.custody_log import Checkpoint

_PAGE = 500


def audit_custody(parts: Parts) -> Iterator[Audited]:
    """The custody log of each organisation, derived again from its events.

    Args:
        parts: bound to no organisation.
    """
    after = ""
    while page := parts.organisations.all(after=after, limit=_PAGE):
        for organisation in page:
            yield Audited(organisation.id, "custody log", tuple(_problems(parts, organisation.id)))
        after = page[-1].id


def _problems(parts: Parts, organisation_id: str) -> Iterator[str]:
    # In this order, for workers go on logging meanwhile: every checkpoint that is registered by now is kept
    # by now, and every checkpoint that is kept by now is covered by the entries that are read after it.
    registered = list(_registered(parts, organisation_id))
    newest = parts.custody_log.last_checkpoint(organisation_id)
    upto = 0 if newest is None else newest.size
    heads: dict[int, bytes] = {}
    wanted = {item.size for item in _checkpoints(parts, organisation_id, upto)}
    yield from _chain_problems(parts, organisation_id, wanted, heads)
    for evidence_id, sequence in parts.custody_log.unaccounted(organisation_id):
        yield (f"event {sequence} of {evidence_id} was put in beside the service, or taken away unlogged")
    known: set[str] = set()
    yield from _checkpoint_problems(parts, organisation_id, upto, heads, known)
    for evidence_id in registered:
        if evidence_id not in known:
            yield f"the checkpoint that was registered as {evidence_id} is gone"


def _chain_problems(
    parts: Parts, organisation_id: str, wanted: set[int], heads: dict[int, bytes]
) -> Iterator[str]:
    """Follow the chain; ``heads`` takes the head at each size that is wanted."""
    position, head = 0, custody_log.START
    while page := parts.custody_log.entries(organisation_id, after=position, limit=_PAGE):
        for entry, event in page:
            where = (
                f"entry {entry.position} of the custody log (event {entry.sequence} of {entry.evidence_id})"
            )
            if entry.position != position + 1:
                yield f"entries {position + 1} to {entry.position - 1} of the custody log are gone"
            if event is None:
                yield f"{where}: the event is gone"
            elif custody.event_hash(event) != entry.event_hash:
                yield f"{where}: the event was changed after it was logged"
            position, head = entry.position, custody_log.extend(head, entry.event_hash)
            if head != entry.head:
                yield f"{where} does not follow the entry before it"
                head = entry.head
            if position in wanted:
                heads[position] = head


def _checkpoint_problems(
    parts: Parts, organisation_id: str, upto: int, heads: dict[int, bytes], known: set[str]
) -> Iterator[str]:
    """Checkpoints of at most ``upto`` entries; ``known`` takes the evidence they are registered as."""
    previous: str | None = None
    for item in _checkpoints(parts, organisation_id, upto):
        where = f"checkpoint of {item.size} entries"
        known.add(item.evidence_id)
        try:
            stated = custody_log.parse_checkpoint(item.document)
            evidence = parts.records.evidence(item.evidence_id)
        except EvidenceServiceError as error:
            yield f"{where}: {error.message}"
            continue
        sha256 = hashlib.sha256(item.document).hexdigest()
        if stated["organisation"] != organisation_id or stated["size"] != item.size:
            yield f"{where}: it is of another log or length"
        if evidence.organisation_id != organisation_id:
            yield f"{where}: evidence {item.evidence_id} is another organisation's"
        if heads.get(item.size, b"").hex() != stated["head"]:
            yield f"{where}: the log has another head there, or is shorter now"
        if stated["previous"] != previous:
            yield f"{where} does not follow the checkpoint before it"
        if json.loads(evidence.manifest or b'{"files": [{"sha256": null}]}')["files"][0]["sha256"] != sha256:
            yield f"{where}: not what was registered as evidence {item.evidence_id}"
        previous = sha256


def _registered(parts: Parts, organisation_id: str) -> Iterator[str]:
    """Evidence that the service registered checkpoints as, by what its manifests say: those are anchored.

    The matter is closed to callers; what a release before that let in is theirs, and no checkpoint, and
    neither is the digest of a certificate of one.
    """
    after: str | None = None
    matter_id = matter_id_of(organisation_id)
    while page := parts.records.list_evidence(matter_id=matter_id, after=after, limit=_PAGE):
        for item in page:
            stated = json.loads(item.manifest or b"null")
            if stated is not None and (
                (stated["operator"]["id"], stated["files"][0]["path"]) == (SERVICE[0], NAME)
            ):
                yield item.id
        after = page[-1].id


def _checkpoints(parts: Parts, organisation_id: str, upto: int) -> Iterator[Checkpoint]:
    after = 0
    while page := parts.custody_log.checkpoints(organisation_id, after=after, limit=_PAGE):
        for item in page:
            if item.size > upto:
                return
            yield item
        after = page[-1].size
