"""Isolated worlds: where the project's scripts run, beside the page's own and out of its reach.

An isolated world shares the page's nodes and nothing else (Chrome DevTools Protocol,
Page.createIsolatedWorld): its prototypes and globals are the browser's own, whatever the page made of hers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from playwright.sync_api import BrowserContext, CDPSession, Page
from playwright.sync_api import Error as PlaywrightError

_NAME = "evidence"
_MOVED = ("Cannot find context", "No frame for given id", "Execution context was destroyed")
_TRIES = 3


class ScriptFailedError(Exception):
    """A script of the project's threw, or gave what it should not. Never leaves the capture."""


def evaluate(cdp: CDPSession, frame: str, source: str, argument: Any = None) -> Any:
    """Call a function in the isolated world of a frame; its result, by value.

    Raises:
        ScriptFailedError: the function threw.
        PlaywrightError: the frame or the browser is gone.
    """
    for left in range(_TRIES - 1, -1, -1):
        try:
            # The same world each time, until the frame has another document.
            world = cdp.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": _NAME})
            answer = cdp.send(
                "Runtime.callFunctionOn",
                {
                    "functionDeclaration": source,
                    "executionContextId": world["executionContextId"],
                    "arguments": [{"value": argument}],
                    "awaitPromise": True,
                    "returnByValue": True,
                },
            )
        except PlaywrightError as error:
            if left == 0 or not any(words in error.message for words in _MOVED):
                raise
            continue
        if "exceptionDetails" in answer:
            # Not in the browser's words: they may quote the page.
            kind = answer["result"].get("className", "error")
            raise ScriptFailedError(f"its script ended with {str(kind)[:60]}")
        return answer["result"].get("value")
    raise AssertionError("unreachable")


def inner_frames(
    context: BrowserContext, page: Page, cdp: CDPSession
) -> Iterator[tuple[CDPSession, str, str]]:
    """Session, identifier and address of each frame below the main one.

    Frames of other sites live in processes of their own, each with its own session.
    """
    yield from _below(cdp.send("Page.getFrameTree")["frameTree"], cdp)
    for frame in page.frames[1:]:
        with _own_session(context, frame) as session:
            if session is not None:
                tree = session.send("Page.getFrameTree")["frameTree"]
                yield session, tree["frame"]["id"], tree["frame"]["url"]
                yield from _below(tree, session)


def _below(tree: dict[str, Any], session: CDPSession) -> Iterator[tuple[CDPSession, str, str]]:
    for child in tree.get("childFrames", ()):
        yield session, child["frame"]["id"], child["frame"]["url"]
        yield from _below(child, session)


@contextmanager
def _own_session(context: BrowserContext, frame: Any) -> Iterator[CDPSession | None]:
    try:
        session = context.new_cdp_session(frame)
    except PlaywrightError:
        # The frame is in its parent's process, or gone.
        yield None
        return
    try:
        yield session
    finally:
        with suppress(PlaywrightError):
            session.detach()
