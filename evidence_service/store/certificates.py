"""The register of certificates: where each stands, how it came there, and every PDF released under it.

Status and history are written in the same transaction; history and PDFs are only ever added to, which the
database itself enforces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, text, update

from evidence_service.errors import ConflictError, NotFoundError
from evidence_service.store import schema
from evidence_service.store.certificate_orders import CertificateOrders, current, lock, require_current

_CERTIFICATES, _EVENTS, _PDFS = schema.certificates, schema.certificate_events, schema.certificate_pdfs
_ORDERS, _EVIDENCE = schema.certificate_orders, schema.evidence
_FACTS, _PDF_FACTS = schema.facts(_CERTIFICATES), schema.facts(_PDFS)

STATUSES = ("reserved", "released", "superseded", "withdrawn")


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate.

    Attributes:
        edition: code, e.g. ``generic:en+zh``.
        status: reserved → released → superseded | withdrawn.
        sha256: of its newest PDF in the object store; None until it is released.
        level: signature level that PDF achieved, e.g. ``PAdES B-T``.
        since: when it came to its status; reason: why.
        superseded_by: number of the certificate that took its place.
        qualifications: what the gate demanded to be said on it.
        waiting_for: why its seal could not be extended when that was due.
        unnoted: whether custody logs and digests are behind its history.
    """

    number: str
    evidence_id: str
    edition: str
    status: str
    sha256: bytes | None
    level: str | None
    reserved_at: datetime
    released_at: datetime | None
    since: datetime
    reason: str
    superseded_by: str | None
    qualifications: Sequence[str]
    waiting_for: str | None
    unnoted: bool


@dataclass(frozen=True, slots=True)
class StatusChange:
    """An entry of a certificate's history."""

    sequence: int
    status: str
    at: datetime
    actor: str
    role: str
    reason: str
    superseded_by: str | None


@dataclass(frozen=True, slots=True)
class ReleasedPdf:
    """A PDF that was released under a number.

    Attributes:
        sequence: 1 for the one that was sealed first, then one more for each extension.
        ends_at: when the first certificate that holds its newest time stamp ends; None when not known.
    """

    number: str
    sequence: int
    sha256: bytes
    level: str
    at: datetime
    ends_at: datetime | None


class Certificates(CertificateOrders):
    """The register in PostgreSQL. Every method is one transaction; when it returns, it is durable."""

    # --- changes ---

    def reserve(self, order_id: str, *, prefix: str, now: datetime) -> Certificate:
        """The certificate of an order, with the next number when it has none yet.

        Numbers are consecutive within a prefix and a year: ``EP-2026-000001``. One that is never released
        stays reserved; no number is given twice. An organisation with a code of its own has it as its prefix:
        nobody can tell from a number how many certificates others were issued.

        Args:
            prefix: for organisations without a code.
        """
        with self._engine.begin() as connection:
            connection.execute(text("LOCK TABLE certificates IN SHARE ROW EXCLUSIVE MODE"))
            order = connection.execute(select(_ORDERS).where(_ORDERS.c.id == order_id)).one()
            if order.number is not None:
                return _certificate(connection, order.number)
            code = connection.execute(
                select(schema.organisations.c.code).where(schema.organisations.c.id == order.organisation_id)
            ).scalar_one()
            number = _next_number(connection, f"{code or prefix}-{now:%Y}-")
            connection.execute(
                insert(_CERTIFICATES).values(
                    number=number,
                    organisation_id=order.organisation_id,
                    evidence_id=order.evidence_id,
                    edition=order.edition,
                    status="reserved",
                    reserved_at=now,
                    since=now,
                )
            )
            _append(connection, number, "reserved", now, (order.actor, order.role))
            connection.execute(update(_ORDERS).where(_ORDERS.c.id == order_id).values(number=number))
            return _certificate(connection, number)

    def release(
        self,
        order_id: str,
        *,
        sha256: bytes,
        level: str,
        ends_at: datetime | None,
        qualifications: Sequence[str],
        now: datetime,
    ) -> None:
        """Record that a certificate was accepted by the verifier and may leave the house; once.

        What it supersedes is superseded in the same moment.

        Raises:
            ConflictError: what it supersedes is not current any more, or another one became current.
        """
        with self._engine.begin() as connection:
            order = connection.execute(select(_ORDERS).where(_ORDERS.c.id == order_id)).one()
            lock(connection, order.evidence_id)
            if _certificate(connection, order.number).status != "reserved":
                return
            if order.supersedes is not None:
                require_current(connection, order.supersedes)
                change = {"reason": order.reason, "superseded_by": order.number}
                _append(connection, order.supersedes, "superseded", now, (order.actor, order.role), **change)
            other = current(connection, order.evidence_id, order.edition)
            if other is not None:
                raise ConflictError(f"the evidence has a current certificate {other} of this edition already")
            connection.execute(
                update(_CERTIFICATES)
                .where(_CERTIFICATES.c.number == order.number)
                .values(released_at=now, qualifications=list(qualifications))
            )
            _append(connection, order.number, "released", now, (order.actor, order.role))
            _add_pdf(connection, ReleasedPdf(order.number, 1, sha256, level, now, ends_at))
            connection.execute(
                update(_ORDERS).where(_ORDERS.c.id == order_id).values(state="issued", waiting_for=None)
            )

    def withdraw(
        self, number: str, *, reason: str, actor: str, role: str = schema.OPERATOR, now: datetime
    ) -> Certificate:
        """Withdraw a current certificate; its PDF stays. Repeating it with the same reason changes nothing.

        Raises:
            NotFoundError, ConflictError: there is none, or it is not current.
        """
        evidence_id = self.certificate(number).evidence_id
        with self._engine.begin() as connection:
            lock(connection, evidence_id)
            found = _certificate(connection, number)
            if (found.status, found.reason) == ("withdrawn", reason):
                return found
            require_current(connection, number)
            _append(connection, number, "withdrawn", now, (actor, role), reason=reason)
            return _certificate(connection, number)

    def add_pdf(self, pdf: ReleasedPdf) -> bool:
        """Record a PDF with an extended seal, unless one of its place is there; whether it was recorded."""
        evidence_id = self.certificate(pdf.number).evidence_id
        with self._engine.begin() as connection:
            lock(connection, evidence_id)
            taken = connection.execute(
                select(_PDFS.c.sha256).where(_PDFS.c.number == pdf.number, _PDFS.c.sequence == pdf.sequence)
            ).one_or_none()
            if taken is None:
                _add_pdf(connection, pdf)
            return taken is None

    def note_extension(self, number: str, waiting_for: str | None) -> None:
        """Say why a seal could not be extended, or that nothing is in the way."""
        with self._engine.begin() as connection:
            connection.execute(
                update(_CERTIFICATES).where(_CERTIFICATES.c.number == number).values(waiting_for=waiting_for)
            )

    def noted(self, number: str, *, changes: int) -> None:
        """Record that everything was told about a certificate, unless something happened meanwhile.

        Args:
            changes: entries of its history and PDFs that were told.
        """
        with self._engine.begin() as connection:
            connection.execute(
                update(_CERTIFICATES)
                .where(_CERTIFICATES.c.number == number, _changes() == changes)
                .values(unnoted=False)
            )

    # --- questions ---

    def unnoted(self) -> list[tuple[str, int]]:
        """Numbers of certificates that something is to be told about, with how much there is to tell."""
        query = select(_CERTIFICATES.c.number, _changes()).where(text(schema.UNTOLD))
        with self._engine.connect() as connection:
            return [(number, changes) for number, changes in connection.execute(query)]

    def certificate(self, number: str) -> Certificate:
        """A certificate by its number.

        Raises:
            NotFoundError: the register has no such number.
        """
        with self._engine.connect() as connection:
            return _certificate(connection, number)

    def of_evidence(self, evidence_id: str, edition: str | None = None) -> Certificate:
        """The current certificate of a piece of evidence.

        Args:
            edition: its code; None takes the one that was released last.

        Raises:
            NotFoundError: none is current.
        """
        query = (
            select(*_FACTS)
            .where(text(schema.CURRENT), _CERTIFICATES.c.evidence_id == evidence_id)
            .order_by(_CERTIFICATES.c.released_at.desc(), _CERTIFICATES.c.number.desc())
            .limit(1)
        )
        if edition is not None:
            query = query.where(_CERTIFICATES.c.edition == edition)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            which = "" if edition is None else f" in the edition {edition}"
            raise NotFoundError(
                f"evidence {evidence_id} has no current certificate{which}",
                what_to_do="ask for one, or wait until the anchoring is final",
            )
        return Certificate(**row._mapping)

    def find(
        self,
        *,
        evidence_id: str | None = None,
        matter_id: str | None = None,
        status: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[Certificate]:
        """Certificates in the order of their numbers, from just after one of them."""
        query = select(*_FACTS).order_by(_CERTIFICATES.c.number).limit(limit)
        if evidence_id is not None:
            query = query.where(_CERTIFICATES.c.evidence_id == evidence_id)
        if matter_id is not None:
            members = select(_EVIDENCE.c.id).where(_EVIDENCE.c.matter_id == matter_id)
            query = query.where(_CERTIFICATES.c.evidence_id.in_(members))
        if status is not None:
            query = query.where(_CERTIFICATES.c.status == status)
        if after is not None:
            query = query.where(_CERTIFICATES.c.number > after)
        with self._engine.connect() as connection:
            return [Certificate(**row._mapping) for row in connection.execute(query)]

    def history(self, number: str) -> list[StatusChange]:
        """What happened to a certificate, oldest first."""
        columns = [column for column in schema.facts(_EVENTS) if column.name != "number"]
        query = select(*columns).where(_EVENTS.c.number == number).order_by(_EVENTS.c.sequence)
        with self._engine.connect() as connection:
            return [StatusChange(**row._mapping) for row in connection.execute(query)]

    def pdfs(self, number: str) -> list[ReleasedPdf]:
        """Every PDF released under a number, oldest first."""
        query = select(*_PDF_FACTS).where(_PDFS.c.number == number).order_by(_PDFS.c.sequence)
        with self._engine.connect() as connection:
            return [ReleasedPdf(**row._mapping) for row in connection.execute(query)]

    def ending(self, *, until: datetime) -> list[ReleasedPdf]:
        """The newest PDF of each current certificate whose time stamp ends by then, soonest first."""
        newest = (
            select(_PDFS.c.number, func.max(_PDFS.c.sequence).label("sequence"))
            .group_by(_PDFS.c.number)
            .subquery()
        )
        query = (
            select(*_PDF_FACTS)
            .join(
                newest,
                (newest.c.number == _PDFS.c.number) & (newest.c.sequence == _PDFS.c.sequence),
            )
            .join(_CERTIFICATES, _CERTIFICATES.c.number == _PDFS.c.number)
            .where(text("certificates.status = 'released'"), _PDFS.c.ends_at <= until)
            .order_by(_PDFS.c.ends_at, _PDFS.c.number)
        )
        with self._engine.connect() as connection:
            return [ReleasedPdf(**row._mapping) for row in connection.execute(query)]


def _changes() -> ColumnElement[int]:
    """How many entries a certificate's history has, and PDFs."""
    counts = (
        select(func.count()).where(table.c.number == _CERTIFICATES.c.number).scalar_subquery()
        for table in (_EVENTS, _PDFS)
    )
    events, pdfs = counts
    return events + pdfs


def _next_number(connection: Connection, stem: str) -> str:
    last = connection.execute(
        select(_CERTIFICATES.c.number)
        .where(_CERTIFICATES.c.number.startswith(stem, autoescape=True))
        .order_by(_CERTIFICATES.c.number.desc())
        .limit(1)
    ).scalar_one_or_none()
    return f"{stem}{1 if last is None else int(last.removeprefix(stem)) + 1:06d}"


def _certificate(connection: Connection, number: str) -> Certificate:
    row: Row[Any] | None = connection.execute(
        select(*_FACTS).where(_CERTIFICATES.c.number == number)
    ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no certificate {number}", what_to_do="look at the number again")
    return Certificate(**row._mapping)


def _append(
    connection: Connection,
    number: str,
    status: str,
    at: datetime,
    actor: tuple[str, str],
    *,
    reason: str = "",
    superseded_by: str | None = None,
) -> None:
    """Move a certificate to a status and write that down in its history."""
    before = connection.execute(
        select(func.coalesce(func.max(_EVENTS.c.sequence), 0)).where(_EVENTS.c.number == number)
    ).scalar_one()
    connection.execute(
        insert(_EVENTS).values(
            number=number,
            sequence=before + 1,
            status=status,
            at=at,
            actor=actor[0],
            role=actor[1],
            reason=reason,
            superseded_by=superseded_by,
        )
    )
    connection.execute(
        update(_CERTIFICATES)
        .where(_CERTIFICATES.c.number == number)
        .values(
            status=status,
            since=at,
            reason=reason,
            superseded_by=superseded_by,
            # A reserved number is nothing to tell.
            unnoted=status != "reserved",
        )
    )


def _add_pdf(connection: Connection, pdf: ReleasedPdf) -> None:
    connection.execute(
        insert(_PDFS).values(
            number=pdf.number,
            sequence=pdf.sequence,
            sha256=pdf.sha256,
            level=pdf.level,
            at=pdf.at,
            ends_at=pdf.ends_at,
        )
    )
    connection.execute(
        update(_CERTIFICATES)
        .where(_CERTIFICATES.c.number == pdf.number)
        .values(sha256=pdf.sha256, level=pdf.level, waiting_for=None, unnoted=True)
    )
