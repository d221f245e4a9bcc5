"""One capture: a browser's visit through the recorder, and the files it leaves.

The steps of the visit are in :mod:`evidence_service.capture.steps.route`. Whatever happens on the way, the
package is finalised and says so: a limit or a dead browser ends in ``partial`` with its reason, never in
silence.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
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
from evidence_service.capture.credentials import in_queries, secret_values
from evidence_service.capture.environment import Checks, Examination, Fetched, Seen
from evidence_service.capture.exchange import Exchange
from evidence_service.capture.files import CaptureFiles
from evidence_service.capture.listing import Fact, Source, place, read_listing
from evidence_service.capture.login import check_login_state
from evidence_service.capture.options import CaptureOptions
from evidence_service.capture.outcome import Observation, Outcome, classify
from evidence_service.capture.package import Page, Redaction, Secrets, write_package
from evidence_service.capture.record import Record
from evidence_service.capture.recorder import Recorder
from evidence_service.capture.redaction import credentials
from evidence_service.capture.responses import main_exchange, source_payload, sources
from evidence_service.capture.result import CaptureResult, described
from evidence_service.capture.scratch import Scratch, remove_abandoned
from evidence_service.capture.steps.drivers import blocking_script
from evidence_service.capture.steps.profiles import profile
from evidence_service.capture.steps.reporting import Reports
from evidence_service.capture.steps.route import go
from evidence_service.capture.steps.visit import ActionLog, CaptureLimits, Progress, Visit, first_line
from evidence_service.capture.steps.watching import Watch
from evidence_service.core.document import format_time
from evidence_service.egress.policy import EgressPolicy
from evidence_service.errors import RefusedError, StorageUnavailableError

__all__ = ["SOFTWARE", "CaptureLimits", "CaptureResult", "capture_listing"]

SOFTWARE = f"evidence-service {metadata.version('evidence-service')}"


def capture_listing(
    url: str,
    directory: Path,
    *,
    policy: EgressPolicy,
    browser: BrowserSettings,
    now: Callable[[], datetime],
    progress: Progress = lambda _: None,
    limits: CaptureLimits | None = None,
    roots: Path | None = None,
    websockets: bool = True,
    options: CaptureOptions | None = None,
    recipients: Sequence[str] = (),
    clocks: Mapping[str, Callable[[], datetime]] | None = None,
    checks: Checks | None = None,
) -> CaptureResult:
    """Capture one listing into an empty or absent directory.

    Args:
        url: checked with :func:`evidence_service.egress.policy.check_url` before.
        progress: told what is being done, in words for people.
        roots: PEM file of root certificates that servers may lead to beside the system's.
        websockets: whether WebSockets of the page are recorded; otherwise they are refused.
        options: profile, mode, steps, login state; all printed in the record, but never the login state.
        recipients: age public keys the unredacted original is encrypted to; needed with a login state.
        clocks: other sources of time by name (time-stamping authorities), each gives a UTC datetime.
        checks: what is asked beside the capture for its environment; by default nobody is.

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
    remove_abandoned()
    scratch = Scratch("wire")
    try:
        with closing(
            Examination(url, policy=policy, checks=checks or Checks(), clocks=clocks or {}, now=now)
        ) as examination:
            return _Capture(
                url,
                directory,
                policy,
                browser,
                identity,
                now,
                progress,
                limits,
                options,
                recipients,
                examination,
                roots,
                websockets,
            ).run(scratch.path)
    except OSError as error:
        raise StorageUnavailableError(
            f"the capture's files could not be written: {error.strerror or error}",
            what_to_do="make room on the disk; the capture is tried again",
        ) from error
    finally:
        scratch.close()


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
    recipients: Sequence[str]
    examination: Examination
    roots: Path | None
    websockets: bool

    def run(self, wire: Path) -> CaptureResult:
        """Visit the page, then write what the visit left."""
        files = CaptureFiles(self.directory)
        capture = uuid.uuid4()
        started_at = format_time(self.now())
        device = profile(self.options, self.settings, self.identity)
        tunnel = self.options.mode == "tunnel"
        self.progress("starting the browser")
        with ExitStack() as stack:
            storing = stack.enter_context(ThreadPoolExecutor(1, "capture-files"))
            recorder = Recorder(
                wire,
                self.policy,
                now=self.now,
                limits=self.limits.recorder,
                mode=self.options.mode,
                websockets=self.websockets,
                roots=self.roots,
            )
            stack.callback(recorder.stop)
            recorder.wait()
            session = stack.enter_context(
                BrowserSession(
                    self.settings,
                    proxy_port=recorder.port,
                    # Behind a tunnel the browser meets the servers' own certificates; none is excepted.
                    spki="" if tunnel else recorder.spki,
                    context={**device.arguments, **self._login()},
                )
            )
            visit = self._visit(session, recorder, files, storing, device.arguments["device_scale_factor"])
            reports = Reports(visit, wire, self.limits.recorder, self.now) if tunnel else None
            self._carry_out(visit, session, recorder, reports)
        visit.finish_storing()
        self.examination.visited()
        if reports is not None:
            reports.close()
        exchanges = recorder.exchanges
        main = self._main(wire, exchanges, visit)
        if main is not None:
            visit.log.add("page", f"the page is what {main.url} answered"[:500], exchange=main.id)
            if main.problem and not visit.failure:
                visit.lacks(f"the page itself did not arrive whole: {main.problem}"[:400])
        self.progress("writing the record")
        made_from = sources(wire, exchanges, capture, main)
        facts = self._facts(visit, made_from)
        redaction = self._redaction(wire, exchanges, visit)
        mask = _disclosed(redaction)
        self._note_masked(visit, facts, redaction)
        outcome = classify(self._observation(visit, recorder, facts))
        environment = self.examination.finish(
            Seen(
                flags=session.flags,
                user=session.user,
                sandbox=session.sandbox,
                scripts=visit.scripts,
                scripts_in_page={**visit.scripts_in_page, **blocking_script()} if visit.scripts else {},
                tls=[item.tls for item in exchanges if item.tls],
                peer=None if main is None else main.peer,
                asked=_answer(wire, main_exchange(wire, exchanges, self.url)),
                outcome=(outcome.status, outcome.reasons),
                logged_in=self.options.login_state is not None,
            ),
            browser=self.identity,
            settings=self.settings,
        )
        Record(files, wire, exchanges).write(visit, facts, environment)
        write_package(
            files,
            wire,
            exchanges,
            capture=capture,
            page=Page(visit.final_url or self.url, visit.seen.title, started_at),
            attachments=files.all(),
            written_at=format_time(self.now()),
            software=SOFTWARE,
            redaction=redaction,
        )
        return CaptureResult(
            files=files.all(),
            outcome=Outcome(outcome.status, tuple(mask(reason) for reason in outcome.reasons)),
            requested_url=self.url,
            final_url=None if visit.final_url is None else mask(visit.final_url),
            redirects=tuple(mask(address) for address in visit.redirects),
            status=visit.status,
            peer=None if main is None or main.peer is None else main.peer[0],
            listing={
                name: replace(fact, value=mask(fact.value), where=mask(fact.where))
                for name, fact in facts.items()
            },
            browser=self.identity,
            started_at=started_at,
            finished_at=format_time(self.now()),
            exceptions=self.policy.printed_exceptions,
            mode=self.options.mode,
            tool={**device.described, **described(self.options), **_shown(mask(visit.shown))},
        )

    def _visit(
        self,
        session: BrowserSession,
        recorder: Recorder,
        files: CaptureFiles,
        storing: Executor,
        scale: float,
    ) -> Visit:
        return Visit(
            page=session.page,
            context=session.context,
            cdp=session.context.new_cdp_session(session.page),
            files=files,
            limits=self.limits,
            log=ActionLog(self.now),
            progress=self.progress,
            began=time.monotonic(),
            storing=storing,
            recorder=recorder,
            scale=scale,
        )

    def _carry_out(
        self, visit: Visit, session: BrowserSession, recorder: Recorder, reports: Reports | None
    ) -> None:
        """The visit; the browser is killed when its time is over."""
        watchdog = threading.Timer(self.limits.seconds, session.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            watch = Watch(visit)
            if reports is not None:
                reports.listen()
            go(visit, watch, recorder, self.url, self.options.steps)
            if reports is not None:
                reports.keep_chain()
            if self.options.login_state is not None:
                visit.state = dict(visit.context.storage_state())
        except PlaywrightError as error:
            visit.lacks(f"the browser failed: {first_line(error)}")
        finally:
            watchdog.cancel()

    def _main(self, wire: Path, exchanges: Sequence[Exchange], visit: Visit) -> Exchange | None:
        """The exchange of the document that was shown; a browser that was killed may not have told of it."""
        shown = visit.navigation
        if shown is not None:
            return main_exchange(
                wire,
                exchanges,
                shown.url,
                method=shown.method,
                status=visit.status,
                number=shown.number or 1,
            )
        main = main_exchange(wire, exchanges, self.url)
        if main is not None and not visit.failure:
            visit.status, visit.final_url = main.status, main.url
        return main

    def _facts(self, visit: Visit, made_from: list[Source]) -> dict[str, Fact]:
        if not visit.html:
            return {}
        return place(read_listing(visit.html, visit.final_url or self.url, made_from), visit.boxes)

    def _observation(self, visit: Visit, recorder: Recorder, facts: Mapping[str, Fact]) -> Observation:
        return Observation(
            requested_url=self.url,
            final_url=visit.final_url or self.url,
            shown_url=visit.shown,
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

    def _redaction(self, wire: Path, exchanges: Sequence[Exchange], visit: Visit) -> Redaction | None:
        """What must not be disclosed: the login state, what became of it, and credentials on the wire."""
        if self.options.login_state is None:
            return None
        values = {*secret_values(self.options.login_state, visit.state or {}), *credentials(wire, exchanges)}
        complete = visit.state is not None
        if not complete:
            values.update(in_queries(item.url for item in exchanges))
        return Redaction(Secrets(values), self.recipients, complete)

    def _note_masked(self, visit: Visit, facts: Mapping[str, Fact], redaction: Redaction | None) -> None:
        """What the record does not show because of the login state is part of the outcome."""
        if redaction is None:
            return
        mask = redaction.secrets.mask_text
        for name in sorted(name for name, fact in facts.items() if mask(fact.value) != fact.value):
            visit.lacks(f"a value of the login session stands in the listing's {name}, which is masked")
        if not redaction.complete:
            visit.lacks("what the session held in the end is not known; the page's texts are withheld")

    def _login(self) -> dict[str, Any]:
        return {} if self.options.login_state is None else {"storage_state": dict(self.options.login_state)}


def _shown(address: str) -> dict[str, str]:
    """What the manifest says of an address that a script of the page wrote over its own."""
    return {"address_shown": f"a script of the page shows {address}"[:400]} if address else {}


def _disclosed(redaction: Redaction | None) -> Callable[[str], str]:
    """How a text is told: masked, and without halves of surrogate pairs, which a page may show."""
    mask = str if redaction is None else redaction.secrets.mask_text
    return lambda text: mask(text).encode("utf-8", "replace").decode()


def _answer(wire: Path, exchange: Exchange | None) -> Fetched:
    """For the comparison with the second fetch, which follows no redirect either."""
    payload = None if exchange is None else source_payload(wire, exchange)
    return Fetched() if exchange is None or payload is None else Fetched.of(exchange.status or 0, payload)
