"""Hold: evidence is kept whatever anybody asks for, and for how long it is kept at least."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from evidence_service.core import document
from evidence_service.service.parts import Parts
from evidence_service.service.ports import Durable
from evidence_service.service.waiting import until_available
from evidence_service.store.custody_room import Room
from evidence_service.store.holds import Hold, Retention

CUSTODIAN = "custodian"


@dataclass(frozen=True, slots=True)
class NewHold:
    """What is to be held, and why.

    Attributes:
        evidence_id, matter_id: one of the two.
    """

    id: str
    reason: str
    actor: str
    evidence_id: str | None = None
    matter_id: str | None = None


def place(parts: Parts, new: NewHold) -> Hold:
    """Place a legal hold; repeating it with the same id changes nothing. Errors as for ``Holds.place``."""
    hold = Hold(new.id, new.evidence_id, new.matter_id, new.reason, new.actor, parts.now())
    return parts.holds.place(hold, _placed(parts, hold))


def lift(parts: Parts, hold: Hold, *, actor: str, reason: str) -> Hold:
    """Lift a legal hold; the first time counts."""
    event = _lifted(parts, hold, actor, reason)
    return parts.holds.lift(hold.id, event, by=actor, reason=reason, at=parts.now())


def retain(parts: Parts, evidence_id: str, until: datetime, *, actor: str) -> Retention:
    """Keep evidence until a time at least; errors as for ``Holds.retain``."""
    wanted = Retention(evidence_id, until, actor, parts.now())
    event = parts.event(
        "hold",
        actor=(actor, CUSTODIAN),
        purpose="retention set",
        detail={"keep_until": document.format_time(until)},
    )
    return parts.holds.retain(wanted, event)


def wanted(parts: Parts) -> list[str]:
    """Subjects of the holds on matters that custody logs are still to be told of."""
    return [
        f"{hold_id} {'placed' if parts.holds.hold(hold_id).lifted_at is None else 'lifted'}"
        for hold_id in parts.holds.unnoted()
    ]


def tell_hold(parts: Parts, durable: Durable, subject: str) -> None:
    """The workflow that tells the custody logs of a whole matter, which may be thousands."""
    hold_id = subject.split(" ", maxsplit=1)[0]
    until_available(durable, "tell", partial(_tell, parts, hold_id), lambda _: None)


def _tell(parts: Parts, hold_id: str) -> None:
    hold = parts.holds.hold(hold_id)
    evidence = parts.holds.held_evidence(hold.matter_id or "")
    # A full log is left as it is: the hold stands all the same, and is among the evidence's holds.
    tell = partial(parts.records.append_custody_each, evidence, now=parts.now(), room=Room.OF_CALLERS)
    tell(f"hold {hold_id} placed", _placed(parts, hold))
    if hold.lifted_by is not None:
        tell(f"hold {hold_id} lifted", _lifted(parts, hold, hold.lifted_by, hold.lift_reason or ""))
    parts.holds.note(hold)


def _placed(parts: Parts, hold: Hold) -> dict[str, object]:
    return parts.event(
        "hold",
        actor=(hold.placed_by, CUSTODIAN),
        purpose="legal hold placed",
        detail=_detail(hold, hold.reason),
    )


def _lifted(parts: Parts, hold: Hold, actor: str, reason: str) -> dict[str, object]:
    return parts.event(
        "hold", actor=(actor, CUSTODIAN), purpose="legal hold lifted", detail=_detail(hold, reason)
    )


def _detail(hold: Hold, reason: str) -> dict[str, str]:
    of_matter = {} if hold.matter_id is None else {"matter": hold.matter_id}
    return {"hold": hold.id, "reason": reason, **of_matter}
