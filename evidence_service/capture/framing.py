"""Where HTTP/1.1 messages begin and end, found without changing a byte of them."""

from __future__ import annotations

import h11

from evidence_service.errors import LimitExceededError, MalformedError

MAX_HEAD = 256 * 1024
"""Most bytes of a message head."""


class RequestReader:
    """Finds the end of requests from the browser; keeps their bytes as they are."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._buffer += data

    def take(self) -> tuple[h11.Request, bytes, bytes] | None:
        """The next whole request: parsed head, head bytes, body bytes; None when more bytes are needed.

        Raises:
            MalformedError: not HTTP.
            LimitExceededError: a head without an end.
        """
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise LimitExceededError("a request head is larger than the limit")
            return None
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        parser.receive_data(self._buffer)
        try:
            request = parser.next_event()
            event = request
            while not isinstance(event, h11.EndOfMessage):
                event = parser.next_event()
                if event in (h11.NEED_DATA, h11.PAUSED):
                    return None
        except h11.RemoteProtocolError as error:
            raise MalformedError(f"the browser sent something that is not HTTP: {error}") from error
        if not isinstance(request, h11.Request):
            raise MalformedError("the browser sent something that is not a request")
        whole = self._buffer[: len(self._buffer) - len(parser.trailing_data[0])]
        self._buffer = self._buffer[len(whole) :]
        return request, whole[: end + 4], whole[end + 4 :]


class ResponseFraming:
    """Watches a response's bytes go by and says when it is complete; changes nothing."""

    def __init__(self, method: bytes) -> None:
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._parser.send(h11.Request(method=method, target=b"/", headers=[("Host", "x")]))
        self._parser.send(h11.EndOfMessage())
        self.head: h11.Response | None = None
        self.complete = False
        self.until_close = False
        """The framing is not HTTP/1.1's; only the closing of the connection ends the response."""
        self.surplus = 0
        """Bytes after the end of the response."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes; an empty one means that the server closed."""
        if self.until_close:
            self.complete = not data
            return
        try:
            self._parser.receive_data(data)
            while True:
                event = self._parser.next_event()
                if isinstance(event, h11.Response):
                    self.head = event
                if isinstance(event, h11.EndOfMessage):
                    self.complete = True
                    self.surplus = len(self._parser.trailing_data[0])
                if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(
                    event, (h11.EndOfMessage, h11.ConnectionClosed)
                ):
                    return
        except h11.RemoteProtocolError:
            # With data, the framing is broken; without, the server closed before its own announced end.
            self.until_close = bool(data)
