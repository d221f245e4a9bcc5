"""A connection as the recorder uses it: bytes in, bytes out; plain, or TLS on top of another one."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

from OpenSSL import SSL

CHUNK = 64 * 1024


class Channel(ABC):
    """Two directions of bytes."""

    def __init__(self) -> None:
        self._ahead = b""

    async def read(self) -> bytes:
        """The next bytes, at most about 64 KiB; empty when the other side has ended.

        Raises:
            OSError: the connection broke.
        """
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        return await self._read()

    def put_back(self, data: bytes) -> None:
        """Make bytes that were read the next ones again."""
        self._ahead = data + self._ahead

    @abstractmethod
    async def _read(self) -> bytes: ...

    @abstractmethod
    async def write(self, data: bytes) -> None:
        """Send bytes; returns when there is room for more.

        Raises:
            OSError: the connection broke.
        """

    @abstractmethod
    def end_writing(self) -> None:
        """Tell the other side that nothing more comes."""

    @abstractmethod
    def close(self) -> None:
        """End both directions."""

    @property
    def cut_off(self) -> bool:
        """Whether the other side ended without the words for it that its protocol has."""
        return False


class PlainChannel(Channel):
    """TCP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__()
        self._reader, self._writer = reader, writer

    @property
    def peer(self) -> tuple[str, int]:
        """Address and port the socket is connected to.

        Raises:
            OSError: it is not connected any more.
        """
        found = self._writer.get_extra_info("socket").getpeername()
        return str(found[0]), int(found[1])

    async def _read(self) -> bytes:
        return await self._reader.read(CHUNK)

    async def write(self, data: bytes) -> None:
        self.post(data)
        await self.drain()

    def post(self, data: bytes) -> None:
        """Hand over bytes without waiting."""
        self._writer.write(data)

    async def drain(self) -> None:
        """Wait until there is room for more."""
        await self._writer.drain()

    def end_writing(self) -> None:
        if self._writer.can_write_eof() and not self._writer.is_closing():
            self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()


class TlsChannel(Channel):
    """TLS over a plain channel; OpenSSL works on memory, the recorder moves the records."""

    def __init__(self, below: PlainChannel, connection: SSL.Connection) -> None:
        super().__init__()
        self._below, self._tls = below, connection
        self._ended = False
        self._alerted = False

    @property
    def cut_off(self) -> bool:
        return self._ended and not self._alerted

    async def handshake(self) -> None:
        """Agree on keys.

        Raises:
            OSError: the two sides do not agree, or the connection broke.
        """
        while True:
            try:
                self._tls.do_handshake()
            except SSL.WantReadError:
                await self._flush()
                await self._pull()
                if self._ended:
                    raise ConnectionError("the connection ended during the TLS handshake") from None
                continue
            except SSL.Error as error:
                # The alert that says why may still be on its way out.
                self._post()
                raise ConnectionError(f"TLS handshake failed: {_reason(error)}") from error
            await self._flush()
            return

    async def _read(self) -> bytes:
        while True:
            data = self._decrypted()
            if data or self._ended:
                return data
            # Reading can owe the other side an answer (a key update, RFC 8446, 4.6.3).
            await self._flush()
            await self._pull()

    def _decrypted(self) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while size < CHUNK:
            try:
                piece = self._tls.recv(CHUNK)
            except SSL.WantReadError:
                break
            except SSL.ZeroReturnError:
                self._ended = self._alerted = True
                break
            except SSL.Error as error:
                if pieces:
                    break
                raise ConnectionError(f"TLS failed: {_reason(error)}") from error
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    async def _pull(self) -> None:
        data = await self._below.read()
        if data:
            self._tls.bio_write(data)
        else:
            self._ended = True

    async def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[self._tls.send(left) :]
            except SSL.WantReadError:
                await self._flush()
                await self._pull()
                if self._ended:
                    raise ConnectionError("the connection ended while bytes were to be sent") from None
            except SSL.Error as error:
                raise ConnectionError(f"TLS failed: {_reason(error)}") from error
            await self._flush()

    def _post(self) -> None:
        # Taken from OpenSSL and handed over in one step: reader and writer may both be here.
        while True:
            try:
                self._below.post(self._tls.bio_read(CHUNK))
            except SSL.WantReadError:
                return

    async def _flush(self) -> None:
        self._post()
        await self._below.drain()

    def end_writing(self) -> None:
        try:
            self._tls.shutdown()
            self._post()
        except SSL.Error:
            # The connection is broken already; there is nobody to tell.
            return

    def close(self) -> None:
        self.end_writing()
        self._below.close()


def _reason(error: SSL.Error) -> str:
    """OpenSSL's own words."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return ", ".join(str(item[2]) for item in queue) or type(error).__name__
