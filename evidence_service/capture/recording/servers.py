"""Connections to servers: resolved, checked, connected, checked again, and kept open between exchanges."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from evidence_service.capture.recording.channels import Channel, PlainChannel
from evidence_service.capture.recording.ledger import Draft, Ledger
from evidence_service.capture.recording.tls import ServerVerification
from evidence_service.egress.dial import DEADLINES, connect, look_up
from evidence_service.egress.policy import EgressPolicy
from evidence_service.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port (RFC 6454); the host without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """As a URL writes it, without the scheme's own port."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        usual = 443 if self.scheme == "https" else 80
        return shown if self.port == usual else f"{shown}:{self.port}"


@dataclass(slots=True)
class ServerConnection:
    """One connection and what every exchange on it has in common."""

    origin: Origin
    channel: Channel
    number: int
    peer: tuple[str, int]
    resolved: tuple[str, ...]
    resolver: str
    tls: dict[str, str] = field(default_factory=dict)
    chain: tuple[str, ...] = ()
    uses: int = 0
    pending: asyncio.Task[bytes] | None = None
    """Waits for bytes while the connection is idle: whatever comes then ends it."""

    async def read(self) -> bytes:
        """The next bytes from the server."""
        if self.pending is not None:
            task, self.pending = self.pending, None
            return await task
        return await self.channel.read()

    @property
    def is_idle(self) -> bool:
        """Whether nothing came since the last response ended, not even its end."""
        return self.pending is not None and not self.pending.done()

    def close(self) -> None:
        """End it."""
        if self.pending is not None:
            # An error of an idle connection is nobody's problem, but somebody has to have looked at it.
            self.pending.add_done_callback(lambda task: task.cancelled() or task.exception())
            self.pending.cancel()
        self.channel.close()


class Servers:
    """Opens connections under the egress policy; a pool for each origin."""

    def __init__(self, policy: EgressPolicy, verification: ServerVerification, ledger: Ledger) -> None:
        self._policy, self._verification, self._ledger = policy, verification, ledger
        self._idle: dict[Origin, list[ServerConnection]] = {}
        self._count = 0

    async def take(self, draft: Draft, origin: Origin, *, fresh: bool) -> ServerConnection:
        """A connection for one exchange, whose draft learns of it.

        Args:
            fresh: whether it has to be a new one.

        Raises:
            PolicyRefusedError: the origin leads where captures may not go; no byte was sent there.
            UnavailableError: it cannot be reached, or it is not the one it says it is.
        """
        waiting = [] if fresh else self._idle.get(origin, [])
        connection = None
        while waiting and connection is None:
            connection = waiting.pop()
            if not connection.is_idle:
                connection.close()
                connection = None
        if connection is None:
            connection = await self._open(draft, origin)
        connection.uses += 1
        draft.peer, draft.resolved, draft.resolver = connection.peer, connection.resolved, connection.resolver
        draft.tls, draft.chain, draft.connection = connection.tls, connection.chain, connection.number
        return connection

    def give_back(self, connection: ServerConnection) -> None:
        """Keep a connection for the next exchange with its origin."""
        connection.pending = asyncio.ensure_future(connection.channel.read())
        self._idle.setdefault(connection.origin, []).append(connection)

    def close(self) -> None:
        """End the idle ones."""
        for waiting in self._idle.values():
            for connection in waiting:
                connection.close()
        self._idle.clear()

    async def dial(self, draft: Draft, host: str, port: int) -> PlainChannel:
        """Resolve, check every address, connect to one of them, and ask the socket whether it is that one.

        Raises:
            PolicyRefusedError, UnavailableError: as :meth:`take`.
        """
        self._policy.check_port(host, port)
        resolution = await look_up(self._policy, host, port)
        draft.resolved, draft.resolver = resolution.addresses, resolution.asked
        found = await connect(self._policy, host, port, resolution)
        draft.peer = found.peer
        return PlainChannel(found.reader, found.writer)

    async def _open(self, draft: Draft, origin: Origin) -> ServerConnection:
        plain = await self.dial(draft, origin.host, origin.port)
        self._count += 1
        peer = draft.peer or ("", 0)
        connection = ServerConnection(origin, plain, self._count, peer, draft.resolved, draft.resolver)
        if origin.scheme == "https":
            try:
                await self._secure(draft, connection, plain)
            except BaseException:
                connection.close()
                raise
        return connection

    async def _secure(self, draft: Draft, connection: ServerConnection, plain: PlainChannel) -> None:
        host = connection.origin.host
        try:
            async with asyncio.timeout(min(self._ledger.limits.idle, DEADLINES.handshake)):
                channel, agreed = await self._verification.agree(plain, host)
        except (OSError, TimeoutError) as error:
            words = str(error) or "the TLS handshake did not end in time"
            draft.tls = {"verified": words, "roots": self._verification.roots}
            raise UnavailableError(f"{host} cannot be spoken to: {words}") from error
        connection.channel, connection.tls = channel, agreed.described
        connection.chain = tuple(self._ledger.wire.keep_certificate(item) for item in agreed.chain)
        if not agreed.verified:
            draft.tls, draft.chain, draft.connection = agreed.described, connection.chain, connection.number
            raise UnavailableError(f"{host} has no valid certificate: {agreed.described['verified']}")
