"""A socket on loopback that a test's own server answers, byte by byte, without a library in between."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

Answering = Callable[[socket.socket], None]


class Acceptor:
    """Takes connections from :meth:`start` to :meth:`close`.

    Args:
        answer: gets each connection, and closes it; the next one is taken when it returns.

    Attributes:
        connections: how many were taken.
    """

    def __init__(self, answer: Answering) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.connections = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            self._answer(connection)

    def close(self) -> None:
        # Closing alone does not wake the thread: it would go on accepting what is meant for a later test.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._socket.close()


def beside(answer: Answering) -> Answering:
    """The same in a thread for each connection, so that the next one need not wait."""

    def begin(connection: socket.socket) -> None:
        threading.Thread(target=answer, args=(connection,), daemon=True).start()

    return begin
