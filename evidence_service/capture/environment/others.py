"""Points that ask others: a second resolver, other clocks, a page of control, the listing a second time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from evidence_service.capture.environment.points import lines, point, unavailable
from evidence_service.core.document import format_time
from evidence_service.egress.hosts import is_address
from evidence_service.egress.http import exchange
from evidence_service.egress.policy import EgressPolicy
from evidence_service.egress.resolver import NameserverResolver
from evidence_service.errors import EvidenceServiceError

CLOCK_TOLERANCE = timedelta(seconds=10)
_MOST_BYTES = 5 * 1024 * 1024
_SECONDS = 10.0
_ANY_STATUS = tuple(range(200, 600))
SECOND_AGENT = "evidence-service (independent fetch beside a capture)"
_TITLE = re.compile(rb"<title(?:\s[^<>]{0,1000})?>", re.IGNORECASE)
_TITLE_WITHIN = 1 << 20


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch beside the browser gave; ``why`` is set when it gave nothing."""

    status: int = 0
    size: int = 0
    sha256: str = ""
    title: str = ""
    why: str = ""

    @classmethod
    def of(cls, status: int, body: bytes) -> Self:
        """What an answer's body, its coding removed, comes to."""
        return cls(status, len(body), hashlib.sha256(body).hexdigest(), title_of(body))

    def value(self) -> dict[str, str]:
        """For the record."""
        return {
            "status": str(self.status),
            "length": str(self.size),
            "sha256": self.sha256,
            "title": self.title,
        }


def fetch(url: str, policy: EgressPolicy, roots: Path | None = None) -> Fetched:
    """One GET without cookies; a redirect is an answer and not followed."""
    try:
        answer = exchange(
            url,
            limit=_MOST_BYTES,
            headers={"User-Agent": SECOND_AGENT},
            accept=_ANY_STATUS,
            seconds=_SECONDS,
            policy=policy,
            roots=roots,
        )
    except EvidenceServiceError as error:
        return Fetched(why=error.message)
    return Fetched.of(answer.status, answer.body)


def title_of(document: bytes) -> str:
    """Text of the first title element; at most 200 characters."""
    # Step by step and not with one pattern, which a page of many begun titles would keep busy for minutes.
    start = _TITLE.search(document, 0, _TITLE_WITHIN)
    end = -1 if start is None else document.lower().find(b"</title", start.end(), _TITLE_WITHIN)
    if start is None or end < 0:
        return ""
    return " ".join(document[start.end() : end].decode("utf-8", "replace").split())[:200]


def resolvers(host: str, port: int, policy: EgressPolicy, second: str) -> dict[str, Any]:
    """Point 5: whether two resolvers know a common address of the host."""
    if is_address(host):
        return unavailable(5, "the host is an address; nobody has to be asked")
    if not second:
        return unavailable(5, "no second nameserver is configured (second_nameserver)")
    try:
        first, other = policy.look_up(host, port), NameserverResolver([second])(host, port)
    except EvidenceServiceError as error:
        return unavailable(5, error.message)
    value = {
        first.asked: sorted(first.addresses),
        other.asked: sorted(other.addresses),
    }
    common = set(first.addresses) & set(other.addresses)
    if not common:
        return point(5, "fail", {**value, "why": "no address in common; large sites answer by place"})
    return point(5, "pass", value)


def clocks(sources: Mapping[str, Callable[[], datetime]], now: Callable[[], datetime]) -> dict[str, Any]:
    """Point 8: this machine's clock against at least two others."""
    offsets: dict[str, timedelta] = {}
    told: dict[str, str] = {}
    for name, ask in sources.items():
        before = now()
        try:
            theirs = ask()
        except EvidenceServiceError as error:
            told[name] = f"unavailable: {error.message}"[:200]
            continue
        after = now()
        # The answer was made at some moment between the two; the middle is the best guess.
        offsets[name] = theirs - (before + (after - before) / 2)
        told[name] = f"{format_time(theirs)}, {offsets[name].total_seconds():+.1f} s from this clock"
    if len(offsets) < 2:
        reason = f"{len(offsets)} of the two sources that are needed told the time"
        return point(8, "unavailable", reason, lines(told) if told else None)
    far = any(abs(offset) > CLOCK_TOLERANCE for offset in offsets.values())
    return point(8, "fail" if far else "pass", told)


def control(url: str, found: Fetched) -> dict[str, Any]:
    """Point 10: a page that is known is reached as usual before the capture."""
    if found.why:
        return unavailable(10, found.why)
    return point(10, "pass" if found.status == 200 else "fail", {"url": url, **found.value()})


def control_repeat(url: str, before: Fetched, after: Fetched) -> dict[str, Any]:
    """Point 15: and again after it."""
    if after.why:
        return unavailable(15, after.why)
    same = "yes" if (before.sha256, before.status) == (after.sha256, after.status) else "no"
    value = {"url": url, **after.value(), "same_as_before": same}
    return point(15, "pass" if after.status == 200 else "fail", value)


def second_fetch(found: Fetched, recorded: Fetched) -> dict[str, Any]:
    """Point 12: the listing fetched by another client; compared with the record, not required to be equal.

    Args:
        recorded: what the address that was asked for gave the browser, its body's coding removed.
    """
    if found.why:
        return unavailable(12, found.why)
    value: dict[str, str] = found.value()
    if recorded.status:
        value["recorded_status"] = str(recorded.status)
    if recorded.sha256:
        value["recorded_length"] = str(recorded.size)
        value["same_bytes"] = "yes" if recorded.sha256 == found.sha256 else "no"
        value["same_title"] = "yes" if recorded.title == found.title else "no"
    return point(12, "pass", value)
