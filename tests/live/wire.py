"""``make live-wire``: what is recorded, beside the bytes Wireshark's programs reassemble from the packets.

Servers of many makes serve the same listing. A capture visits each with the browser; then a client asks for
what browsers seldom do (HEAD, ranges, conditional requests, POST). Every connection to the server has to be made
up of recorded requests and responses, byte for byte and in order, and nothing else. Over TLS the packets are
decrypted with the server's session keys, and the certificates in the handshake have to be the recorded ones.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from evidence_service.capture.browser import BrowserSettings
from evidence_service.capture.recorder import Recorder
from evidence_service.capture.recording.transfer import ANSWERED_EARLY
from evidence_service.capture.session import capture_listing
from evidence_service.egress.policy import EgressPolicy
from evidence_service.errors import EvidenceServiceError
from evidence_service.processes import free_port
from tests.live.authority import ServerAuthority
from tests.live.pages import write_listing
from tests.live.record import read_package
from tests.live.servers import MAKES, Make, Place, Server, require
from tests.live.sniffer import Connection, Sniffer

_LISTING = "100201"


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One recorded exchange; ``certificates`` as recorded."""

    request: bytes
    response: bytes
    certificates: tuple[str, ...]


@dataclass
class Tally:
    """What was counted over all servers."""

    servers: int = 0
    exchanges: int = 0
    connections: int = 0
    kept_alive: int = 0
    bytes: int = 0
    chunked: int = 0
    until_close: int = 0
    bodiless: int = 0
    informational: int = 0
    differing: int = 0


def captured(server: Server, path: str, directory: Path) -> list[Exchanged]:
    """The exchanges of a capture's package."""
    result = capture_listing(
        server.url + path,
        directory / "capture",
        policy=_policy(server),
        browser=BrowserSettings(),
        now=_now,
    )
    if result.outcome.status != "captured":
        raise EvidenceServiceError(f"{server.url}: {result.outcome}")
    return [
        Exchanged(item.request, item.response, tuple(item.described["chain"]))
        for item in read_package(directory / "capture")
    ]


def asked(server: Server, path: str, directory: Path) -> list[Exchanged]:
    """What browsers seldom ask for, through a recorder of its own."""
    wire = directory / "wire"
    with Recorder(wire, _policy(server), now=_now) as recorder:
        _ask(recorder.port, server.url + path)
        # The client has its answer a moment before the journal has the exchange's end.
        deadline = time.monotonic() + 5
        while any(item.problem for item in recorder.exchanges) and time.monotonic() < deadline:
            time.sleep(0.05)
        exchanges = recorder.exchanges
    found = []
    for item in exchanges:
        # A server may refuse a POST before it has read all of it; what went over the wire is recorded then, too.
        early = item.problem == ANSWERED_EARLY
        if item.request is None or item.response is None or (item.problem and not early):
            raise EvidenceServiceError(f"{item.method} {item.url}: {item.problem}")
        request, response = (wire / item.request.name).read_bytes(), (wire / item.response.name).read_bytes()
        found.append(Exchanged(request, response, item.chain))
    return found


def _policy(server: Server) -> EgressPolicy:
    host, _, port = server.host.partition(":")
    return EgressPolicy(frozenset([(host, int(port))]))


def _ask(proxy: int, url: str) -> None:
    picture = url.rpartition("/item/")[0] + f"/picture/{_LISTING}/1.jpg"
    # The recorder answers with its own certificate; whether the server's was good, the recorder has checked.
    with httpx.Client(proxy=f"http://127.0.0.1:{proxy}", verify=False, trust_env=False) as client:
        whole = client.get(picture)
        client.head(picture)
        client.get(picture, headers={"Range": "bytes=100-1099"})
        client.get(picture, headers={"Range": "bytes=0-9,200-299"})
        client.get(picture, headers={"If-None-Match": whole.headers.get("etag", '"none"')})
        client.get(url, headers={"Accept-Encoding": "identity", "Connection": "close"})
        client.post(url, content=b"a=1&b=2" * 400)
        client.post(url, content=iter([b"first ", b"second ", b"third"]))
        client.get(url + "?x=%E7%BB%B4", headers={"X-Long": "v" * 3000})
        client.get(url.rpartition("/")[0] + "/nothing")


def _now() -> datetime:
    return datetime.now(UTC)


def unmatched(connection: Connection, exchanges: list[Exchanged], tally: Tally) -> Iterator[str]:
    """Take from the exchanges those that make up a connection; what cannot be explained, in words."""
    sent = received = count = 0
    while sent < len(connection.sent) or received < len(connection.received):
        found = next(
            (
                item
                for item in exchanges
                if connection.sent.startswith(item.request, sent)
                and connection.received.startswith(item.response, received)
            ),
            None,
        )
        if found is None:
            request, response = (
                connection.sent[sent : sent + 60],
                connection.received[received : received + 60],
            )
            yield f"no exchange was recorded as it was on the wire: {request!r} answered by {response!r}"
            return
        exchanges.remove(found)
        if found.certificates != connection.certificates:
            yield f"certificates: {found.certificates} recorded, {connection.certificates} on the wire"
        sent += len(found.request)
        received += len(found.response)
        count += 1
        _count(found, tally)
    tally.connections += 1
    tally.kept_alive += count > 1


def _count(item: Exchanged, tally: Tally) -> None:
    tally.exchanges += 1
    tally.bytes += len(item.request) + len(item.response)
    tally.informational += item.response[9:10] == b"1"
    head, _, body = item.response.lower().partition(b"\r\n\r\n")
    if item.response[9:10] == b"1":
        head, _, body = body.partition(b"\r\n\r\n")
    if not body:
        tally.bodiless += 1
    elif b"transfer-encoding: chunked" in head:
        tally.chunked += 1
    elif b"content-length:" not in head:
        tally.until_close += 1


def check(make: Make, directory: Path, authority: ServerAuthority, tally: Tally) -> None:
    """One server: record it while its packets are captured, then hold both against each other."""
    root = directory / "root"
    root.mkdir(parents=True)
    files = authority.issue(make.name, ("localhost",)) if make.secure else None
    keys = directory / "tls.keys" if make.secure else None
    place = Place(directory, root, free_port(), files, keys)
    with Server(make, place) as server:
        path = write_listing(_LISTING, root, origin=server.url)
        with Sniffer(place.port, directory, keys=keys) as sniffer:
            exchanges = captured(server, f"{path}.html", directory)
            if not make.gets_only:
                exchanges += asked(server, f"{path}.html", directory)
            # The last packets are on their way from the kernel to the file.
            time.sleep(0.5)
    wrong = [words for item in sniffer.connections() for words in unmatched(item, exchanges, tally)]
    wrong += [f"recorded, but not on the wire: {item.request[:60]!r}" for item in exchanges]
    tally.servers += 1
    tally.differing += len(wrong)
    for words in wrong:
        print(f"WRONG {make.name}: {words}", file=sys.stderr)


def main() -> int:
    """Run it and print what was counted."""
    started, tally = time.monotonic(), Tally()
    try:
        require("dumpcap", "tshark")
        with tempfile.TemporaryDirectory(prefix="evidence-wire-", dir="/var/tmp") as name:
            directory = Path(name)
            directory.chmod(0o755)
            authority = ServerAuthority(directory / "authority")
            os.environ["SSL_CERT_FILE"] = str(authority.root)
            for make in MAKES:
                check(make, directory / make.name, authority, tally)
    except EvidenceServiceError as error:
        print(f"error: {error.message}\n{error.what_to_do}", file=sys.stderr)
        return 1
    print(
        f"RESULT live_wire servers={tally.servers} exchanges={tally.exchanges} "
        f"connections={tally.connections} kept_alive={tally.kept_alive} bytes={tally.bytes} "
        f"chunked={tally.chunked} until_close={tally.until_close} bodiless={tally.bodiless} "
        f"informational={tally.informational} differing={tally.differing} "
        f"seconds={time.monotonic() - started:.0f}"
    )
    return 1 if tally.differing else 0


if __name__ == "__main__":
    sys.exit(main())
