"""Attest: calendars put batch headers into Bitcoin, beside the time stamps and never instead of them.

An attestation takes hours and its calendar may be away for days; nothing waits for it. Every attempt is a
workflow of its own that asks once and writes down when to ask again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from evidence_service.egress.http import Exchange, exchange
from evidence_service.errors import ConfigurationError, EvidenceServiceError
from evidence_service.service.parts import Parts
from evidence_service.service.ports import Durable
from evidence_service.store.attestations import Attestation
from evidence_service.timestamp.calendar import Calendar, Proof, submit, upgrade

FIRST_LOOK = timedelta(hours=1)
"""Before the first question after the rest of a proof: calendars collect, Bitcoin confirms six times."""
NEXT_LOOK = timedelta(minutes=30)
FIRST_RETRY, LONGEST_RETRY = timedelta(minutes=1), timedelta(hours=6)
_AT_ONCE = 100


def wanted(parts: Parts) -> list[str]:
    """Subjects of the attempts that are due now."""
    calendars = [item.url for item in parts.stamping.calendars]
    if not calendars:
        return []
    now = parts.now()
    parts.attestations.want(calendars, now=now, limit=_AT_ONCE)
    # The day: should an attempt die of a fault of the program, the next day starts another.
    return [
        f"{item.batch_id} {item.attempt} {now:%Y%m%d} {item.calendar}"
        for item in parts.attestations.due(now=now, limit=_AT_ONCE)
    ]


def attest(parts: Parts, durable: Durable, subject: str) -> None:
    """The workflow of one attempt."""
    batch_id, attempt, _, calendar = subject.split(" ", 3)
    durable.step("attest", ask_calendar, parts, batch_id, calendar, int(attempt))


def ask_calendar(parts: Parts, batch_id: str, url: str, attempt: int, *, send: Exchange = exchange) -> None:
    """Submit the batch header, or ask for what its proof still lacks, and write down what came of it.

    Repeated after a crash it does nothing, or asks once more: calendars take a digest any number of times.
    """
    item = parts.attestations.attestation(batch_id, url)
    if item.attempt != attempt or item.state == "complete":
        return
    try:
        found = _ask(parts, item, send)
    except EvidenceServiceError as error:
        pause = min(FIRST_RETRY * 2 ** min(attempt, 20), LONGEST_RETRY)
        parts.attestations.keep(
            replace(
                item, attempt=attempt + 1, next_at=parts.now() + pause, waiting_for=f"{url}: {error.message}"
            )
        )
        return
    first = item.state == "wanted"
    parts.attestations.keep(
        replace(
            item,
            state="complete" if found.blocks else "pending",
            proof=found.ots,
            attempt=attempt + 1,
            next_at=None if found.blocks else parts.now() + (FIRST_LOOK if first else NEXT_LOOK),
            submitted_at=parts.now() if first else item.submitted_at,
            waiting_for=None,
        )
    )


def _ask(parts: Parts, item: Attestation, send: Exchange) -> Proof:
    calendar = _calendar(parts, item.calendar)
    if item.proof is None:
        header = parts.batches.batch(item.batch_id).header
        return submit(calendar, header, nonce=parts.random_bytes(16), send=send)
    return upgrade(calendar, item.proof, send=send)


def _calendar(parts: Parts, url: str) -> Calendar:
    for item in parts.stamping.calendars:
        if item.url == url:
            return item
    raise ConfigurationError(f"the calendar {url} is not configured any more")


def expectation(item: Attestation, now: datetime) -> str:
    """How far an attestation is and what to expect, in words."""
    if item.state == "complete":
        return "complete: leads to a Bitcoin block, to be checked with `ots verify`"
    if item.submitted_at is None:
        return f"not submitted yet{f': {item.waiting_for}' if item.waiting_for else ''}"
    waited = now - item.submitted_at
    hours = int(waited.total_seconds() // 3600)
    usual = "usually complete within 3 to 12 hours" if hours < 12 else "later than usual; it is asked again"
    trouble = f"; last answer: {item.waiting_for}" if item.waiting_for else ""
    return f"pending since {hours} h, {usual}{trouble}"
