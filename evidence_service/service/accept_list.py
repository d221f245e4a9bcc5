"""Accept a list of captures: every row by itself, all of them durable at once.

A row that cannot be accepted refuses no other. Whatever was accepted has its receipt before anybody is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from evidence_service.capture.options import CaptureOptions, options_json
from evidence_service.core import document
from evidence_service.egress.policy import EgressPolicy, check_url
from evidence_service.errors import ConflictError, RefusedError, UnavailableError
from evidence_service.service.accept import Order, evidence_of
from evidence_service.service.custody_matter import keep_out
from evidence_service.service.parts import Parts
from evidence_service.service.promise import promises
from evidence_service.service.tracing import note_ordered
from evidence_service.store.lists import NewList, NewRow
from evidence_service.store.orders import NewEvidence
from evidence_service.store.schema import OPERATOR
from evidence_service.store.tenancy import organisation_of

_LOOK_UPS = 16
"""Hosts that are looked up at once."""
_PATIENCE = 10.0
"""Seconds for looking up all hosts of a list; what is not known by then the capture finds out."""


@dataclass(frozen=True, slots=True)
class RowOrder:
    """One row.

    Attributes:
        position: from 1, in the list.
        refused: why it is no order; the other members are as far as they could be read.
    """

    position: int
    evidence_id: str
    url: str
    label: str = ""
    options: CaptureOptions = field(default_factory=CaptureOptions)
    refused: RefusedError | None = None


@dataclass(frozen=True, slots=True)
class ListOrder:
    """A list of captures for one matter.

    Attributes:
        role: of the operator, by which he may order it.
        login_state: for all rows; a secret, checked before.
    """

    id: str
    matter_id: str
    operator: str
    certificate: bool
    rows: Sequence[RowOrder]
    login_state: Mapping[str, Any] | None = field(default=None, repr=False)
    role: str = OPERATOR


def accept_list(parts: Parts, order: ListOrder) -> None:
    """Record a list, its accepted rows with their receipts, and its refused ones; one transaction.

    Repeating it with the same ids changes nothing, in this list or in another one.

    Raises:
        NotFoundError: no such matter; nothing is recorded.
        RefusedError: it is the custody log's own; nothing is recorded.
    """
    keep_out(organisation_of(parts.database), order.matter_id)
    parts.records.matter(order.matter_id)
    problems = _problems(parts, order)
    accepted = [row for row in order.rows if row.position not in problems]
    now = document.parse_time(document.format_time(parts.now()), "now")
    evidence: dict[str, NewEvidence] = {}
    for row, batch_by in zip(accepted, promises(parts, now, len(accepted)), strict=True):
        if row.evidence_id not in evidence:
            evidence[row.evidence_id] = evidence_of(
                parts, _order(order, row), accepted_at=now, batch_by=batch_by
            )
    parts.records.accept(
        list(evidence.values()),
        login=None
        if order.login_state is None
        else parts.sealing_key.seal(order.login_state, parts.random_bytes),
        capture_list=NewList(
            order.id,
            order.matter_id,
            order.operator,
            now,
            [_new_row(row, problems.get(row.position)) for row in order.rows],
        ),
    )
    note_ordered(list(evidence))


def _new_row(row: RowOrder, problem: Mapping[str, str] | None) -> NewRow:
    if problem is None:
        return NewRow(row.position, row.url, row.label, evidence_id=row.evidence_id)
    # What was refused may hold anything; the record takes no NUL.
    return NewRow(row.position, _printable(row.url), _printable(row.label), problem=problem)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _order(order: ListOrder, row: RowOrder) -> Order:
    return Order(
        evidence_id=row.evidence_id,
        matter_id=order.matter_id,
        kind="platform_capture",
        operator=order.operator,
        accepted={"url": row.url},
        certificate=order.certificate,
        urgent=False,
        options=row.options,
        login_state=order.login_state,
        role=order.role,
    )


def _problems(parts: Parts, order: ListOrder) -> dict[int, dict[str, str]]:
    """Why rows are refused, by position."""
    policy = looked_up(parts.capturing.policy, (row.url for row in order.rows if row.refused is None))
    known = parts.records.ordered([row.evidence_id for row in order.rows])
    found: dict[int, dict[str, str]] = {}
    for row in order.rows:
        try:
            if row.refused is not None:
                raise row.refused
            check_url(row.url, policy)
            wanted = (order.operator, order.matter_id, row.url, options_json(row.options))
            if known.setdefault(row.evidence_id, wanted) != wanted:
                raise ConflictError(
                    "the row's key was used for another capture",
                    what_to_do="use a new key for a new capture",
                )
        except RefusedError as error:
            kind = "conflict" if isinstance(error, ConflictError) else "refused"
            found[row.position] = {
                "kind": kind,
                "title": _printable(error.message),
                "what_to_do": error.what_to_do,
            }
    return found


@dataclass(frozen=True, slots=True)
class _LookedUp(EgressPolicy):
    """A policy whose answers for the hosts of a list are there already."""

    answers: Mapping[tuple[str, int], Future[list[str]]] = field(default_factory=dict)

    def permit(self, host: str, port: int) -> list[str]:
        answer = self.answers.get((host, port))
        if answer is None or not answer.done():
            raise UnavailableError(f"{host} was not looked up in time")
        return answer.result()


def looked_up(policy: EgressPolicy, urls: Iterable[str]) -> EgressPolicy:
    """The policy with every host of some addresses looked up, each once and many at the same time."""
    targets = {target for target in map(_target, urls) if target is not None}
    pool = ThreadPoolExecutor(_LOOK_UPS, thread_name_prefix="look-up")
    try:
        answers = {target: pool.submit(policy.permit, *target) for target in targets}
        wait(answers.values(), timeout=_PATIENCE)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return _LookedUp(**{item.name: getattr(policy, item.name) for item in fields(policy)}, answers=answers)


def _target(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None  # check_url says why
    if not parts.hostname:
        return None
    default = 443 if parts.scheme == "https" else 80
    return parts.hostname, default if port is None else port
