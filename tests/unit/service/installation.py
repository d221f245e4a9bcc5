"""A record with real time stamps at any moment: what tests of renewals and attestations work on."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from evidence_service import bootstrap
from evidence_service.config import Settings
from evidence_service.core import document
from evidence_service.egress.http import exchange
from evidence_service.service.parts import Parts, Stamping
from evidence_service.service.preserve import describe_upload, preserve, request_stamps
from evidence_service.store import postgres
from evidence_service.store.closing import Due
from evidence_service.store.records import Matter
from evidence_service.timestamp.tsa import Authorities, Authority
from evidence_service.verify.material import Material
from evidence_service.verify.policy import Policy, Voucher
from evidence_service.verify.report import Report
from evidence_service.verify.verifier import verify

MATTER = "m-1"


class Immediate:
    """Durable steps without a workflow engine: each runs where it is called."""

    def step(self, _: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing here waits, not even {seconds} s")


@dataclass
class Clock:
    """The time of day, moved by tests."""

    moment: datetime

    def __call__(self) -> datetime:
        return self.moment


def wire(url: str, directory: Path, authorities: Sequence[Authority], clock: Callable[[], datetime]) -> Parts:
    """Parts on a record; the policy trusts the authorities."""
    parts = bootstrap.parts(
        Settings(data_directory=directory, purpose="demonstration"), postgres.connect(url)
    )
    policy = Policy(
        "test",
        2,
        tuple(Voucher(item.name, item.roots, demonstration=True) for item in authorities),
        (),
        (),
    )
    stamping = Stamping(Authorities(authorities, minimum=2, send=partial(exchange, seconds=2.0)))
    return replace(parts, now=clock, stamping=stamping, issuing=replace(parts.issuing, policy=policy))


def add_evidence(parts: Parts, count: int = 1) -> list[str]:
    """Evidence that is stamped, in a stamped batch, and done with as far as time stamps go."""
    found = []
    for _ in range(count):
        evidence_id = f"ev-{secrets.token_hex(8)}"
        stored = parts.objects.put_bytes(evidence_id.encode())
        parts.records.add_evidence(
            evidence_id=evidence_id,
            matter_id=MATTER,
            kind="upload",
            url=None,
            operator="agent",
            certificate_wanted=False,
            created_at=parts.now(),
            capture=describe_upload(parts, "note.txt", "text/plain", stored),
        )
        preserve(parts, Immediate(), evidence_id)
        found.append(evidence_id)
    closed = parts.batches.close_due(Due(timedelta(0), 10_000), now=parts.now())
    assert closed is not None
    request_stamps(parts, "batch_header", closed.id, closed.header)
    for evidence_id in found:
        parts.records.advance(evidence_id, "anchored")
    return found


def add_matter(parts: Parts) -> None:
    parts.records.add_matter(Matter(MATTER, "REF/1", "Example Brand Ltd", (), parts.now()))


def judged(parts: Parts, bundle: bytes, now: datetime) -> Report:
    """What the verification says of a bundle at a moment."""
    return verify(Material("evidence", bundle=bundle), parts.issuing.policy, now=now)


def at(text: str) -> datetime:
    """A moment as documents write it."""
    return document.parse_time(text, "test")
