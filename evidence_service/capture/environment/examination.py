"""The examination of one capture: begun before the browser starts, ended when the page was visited."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from evidence_service.capture.browser import BrowserIdentity, BrowserSettings
from evidence_service.capture.environment import machine, others
from evidence_service.capture.environment.others import Fetched
from evidence_service.capture.environment.points import point, unavailable
from evidence_service.core.document import format_time
from evidence_service.egress.hosts import canonical_host
from evidence_service.egress.policy import EgressPolicy
from evidence_service.errors import RefusedError

_PATIENCE = 2.0
"""Seconds that what was asked may still take when the page was visited; a capture does not wait longer."""
_LATE = "no answer by the time the page was captured"
_NO_CONTROL = Fetched(why="no page of control is configured (control_url)")
_NO_SECOND = Fetched(why="a second fetch is not configured (second_fetch)")


@dataclass(frozen=True, slots=True)
class Checks:
    """What may be asked beside a capture.

    Attributes:
        second_nameserver: ``ADDRESS[:PORT]``, compared with the resolver captures use; empty: none.
        control_url: a page that is known to be there, fetched before and after; empty: none.
        second_fetch: whether the listing is fetched once more by another client.
        roots: PEM file of further root certificates beside the system's, as the recorder has them.
    """

    second_nameserver: str = ""
    control_url: str = ""
    second_fetch: bool = False
    roots: Path | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the capture itself saw.

    Attributes:
        flags, user, sandbox: how the browser was started.
        scripts: name → SHA-256 of every script that ran beside the page, in a world of its own.
        scripts_in_page: of those that ran in the page's own world; what they change is part of their names.
        tls: of each exchange that spoke TLS, as the recorder keeps it; empty in mode ``tunnel``.
        peer: of the main exchange.
        asked: what the address that was asked for gave, the page or a redirect; its coding removed.
        outcome: status and reasons.
        not_before: as in the manifest, when it is known here.
        logged_in: whether a login state was loaded into the new profile.
    """

    flags: Sequence[str]
    user: int
    sandbox: bool
    scripts: Mapping[str, str]
    scripts_in_page: Mapping[str, str] = field(default_factory=dict)
    tls: Sequence[Mapping[str, str]] = ()
    peer: tuple[str, int] | None = None
    asked: Fetched = field(default_factory=Fetched)
    outcome: tuple[str, Sequence[str]] = ("", ())
    not_before: Mapping[str, str] | None = None
    logged_in: bool = False


class Examination:
    """Fifteen points of one capture; what takes time runs in threads from the beginning on.

    Args:
        url: that is captured.
        clocks: other sources of time by name, each gives a UTC datetime.
        patience: seconds that what was asked may still take when the page was visited.
    """

    def __init__(
        self,
        url: str,
        *,
        policy: EgressPolicy,
        checks: Checks,
        clocks: Mapping[str, Callable[[], datetime]],
        now: Callable[[], datetime],
        patience: float = _PATIENCE,
    ) -> None:
        parts = urlsplit(url)
        self._policy, self._checks, self._now = policy, checks, now
        self._host = _host(parts.hostname or "")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self._pool = ThreadPoolExecutor(max_workers=5, thread_name_prefix="environment")
        submit = self._pool.submit
        self._before = submit(self._fetch_control)
        self._after: Future[Fetched] | None = None
        self._patience, self._until = patience, 0.0
        self._second = submit(others.fetch, url, policy, checks.roots) if checks.second_fetch else None
        self._resolvers = submit(others.resolvers, self._host, port, policy, checks.second_nameserver)
        self._clocks = submit(others.clocks, clocks, now)
        self._inventory = submit(machine.inventory)

    def visited(self) -> None:
        """The browser is done: the page of control is fetched again while the record is written."""
        if self._after is None:
            self._after = self._pool.submit(self._fetch_control)
            self._until = time.monotonic() + self._patience

    def finish(self, seen: Seen, *, browser: BrowserIdentity, settings: BrowserSettings) -> dict[str, Any]:
        """The checklist: ``{"at", "points"}``; waits a little for what was asked."""
        self.visited()
        before, after = self._fetched(self._before), self._fetched(self._after)
        points = [
            machine.process(),
            _browser(seen, browser, settings),
            machine.proxies(machine.variable_names()),
            machine.hosts_file(self._host),
            self._answer(self._resolvers, 5),
            machine.route(self._policy, seen.peer),
            _tls(seen.tls),
            self._answer(self._clocks, 8),
            self._answer(self._inventory, 9),
            others.control(self._checks.control_url, before),
            _scripts(seen),
            others.second_fetch(self._fetched(self._second) if self._second else _NO_SECOND, seen.asked),
            _judged(*seen.outcome),
            _not_before(seen.not_before),
            others.control_repeat(self._checks.control_url, before, after),
        ]
        self.close()
        return {"at": format_time(self._now()), "points": points}

    def close(self) -> None:
        """Wait for nothing more; safe to call twice, and for a capture that failed."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _answer(self, asked: Future[dict[str, Any]], number: int) -> dict[str, Any]:
        try:
            return asked.result(max(self._until - time.monotonic(), 0))
        except TimeoutError:
            return unavailable(number, _LATE)

    def _fetched(self, asked: Future[Fetched] | None) -> Fetched:
        try:
            return asked.result(max(self._until - time.monotonic(), 0)) if asked else _NO_CONTROL
        except TimeoutError:
            return Fetched(why=_LATE)

    def _fetch_control(self) -> Fetched:
        url = self._checks.control_url
        return others.fetch(url, self._policy, self._checks.roots) if url else _NO_CONTROL


def _host(text: str) -> str:
    try:
        return canonical_host(text)
    except RefusedError:
        return text


def _browser(seen: Seen, browser: BrowserIdentity, settings: BrowserSettings) -> dict[str, Any]:
    value = {
        "version": browser.version,
        "binary_sha256": browser.sha256,
        "user": f"number {seen.user}" + ("" if seen.user else ", root"),
        "sandbox": "yes" if seen.sandbox else "no",
        "flags": list(seen.flags),
        "viewport": f"{settings.width}x{settings.height}",
        "locale": settings.locale,
        "timezone": settings.timezone,
        "profile": "new, the supplied login state loaded into it" if seen.logged_in else "new and empty",
        "service_workers": "blocked",
        "extensions": "disabled",
    }
    return point(2, "pass", value)


def _scripts(seen: Seen) -> dict[str, Any]:
    if not seen.scripts:
        return unavailable(11, "no script of the capture met a page: none was shown")
    beside = [f"{name} {digest}" for name, digest in sorted(seen.scripts.items())]
    inside = [f"{name} {digest}" for name, digest in sorted(seen.scripts_in_page.items())]
    value = {"in a world of their own": beside, "in the page's own world": inside}
    return point(11, "pass", value)


def _tls(exchanges: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    if not exchanges:
        return unavailable(7, "no exchange of the record spoke TLS")
    refused = sorted({item.get("verified", "unknown") for item in exchanges} - {"yes"})
    value = {
        "exchanges": str(len(exchanges)),
        "not_verified": refused,
        "met": sorted({item["version"] for item in exchanges if item.get("version")}),
        "openssl": ssl.OPENSSL_VERSION,
    }
    return point(7, "fail" if refused else "pass", value)


def _judged(status: str, reasons: Sequence[str]) -> dict[str, Any]:
    if not status:
        return unavailable(13, "judged after this list was made; see the outcome")
    return point(
        13, "pass" if status == "captured" else "fail", {"outcome": status, "reasons": list(reasons)}
    )


def _not_before(recorded: Mapping[str, str] | None) -> dict[str, Any]:
    if recorded is None:
        return unavailable(14, "recorded in the manifest, not here")
    return point(14, "pass" if recorded.get("status") == "recorded" else "unavailable", dict(recorded))
