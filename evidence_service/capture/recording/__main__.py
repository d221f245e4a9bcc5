"""The recorder's process: settings on stdin, one line of readiness on stdout, until stdin ends.

Stdin stays open as long as the capture's process lives: its end, SIGTERM or the parent's death stop the
recorder, which then ends its journal.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from evidence_service.capture.interception import InterceptionAuthority
from evidence_service.capture.recording.confinement import become, limit_resources, seal, unprivileged
from evidence_service.capture.recording.ledger import Deadline, Ledger
from evidence_service.capture.recording.proxy import Proxy
from evidence_service.capture.recording.rehearsal import rehearse
from evidence_service.capture.recording.servers import Servers
from evidence_service.capture.recording.settings import Settings
from evidence_service.capture.recording.tls import ServerVerification
from evidence_service.capture.recording.wire import Wire

_STDIN = 0


def main() -> int:
    """Record until told to stop."""
    parent = os.getppid()
    limit_resources()
    settings = Settings.from_json(_read_line())
    wire = Wire(Path(settings.directory))
    verification = ServerVerification(settings.roots)
    authority = InterceptionAuthority(settings.clock.now())
    rehearse(settings, verification, authority)
    user = unprivileged()
    became = ""
    if user is not None:
        wire.give_to(user[1], user[2])
        if become(user[1], user[2]):
            became = user[0]
    if not seal(parent):
        return 0
    wire.open_journal()
    asyncio.run(_record(settings, wire, verification, authority, became))
    wire.close()
    return 0


def _read_line() -> bytes:
    """The settings; nothing after them, so that the loop sees stdin's end."""
    line = b""
    while not line.endswith(b"\n"):
        data = os.read(_STDIN, 65536)
        if not data:
            raise SystemExit("the settings on stdin ended early")
        line += data
    return line


async def _record(
    settings: Settings,
    wire: Wire,
    verification: ServerVerification,
    authority: InterceptionAuthority,
    user: str,
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_reader(_STDIN, lambda: None if os.read(_STDIN, 65536) else stop.set())
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    ledger = Ledger(wire, settings.limits, settings.clock.now)
    servers = Servers(settings.policy, verification, ledger)
    deadline = Deadline(ledger)
    proxy = Proxy(settings, ledger, servers, authority, deadline)
    listening = await asyncio.start_server(proxy.accept, "127.0.0.1", 0, backlog=256)
    port = listening.sockets[0].getsockname()[1]
    ready = {"port": port, "spki": authority.spki_sha256, "user": user, "roots": verification.roots}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    try:
        async with asyncio.timeout(settings.limits.seconds):
            await stop.wait()
    except TimeoutError:
        limit = f"the recorder's time of {settings.limits.seconds:g} seconds is over"
        ledger.fire(limit)
        await deadline.end(limit)
        # What the browser asks from now on is answered, and not carried out.
        await stop.wait()
    listening.close()
    await deadline.end("the recorder was stopped before the exchange ended")
    servers.close()


if __name__ == "__main__":
    raise SystemExit(main())
