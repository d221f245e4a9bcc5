"""Stand-ins for custodians of keys: HTTP servers with a key of their own, that fail as they are told to."""

from __future__ import annotations

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evidence_service.anchor.signer import LocalSigner
from evidence_service.verify.trie import keccak256

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
SECRET = bytes(range(1, 33))
ADDRESS = LocalSigner(SECRET).address
OTHER_SECRET = bytes(range(2, 34))
DEPLOYMENT = {
    "chainId": 1,
    "nonce": 7,
    "to": bytes.fromhex("5a" * 20),
    "value": 0,
    "data": b"anchored",
    "gas": 100_000,
    "maxFeePerGas": 30 * 10**9,
    "maxPriorityFeePerGas": 10**9,
}
"""A transaction to sign."""

Reply = tuple[int, str, bytes]
"""Status, media type, body."""


class Custodian(ThreadingHTTPServer):
    """Answers requests for signatures; as a context manager it listens while the block lasts.

    Attributes:
        secret: the key it signs with.
        high_s: answers the higher of both values of s.
        instead: given in place of each good answer.
        lose: how many answers are lost after their effect: the connection is closed.
        silent: never answers.
        seen: method, path and body of each request.
        signatures: how many were made.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.secret = SECRET
        self.high_s = False
        self.instead: Reply | None = None
        self.lose = 0
        self.silent = False
        self.seen: list[tuple[str, str, bytes]] = []
        self.signatures = 0
        self.ended = threading.Event()

    def __enter__(self) -> Custodian:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.shutdown()
        self.server_close()

    def sign(self, digest: bytes) -> tuple[int, int, int]:
        """r, s, parity."""
        self.signatures += 1
        made = PrivateKey(self.secret).sign_recoverable(digest, hasher=None)
        r, s, parity = int.from_bytes(made[:32], "big"), int.from_bytes(made[32:64], "big"), made[64]
        return (r, ORDER - s, 1 - parity) if self.high_s else (r, s, parity)

    def reply(self, method: str, path: str, headers: Any, body: bytes) -> Reply:
        """What an honest one answers."""
        raise NotImplementedError


class KmsServer(Custodian):
    """KMS's JSON protocol for one key: GetPublicKey, and Sign of a digest."""

    def reply(self, method: str, path: str, headers: Any, body: bytes) -> Reply:
        question = json.loads(body)
        operation = headers["X-Amz-Target"].removeprefix("TrentService.")
        if operation == "GetPublicKey":
            public = derive_private_key(int.from_bytes(self.secret, "big"), SECP256K1()).public_key()
            der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            return self._json({"KeyId": question["KeyId"], "PublicKey": base64.b64encode(der).decode()})
        assert operation == "Sign"
        digest = base64.b64decode(question["Message"])
        if (question["MessageType"], question["SigningAlgorithm"]) != ("DIGEST", "ECDSA_SHA_256"):
            return kms_error("ValidationException")
        assert len(digest) == 32
        r, s, _ = self.sign(digest)
        return self._json({"Signature": base64.b64encode(encode_dss_signature(r, s)).decode()})

    @staticmethod
    def _json(value: dict[str, str]) -> Reply:
        return 200, "application/x-amz-json-1.1", json.dumps(value).encode()


class Web3SignerServer(Custodian):
    """Web3Signer's ETH1 signing API, by its OpenAPI description."""

    def public_key(self) -> str:
        """0x and both coordinates."""
        return "0x" + PrivateKey(self.secret).public_key.format(compressed=False)[1:].hex()

    def reply(self, method: str, path: str, headers: Any, body: bytes) -> Reply:
        if (method, path) == ("GET", "/api/v1/eth1/publicKeys"):
            other = "0x" + PrivateKey(OTHER_SECRET).public_key.format(compressed=False)[1:].hex()
            return 200, "application/json", json.dumps([other, self.public_key()]).encode()
        if method != "POST" or path.removeprefix("/api/v1/eth1/sign/") != self.public_key():
            return 404, "text/plain", b"Resource not found"
        r, s, parity = self.sign(keccak256(bytes.fromhex(json.loads(body)["data"][2:])))
        return 200, "text/plain; charset=utf-8", f"0x{r:064x}{s:064x}{27 + parity:02x}".encode()


def kms_error(code: str, status: int = 400) -> Reply:
    """An error of KMS."""
    body = json.dumps({"__type": code, "message": "arn:aws:iam::123456789012:user/secret-name may not"})
    return status, "application/x-amz-json-1.1", body.encode()


class _Handler(BaseHTTPRequestHandler):
    server: Custodian

    def log_message(self, *_: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        server = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        server.seen.append((self.command, self.path, body))
        if server.silent:
            server.ended.wait(10)
            return
        status, kind, data = server.reply(self.command, self.path, self.headers, body)
        if server.lose:
            server.lose -= 1
            return
        status, kind, data = server.instead or (status, kind, data)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if status in {302, 307}:
            self.send_header("Location", server.url + "/elsewhere")
        self.end_headers()
        self.wfile.write(data)
