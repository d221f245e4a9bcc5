"""One capture: a browser's visit through the recorder, and the files it leaves.

The steps of the visit are in :mod:`evidence_service.capture.steps.route`. Whatever happens on the way, the
package is finalised and says so: a limit or a dead browser ends in ``partial`` with its reason, never in
silence.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from playwright.sync_api import Error as PlaywrightError

from evidence_service.capture.browser import (
    BrowserIdentity,
    BrowserSession,
    BrowserSettings,
    find_browser,
    identify,
)
from evidence_service.capture.environment import describe_environment
from evidence_service.capture.exchange import Exchange
from evidence_service.capture.files import CapturedFile, CaptureFiles
from evidence_service.capture.listing import Fact, place, read_listing
from evidence_service.capture.login import check_login_state, login_hosts
from evidence_service.capture.options import CaptureOptions
from evidence_service.capture.outcome import Observation, Outcome, classify
from evidence_service.capture.package import Page, write_package
from evidence_service.capture.recorder import Recorder
from evidence_service.capture.steps.profiles import profile
from evidence_service.capture.steps.route import go
from evidence_service.capture.steps.visit import ActionLog, CaptureLimits, Progress, Visit
from evidence_service.capture.steps.watching import Watch
from evidence_service.core.document import format_time
from evidence_service.egress.policy import EgressPolicy
from evidence_service.errors import RefusedError, StorageUnavailableError

__all__ = ["SOFTWARE", "CaptureLimits", "CaptureResult", "capture_listing"]

SOFTWARE = f"evidence-service {metadata.version('evidence-service')}"


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """What a capture produced, ready for the manifest.

    Attributes:
        files: hashed while they were written, relative to the capture's directory.
        redirects: addresses between the requested and the final one.
        peer: address of the socket that carried the main response.
        browser: version line and binary hash.
        mode: of the recorder, for the manifest's ``egress.mode``.
        tool: what the manifest's ``tool`` says besides the browser, name → at most 400 characters.
    """

    files: tuple[CapturedFile, ...]
    outcome: Outcome
    requested_url: str
    final_url: str | None
    redirects: tuple[str, ...]
    status: int | None
    peer: str | None
    listing: dict[str, Fact]
    browser: BrowserIdentity
    started_at: str
    finished_at: str
    exceptions: tuple[str, ...]
    mode: str = "recording_proxy"
    tool: Mapping[str, str] = field(default_factory=dict)


def capture_listing(
    url: str,
    directory: Path,
    *,
    policy: EgressPolicy,
    browser: BrowserSettings,
    now: Callable[[], datetime],
    progress: Progress = lambda _: None,
    limits: CaptureLimits | None = None,
    options: CaptureOptions | None = None,
    recipients: Sequence[str] = (),
    clocks: Mapping[str, Callable[[], datetime]] | None = None,
) -> CaptureResult:
    """Capture one listing into an empty or absent directory.

    Args:
        url: checked with :func:`evidence_service.egress.policy.check_url` before.
        progress: told what is being done, in words for people.
        options: profile, mode, steps, login state; all printed in the record, but never the login state.
        recipients: age public keys the unredacted original is encrypted to; needed with a login state.
        clocks: other sources of time by name (time-stamping authorities), each gives a UTC datetime.

    Raises:
        BrowserUnavailableError: the browser is missing or did not start; nothing was captured.
        RefusedError: a login state was given and nobody may read the original; nothing was started.
    """
    limits, options = limits or CaptureLimits(), options or CaptureOptions()
    if options.login_state is not None:
        check_login_state(options.login_state)
        if not recipients:
            raise RefusedError(
                "a login state needs recipients who may read the original, and none are configured",
                what_to_do="configure the recipients' age public keys, or capture without a login state",
            )
    identity = identify(find_browser(browser.executable))
    wire = Path(tempfile.mkdtemp(prefix="evidence-wire-"))
    try:
        return _Capture(url, directory, policy, browser, identity, now, progress, limits, options).run(wire)
    except OSError as error:
        raise StorageUnavailableError(
            f"the capture's files could not be written: {error.strerror or error}",
            what_to_do="make room on the disk; the capture is tried again",
        ) from error
    finally:
        shutil.rmtree(wire, ignore_errors=True)


@dataclass(slots=True)
class _Capture:
    url: str
    directory: Path
    policy: EgressPolicy
    settings: BrowserSettings
    identity: BrowserIdentity
    now: Callable[[], datetime]
    progress: Progress
    limits: CaptureLimits
    options: CaptureOptions

    def run(self, wire: Path) -> CaptureResult:
        """Visit the page, then write what the visit left."""
        files = CaptureFiles(self.directory)
        started_at = format_time(self.now())
        device = profile(self.options, self.settings, self.identity)
        self.progress("starting the browser")
        with (
            Recorder(
                wire, self.policy, now=self.now, limits=self.limits.recorder, mode=self.options.mode
            ) as recorder,
            BrowserSession(
                self.settings,
                proxy_port=recorder.port,
                spki=recorder.spki,
                context={**device.arguments, **self._login()},
            ) as session,
        ):
            visit = self._visit(session, recorder, files)
            flags = session.flags
        exchanges = recorder.exchanges
        main = _main_exchange(exchanges, visit.final_url or self.url)
        if main is not None and main.problem and not visit.failure:
            visit.lacks(f"the page itself did not arrive whole: {main.problem}"[:400])
        self.progress("writing the record")
        facts = self._facts(visit)
        outcome = classify(self._observation(visit, recorder, facts))
        self._write(files, wire, exchanges, visit)
        environment = describe_environment(
            browser=self.identity,
            flags=flags,
            settings=self.settings,
            policy=self.policy,
            scripts=visit.scripts,
            tls_versions=[item.tls["version"] for item in exchanges if "version" in item.tls],
            now=self.now(),
        )
        files.add_json("environment.json", "environment", environment)
        files.add_json("listing.json", "listing", {name: fact.to_json() for name, fact in facts.items()})
        write_package(
            files,
            wire,
            exchanges,
            capture=uuid.uuid4(),
            page=Page(visit.final_url or self.url, str(visit.measured.get("title", "")), started_at),
            attachments=files.all(),
            written_at=format_time(self.now()),
            software=SOFTWARE,
        )
        return CaptureResult(
            files=files.all(),
            outcome=outcome,
            requested_url=self.url,
            final_url=visit.final_url,
            redirects=visit.redirects,
            status=visit.status,
            peer=None if main is None or main.peer is None else main.peer[0],
            listing=facts,
            browser=self.identity,
            started_at=started_at,
            finished_at=format_time(self.now()),
            exceptions=tuple(f"{host}:{port}" for host, port in sorted(self.policy.exceptions)),
            mode=self.options.mode,
            tool={**device.described, **self._described()},
        )

    def _visit(self, session: BrowserSession, recorder: Recorder, files: CaptureFiles) -> Visit:
        """Carry out the visit; the browser is killed when its time is over."""
        visit = Visit(
            page=session.page,
            context=session.context,
            cdp=session.context.new_cdp_session(session.page),
            files=files,
            limits=self.limits,
            log=ActionLog(self.now),
            progress=self.progress,
            began=time.monotonic(),
        )
        watchdog = threading.Timer(self.limits.seconds, session.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            go(visit, Watch(visit), recorder, self.url, self.options.steps)
        except PlaywrightError as error:
            visit.lacks(f"the browser failed: {error.message.splitlines()[0]}"[:400])
        finally:
            watchdog.cancel()
        return visit

    def _facts(self, visit: Visit) -> dict[str, Fact]:
        if not visit.html:
            return {}
        return place(read_listing(visit.html, visit.final_url or self.url), visit.boxes)

    def _observation(self, visit: Visit, recorder: Recorder, facts: Mapping[str, Fact]) -> Observation:
        return Observation(
            requested_url=self.url,
            final_url=visit.final_url or self.url,
            status=visit.status,
            text=str(visit.measured.get("text", "")),
            html=visit.html,
            password_fields=int(visit.measured.get("password_fields", 0)),
            failure=visit.failure,
            limits=(*recorder.limits_fired, *visit.fired),
            incomplete=tuple(visit.incomplete),
            title=visit.seen.title,
            dialog=visit.seen.dialog,
            dialog_password=visit.seen.dialog_password,
            pictures=visit.seen.pictures,
            facts=facts,
        )

    def _login(self) -> dict[str, Any]:
        return {} if self.options.login_state is None else {"storage_state": dict(self.options.login_state)}

    def _described(self) -> dict[str, str]:
        """What the options add to the manifest's ``tool``."""
        described = {}
        if self.options.steps:
            described["steps"] = f"{len(self.options.steps)} scripted steps, see actions.jsonl"
        if self.options.login_state is not None:
            hosts = ", ".join(login_hosts(self.options.login_state))
            described["login_state"] = f"a login state supplied by the operator was used, for {hosts}"[:400]
        return described

    def _write(self, files: CaptureFiles, wire: Path, exchanges: list[Exchange], visit: Visit) -> None:
        for item in visit.documents:
            files.add(item.path, item.media_type, item.role, item.data)
        files.add_json("exchanges.json", "exchanges.metadata", [item.to_json() for item in exchanges])
        lines = "".join(
            json.dumps(item, ensure_ascii=False, sort_keys=True) + "\n" for item in visit.log.entries
        )
        files.add("actions.jsonl", "application/jsonl", "actions", lines.encode("utf-8", "replace"))


def _main_exchange(exchanges: list[Exchange], url: str) -> Exchange | None:
    """The last exchange that asked for the page itself."""
    wanted = url.split("#", maxsplit=1)[0].rstrip("/")
    return next((item for item in reversed(exchanges) if item.url.rstrip("/") == wanted), None)
