"""What libraries load on first use is loaded before the recorder gives up the right to read it.

The unprivileged user may not be able to read the installation (one under ``/root``, say): whatever is
imported later fails there.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - asyncio loads it with the first name to resolve
import encodings.idna  # noqa: F401 - as above

import dns.rdata
from OpenSSL import SSL

from evidence_service.capture.interception import InterceptionAuthority
from evidence_service.capture.recording.channels import CHUNK
from evidence_service.capture.recording.settings import Settings
from evidence_service.capture.recording.tls import ServerVerification

_HOST = "rehearsal.invalid"  # RFC 2606
_FLIGHTS = 6


def rehearse(settings: Settings, verification: ServerVerification, authority: InterceptionAuthority) -> None:
    """Speak TLS with ourselves, in memory; load what answers of nameservers may hold."""
    client, server = verification.connection(_HOST), authority.connection(_HOST)
    for _ in range(_FLIGHTS):
        for side, other in ((client, server), (server, client)):
            _step(side)
            _carry(side, other)
    # Nobody vouches for this chain, which would end the description before its names are read.
    client.get_app_data().clear()
    verification.describe(client, _HOST)
    if settings.policy.nameservers:
        dns.rdata.load_all_types()  # type: ignore[no-untyped-call]


def _step(side: SSL.Connection) -> None:
    try:
        side.do_handshake()
    except SSL.WantReadError:
        return


def _carry(side: SSL.Connection, other: SSL.Connection) -> None:
    while True:
        try:
            other.bio_write(side.bio_read(CHUNK))
        except SSL.WantReadError:
            return
