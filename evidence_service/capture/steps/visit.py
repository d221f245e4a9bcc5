"""One visit to a page: what the steps share, and the log that every one of them writes to."""

from __future__ import annotations

import hashlib
import math
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from playwright.sync_api import BrowserContext, CDPSession, Page
from playwright.sync_api import Error as PlaywrightError

from evidence_service.capture.files import CapturedFile, CaptureFiles
from evidence_service.capture.recorder import Recorder, RecorderLimits
from evidence_service.capture.steps.answers import members, pixels, text, texts
from evidence_service.capture.steps.navigations import Navigation, Navigations
from evidence_service.capture.steps.worlds import ScriptFailedError, evaluate
from evidence_service.core.document import format_time

_log = structlog.get_logger(__name__)
_SCRIPTS = Path(__file__).parent.parent / "scripts"
_KEPT_BACK = 0.25
_MEASURED = {
    "height": pixels,
    "text": text,
    "images": pixels,
    "incomplete_images": texts,
    "password_fields": pixels,
}
TIME_OVER = "the capture's time was over"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class CaptureLimits:
    """Where a capture stops; each is named in the outcome when it fires.

    Attributes:
        seconds: for the page's whole visit, after which the browser is killed. The last quarter is kept for
            the pictures and documents: steps before them end earlier.
        settle: seconds a page gets to come to rest after its load event, each time it is waited for.
        height: CSS pixels of the full-page picture.
        tiles: steps in which a page is scrolled through, each with its picture.
        text: bytes of the DOM with its frames, of the MHTML, and of the PDF, each.
        documents: pages one visit may lead through.
    """

    seconds: float = 90.0
    settle: float = 5.0
    height: int = 30_000
    tiles: int = 100
    text: int = 50_000_000
    documents: int = 20
    recorder: RecorderLimits = field(default_factory=RecorderLimits)


class VisitEndedError(Exception):
    """A limit ends the steps; what the page shows by then is still kept. Never leaves the capture."""


class PageGoneError(Exception):
    """What the browser shows is no answer of a server, and nothing of it is kept. Never leaves the capture.

    Args:
        words: why.
        navigation: that led there; None when none was begun.
        status: of an answer that the browser shows no page for; None when there was none.
    """

    def __init__(self, words: str, navigation: Navigation | None, status: int | None = None) -> None:
        super().__init__(words)
        self.navigation, self.status = navigation, status


@dataclass(frozen=True, slots=True)
class Document:
    """A text of the page that is written when the visit is over, when everything secret in it is known."""

    path: str
    media_type: str
    role: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Seen:
    """Members of :class:`~evidence_service.capture.outcome.Observation` by the same names."""

    title: str = ""
    dialog: str = ""
    dialog_password: bool = False
    pictures: int | None = None


class ActionLog:
    """Every action of a visit in its order, as ``actions.jsonl`` has it.

    A line has ``at`` (UTC, the machine's clock), ``offset_ms`` (since the log began, by a clock that only
    goes forward), ``action``, ``detail`` in words, and what the action adds.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._began = time.monotonic()
        self.entries: list[dict[str, Any]] = []

    def add(self, action: str, detail: str, **more: Any) -> None:
        """Append one action."""
        offset = int((time.monotonic() - self._began) * 1000)
        self.entries.append(
            {"at": format_time(self._now()), "offset_ms": offset, "action": action, "detail": detail, **more}
        )


@dataclass(slots=True)
class Visit:
    """What the steps of one visit work with, and what they found.

    Attributes:
        cdp: Chrome DevTools Protocol of the page, for what Playwright has no call for.
        deadline: monotonic time at which the steps before the pictures have to end; ``end``: everything.
        scripts: name → SHA-256 of every script that ran beside the page; scripts_in_page: in its own world.
        refused_frames: addresses of frames that show the recorder's message.
        fired: limits that fired; incomplete: what is missing; both in words.
        recorder: carries the visit; None where nothing can be looked up.
        navigations: of the main frame, as the browser tells them.
        navigation: whose document the visit is about; status and final_url are of its response.
        failure: why there is no page to keep; empty when there is one.
        blank: the server answered, and the browser shows no page for its answer.
        shown: address the page gave itself by a script; empty when it is the document's own.
        seen: what a visitor sees; boxes: CSS selector → place of the element a fact was read from.
        scale: device pixels for each CSS pixel.
        storing: writes pictures, one after the other, beside the browser's work.
        state: cookies and storage at the end, when a login state was supplied; None: not known.
        layout: width and height of the document; layout_changed: monotonic time of the last change.
    """

    page: Page
    context: BrowserContext
    cdp: CDPSession
    files: CaptureFiles
    limits: CaptureLimits
    log: ActionLog
    progress: Progress
    began: float
    storing: Executor
    recorder: Recorder | None = None
    navigations: Navigations = field(init=False)
    navigation: Navigation | None = None
    scale: float = 1
    stored: list[Future[CapturedFile]] = field(default_factory=list)
    scripts: dict[str, str] = field(default_factory=dict)
    scripts_in_page: dict[str, str] = field(default_factory=dict)
    refused_frames: set[str] = field(default_factory=set)
    fired: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    failure: str = ""
    blank: bool = False
    status: int | None = None
    final_url: str | None = None
    shown: str = ""
    redirects: tuple[str, ...] = ()
    html: str = ""
    documents: list[Document] = field(default_factory=list)
    state: dict[str, Any] | None = None
    crashed: bool = False
    seen: Seen = field(default_factory=Seen)
    boxes: dict[str, Any] = field(default_factory=dict)
    layout: tuple[int, int] = (0, 0)
    layout_changed: float = 0.0

    def __post_init__(self) -> None:
        self.navigations = Navigations(self.cdp)

    @property
    def deadline(self) -> float:
        """When the steps before the pictures have to be done."""
        return self.began + self.limits.seconds * (1 - _KEPT_BACK)

    @property
    def end(self) -> float:
        """When everything has to be done."""
        return self.began + self.limits.seconds

    def left(self, at_most: float = 3600.0, *, until_end: bool = False) -> float:
        """Milliseconds for a call of Playwright's; never 0, which it takes for "no limit"."""
        moment = self.end if until_end else self.deadline
        return max(1.0, min(at_most, moment - time.monotonic()) * 1000)

    def check_time(self) -> None:
        """End the steps when their time is over."""
        if time.monotonic() >= self.deadline:
            raise VisitEndedError(TIME_OVER)

    def wait(self, seconds: float) -> None:
        """Let the page go on; events are delivered meanwhile."""
        self.page.wait_for_timeout(seconds * 1000)

    def evaluate(self, name: str, argument: Any = None) -> Any:
        """Run one of the project's scripts beside the main frame's page, in a world of its own.

        Raises:
            ScriptFailedError: it threw.
        """
        return evaluate(self.cdp, self.navigations.frame, self.beside(name), argument)

    def beside(self, name: str) -> str:
        """Source of a script for an isolated world, noted in the log the first time it is used."""
        return self._noted(name, self.scripts, "in a world of its own beside the page")

    def script(self, name: str) -> str:
        """Source of a script for the page's own world, where the page can deceive it; noted as such."""
        return self._noted(name, self.scripts_in_page, "in the page's own world")

    def _noted(self, name: str, scripts: dict[str, str], where: str) -> str:
        source, digest = _read_script(name)
        if name not in scripts:
            scripts[name] = digest
            self.log.add("script", f"{name}.js is run {where}", script=f"{name}.js", sha256=digest)
        return source

    def measure(self) -> dict[str, Any]:
        """Size, visible text and pictures of the page as it is now.

        Raises:
            ScriptFailedError: the answer has not the form it should.
        """
        measured = members(self.evaluate("measure_page"), _MEASURED)
        # The size as the browser lays the page out; a body that scrolls by itself can be higher.
        metrics = self.cdp.send("Page.getLayoutMetrics")
        measured["width"] = pixels(metrics["cssLayoutViewport"]["clientWidth"])
        measured["height"] = max(measured["height"], pixels(math.ceil(metrics["cssContentSize"]["height"])))
        if not measured["width"] or not measured["height"]:
            raise ScriptFailedError("the page has no size")
        return measured

    def hold(self, path: str, media_type: str, role: str, text: str) -> int:
        """Keep a text for the end of the visit; gives its size in bytes."""
        # A page may hold lone surrogates, which no encoding has.
        data = text.encode("utf-8", "replace")
        self.documents.append(Document(path, media_type, role, data))
        return len(data)

    def store(self, path: str, media_type: str, role: str, data: bytes) -> None:
        """Write a picture while the browser goes on; what fails is raised by :meth:`finish_storing`."""
        self.stored.append(self.storing.submit(self.files.add, path, media_type, role, data))

    def finish_storing(self) -> None:
        """Wait until everything handed to :meth:`store` is on disk.

        Raises:
            OSError: a file could not be written.
        """
        for item in self.stored:
            item.result()

    def note_layout(self, width: int, height: int) -> None:
        """Keep the moment at which the document last changed its size."""
        if (width, height) != self.layout:
            self.layout, self.layout_changed = (width, height), time.monotonic()

    def fire(self, limit: str) -> None:
        """A limit fired."""
        if limit not in self.fired:
            self.fired.append(limit)
            self.log.add("limit", limit)

    def lacks(self, why: str) -> None:
        """Something that belongs to the capture is missing."""
        if why not in self.incomplete:
            self.incomplete.append(why)
            self.log.add("incomplete", why)

    @property
    def is_dead(self) -> bool:
        """Whether nothing more can be asked of the page."""
        return self.crashed or self.page.is_closed()


def first_line(error: PlaywrightError) -> str:
    """An error of the browser's in one line."""
    return error.message.strip().splitlines()[0][:300]


def told(error: Exception) -> str:
    """What the record says of an error: the browser's or a script's in words, a fault of our own by its kind.

    Of the latter the log says where; its own words may quote the page, with what is secret in it.
    """
    if isinstance(error, PlaywrightError):
        return first_line(error)
    if isinstance(error, ScriptFailedError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    kind = type(error).__name__
    _log.error("a step of the visit failed", kind=kind, file=Path(place.filename).name, line=place.lineno)
    return f"a fault of the service's own, {kind}"


@cache
def _read_script(name: str) -> tuple[str, str]:
    source = (_SCRIPTS / f"{name}.js").read_text(encoding="utf-8")
    return source, hashlib.sha256(source.encode()).hexdigest()
