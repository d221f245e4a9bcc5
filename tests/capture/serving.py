"""Pages for captures to meet: a server that sends exactly what a test gives it, and a visit to look at them."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from evidence_service.capture.browser import BrowserSession, BrowserSettings
from evidence_service.capture.files import CaptureFiles
from evidence_service.capture.options import CaptureOptions
from evidence_service.capture.recorder import Recorder
from evidence_service.capture.session import CaptureLimits, CaptureResult, capture_listing
from evidence_service.capture.steps.visit import ActionLog, Visit
from evidence_service.capture.steps.watching import Watch
from evidence_service.egress.policy import EgressPolicy
from tests.accepting import Acceptor, beside

Answer = str | bytes | Callable[[socket.socket], None]
"""A page's HTML, a whole response in its bytes, or what answers on the connection itself."""


WORDS = (
    "<p>"
    + "Brass table lamp with a linen shade, sold by the shop Lichthaus; ships in two days. " * 6
    + "</p>"
)
"""Enough text for a page to count as one that shows something."""


def now() -> datetime:
    return datetime.now(UTC)


def response(body: bytes, kind: str = "text/html; charset=utf-8", headers: str = "") -> bytes:
    """A whole response with a body."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


class Pages:
    """A server on loopback; a path that has no answer gets 404. ``requests`` are the heads it was sent."""

    def __init__(self, answers: Mapping[str, Answer], tls: ssl.SSLContext | None = None) -> None:
        self.answers = dict(answers)
        self._tls = tls
        self.requests: list[bytes] = []
        self._acceptor = Acceptor(beside(self._serve))
        self.port = self._acceptor.port

    @property
    def policy(self) -> EgressPolicy:
        """Lets a capture reach this server and nothing else that is private."""
        return EgressPolicy(frozenset({("127.0.0.1", self.port)}))

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [head.split(b" ")[1].decode() for head in list(self.requests)]

    def url(self, path: str = "/item/1") -> str:
        """Address of a page."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}{path}"

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._acceptor.close()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            data = b""
            while b"\r\n\r\n" not in data:
                received = connection.recv(65536)
                if not received:
                    return
                data += received
            self.requests.append(data)
            path = data.split(b" ")[1].decode().split("?")[0]
            answer = self.answers.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            if callable(answer):
                answer(connection)
            else:
                connection.sendall(response(answer.encode()) if isinstance(answer, str) else answer)
        except OSError:
            pass
        finally:
            connection.close()


def capture(
    pages: Pages,
    directory: Path,
    path: str = "/item/1",
    *,
    options: CaptureOptions | None = None,
    limits: CaptureLimits | None = None,
    progress: Callable[[str], None] = lambda _: None,
    recipients: Sequence[str] = (),
) -> CaptureResult:
    """A whole capture of one of the pages."""
    return capture_listing(
        pages.url(path),
        directory,
        policy=pages.policy,
        browser=BrowserSettings(),
        now=now,
        options=options,
        limits=limits,
        progress=progress,
        recipients=recipients,
    )


def says(result: CaptureResult, words: str) -> bool:
    """Whether one of the outcome's reasons has the words."""
    return any(words in reason for reason in result.outcome.reasons)


class Browsing:
    """A browser that reaches the pages through a recorder, for many visits."""

    def __init__(self, pages: Pages, session: BrowserSession, proxy_port: int) -> None:
        self._pages = pages
        self._browser = session.context.browser
        self._proxy = {"server": f"http://127.0.0.1:{proxy_port}", "bypass": "<-loopback>"}

    @contextmanager
    def visit(
        self, path: str, directory: Path, limits: CaptureLimits | None = None
    ) -> Iterator[tuple[Visit, Watch]]:
        """A visit of one page in a context of its own, opened and not yet settled."""
        assert self._browser is not None
        context = self._browser.new_context(proxy=self._proxy, viewport={"width": 1280, "height": 900})
        page = context.new_page()
        storing = ThreadPoolExecutor(1)
        visit = Visit(
            page=page,
            context=context,
            cdp=context.new_cdp_session(page),
            files=CaptureFiles(directory),
            limits=limits or CaptureLimits(seconds=20),
            log=ActionLog(now),
            progress=lambda _: None,
            began=time.monotonic(),
            storing=storing,
        )
        watch = Watch(visit)
        page.goto(self._pages.url(path), wait_until="commit")
        yield visit, watch
        visit.finish_storing()
        storing.shutdown()
        context.close()


@contextmanager
def browsing(pages: Pages, directory: Path) -> Iterator[Browsing]:
    """Start the browser and its recorder."""
    settings = BrowserSettings()
    with (
        Recorder(directory / "wire", pages.policy, now=now) as recorder,
        BrowserSession(settings, proxy_port=recorder.port, spki=recorder.spki, context={}) as session,
    ):
        yield Browsing(pages, session, recorder.port)
