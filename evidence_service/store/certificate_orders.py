"""Orders of certificates: one open order for each piece of evidence and edition, however often it is given.

Everything that decides about the certificates of one piece of evidence happens under one lock, so two orders
that contradict each other never both succeed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, ScalarSelect, case, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on

from evidence_service.errors import ConflictError, NotFoundError
from evidence_service.store import schema
from evidence_service.store.answered import Answered
from evidence_service.store.custody_room import Room, full, nearly_full

_ORDERS, _CERTIFICATES, _EVIDENCE = schema.certificate_orders, schema.certificates, schema.evidence
_FACTS = schema.facts(_ORDERS)
_READY = ("anchored", "certified")
_EVENTS = 3
"""Custody events of a certificate: issued, extended once, superseded or withdrawn."""


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What somebody asks for.

    Attributes:
        edition: code, e.g. ``cn:en+zh``.
        role: the one by which it could be asked for.
        supersedes: number of the certificate whose place the new one takes, with the reason.
    """

    id: str
    evidence_id: str
    edition: str
    actor: str
    ordered_at: datetime
    supersedes: str | None = None
    reason: str = ""
    role: str = schema.OPERATOR


@dataclass(frozen=True, slots=True)
class CertificateOrder:
    """An order and where it stands.

    Attributes:
        state: open → issued | refused.
        number: of its certificate, from the moment one is reserved.
        waiting_for: what is unavailable, in words; problem: why it was refused.
    """

    id: str
    evidence_id: str
    edition: str
    supersedes: str | None
    reason: str
    actor: str
    role: str
    ordered_at: datetime
    state: str
    number: str | None
    waiting_for: str | None
    problem: str


class CertificateOrders(Answered):
    """Orders in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    def place(self, new: NewOrder, *, room: Room = Room.OF_CALLERS) -> CertificateOrder:
        """Record an order, or find the one that stands for the same certificate already.

        Args:
            room: of the custody log, which a new order needs.

        Raises:
            ConflictError: the certificate to be superseded is not current any more, or is being superseded
                already, or there is a current one in its place; or the custody log has no room.
            NotFoundError: there is no certificate to be superseded.
        """
        with self._engine.begin() as connection:
            lock(connection, new.evidence_id)
            found = connection.execute(select(*_FACTS).where(_ORDERS.c.id == new.id)).one_or_none()
            if found is None and new.supersedes is None:
                found = _standing(connection, [new.evidence_id], new.edition).get(new.evidence_id)
            if found is None:
                if new.supersedes is not None:
                    _check_succession(connection, new, new.supersedes)
                if room is Room.OF_CALLERS and _nearly_full(connection, [new.evidence_id], new.ordered_at):
                    raise full(new.evidence_id)
                found = connection.execute(insert(_ORDERS).values(**_columns(new)).returning(*_FACTS)).one()
        return CertificateOrder(**found._mapping)

    def place_all(self, edition: str, orders: Sequence[NewOrder]) -> dict[str, CertificateOrder]:
        """The same for many of one edition that supersede nothing, in one transaction; by evidence.

        Those whose custody log has no room for a new order are left out.
        """
        wanted = {order.evidence_id: order for order in orders}
        # In one order for everybody: two lists that overlap wait for each other, and never both.
        ids = sorted(wanted)
        with self._engine.begin() as connection:
            connection.execute(
                text(
                    "SELECT pg_advisory_xact_lock(hashtextextended('certificates ' || id, 0)) "
                    "FROM unnest(CAST(:ids AS text[])) AS id"
                ),
                {"ids": ids},
            )
            found = _standing(connection, ids, edition)
            new = [name for name in ids if name not in found]
            refused = _nearly_full(connection, new, orders[0].ordered_at) if new else []
            added = [_columns(wanted[name]) for name in new if name not in refused]
            if added:
                rows = connection.execute(insert(_ORDERS).values(added).returning(*_FACTS))
                found |= {row.evidence_id: row for row in rows}
        return {name: CertificateOrder(**row._mapping) for name, row in found.items()}

    def order(self, order_id: str) -> CertificateOrder:
        """One order.

        Raises:
            NotFoundError: there is none with this id.
        """
        found = self.orders([order_id])
        if not found:
            raise NotFoundError(f"there is no order {order_id} of a certificate")
        return found[0]

    def orders(self, order_ids: Sequence[str]) -> list[CertificateOrder]:
        """Those orders that there are, in the order they are asked for."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(*_FACTS).where(_ORDERS.c.id.in_(order_ids)))
            known = {row.id: CertificateOrder(**row._mapping) for row in rows}
        return [known[name] for name in dict.fromkeys(order_ids) if name in known]

    def issuable(self, limit: int) -> list[str]:
        """Ids of open orders whose evidence is anchored: each organisation's oldest, then their next ones."""
        age = _ORDERS.c.ordered_at, _ORDERS.c.id
        query = (
            select(_ORDERS.c.id)
            .join(_EVIDENCE, _EVIDENCE.c.id == _ORDERS.c.evidence_id)
            .where(text(schema.ORDERED), _EVIDENCE.c.status.in_(_READY))
            .order_by(func.row_number().over(partition_by=_ORDERS.c.organisation_id, order_by=age), *age)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return [row.id for row in connection.execute(query)]

    def note_order(self, order_id: str, waiting_for: str | None) -> None:
        """Say what an order waits for, or that it waits for nothing."""
        self._set(order_id, waiting_for=waiting_for)

    def refuse_order(self, order_id: str, problem: str) -> None:
        """Record that no certificate is issued for an order, and why; an issued one stays issued."""
        self._set(order_id, state="refused", problem=problem, waiting_for=None)

    def _set(self, order_id: str, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                update(_ORDERS).where(_ORDERS.c.id == order_id, _ORDERS.c.state == "open").values(**values)
            )


def refusal() -> ScalarSelect[Any]:
    """A column beside those of evidence: why there will be no certificate, null while there may be one.

    Whoever orders another one after a refusal may get that.
    """
    refused = _ORDERS.c.state == "refused"
    return (
        select(case((refused, _ORDERS.c.problem)))
        .where(_ORDERS.c.evidence_id == _EVIDENCE.c.id)
        .order_by(refused, _ORDERS.c.ordered_at.desc(), _ORDERS.c.id)
        .limit(1)
        .correlate(_EVIDENCE)
        .scalar_subquery()
    )


def lock(connection: Connection, evidence_id: str) -> None:
    """One at a time decides about the certificates of one piece of evidence, until its transaction ends."""
    connection.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"certificates {evidence_id}"},
    )


def current(connection: Connection, evidence_id: str, edition: str) -> str | None:
    """Number of the current certificate of an edition."""
    number: str | None = connection.execute(
        select(_CERTIFICATES.c.number).where(
            text(schema.CURRENT),
            _CERTIFICATES.c.evidence_id == evidence_id,
            _CERTIFICATES.c.edition == edition,
        )
    ).scalar_one_or_none()
    return number


def require_current(connection: Connection, number: str) -> Row[Any]:
    """The row of a certificate that can be superseded or withdrawn.

    Raises:
        NotFoundError: no such number.
        ConflictError: it is not current; the message says what it is.
    """
    row = connection.execute(select(_CERTIFICATES).where(_CERTIFICATES.c.number == number)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no certificate {number}", what_to_do="look at the number again")
    if row.status == "reserved":
        raise ConflictError(f"under {number} no certificate was released", what_to_do="wait until it is")
    if row.status == "superseded":
        raise ConflictError(
            f"certificate {number} is superseded by {row.superseded_by} already",
            what_to_do=f"work on {row.superseded_by}",
        )
    if row.status == "withdrawn":
        raise ConflictError(
            f"certificate {number} is withdrawn already ({row.reason})",
            what_to_do="issue a new certificate of the evidence",
        )
    return row


def _nearly_full(connection: Connection, evidence_ids: Sequence[str], now: datetime) -> list[str]:
    return nearly_full(connection, evidence_ids, events=_EVENTS, now=now)


def _columns(new: NewOrder) -> dict[str, Any]:
    return {**asdict(new), "state": "open", "organisation_id": schema.owner_of(new.evidence_id)}


def _standing(connection: Connection, evidence_ids: Sequence[str], edition: str) -> dict[str, Row[Any]]:
    """The orders that lead, or led, to the certificates that are asked for, by evidence."""
    rows = connection.execute(
        select(*_FACTS)
        .select_from(_ORDERS)
        .outerjoin(_CERTIFICATES, _CERTIFICATES.c.number == _ORDERS.c.number)
        .where(_ORDERS.c.evidence_id.in_(evidence_ids), _ORDERS.c.edition == edition)
        .where((_ORDERS.c.state == "open") | (_CERTIFICATES.c.status == "released"))
        # While a successor is on its way, that one is what is asked for.
        .ext(distinct_on(_ORDERS.c.evidence_id))
        .order_by(_ORDERS.c.evidence_id, _ORDERS.c.state.desc())
    )
    return {row.evidence_id: row for row in rows}


def _check_succession(connection: Connection, new: NewOrder, number: str) -> None:
    """Refuse an order that cannot take the place of a certificate; one successor at a time."""
    old = require_current(connection, number)
    begun = connection.execute(
        select(_ORDERS.c.id).where(
            text(schema.ORDERED),
            (_ORDERS.c.supersedes == number)
            | ((_ORDERS.c.evidence_id == new.evidence_id) & (_ORDERS.c.edition == new.edition)),
        )
    ).first()
    if begun is not None:
        raise ConflictError(
            f"certificate {number} is being superseded already (order {begun.id})",
            what_to_do="wait until that one is issued",
        )
    other = current(connection, old.evidence_id, new.edition)
    if other not in (None, number):
        raise ConflictError(
            f"the evidence has a current certificate {other} of the edition {new.edition}",
            what_to_do=f"supersede {other}, or withdraw {number}",
        )
