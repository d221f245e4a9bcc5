"""Calendars of OpenTimestamps: proofs that the library reads, and everything a calendar can do wrong."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA256
from opentimestamps.core.serialize import BytesDeserializationContext, BytesSerializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp

from evidence_service.errors import ConfigurationError, MalformedError, MismatchError, UnavailableError
from evidence_service.processes import free_port
from evidence_service.timestamp import calendar
from evidence_service.timestamp.calendar import Calendar, read_proof, submit, upgrade
from evidence_service.timestamp.exchange import exchange

HEADER = b'{"format":"evidence-batch/1"}'
NONCE = bytes(range(16))
QUICK = partial(exchange, seconds=0.6)


class FakeCalendar:
    """Answers real serialized time stamps, made with the library."""

    def __init__(self) -> None:
        self.fault: str | None = None
        self.height: int | None = None
        self.names: str | None = None
        self.digests: list[bytes] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def promised(self, digest: bytes) -> bytes:
        root = Timestamp(digest)
        below = root.ops.add(OpPrepend(b"calendar")).ops.add(OpSHA256())
        below.attestations.add(PendingAttestation(self.names or self.url))
        if self.fault == "no attestation it may name":
            below.attestations = {PendingAttestation("http://169.254.169.254/latest")}
        return serialized(root)

    def completed(self, commitment: bytes) -> bytes:
        root = Timestamp(commitment)
        below = root.ops.add(OpAppend(b"block")).ops.add(OpSHA256())
        below.attestations.add(BitcoinBlockHeaderAttestation(self.height))
        return serialized(root)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                digest = self.rfile.read(int(self.headers["Content-Length"]))
                fake.digests.append(digest)
                fake.answer(self, 200, fake.promised(digest))

            def do_GET(self) -> None:
                commitment = bytes.fromhex(self.path.removeprefix("/timestamp/"))
                if fake.height is None:
                    fake.answer(self, 404, b"Pending confirmation in Bitcoin blockchain")
                else:
                    fake.answer(self, 200, fake.completed(commitment))

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        return Handler

    def answer(self, to: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        match self.fault:
            case "HTTP 503":
                status, body = 503, b"busy"
            case "HTML with 200":
                status, body = 200, b"<html>hello</html>"
            case "oversize":
                body = body + bytes(20_000)
            case "bytes after the end":
                body += b"\x00"
            case "cut off":
                body = body[:-3]
            case "endless nesting":
                body = b"\x08" * 5000
            case "reply lost":
                to.close_connection = True
                return
            case "redirect":
                status = 302
        to.send_response(status)
        to.send_header("Location", "http://169.254.169.254/")
        to.send_header("Content-Length", str(len(body)))
        to.end_headers()
        to.wfile.write(body)


def serialized(stamp: Timestamp) -> bytes:
    context = BytesSerializationContext()
    stamp.serialize(context)
    return context.getbytes()


@pytest.fixture
def fake() -> Iterator[FakeCalendar]:
    running = FakeCalendar()
    yield running
    running.stop()


def read(ots: bytes) -> Timestamp:
    detached = DetachedTimestampFile.deserialize(BytesDeserializationContext(ots))
    assert isinstance(detached.file_hash_op, OpSHA256)
    assert detached.file_digest == hashlib.sha256(HEADER).digest()
    return detached.timestamp


def test_a_proof_is_pending_then_leads_to_a_block(fake: FakeCalendar) -> None:
    place = Calendar(fake.url)
    pending = submit(place, HEADER, nonce=NONCE, send=QUICK)
    assert pending.blocks == ()
    # What the calendar saw says nothing about the header.
    assert fake.digests == [hashlib.sha256(hashlib.sha256(HEADER).digest() + NONCE).digest()]
    assert {item.uri for _, item in read(pending.ots).all_attestations()} == {fake.url}
    assert upgrade(place, pending.ots, send=QUICK) == pending
    fake.height = 800_000
    complete = upgrade(place, pending.ots, send=QUICK)
    assert complete.blocks == (800_000,)
    assert read_proof(complete.ots, HEADER) == complete
    found = [item for _, item in read(complete.ots).all_attestations()]
    assert BitcoinBlockHeaderAttestation(800_000) in found


def test_a_pool_names_its_member_and_nobody_else(fake: FakeCalendar) -> None:
    member = FakeCalendar()
    member.height = 7
    fake.names = member.url
    try:
        with pytest.raises(UnavailableError, match="from an address it may name"):
            submit(Calendar(fake.url), HEADER, nonce=NONCE, send=QUICK)
        pool = Calendar(fake.url, (f"{member.url}/",))
        pending = submit(pool, HEADER, nonce=NONCE, send=QUICK)
        assert upgrade(pool, pending.ots, send=QUICK).blocks == (7,)
        # A calendar that is not named any more is not asked.
        assert upgrade(Calendar(fake.url), pending.ots, send=QUICK) == pending
    finally:
        member.stop()


FAULTS = {
    "HTTP 503": "it answered HTTP 503",
    "HTML with 200": "cannot be read",
    "oversize": "larger than 10000 bytes",
    "bytes after the end": "cannot be read",
    "cut off": "cannot be read",
    "endless nesting": "cannot be read",
    "redirect": "it answered HTTP 302",
    "reply lost": "it cannot be reached",
}


@pytest.mark.parametrize(("fault", "words"), FAULTS.items())
def test_nonsense_is_refused_and_named(fake: FakeCalendar, fault: str, words: str) -> None:
    place = Calendar(fake.url)
    pending = submit(place, HEADER, nonce=NONCE, send=QUICK)
    fake.fault, fake.height = fault, 9
    with pytest.raises(UnavailableError, match=words):
        submit(place, HEADER, nonce=NONCE, send=QUICK)
    with pytest.raises(UnavailableError, match=words):
        upgrade(place, pending.ots, send=QUICK)


def test_an_address_it_may_not_name_is_refused(fake: FakeCalendar) -> None:
    fake.fault = "no attestation it may name"
    with pytest.raises(UnavailableError, match="from an address it may name"):
        submit(Calendar(fake.url), HEADER, nonce=NONCE, send=QUICK)


def test_one_that_is_down(fake: FakeCalendar) -> None:
    with pytest.raises(UnavailableError, match="cannot be reached"):
        submit(Calendar(f"http://127.0.0.1:{free_port()}"), HEADER, nonce=NONCE, send=QUICK)


def test_failed_but_landed_a_second_submission_is_harmless(fake: FakeCalendar) -> None:
    fake.fault = "reply lost"
    with pytest.raises(UnavailableError):
        submit(Calendar(fake.url), HEADER, nonce=NONCE, send=QUICK)
    assert len(fake.digests) == 1
    fake.fault = None
    assert submit(Calendar(fake.url), HEADER, nonce=bytes(16), send=QUICK).blocks == ()
    assert len(fake.digests) == 2


def test_a_stored_proof_is_read_strictly(fake: FakeCalendar) -> None:
    ots = submit(Calendar(fake.url), HEADER, nonce=NONCE, send=QUICK).ots
    with pytest.raises(MismatchError, match="over other data"):
        read_proof(ots, b"other")
    for damaged in (b"", ots[:-1], ots + b"\x00", b"\xff" + ots[1:]):
        with pytest.raises(MalformedError, match="cannot be read"):
            read_proof(damaged, HEADER)


def test_without_the_library_the_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    calendar.require_library()
    monkeypatch.setattr(calendar, "_INSTALLED", False)
    with pytest.raises(ConfigurationError, match="library is not installed"):
        calendar.require_library()
