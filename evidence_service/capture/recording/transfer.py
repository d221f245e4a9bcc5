"""One exchange: request to the server, response to the browser, both kept as they were on the wire."""

from __future__ import annotations

import asyncio
import contextlib

from evidence_service.capture.framing import Body, Request, ResponseFraming
from evidence_service.capture.recording.answers import answer
from evidence_service.capture.recording.channels import Channel
from evidence_service.capture.recording.ledger import Draft, Ledger
from evidence_service.capture.recording.relay import relay_websocket
from evidence_service.capture.recording.servers import Origin, ServerConnection, Servers
from evidence_service.errors import (
    EvidenceError,
    RefusedError,
    StorageUnavailableError,
    UnavailableError,
)

# RFC 9110, 9.2.2.
_IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"})
ANSWERED_EARLY = "the server answered before it had the whole request"
"""Problem of an exchange whose server did not read, for example, a form it refuses."""
_LAST_WRITE_SECONDS = 0.5
_RETRIED = "a connection that was idle ended before any byte of a response; sent again on a new one"


class _IdleConnectionEndedError(Exception):
    """A connection that had been idle ended before a byte of the response came."""


class _BrowserGoneError(Exception):
    """The browser takes no more bytes, or sends none of those it announced."""


class Transfer:
    """Carries out one exchange.

    Args:
        head: the request's head as it goes to the server.
        body: framing of the request's body, of which nothing was read yet.
    """

    def __init__(
        self,
        draft: Draft,
        ledger: Ledger,
        servers: Servers,
        *,
        browser: Channel,
        origin: Origin,
        request: Request,
        head: bytes,
        body: Body,
    ) -> None:
        self._draft, self._ledger, self._servers = draft, ledger, servers
        self._browser, self._origin = browser, origin
        self._request, self._head, self._body = request, head, body
        self._idle = ledger.limits.idle
        self._answered = False

    async def run(self) -> bool:
        """Whether the browser's connection can be used for another request."""
        draft = self._draft
        try:
            keep = await self._carry()
            if draft.problem:
                await self._end_and_tell(draft.problem)
        except (RefusedError, UnavailableError, EvidenceError) as error:
            full = isinstance(error, StorageUnavailableError)
            draft.fail(error.message, "length" if full else "disconnect")
            await self._end_and_tell(error.message)
        except _BrowserGoneError:
            draft.fail("the browser ended the exchange")
        except asyncio.CancelledError:
            # A WebSocket has no end of its own that it could have missed.
            if draft.order is None:
                draft.fail(self._ledger.closed, "time")
            raise
        except Exception as error:
            # A fault of our own; an exchange that nothing is said about would look whole.
            draft.fail(f"the recorder failed: {type(error).__name__}")
            await self._end_and_tell(draft.problem)
            raise
        else:
            return keep
        finally:
            self._ledger.end(draft)
        return False

    async def _end_and_tell(self, words: str) -> None:
        """The journal first: who sees the recorder's own words has to find the reason beside them."""
        self._ledger.end(self._draft)
        await self._tell(words)

    async def _tell(self, words: str) -> None:
        """Tell the browser why nothing comes, unless something came."""
        if not self._answered:
            self._answered = True
            await answer(self._browser, 502, words)

    async def _carry(self) -> bool:
        reusable = self._request.method in _IDEMPOTENT and self._body.complete
        connection = await self._servers.take(self._draft, self._origin, fresh=not reusable)
        try:
            return await self._exchange_on(connection)
        except _IdleConnectionEndedError:
            self._draft.retried = _RETRIED
        connection = await self._servers.take(self._draft, self._origin, fresh=True)
        return await self._exchange_on(connection)

    async def _exchange_on(self, connection: ServerConnection) -> bool:
        upload: asyncio.Task[None] | None = None
        keep = False
        try:
            await self._send_head(connection)
            if not self._body.complete:
                upload = asyncio.create_task(self._send_body(connection))
            framing = ResponseFraming(
                self._request.method,
                websocket=self._draft.kind == "websocket",
                limit=self._ledger.limits.head,
            )
            await self._receive(connection, framing, upload)
            keep = framing.keeps_alive and self._request.keeps_alive and not self._draft.problem
            return keep
        finally:
            if upload is not None and not upload.done():
                upload.cancel()
                await asyncio.gather(upload, return_exceptions=True)
            if keep:
                self._servers.give_back(connection)
            else:
                connection.close()

    # --- the request ---

    async def _send_head(self, connection: ServerConnection) -> None:
        draft = self._draft
        if draft.request is None:
            draft.request = self._ledger.wire.create(f"{draft.id}.request")
            self._ledger.keep(draft, draft.request, self._head)
            draft.request_head = len(self._head)
        try:
            await self._to_server(connection, self._head)
        except OSError as error:
            if connection.uses > 1:
                raise _IdleConnectionEndedError from error
            raise UnavailableError(f"the server ended the connection: {error}") from error

    async def _send_body(self, connection: ServerConnection) -> None:
        """Stream the body; ends early when a limit fires, the browser goes, or the server hangs up."""
        sink = self._draft.request
        while not self._body.complete and sink is not None:
            async with asyncio.timeout(self._idle):
                data = await self._browser.read()
            if not data:
                raise _BrowserGoneError
            used = self._body.feed(data)
            self._browser.put_back(data[used:])
            kept = self._ledger.keep(self._draft, sink, data[:used])
            await self._to_server(connection, kept)
            if len(kept) < used:
                return

    async def _to_server(self, connection: ServerConnection, data: bytes) -> None:
        async with asyncio.timeout(self._idle):
            await connection.channel.write(data)

    # --- the response ---

    async def _receive(
        self, connection: ServerConnection, framing: ResponseFraming, upload: asyncio.Task[None] | None
    ) -> None:
        draft = self._draft
        while not framing.complete:
            data = await self._from_server(connection, upload)
            if not data:
                self._note_end(connection, framing)
                return
            if draft.response is None:
                draft.response = self._ledger.wire.create(f"{draft.id}.response")
            kept = self._ledger.keep(draft, draft.response, data)
            try:
                passed = framing.feed(kept)
            except EvidenceError as error:
                self._learn(framing)
                await self._record_unreadable(connection, error.message)
                return
            self._learn(framing)
            if framing.complete and not framing.switched:
                if upload is not None and self._body.complete:
                    # Everything was handed over; whether it left is known as soon as the task has its turn.
                    await asyncio.wait({upload}, timeout=_LAST_WRITE_SECONDS)
                # The journal first: what a browser has in full has been recorded in full.
                self._conclude(framing, upload)
            await self._to_browser(passed)
            if len(kept) < len(data):
                return
            if framing.switched:
                await relay_websocket(
                    self._ledger, draft, self._browser, connection, first=kept[len(kept) - framing.surplus :]
                )
                return

    def _conclude(self, framing: ResponseFraming, upload: asyncio.Task[None] | None) -> None:
        draft = self._draft
        draft.surplus = framing.surplus
        if upload is not None and not (upload.done() and upload.exception() is None and self._body.complete):
            draft.fail(ANSWERED_EARLY)
        if framing.surplus:
            draft.fail(f"{framing.surplus} bytes came after the end of the response", "")
        if framing.unsound:
            draft.fail(framing.unsound, "")
        self._ledger.end(draft)

    async def _from_server(self, connection: ServerConnection, upload: asyncio.Task[None] | None) -> bytes:
        """The next bytes; empty when the server has ended."""
        try:
            if upload is not None:
                return await self._beside(upload, asyncio.ensure_future(connection.read()))
            async with asyncio.timeout(self._idle):
                return await connection.read()
        except TimeoutError as error:
            limit = f"the server sent nothing for {self._idle:g} seconds"
            self._draft.fail(limit, "time")
            self._ledger.fire(limit)
            raise UnavailableError(limit) from error
        except OSError as error:
            if connection.uses > 1 and self._draft.response is None and upload is None:
                raise _IdleConnectionEndedError from error
            raise UnavailableError(f"the server's connection broke: {error}") from error

    async def _beside(self, upload: asyncio.Task[None], reading: asyncio.Task[bytes]) -> bytes:
        """Read while the request's body may still be on its way; the server may take its time until then."""
        try:
            if not upload.done():
                await asyncio.wait({reading, upload}, return_when=asyncio.FIRST_COMPLETED)
            if upload.done() and not isinstance(upload.exception(), OSError):
                # A server that hangs up on a body (an OSError) may have answered all the same.
                upload.result()
                if self._draft.problem:
                    raise UnavailableError(self._draft.problem)
            async with asyncio.timeout(self._idle):
                return await reading
        finally:
            reading.cancel()

    def _note_end(self, connection: ServerConnection, framing: ResponseFraming) -> None:
        if self._draft.response is None:
            if connection.uses > 1 and self._body.complete and self._request.method in _IDEMPOTENT:
                raise _IdleConnectionEndedError
            raise UnavailableError("the server closed without an answer")
        if framing.head is None:
            raise UnavailableError("the server closed within the head of its response")
        if not framing.until_close:
            self._draft.fail("the server closed before the response was complete")
        elif connection.channel.cut_off:
            # RFC 9112, 9.8: only a closure alert tells the end of the body from somebody's cut.
            self._draft.fail("the server ended without the closure alert of TLS: the end may be missing")
        elif framing.unsound:
            self._draft.fail(framing.unsound, "")

    def _learn(self, framing: ResponseFraming) -> None:
        draft = self._draft
        if framing.head is None or draft.response_head:
            return
        draft.response_head, draft.status = framing.head_size, framing.status
        kinds = framing.head.values(b"content-type")
        draft.content_type = kinds[0].decode("latin-1") if kinds else ""
        if draft.kind == "websocket" and not framing.switched:
            draft.kind = "http"
        self._ledger.note_head(draft)

    async def _record_unreadable(self, connection: ServerConnection, problem: str) -> None:
        """Keep what comes, for the record alone; a browser gets nothing that could be read in two ways."""
        draft = self._draft
        draft.fail(f"the response cannot be read: {problem}", "")
        await self._tell(draft.problem)
        with contextlib.suppress(OSError, TimeoutError):
            while draft.response is not None:
                async with asyncio.timeout(min(self._idle, 2.0)):
                    data = await connection.read()
                if not data or len(self._ledger.keep(draft, draft.response, data)) < len(data):
                    return

    async def _to_browser(self, data: bytes) -> None:
        if not data:
            return
        # Informational responses alone are no answer yet.
        self._answered = self._draft.response_head > 0
        try:
            async with asyncio.timeout(self._idle):
                await self._browser.write(data)
        except (OSError, TimeoutError) as error:
            raise _BrowserGoneError from error
