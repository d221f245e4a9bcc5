"""One capture: the steps in order, every one of them in the action log.

open → settle → consent (picture before, dismissal) → scroll → settle → full-page picture → DOM → facts.
Whatever happens on the way, the package is finalised and says so: a limit or a dead browser ends in
``partial`` with its reason, never in silence.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Response

from evidence_service.capture.browser import BrowserIdentity, BrowserSession, BrowserSettings
from evidence_service.capture.environment import describe_environment
from evidence_service.capture.exchange import Exchange
from evidence_service.capture.files import CapturedFile, CaptureFiles
from evidence_service.capture.listing import Fact, read_listing
from evidence_service.capture.outcome import Observation, Outcome, classify
from evidence_service.capture.recorder import Recorder, RecorderLimits
from evidence_service.capture.warc import write_warc
from evidence_service.core.document import format_time
from evidence_service.egress.policy import EgressPolicy

SOFTWARE = f"evidence-service {metadata.version('evidence-service')}"
_SCRIPTS = Path(__file__).parent / "scripts"
_DEADLINE = "the capture's time was over"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class CaptureLimits:
    """Where a capture stops; each is named in the outcome when it fires.

    Attributes:
        seconds: for the page's whole visit; the browser is killed a little later.
        settle: seconds to wait for a quiet network, and again for the last images.
        height: CSS pixels of the full-page picture.
    """

    seconds: float = 90.0
    settle: float = 5.0
    height: int = 30_000
    recorder: RecorderLimits = field(default_factory=RecorderLimits)


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """What a capture produced, ready for the manifest.

    Attributes:
        files: hashed while they were written, relative to the capture's directory.
        redirects: addresses between the requested and the final one.
        peer: address of the socket that carried the main response.
        browser: version line and binary hash.
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


def capture_listing(
    url: str,
    directory: Path,
    *,
    policy: EgressPolicy,
    browser: BrowserSettings,
    now: Callable[[], datetime],
    progress: Progress = lambda _: None,
    limits: CaptureLimits | None = None,
) -> CaptureResult:
    """Capture one listing into an empty or absent directory.

    Args:
        url: checked with :func:`evidence_service.egress.policy.check_url` before.
        progress: told what is being done, in words for people.

    Raises:
        BrowserUnavailableError: the browser is missing or did not start; nothing was captured.
    """
    limits = limits or CaptureLimits()
    files = CaptureFiles(directory)
    started_at = format_time(now())
    wire = Path(tempfile.mkdtemp(prefix="evidence-wire-"))
    try:
        with Recorder(wire, policy, now=now, limits=limits.recorder) as recorder:
            progress("starting the browser")
            with BrowserSession(browser, proxy_port=recorder.port, spki=recorder.spki) as session:
                visit = _Visit(session, recorder, files, limits, now, progress)
                visit.run(url)
            identity, flags = session.identity, session.flags
        progress("writing the record")
        outcome = classify(visit.observation(url))
        exchanges = recorder.exchanges
        _write_record(files, wire, exchanges, visit.actions, now)
        environment = describe_environment(
            browser=identity,
            flags=flags,
            settings=browser,
            policy=policy,
            scripts=visit.scripts,
            tls_versions=[item.tls["version"] for item in exchanges if "version" in item.tls],
            now=now(),
        )
        files.add_json("environment.json", "environment", environment)
        facts = read_listing(visit.html, visit.final_url or url) if visit.html else {}
        files.add_json("listing.json", "listing", facts)
        main = _main_exchange(exchanges, visit.final_url or url)
        return CaptureResult(
            files=files.all(),
            outcome=outcome,
            requested_url=url,
            final_url=visit.final_url,
            redirects=tuple(visit.redirects),
            status=visit.status,
            peer=None if main is None or main.peer is None else main.peer[0],
            listing=facts,
            browser=identity,
            started_at=started_at,
            finished_at=format_time(now()),
            exceptions=tuple(f"{host}:{port}" for host, port in sorted(policy.exceptions)),
        )
    finally:
        shutil.rmtree(wire, ignore_errors=True)


class _Visit:
    """One visit to a page: what is done, and what was seen."""

    def __init__(
        self,
        session: BrowserSession,
        recorder: Recorder,
        files: CaptureFiles,
        limits: CaptureLimits,
        now: Callable[[], datetime],
        progress: Progress,
    ) -> None:
        self._session = session
        self._page = session.page
        self._recorder = recorder
        self._files = files
        self._limits = limits
        self._now = now
        self._progress = progress
        self._deadline = time.monotonic() + limits.seconds
        self.actions: list[dict[str, Any]] = []
        self.scripts: dict[str, str] = {}
        self.redirects: list[str] = []
        self.status: int | None = None
        self.final_url: str | None = None
        self.html = ""
        self._failure = ""
        self._fired: list[str] = []
        self._incomplete: list[str] = []
        self._measured: dict[str, Any] = {}

    def run(self, url: str) -> None:
        """Carry out the steps; a failing browser ends the visit, and the record says why."""
        watchdog = threading.Timer(self._limits.seconds + 5, self._session.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            if self._open(url):
                self._settle()
                self._dismiss_consent()
                self._scroll()
                self._settle()
                self._keep_page()
        except PlaywrightError as error:
            words = _first_line(error)
            self._log("failure", words)
            late = time.monotonic() >= self._deadline
            self._note_incomplete(_DEADLINE if late else f"the browser failed: {words}")
        finally:
            watchdog.cancel()

    def observation(self, url: str) -> Observation:
        """What the outcome is decided from."""
        return Observation(
            requested_url=url,
            final_url=self.final_url or url,
            status=self.status,
            text=str(self._measured.get("text", "")),
            html=self.html,
            password_fields=int(self._measured.get("password_fields", 0)),
            failure=self._failure,
            limits=(*self._recorder.limits_fired, *self._fired),
            incomplete=tuple(self._incomplete),
        )

    # --- the steps ---

    def _open(self, url: str) -> bool:
        self._progress("opening the page")
        self._log("open", url)
        try:
            response = self._page.goto(url, wait_until="domcontentloaded", timeout=self._time_left())
        except PlaywrightError as error:
            self._failure = f"the page could not be opened: {_first_line(error)}"
            self._log("failure", self._failure)
            return False
        main = _main_exchange(self._recorder.exchanges, self._page.url)
        if main is not None and main.problem and (main.response is None or main.response.size == 0):
            # What the browser shows now is the recorder's own message; it is no evidence of the page.
            self._failure = main.problem
            self._log("failure", self._failure)
            return False
        self.final_url = self._page.url
        if response is not None:
            self.status = response.status
            self.redirects = _redirects(response)
        self._log("opened", f"HTTP status {self.status} at {self.final_url}")
        return True

    def _settle(self) -> None:
        """Wait for half a second without network traffic, at most ``limits.settle`` seconds."""
        wait = min(self._limits.settle * 1000, self._time_left())
        try:
            self._page.wait_for_load_state("load", timeout=self._time_left())
            self._page.wait_for_load_state("networkidle", timeout=wait)
            self._log("settle", "the network was quiet for 0.5 s")
        except PlaywrightError as error:
            if "Timeout" not in error.message:
                raise
            self._log("settle", f"the network was not quiet within {wait / 1000:.1f} s")

    def _dismiss_consent(self) -> None:
        found = self._evaluate("find_consent")
        if found is None:
            self._log("consent", "no consent dialog was seen")
            return
        self._progress("dismissing the consent dialog")
        self._files.add(
            "screenshot-before-consent.png",
            "image/png",
            "screenshot.before_consent",
            self._page.screenshot(timeout=self._time_left()),
        )
        self._page.locator(found["selector"]).first.click(timeout=min(5_000, self._time_left()))
        self._log("consent", f"pressed “{found['text']}” in the dialog “{found['dialog']}”")

    def _scroll(self) -> None:
        """Down in steps of most of a viewport, so that lazily loaded pictures are asked for."""
        self._progress("scrolling for lazily loaded pictures")
        viewport = self._page.viewport_size
        step = 700 if viewport is None else int(viewport["height"] * 0.8)
        top, height = 0, self._measure()["height"]
        while top < height and time.monotonic() < self._deadline:
            top += step
            self._evaluate("scroll_to", top)
            self._page.wait_for_timeout(80)
            height = self._measure()["height"]
            if top > self._limits.height:
                self._fired.append(f"the page is higher than {self._limits.height} pixels")
                break
        self._log("scroll", f"in steps of {step} to {top} of {height} pixels")
        self._wait_for_images()
        self._evaluate("scroll_to", 0)

    def _wait_for_images(self) -> None:
        patience = time.monotonic() + min(self._limits.settle, self._time_left() / 1000)
        while (missing := self._measure()["incomplete_images"]) and time.monotonic() < patience:
            self._page.wait_for_timeout(100)
        count = self._measured["images"]
        self._log("images", f"{count - len(missing)} of {count} pictures are complete")
        if missing:
            self._note_incomplete(f"{len(missing)} of {count} pictures did not load, the first: {missing[0]}")

    def _keep_page(self) -> None:
        self._progress("taking the full-page picture")
        measured = self._measure()
        clip = {
            "x": 0.0,
            "y": 0.0,
            "width": float(measured["width"]),
            "height": float(min(measured["height"], self._limits.height)),
        }
        picture = self._page.screenshot(full_page=True, clip=clip, timeout=self._time_left())  # type: ignore[arg-type]
        self._files.add("screenshot.png", "image/png", "screenshot.full", picture)
        self._log("screenshot", f"{clip['width']:.0f} by {clip['height']:.0f} pixels")
        self.html = self._page.content()
        self._files.add("dom.html", "text/html", "dom", self.html.encode())
        self._log("dom", f"{len(self.html)} characters")
        self.final_url = self._page.url
        if time.monotonic() >= self._deadline:
            self._note_incomplete(_DEADLINE)

    # --- tools of the steps ---

    def _evaluate(self, name: str, argument: Any = None) -> Any:
        """Run one of the project's scripts in the page; its hash is part of the record."""
        source = (_SCRIPTS / f"{name}.js").read_text(encoding="utf-8")
        digest = hashlib.sha256(source.encode()).hexdigest()
        if name not in self.scripts:
            self.scripts[name] = digest
            self._log("script", f"{name}, SHA-256 {digest}")
        return self._page.evaluate(source, argument)

    def _measure(self) -> dict[str, Any]:
        self._measured = self._evaluate("measure_page")
        return self._measured

    def _time_left(self) -> float:
        """Milliseconds until the deadline; never 0, which Playwright takes for "no limit"."""
        return max(1.0, (self._deadline - time.monotonic()) * 1000)

    def _note_incomplete(self, why: str) -> None:
        if why not in self._incomplete:
            self._incomplete.append(why)

    def _log(self, action: str, detail: str) -> None:
        self.actions.append({"at": format_time(self._now()), "action": action, "detail": detail})


def _first_line(error: PlaywrightError) -> str:
    return error.message.strip().splitlines()[0][:300]


def _redirects(response: Response) -> list[str]:
    chain = []
    request = response.request.redirected_from
    while request is not None:
        chain.append(request.url)
        request = request.redirected_from
    return chain[::-1]


def _main_exchange(exchanges: list[Exchange], url: str) -> Exchange | None:
    """The last exchange that asked for the page itself."""
    wanted = url.split("#", maxsplit=1)[0].rstrip("/")
    return next((item for item in reversed(exchanges) if item.url.rstrip("/") == wanted), None)


def _write_record(
    files: CaptureFiles,
    wire: Path,
    exchanges: list[Exchange],
    actions: list[dict[str, Any]],
    now: Callable[[], datetime],
) -> None:
    name = "exchanges.warc.gz"
    digest = write_warc(
        files.directory / name, wire, exchanges, written_at=format_time(now()), software=SOFTWARE
    )
    files.register(name, "application/warc", "exchanges.warc", digest)
    files.add_json("exchanges.json", "exchanges.metadata", [item.to_json() for item in exchanges])
    lines = "".join(json.dumps(action, ensure_ascii=False, sort_keys=True) + "\n" for action in actions)
    files.add("actions.jsonl", "application/jsonl", "actions", lines.encode())
