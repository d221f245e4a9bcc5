"""Which document the main frame shows, and which answer it was made from, by the browser's own account.

The browser gives a navigation one identifier: of its loader, of the request for its document and of the
document itself once it is committed (Chrome DevTools Protocol: Network.requestWillBeSent,
Network.responseReceived, Page.frameNavigated). A navigation that was only begun says nothing of the page:
one answered by 204 or by a download leaves it as it is. Neither does the address the frame shows: a
script may write any of the same origin there (HTML, 7.2.5: history.replaceState).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import CDPSession

OWN_ANSWER = "evidence-recorder"
"""Header of every answer of the recorder's own."""


@dataclass(slots=True, eq=False)
class Navigation:
    """One navigation of the main frame.

    Attributes:
        url: its document was asked for at last, without fragment; method: of that request.
        address: as the frame had it when the document was committed, with its fragment; empty before.
        hops: addresses asked for, in order, the last one included.
        status: of the response the document was made from; None when there was none.
        number: which document it was that this address answered the method with this status, from 1.
        says_recorder: whether the answer says that it is the recorder's own.
        error: the browser's word for why there is no document; empty when there is one.
        unreachable: the browser shows a page of its own in the document's place.
    """

    loader: str
    url: str = ""
    method: str = "GET"
    address: str = ""
    hops: list[str] = field(default_factory=list)
    status: int | None = None
    number: int = 0
    says_recorder: bool = False
    error: str = ""
    unreachable: bool = False

    @property
    def is_requested(self) -> bool:
        """Whether its document was asked for, of anyone: a script can make one up (``blob:``)."""
        return self.url.startswith(("http://", "https://"))


class Navigations:
    """Follows the navigations of a page's main frame.

    Attributes:
        committed: those whose document came to be shown, in order; the last one's is shown now.
        begun: the last that asked for a document.
        shown: address the main frame showed when it was asked last.
    """

    def __init__(self, cdp: CDPSession) -> None:
        self._cdp = cdp
        self._known: dict[str, Navigation] = {}
        self._answers: Counter[tuple[str, str, int]] = Counter()
        self.committed: list[Navigation] = []
        self.begun: Navigation | None = None
        self.shown = ""
        cdp.on("Network.requestWillBeSent", self._asked)
        cdp.on("Network.responseReceived", self._answered)
        cdp.on("Network.loadingFailed", self._failed)
        cdp.on("Page.frameNavigated", self._committed)
        cdp.send("Page.enable")
        # What the browser would keep for a debugger's panel is memory nobody reads.
        cdp.send("Network.enable", {"maxTotalBufferSize": 0, "maxResourceBufferSize": 0})
        self.frame = str(cdp.send("Page.getFrameTree")["frameTree"]["frame"]["id"])

    @property
    def current(self) -> Navigation | None:
        """Whose document is shown; None before the first."""
        return self.committed[-1] if self.committed else None

    @property
    def hops(self) -> list[str]:
        """Addresses that led to the documents that were shown, in order."""
        return [address for item in self.committed for address in item.hops]

    def look(self) -> Navigation | None:
        """As :attr:`current`, once everything that came before this question has been told."""
        frame = self._cdp.send("Page.getFrameTree")["frameTree"]["frame"]
        self.shown = _address(frame)
        return self.current

    def _asked(self, event: dict[str, Any]) -> None:
        if event.get("type") != "Document" or event.get("frameId") != self.frame:
            return
        item = self._navigation(event["loaderId"])
        item.url, item.method = event["request"]["url"], event["request"]["method"]
        item.hops.append(item.url)
        self.begun = item

    def _answered(self, event: dict[str, Any]) -> None:
        item = self._known.get(event["requestId"])
        if item is None or event["requestId"] != event["loaderId"]:
            return
        answer = event["response"]
        item.status = answer["status"] if item.is_requested else None
        item.says_recorder = any(name.lower() == OWN_ANSWER for name in answer["headers"])
        key = (item.url, item.method, item.status or 0)
        self._answers[key] += 1
        item.number = self._answers[key]

    def _failed(self, event: dict[str, Any]) -> None:
        item = self._known.get(event["requestId"])
        if item is not None and item is not self.current:
            item.error = str(event.get("errorText", "")) or "the request failed"

    def _committed(self, event: dict[str, Any]) -> None:
        frame = event["frame"]
        if frame["id"] != self.frame:
            return
        item = self._navigation(frame["loaderId"])
        item.address = self.shown = _address(frame)
        item.unreachable = bool(frame.get("unreachableUrl")) or frame["url"].startswith("chrome-error:")
        self.committed.append(item)

    def _navigation(self, loader: str) -> Navigation:
        return self._known.setdefault(loader, Navigation(loader))


def _address(frame: dict[str, Any]) -> str:
    return str(frame["url"]) + str(frame.get("urlFragment", ""))
