"""What a page does on its own: requests, navigations, dialogs, downloads, windows. Noted; refused where it
asks.

Nothing a page asks for is granted: a dialog is dismissed (what a user's Escape key does), permissions are
denied before the page asks, downloads are cancelled (their bytes are on the wire), new windows are closed.
Only a question before leaving (``beforeunload``) is answered with yes, or it would hold the visit.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from playwright.sync_api import ConsoleMessage, Dialog, Download, Page, Request, Response
from playwright.sync_api import Error as PlaywrightError

from evidence_service.capture.steps.navigations import OWN_ANSWER
from evidence_service.capture.steps.visit import Visit

_UNBOUNDED = ("eventsource", "websocket", "ping")
"""Resource types that may stay open for as long as the page does; they never count as traffic."""
_MAX_NOTES = 100
_MAX_TEXT = 500


class Watch:
    """Listens to one visit's page while it lasts.

    Attributes:
        last_traffic: monotonic time of the last request that began or ended.
        documents: how many documents the main frame has had.
    """

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._open: dict[Request, str] = {}
        self._notes: Counter[str] = Counter()
        self.last_traffic = time.monotonic()
        self.documents = 0
        visit.context.grant_permissions([])
        visit.context.on("request", self._began)
        visit.context.on("requestfinished", self._ended)
        visit.context.on("requestfailed", self._ended)
        visit.context.on("response", self._answered)
        visit.context.on("page", self._window)
        page = visit.page
        page.on("dialog", self._dialog)
        page.on("download", self._download)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self._note("page error", str(error)))
        page.on("crash", self._crashed)
        page.on("close", lambda _: visit.log.add("closed", "the page closed"))
        visit.cdp.on("Page.frameNavigated", self._navigated)

    @property
    def open_requests(self) -> list[str]:
        """Addresses of the requests that are neither finished nor failed."""
        return list(self._open.values())

    def _began(self, request: Request) -> None:
        if request.resource_type in _UNBOUNDED:
            return
        self._open[request] = request.url
        self.last_traffic = time.monotonic()
        if self._is_main(request):
            # A document that is left never reports the end of what it asked for.
            self._open = {request: request.url}

    def _is_main(self, request: Request) -> bool:
        try:
            return request.is_navigation_request() and request.frame == self._visit.page.main_frame
        except PlaywrightError:
            # A window that is only now being opened has no frame yet.
            return False

    def _ended(self, request: Request) -> None:
        if self._open.pop(request, None) is not None:
            self.last_traffic = time.monotonic()

    def _answered(self, response: Response) -> None:
        if not response.request.is_navigation_request():
            return
        refused = self._visit.refused_frames
        (refused.add if OWN_ANSWER in response.headers else refused.discard)(response.url)

    def _navigated(self, event: dict[str, Any]) -> None:
        frame = event["frame"]
        if "parentId" in frame:
            return
        self.documents += 1
        self._visit.log.add("navigation", f"document {self.documents} of the visit: {frame['url']}"[:2000])

    def _window(self, page: Page) -> None:
        if page is self._visit.page:
            return
        self._note("window", f"a new window for {page.url} was closed")
        try:
            page.close()
        except PlaywrightError:
            # It closed by itself, or the browser is gone.
            return

    def _dialog(self, dialog: Dialog) -> None:
        leaving = dialog.type == "beforeunload"
        self._note("dialog", f"{dialog.type} “{dialog.message}” was {'left' if leaving else 'dismissed'}")
        try:
            if leaving:
                dialog.accept()
            else:
                dialog.dismiss()
        except PlaywrightError:
            return

    def _download(self, download: Download) -> None:
        self._note("download", f"{download.suggested_filename} from {download.url} was refused")

    def _console(self, message: ConsoleMessage) -> None:
        self._note("console", f"{message.type}: {message.text}")

    def _crashed(self, _: Page) -> None:
        self._visit.crashed = True
        self._visit.lacks("the page crashed the browser's renderer")

    def _note(self, action: str, detail: str) -> None:
        """Note what a page does as often as it likes: the first hundred, and that there were more."""
        self._notes[action] += 1
        if self._notes[action] <= _MAX_NOTES:
            self._visit.log.add(action, detail[:_MAX_TEXT])
        elif self._notes[action] == _MAX_NOTES + 1:
            words = f"there were more than {_MAX_NOTES} of these; the others are left out"
            self._visit.log.add(action, words)
