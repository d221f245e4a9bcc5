"""Stored files as answers: hashed again before the first byte goes out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from fastapi.responses import FileResponse
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from evidence_service.api.problems import problem
from evidence_service.service.parts import Parts


def stored_file(
    parts: Parts, sha256: bytes, *, media_type: str, filename: str, note: Callable[[], object]
) -> FileResponse:
    """A stored file as an attachment, never shown in place.

    Args:
        note: called when it is known that the file can be given out, and before it is.

    Raises:
        NotFoundError, MismatchError, StorageUnavailableError: as ``Objects.open``; nothing is noted.
    """
    with ExitStack() as opened:
        path = opened.enter_context(parts.objects.open(sha256))
        note()
        return _Stored(path, sha256, media_type, filename, opened.pop_all())


class _Stored(FileResponse):
    """Closes what it reads from when it was sent, or when the client went away."""

    def __init__(self, path: Path, sha256: bytes, media_type: str, filename: str, opened: ExitStack) -> None:
        # The entity tag is the content's (RFC 9110, 8.8.3), so that a download that broke off can be resumed
        # wherever its bytes lay meanwhile.
        headers = {"ETag": f'"{sha256.hex()}"'}
        super().__init__(path, headers=headers, media_type=media_type, filename=filename)
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._opened:
            await super().__call__(_of_bytes(scope), receive, _told(scope, receive, send))


def _of_bytes(scope: Scope) -> Scope:
    """A request without a range in a unit that is not known here: it is to be ignored (RFC 9110, 14.2)."""
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if name != b"range" or value.strip().lower().startswith(b"bytes=")
    ]
    return {**scope, "headers": kept}


def _told(scope: Scope, receive: Receive, send: Send) -> Send:
    """Starlette refuses a range in plain text: put a problem document in its place."""
    refused = False

    async def passed(message: Message) -> None:
        nonlocal refused
        if message["type"] == "http.response.start" and message["status"] in (400, 416):
            refused = True
            size = dict(message["headers"]).get(b"content-range", b"").decode()
            answer = problem(
                Request(scope),
                416,
                "range-not-satisfiable",
                "the file has no such part",
                what_to_do="ask for bytes=FIRST-LAST within it, or for the whole file",
                headers={"Content-Range": size} if size else None,
            )
            await answer(scope, receive, send)
        elif not refused:
            await send(message)

    return passed
