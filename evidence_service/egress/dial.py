"""Checked connections: resolve → check every address → connect to a checked one → check the peer again.

Nothing is sent before the peer was checked, not even a TLS greeting. There is no second resolution that could
answer differently from the one that was checked.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass

from evidence_service.egress.addresses import parse_address
from evidence_service.egress.hosts import canonical_host
from evidence_service.egress.policy import EgressPolicy
from evidence_service.egress.resolver import Resolution
from evidence_service.errors import PolicyRefusedError, UnavailableError


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds for each part of making a connection; ``connect`` counts for each address."""

    resolve: float = 5.0
    connect: float = 5.0
    handshake: float = 10.0


DEADLINES = Deadlines()


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection whose peer was checked.

    Attributes:
        peer, local: address and port of the socket's two ends.
        resolution: what the host resolved to, and who said so.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    peer: tuple[str, int]
    local: tuple[str, int]
    resolution: Resolution


async def look_up(
    policy: EgressPolicy, host: str, port: int, *, deadlines: Deadlines = DEADLINES
) -> Resolution:
    """What a host resolves to, not checked yet: a refusal can be recorded with its addresses.

    Raises:
        RefusedError: it is not a host.
        UnavailableError: it does not resolve in time.
    """
    loop = asyncio.get_running_loop()
    try:
        return await asyncio.wait_for(
            loop.run_in_executor(None, policy.look_up, host, port), deadlines.resolve
        )
    except TimeoutError as error:
        raise UnavailableError(f"{host} did not resolve within {deadlines.resolve:g} s") from error


async def connect(
    policy: EgressPolicy,
    host: str,
    port: int,
    resolution: Resolution,
    *,
    tls: ssl.SSLContext | None = None,
    deadlines: Deadlines = DEADLINES,
) -> Connection:
    """Connect to the first address that answers, after all of them were checked.

    Args:
        tls: speaks TLS with the host's name; without it the connection is plain.

    Raises:
        PolicyRefusedError: the port, an address or the peer is not permitted; nothing was sent.
        UnavailableError: no address answers.
        ssl.SSLError: the handshake failed; a certificate that is not accepted is one of its kinds.
    """
    policy.check_port(host, port)
    policy.check_addresses(host, port, resolution.addresses)
    problem = "no address"
    for address in resolution.addresses:
        try:
            plain = await _open_socket(policy, host, port, address, deadlines)
        except OSError as error:
            problem = f"{address}: {str(error) or 'no answer in time'}"
            continue
        peer, local = plain.getpeername(), plain.getsockname()
        try:
            reader, writer = await asyncio.open_connection(
                sock=plain,
                ssl=tls,
                server_hostname=canonical_host(host) if tls else None,
                ssl_handshake_timeout=deadlines.handshake if tls else None,
            )
        except ssl.SSLError:
            raise
        except OSError as error:
            problem = f"{address}: {error}"
            continue
        return Connection(reader, writer, _end(peer), _end(local), resolution)
    raise UnavailableError(f"{host}:{port} cannot be reached: {problem}")


async def dial(
    policy: EgressPolicy,
    host: str,
    port: int,
    *,
    tls: ssl.SSLContext | None = None,
    deadlines: Deadlines = DEADLINES,
) -> Connection:
    """Resolve and connect; see :func:`look_up` and :func:`connect`."""
    policy.check_port(host, port)
    resolution = await look_up(policy, host, port, deadlines=deadlines)
    return await connect(policy, host, port, resolution, tls=tls, deadlines=deadlines)


async def _open_socket(
    policy: EgressPolicy, host: str, port: int, address: str, deadlines: Deadlines
) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    plain = socket.socket(family, socket.SOCK_STREAM)
    try:
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.wait_for(
            asyncio.get_running_loop().sock_connect(plain, (address, port)), deadlines.connect
        )
        check_peer(policy, host, port, address, plain.getpeername()[0])
    except BaseException:
        plain.close()
        raise
    return plain


def check_peer(policy: EgressPolicy, host: str, port: int, address: str, peer: str) -> None:
    """Check what a socket says it is connected to against what it was told to connect to.

    Raises:
        PolicyRefusedError: it is another address, or one that is not permitted.
    """
    policy.check_address(host, port, peer)
    if parse_address(peer) != parse_address(address):
        raise PolicyRefusedError(f"{host}:{port} was to be {address}, but the connection's peer is {peer}")


def _end(name: tuple[str, int]) -> tuple[str, int]:
    return str(name[0]), int(name[1])
