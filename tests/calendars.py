"""A calendar of OpenTimestamps that answers real serialized time stamps, made with the library."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
from opentimestamps.core.op import OpAppend, OpPrepend, OpSHA256
from opentimestamps.core.serialize import BytesSerializationContext
from opentimestamps.core.timestamp import Timestamp


class FakeCalendar:
    """Serves until it is stopped.

    Attributes:
        fault: what it does wrong, by name.
        height: of the Bitcoin block its proofs lead to; None while they are pending.
        names: address it names for the rest of a proof, when not its own.
        digests: what was submitted.
    """

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
