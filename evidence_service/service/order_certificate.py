"""Order certificates: one, many, another one in the place of one, and the end of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evidence_service.certificate.edition import parse_edition
from evidence_service.errors import DeletedError, NotFoundError, PolicyRefusedError, RefusedError
from evidence_service.service.note_certificate import note_certificate
from evidence_service.service.parts import Parts
from evidence_service.service.rules import check_outcome
from evidence_service.store.certificate_orders import CertificateOrder, NewOrder
from evidence_service.store.certificates import Certificate
from evidence_service.store.custody_room import full
from evidence_service.store.records import Evidence

_ID = re.compile(r"[a-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row of a list: an order, or why there is none."""

    evidence_id: str
    order: CertificateOrder | None = None
    problem: RefusedError | None = None


def order_certificate(
    parts: Parts, evidence_id: str, edition: str, *, actor: tuple[str, str], order_id: str
) -> CertificateOrder:
    """Order a certificate; where one of this edition is current or ordered already, that is the answer.

    It is issued when the evidence is anchored.

    Args:
        edition: code, e.g. ``cn:en+zh``.
        actor: id and role.
        order_id: of a new order.

    Raises:
        NotFoundError: no such evidence.
        RefusedError: no such edition, or a rule forbids the certificate.
    """
    new = NewOrder(order_id, evidence_id, parse_edition(edition).code, actor[0], parts.now(), role=actor[1])
    _check(parts.records.evidence(evidence_id))
    return parts.certificates.place(new)


def _check(evidence: Evidence) -> None:
    """Refuse what will never have a certificate."""
    check_outcome(evidence.kind, evidence.outcome)
    if evidence.deleted_at is not None:
        raise DeletedError(f"the files of evidence {evidence.id} are deleted: nothing is certified of them")
    if evidence.refused:
        raise PolicyRefusedError(
            f"the work on evidence {evidence.id} has ended: {evidence.progress}",
            what_to_do="preserve it again",
        )


def order_many(
    parts: Parts,
    evidence_ids: Sequence[str],
    edition: str,
    *,
    actor: tuple[str, str],
    new_id: Callable[[], str],
) -> list[RowResult]:
    """Order a certificate of each piece of evidence; a row that is refused refuses no other.

    Args:
        new_id: gives the id of a new order.

    Raises:
        RefusedError: no such edition.
    """
    code, now = parse_edition(edition).code, parts.now()
    known = parts.records.some_evidence([name for name in evidence_ids if _ID.fullmatch(name)])
    problems: dict[str, RefusedError] = {}
    for name in evidence_ids:
        try:
            if name not in known:
                raise NotFoundError(f"there is no evidence {name[:64]!r}", what_to_do="look at the list")
            _check(known[name])
        except RefusedError as error:
            problems[name] = error
    placed = parts.certificates.place_all(
        code,
        [
            NewOrder(new_id(), name, code, actor[0], now, role=actor[1])
            for name in evidence_ids
            if name not in problems
        ],
    )
    problems |= {name: full(name) for name in known if name not in placed and name not in problems}
    return [RowResult(name, placed.get(name), problems.get(name)) for name in evidence_ids]


def supersede(
    parts: Parts, number: str, *, edition: str | None, reason: str, actor: tuple[str, str], order_id: str
) -> CertificateOrder:
    """Order a new certificate of the same evidence that takes the place of a current one when it is released.

    Args:
        edition: code; None for the same one.

    Raises:
        NotFoundError, ConflictError: there is no such certificate, it is not current, or is being superseded.
        RefusedError: no such edition.
    """
    old = parts.certificates.certificate(number)
    code = old.edition if edition is None else parse_edition(edition).code
    return parts.certificates.place(
        NewOrder(
            order_id,
            old.evidence_id,
            code,
            actor[0],
            parts.now(),
            supersedes=number,
            reason=reason,
            role=actor[1],
        )
    )


def withdraw(parts: Parts, number: str, *, reason: str, actor: tuple[str, str]) -> Certificate:
    """Withdraw a current certificate; its PDF stays where it is and goes on verifying.

    Repeating it with the same reason, after it failed or landed, changes nothing.

    Raises:
        NotFoundError, ConflictError: there is no such certificate, or it is not current.
    """
    found = parts.certificates.withdraw(number, reason=reason, actor=actor[0], role=actor[1], now=parts.now())
    note_certificate(parts, number)
    return found
