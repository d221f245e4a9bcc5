"""Time-stamping authorities at any moment and with any fault: real tokens and lists by certomancer, over HTTP.

An authority has a root that lasts for decades and one signer after the other. Its clock is given, so that it
stamps years from now; its fault is switched by name while it runs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from asn1crypto import tsp
from certomancer.registry import ArchLabel, CertLabel, CertomancerConfig, ServiceLabel

from evidence_service.sandbox.demo_certificates import new_key, write_key
from evidence_service.timestamp.tsa import Authority

ALWAYS = ("2000-01-01T00:00:00+0000", "2090-01-01T00:00:00+0000")
REPLY = "application/timestamp-reply"


class TimedAuthority:
    """Serves until it is stopped.

    Args:
        directory: keeps the keys.
        signers: validity of one signer's certificate after the other; the newest valid one signs.
        clock: its time.
        revoked: since when the first signer is revoked.
        embed_root: the root travels in every token.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        *,
        signers: Sequence[tuple[datetime, datetime]],
        clock: Callable[[], datetime],
        revoked: datetime | None = None,
        embed_root: bool = False,
    ) -> None:
        self.name = name
        self.clock = clock
        self.fault: str | None = None
        self.asked = self.issued = self.redirected = self.lists = 0
        self._signers = signers
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        directory.mkdir(parents=True, exist_ok=True)
        for key in ("root", "tsa"):
            write_key(directory / f"{key}.key", new_key())
        config = _config(name, self.url.rstrip("/"), signers, revoked, embed_root)
        self._arch = CertomancerConfig(config, str(directory)).get_pki_arch(ArchLabel("demo"))
        self.root = self._arch.get_cert(CertLabel("root")).dump()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def authority(self) -> Authority:
        """As the service is configured with it."""
        return Authority(self.name, self.url, (self.root,))

    def restore(self) -> None:
        """Without a fault, and with nothing counted of its lists."""
        self.fault = None
        self.lists = self.redirected = 0

    def stop(self) -> None:
        """End it; what it still drips ends with the test process."""
        self._server.shutdown()
        self._server.server_close()

    def reply(self, query: bytes) -> bytes:
        """A reply to a request, with the fault it has now."""
        request = tsp.TimeStampReq.load(query)
        moment = self.clock()
        if self.fault == "rejection":
            # A status and no token (RFC 3161 section 2.4.2), which asn1crypto does not write.
            return bytes.fromhex("3009300702010203020780")
        if self.fault == "wrong nonce":
            request["nonce"] = request["nonce"].native + 1
        elif self.fault == "wrong imprint":
            request["message_imprint"]["hashed_message"] = bytes(64)
        elif self.fault == "skewed time":
            moment += timedelta(hours=1)
        signer = self._signer(moment)
        self.issued += 1
        stamper = self._arch.service_registry.summon_timestamper(ServiceLabel(f"tsa-{signer}"), moment)
        return bytes(stamper.request_tsa_response(request).dump())

    def _signer(self, moment: datetime) -> int:
        if self.fault == "expired certificate":
            return 0
        return max(number for number, (begin, _) in enumerate(self._signers) if begin <= moment)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                authority.redirected += self.path == "/elsewhere"
                authority.lists += self.path.endswith(".crl")
                authority.give_list(self)

            def do_POST(self) -> None:
                authority.asked += 1
                query = self.rfile.read(int(self.headers["Content-Length"]))
                authority.give_token(self, query)

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        return Handler

    def give_token(self, to: BaseHTTPRequestHandler, query: bytes) -> None:
        """Answer a request for a token."""
        match self.fault:
            case "HTTP 500":
                to.send_error(500)
            case "HTML with 200":
                _send(to, "text/html", b"<html>down for maintenance</html>")
            case "oversize":
                _send(to, REPLY, bytes(70_000))
            case "nonsense":
                _send(to, REPLY, b"0\x03x")
            case "redirect":
                to.send_response(302)
                to.send_header("Location", f"{self.url}elsewhere")
                to.end_headers()
            case "slow drip":
                to.send_response(200)
                to.send_header("Content-Type", REPLY)
                to.end_headers()
                _drip(to, self.reply(query))
            case "slow header":
                _drip(to, b"HTTP/1.1 200 OK\r\nContent-Type: " + REPLY.encode() + b"\r\n\r\n")
            case "reply lost":
                self.reply(query)
                to.close_connection = True
            case "reply cut off":
                body = self.reply(query)
                to.send_response(200)
                to.send_header("Content-Type", REPLY)
                to.send_header("Content-Length", str(len(body)))
                to.end_headers()
                to.wfile.write(body[: len(body) // 2])
                to.close_connection = True
            case _:
                _send(to, REPLY, self.reply(query))

    def give_list(self, to: BaseHTTPRequestHandler) -> None:
        """Answer a request for the revocation list."""
        match self.fault:
            case "list: HTTP 404":
                to.send_error(404)
            case "list: oversize":
                _send(to, "application/pkix-crl", bytes(70_000))
            case "list: nonsense":
                _send(to, "application/pkix-crl", b"0\x03x")
            case "list: redirect":
                to.send_response(302)
                to.send_header("Location", f"{self.url}elsewhere")
                to.end_headers()
            case "list: slow drip":
                to.send_response(200)
                to.end_headers()
                _drip(to, bytes(1000))
            case "list: stale":
                _send(to, "application/pkix-crl", self.list_at(self.clock() - timedelta(days=400)))
            case _:
                _send(to, "application/pkix-crl", self.list_at(self.clock()))

    def list_at(self, moment: datetime) -> bytes:
        """The revocation list of a moment."""
        return bytes(self._arch.service_registry.get_crl(ServiceLabel("crls"), moment).dump())


@contextmanager
def lasting_authority(directory: Path) -> Iterator[TimedAuthority]:
    """One that stamps now, by the clock of this machine, with a signer of yesterday that has 300 days left."""

    def now() -> datetime:
        return datetime.now(UTC)

    signer = (now() - timedelta(days=1), now() + timedelta(days=300))
    authority = TimedAuthority("A", directory, signers=[signer], clock=now)
    try:
        yield authority
    finally:
        authority.stop()


def _send(to: BaseHTTPRequestHandler, kind: str, body: bytes) -> None:
    to.send_response(200)
    to.send_header("Content-Type", kind)
    to.send_header("Content-Length", str(len(body)))
    to.end_headers()
    with suppress(OSError):
        to.wfile.write(body)


def _drip(to: BaseHTTPRequestHandler, body: bytes) -> None:
    """One byte at a time, each well within any timeout between two bytes."""
    try:
        for position in range(len(body)):
            to.wfile.write(body[position : position + 1])
            to.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass
    to.close_connection = True


def _config(
    name: str,
    url: str,
    signers: Sequence[tuple[datetime, datetime]],
    revoked: datetime | None,
    embed_root: bool,
) -> dict[str, Any]:
    def usage(*bits: str) -> dict[str, Any]:
        return {
            "id": "key_usage",
            "critical": True,
            "smart-value": {"schema": "key-usage", "params": [*bits]},
        }

    def valid(begin: str, end: str) -> dict[str, str]:
        return {"valid-from": begin, "valid-to": end}

    authority = {"id": "basic_constraints", "critical": True, "value": {"ca": True}}
    stamping = {"id": "extended_key_usage", "critical": True, "value": ["time_stamping"]}
    lists = {"schema": "crl-dist-url", "params": {"crl-repo-names": ["crls"]}}
    point = {"id": "crl_distribution_points", "smart-value": lists}
    certs: dict[str, Any] = {
        "root": {
            "subject": "root",
            "issuer": "root",
            "validity": valid(*ALWAYS),
            "extensions": [authority, usage("key_cert_sign", "crl_sign")],
        },
        # certomancer writes an empty list as RFC 5280 does not allow it: this one fills it.
        "withdrawn": {
            "subject": "withdrawn",
            "subject-key": "tsa",
            "issuer": "root",
            "validity": valid(*ALWAYS),
            "revocation": {"revoked-since": ALWAYS[0], "reason": "key_compromise"},
        },
    }
    for number, (begin, end) in enumerate(signers):
        certs[f"tsa-{number}"] = {
            "subject": "tsa",
            "issuer": "root",
            "validity": valid(*(item.strftime("%Y-%m-%dT%H:%M:%S+0000") for item in (begin, end))),
            "extensions": [usage("digital_signature"), stamping, point],
        }
    if revoked is not None:
        since = revoked.strftime("%Y-%m-%dT%H:%M:%S+0000")
        certs["tsa-0"]["revocation"] = {"revoked-since": since, "reason": "key_compromise"}
    stampers = {
        f"tsa-{number}": {
            "signing-cert": f"tsa-{number}",
            "signing-key": "tsa",
            "digest-algo": "sha512",
            **({"certs-to-embed": ["root"]} if embed_root else {}),
        }
        for number in range(len(signers))
    }
    return {
        "external-url-prefix": url,
        "keysets": {
            "demo": {"path-prefix": ".", "keys": {"root": {"path": "root.key"}, "tsa": {"path": "tsa.key"}}}
        },
        "pki-architectures": {
            "demo": {
                "keyset": "demo",
                "entities": {
                    "root": {"common-name": f"Root of {name}"},
                    "tsa": {"common-name": name},
                    "withdrawn": {"common-name": f"{name} (withdrawn)"},
                },
                "certs": certs,
                "services": {
                    "time-stamping": stampers,
                    "crl-repo": {"crls": {"for-issuer": "root", "simulated-update-schedule": "P30D"}},
                },
            }
        },
    }
