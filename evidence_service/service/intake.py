"""Intake of digests: stated by their owner, one by one or in lists; durable with a signed receipt.

The content never comes here. What a row becomes is decided here once and for all: its id, its moment, its
promise; evidence is made of it by :mod:`evidence_service.service.enter_registrations`.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from evidence_service.core import canonical, document, manifest, receipt
from evidence_service.errors import (
    ConflictError,
    DatabaseUnavailableError,
    EvidenceServiceError,
)
from evidence_service.service.custody_matter import keep_out
from evidence_service.service.parts import Parts
from evidence_service.store.registrations import (
    NewRegistration,
    NewRegistrationList,
    RegistrationList,
    Stated,
    no_matter,
)
from evidence_service.store.schema import OPERATOR

KIND = "digest"
_LIST_DIGITS = slice(3, 18)
"""Of a list's id, which has 20 after its prefix."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One digest that somebody wants registered; what was stated is checked already.

    Attributes:
        role: the one by which he may.
    """

    organisation_id: str
    evidence_id: str
    matter_id: str
    operator: str
    stated: Stated
    role: str = OPERATOR


@dataclass(frozen=True, slots=True)
class WantedList:
    """Digests that somebody wants registered together.

    Attributes:
        role: of the operator, by which he may.
        size: rows that came in.
        rows: those that can be accepted, by position from 1.
        refused: position → name and problem of the others.
        request_sha256: of the request, as it came.
    """

    organisation_id: str
    id: str
    matter_id: str
    operator: str
    size: int
    rows: Mapping[int, Stated]
    refused: Mapping[int, Mapping[str, str]]
    request_sha256: bytes
    role: str = OPERATOR


def row_id(list_id: str, position: int) -> str:
    """Id of the evidence that an accepted row becomes.

    Fifteen digits of the list's id and five of the position: rows of a list are neighbours in every index.
    """
    return f"ev-{list_id[_LIST_DIGITS]}{position:05x}"


def take(parts: Parts, wanted: Sequence[Wanted]) -> list[NewRegistration | Exception]:
    """Make registrations of any organisations durable in one transaction; what became of each.

    Repeating one with the same id gives what was recorded first. One that the database does not take refuses
    no other: it is looked for by halves, each in a transaction of its own.

    Args:
        parts: bound to no organisation.
    """
    try:
        return _take(parts, wanted)
    except (OperationalError, PoolExhausted):
        # Whether it landed is not known. Under the same idempotency key the next try finds out.
        return [_away() for _ in wanted]
    except (DBAPIError, EvidenceServiceError, ValueError) as error:
        if len(wanted) == 1:
            return [error]
        middle = len(wanted) // 2
        return [*take(parts, wanted[:middle]), *take(parts, wanted[middle:])]


def _away() -> DatabaseUnavailableError:
    return DatabaseUnavailableError("the database does not answer", what_to_do="try again")


def _take(parts: Parts, wanted: Sequence[Wanted]) -> list[NewRegistration | Exception]:
    accepted_at, batch_by = _moment(parts)
    series: dict[tuple[str, str, str], _Receipts] = {}
    new: dict[str, list[NewRegistration]] = defaultdict(list)
    for item in wanted:
        of = (item.matter_id, item.operator, item.role)
        if of not in series:
            series[of] = _Receipts(parts, *of, accepted_at, batch_by)
        new[item.organisation_id].append(
            NewRegistration(
                item.evidence_id,
                item.matter_id,
                item.operator,
                item.stated,
                accepted_at,
                batch_by,
                series[of].of_digest(item.evidence_id, item.stated),
                item.role,
            )
        )
    recorded = {name: iter(found) for name, found in parts.registrations.add(new).items()}
    return [_outcome(item, next(recorded[item.organisation_id])) for item in wanted]


def _outcome(item: Wanted, found: NewRegistration | None) -> NewRegistration | Exception:
    if found is None:
        return no_matter(item.matter_id)
    if (found.matter_id, found.operator, found.stated) != (item.matter_id, item.operator, item.stated):
        return _conflict()
    return found


def take_list(parts: Parts, wanted: WantedList) -> RegistrationList:
    """Make a list durable with all its accepted rows; repeating it gives what was recorded first.

    Args:
        parts: bound to no organisation.

    Raises:
        NotFoundError: no such matter; nothing is recorded.
        RefusedError: it is the custody log's own; nothing is recorded.
        ConflictError: its id stands for another request.
    """
    keep_out(wanted.organisation_id, wanted.matter_id)
    accepted_at, batch_by = _moment(parts)
    rows = [
        (position, row_id(wanted.id, position), stated) for position, stated in sorted(wanted.rows.items())
    ]
    series = _Receipts(parts, wanted.matter_id, wanted.operator, wanted.role, accepted_at, batch_by)
    recorded = parts.registrations.add_list(
        wanted.organisation_id,
        NewRegistrationList(
            id=wanted.id,
            matter_id=wanted.matter_id,
            operator=wanted.operator,
            accepted_at=accepted_at,
            batch_by=batch_by,
            size=wanted.size,
            refused={str(position): dict(problem) for position, problem in wanted.refused.items()},
            request_sha256=wanted.request_sha256,
            receipt=series.of_list(wanted.id, rows) if rows else None,
            rows=rows,
            operator_role=wanted.role,
        ),
    )
    if (recorded.operator, recorded.request_sha256) != (wanted.operator, wanted.request_sha256):
        raise _conflict()
    return recorded


def receipts_of_rows(
    parts: Parts,
    of: tuple[str, str, str],
    times: tuple[datetime, datetime],
    rows: Sequence[tuple[str, Stated]],
) -> Iterator[bytes]:
    """A receipt for each row of a list, with what the list's own promises.

    Args:
        of: matter, operator and his role; times: of acceptance and promise.
        rows: id of the evidence, and what was stated.
    """
    series = _Receipts(parts, *of, *times)
    return (series.of_digest(evidence_id, stated) for evidence_id, stated in rows)


def _moment(parts: Parts) -> tuple[datetime, datetime]:
    """Of acceptance, and what is promised, in the formats' own precision."""
    now = document.parse_time(document.format_time(parts.now()), "now")
    return now, now + parts.promised_delay


def _conflict() -> ConflictError:
    return ConflictError(
        "this Idempotency-Key was used for another request", what_to_do="use a new key for a new request"
    )


class _Receipts:
    """Receipts of one matter, operator and moment: what they share is checked and encoded once."""

    def __init__(
        self,
        parts: Parts,
        matter_id: str,
        operator: str,
        role: str,
        accepted_at: datetime,
        batch_by: datetime,
    ) -> None:
        self._key = parts.receipt_key
        members: dict[str, Any] = {
            "format": receipt.FORMAT,
            "purpose": parts.purpose,
            "matter_id": matter_id,
            "operator": {"id": operator, "role": role},
            "accepted_at": document.format_time(accepted_at),
            "batch_by": document.format_time(batch_by),
            "key_id": parts.receipt_key.key_id,
        }
        # One as a whole, so that of all others only what differs has to be looked at.
        sample = {"digests": 1, "sha256": bytes(32).hex()}
        receipt.build(
            {**members, "evidence_id": "evidence", "kind": receipt.LIST, "accepted": sample}, bytes(64)
        )
        self._common = {name: canonical.encode(value) for name, value in members.items()}

    def of_digest(self, evidence_id: str, stated: Stated) -> bytes:
        """The receipt of one digest."""
        accepted = {
            "name": canonical.encode(stated.name),
            "size": b"%d" % stated.size,
            "sha256": b'"%s"' % stated.sha256.hex().encode(),
            "sha3_512": b'"%s"' % stated.sha3_512.hex().encode(),
        }
        return self._signed(evidence_id, KIND, canonical.joined(accepted))

    def of_list(self, list_id: str, rows: Sequence[tuple[int, str, Stated]]) -> bytes:
        """The receipt of a list, over a digest of its accepted rows."""
        text = "".join(
            receipt.list_line(position, evidence_id, stated.size, stated.sha256, stated.sha3_512)
            for position, evidence_id, stated in rows
        )
        accepted = {"digests": len(rows), "sha256": hashlib.sha256(text.encode()).hexdigest()}
        return self._signed(list_id, receipt.LIST, canonical.encode(accepted))

    def _signed(self, subject_id: str, kind: str, accepted: bytes) -> bytes:
        manifest.EVIDENCE_ID(subject_id, "evidence_id")
        members = {
            **self._common,
            "evidence_id": b'"%s"' % subject_id.encode(),
            "kind": b'"%s"' % kind.encode(),
            "accepted": accepted,
        }
        return receipt.joined(members, self._key.sign(canonical.joined(members)))
