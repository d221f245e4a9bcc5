"""Answers of the recorder's own; no record of what servers sent ever contains one."""

from __future__ import annotations

import contextlib

from evidence_service.capture.recording.channels import Channel


async def answer(browser: Channel, status: int, words: str) -> None:
    """Tell the browser, and whoever looks at it, why there is no answer of a server; then no more is said.

    A browser that is gone already is not told.
    """
    body = f"Evidence recorder: {words}\n".encode()
    head = (
        f"HTTP/1.1 {status} Evidence recorder\r\nEvidence-Recorder: not from the server\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
        f"Cache-Control: no-store\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with contextlib.suppress(OSError):
        await browser.write(head.encode() + body)
