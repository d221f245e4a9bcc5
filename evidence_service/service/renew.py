"""Renew: time stamps are stamped again before what holds them grows weak, in the manner of RFC 4998.

Evidence whose certificates end soon is grouped into one tree; authorities whose certificates end later stamp
its document (time-stamp renewal, section 5.2). Where an algorithm is not trusted any more, everything is
hashed again into the tree with another one (hash-tree renewal, section 5.3). Every attempt is a workflow of
its own; what it finds done it does not do again, and what it cannot do it notes with the time of the next.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from evidence_service.core import merkle, renewal
from evidence_service.errors import (
    EvidenceError,
    EvidenceServiceError,
    MismatchError,
    PolicyRefusedError,
    RefusedError,
)
from evidence_service.service.bundles import proofs
from evidence_service.service.parts import SERVICE, Parts
from evidence_service.service.ports import Durable
from evidence_service.store.renewals import Member, Renewal

GROUP = 4096
"""Most pieces of evidence of one tree."""
FIRST_RETRY, LONGEST_RETRY = timedelta(minutes=1), timedelta(days=1)

_SUITES = {"timestamp": "sha256-rfc9162", "hash_tree": renewal.NEWEST_SUITE}
_IMPRINTS = {"timestamp": "sha512", "hash_tree": "sha3_512"}
_PURPOSES = {
    "timestamp": "renew the time stamps before their certificates end",
    "hash_tree": "renew time stamps and digests because a digest algorithm is not trusted any more",
}


def wanted(parts: Parts) -> list[str]:
    """Open what is due, and give the subjects of the attempts that are due now."""
    now, weak = parts.now(), bool(parts.stamping.weak_digests)
    parts.renewals.open_due(
        kind="hash_tree" if weak else "timestamp",
        until=now + parts.stamping.renewed_before,
        every=weak,
        now=now,
        limit=GROUP,
    )
    # The day: should an attempt die of a fault of the program, the next day starts another.
    return [f"{item.id} {item.attempt} {now:%Y%m%d}" for item in parts.renewals.due(now=now)]


def renew(parts: Parts, durable: Durable, subject: str) -> None:
    """The workflow of one attempt."""
    renewal_id, attempt, _ = subject.split(" ")
    for name, work in (("build", build), ("stamp", stamp), ("record", record)):
        try:
            durable.step(f"renew: {name}", work, parts, renewal_id)
        except EvidenceServiceError as error:
            durable.step("renew: note", note, parts, renewal_id, error.message, int(attempt))
            return


def note(parts: Parts, renewal_id: str, reason: str, attempt: int) -> None:
    """Write down why an attempt did not get through, and when the next one is."""
    pause = min(FIRST_RETRY * 2 ** min(attempt, 20), LONGEST_RETRY)
    parts.renewals.note_waiting(renewal_id, reason, attempt=attempt + 1, next_at=parts.now() + pause)


def build(parts: Parts, renewal_id: str) -> None:
    """Hash what is renewed into a tree and write tree and document down, once."""
    item = parts.renewals.renewal(renewal_id)
    if item.state != "open":
        return
    suite = _SUITES[item.kind]
    leaves, damaged = _leaves(parts, item)
    if damaged:
        if not leaves:
            raise MismatchError("; ".join(damaged.values())[:2000])
        parts.renewals.set_apart(renewal_id, damaged, now=parts.now())
    tree = merkle.MerkleTree(leaves, renewal.ALGORITHMS[suite])
    document = renewal.build_document(item.kind, tree, suite=suite)
    parts.renewals.build(renewal_id, tree=tree, document=document, leaves=leaves)


def _leaves(parts: Parts, item: Renewal) -> tuple[list[bytes], dict[str, str]]:
    """Leaf hashes in the order of the tree, and why there is none of those that do not hold."""
    leaves: list[bytes] = []
    damaged: dict[str, str] = {}
    for member in parts.renewals.members(item.id):
        try:
            leaves.append(leaf(parts, item.kind, _SUITES[item.kind], member))
        except (EvidenceError, RefusedError) as error:
            damaged[member.evidence_id] = f"{member.evidence_id}: {error.message}"
    return leaves, damaged


def leaf(parts: Parts, kind: str, suite: str, member: Member) -> bytes:
    """Leaf hash of what a renewal covers of one piece of evidence, derived from the record."""
    value = proofs(parts, member.evidence_id)
    earlier = value["renewals"][: member.generation]
    if len(earlier) != member.generation:
        raise MismatchError(f"an earlier renewal of {member.evidence_id} is missing")
    entry = renewal.entry(renewal.covered(value, kind, earlier), bytes.fromhex(value["salt"]))
    return merkle.leaf_hash(entry, renewal.ALGORITHMS[suite])


def stamp(parts: Parts, renewal_id: str) -> None:
    """Have authorities whose certificates end later stamp the document; enough of them have to answer.

    A renewal that comes after the first certificate's end proves nothing (RFC 4998 section 5.2: before the
    old time stamp becomes invalid). It is given up in words, so that nobody takes it for one.

    Raises:
        AuthorityUnavailableError: too few answered, or too few with certificates that last.
    """
    item = parts.renewals.renewal(renewal_id)
    if item.state != "built":
        return
    if not parts.records.tokens("renewal", renewal_id):
        now = parts.now()
        if now >= item.expires_at:
            parts.renewals.advance(renewal_id, "missed")
            return
        found = parts.stamping.authorities.stamp(
            renewal.stamped_digest(item.document or b"", item.kind),
            nonce=parts.nonce,
            now=parts.now,
            algorithm=_IMPRINTS[item.kind],
            ends_after=ends_after(item.expires_at, now, parts.stamping.renewed_before),
        )
        parts.records.add_tokens("renewal", renewal_id, found.tokens, refusals=found.failures)
    parts.renewals.advance(renewal_id, "stamped")


def ends_after(ends_at: datetime, now: datetime, before: timedelta) -> datetime:
    """What certificates have to outlast: while there is time, long enough not to be due again at once."""
    return now + before if ends_at - now > before / 2 else ends_at


def record(parts: Parts, renewal_id: str) -> None:
    """Tell every member's custody log."""
    item = parts.renewals.renewal(renewal_id)
    if item.state != "stamped":
        return
    tokens = len(parts.records.tokens("renewal", renewal_id))
    for member in parts.renewals.members(renewal_id):
        parts.custody(
            member.evidence_id,
            f"renew {renewal_id}",
            "stamp",
            actor=SERVICE,
            purpose=_PURPOSES[item.kind],
            detail={"renewal": renewal_id, "kind": item.kind, "tokens": str(tokens)},
        )
    parts.renewals.advance(renewal_id, "recorded")


def changed_since(parts: Parts, evidence_id: str) -> list[str]:
    """Renewals of a piece of evidence that cover something else than what the record holds now."""
    found = []
    for item, member in parts.renewals.of_evidence(evidence_id):
        if leaf(parts, item.kind, _SUITES[item.kind], member) != member.leaf:
            found.append(item.id)
    return found


def outlook(parts: Parts) -> str:
    """What is renewed, what will have to be and what was missed, in words.

    Raises:
        PolicyRefusedError: a renewal waits for something that somebody has to do.
    """
    now = parts.now()
    unfinished = parts.renewals.unfinished()
    waiting = [f"{item.id}: {item.waiting_for}" for item in unfinished if item.waiting_for]
    if waiting:
        raise PolicyRefusedError(
            f"renewals wait: {'; '.join(waiting)}",
            what_to_do="configure authorities that answer and whose certificates end later",
        )
    missed = sum(item.state == "missed" for item in unfinished)
    ends = parts.renewals.ends(until=now + parts.stamping.renewed_before)
    late = sum(item.ends_at <= now for item in ends)
    words = [f"{len(ends) - late} pieces of evidence due", f"{len(unfinished) - missed} renewals in progress"]
    if ends and not late:
        words.append(f"the first certificate ends {ends[0].ends_at:%Y-%m-%d}")
    if late or missed:
        words.append(f"too late for {late} pieces of evidence and {missed} renewals")
    return ", ".join(words)
