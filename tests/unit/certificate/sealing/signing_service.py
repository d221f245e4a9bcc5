"""A signing service that speaks the API of the Cloud Signature Consortium, version 2, and fails as it is told."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from tests.forgeries.keys import Issuer
from tests.unit.anchor.custodians import Custodian, Reply

SHA512 = "2.16.840.1.101.3.4.2.3"
ALGORITHMS = {rsa.RSAPrivateKey: "1.2.840.113549.1.1.13", ec.EllipticCurvePrivateKey: "1.2.840.10045.4.3.4"}


class SigningService(Custodian):
    """Signs digests with the key of a credential.

    Args:
        credentials: by id.
        chain: certificates above theirs.

    Attributes:
        bearer: the token it accepts.
        signs_with: instead of the credential's own key.
    """

    def __init__(self, credentials: Mapping[str, Issuer], *, chain: Sequence[Issuer] = ()) -> None:
        super().__init__()
        self.credentials = dict(credentials)
        self.chain = tuple(chain)
        self.bearer = "bearer-secret"
        self.signs_with: Issuer | None = None

    def reply(self, method: str, path: str, headers: Any, body: bytes) -> Reply:
        """What an honest one answers."""
        if headers.get("Authorization") != f"Bearer {self.bearer}":
            return _json({"error": "invalid_token", "error_description": "it is bearer-secret"}, 401)
        question = json.loads(body)
        credential = self.credentials.get(question["credentialID"])
        if method != "POST" or credential is None:
            return _json({"error": "invalid_request", "error_description": "no such credential"}, 400)
        if path == "/csc/v2/credentials/info":
            assert question["certificates"] == "chain"
            listed = [base64.b64encode(item.der).decode() for item in (credential, *self.chain)]
            return _json({"key": {"status": "enabled"}, "cert": {"status": "valid", "certificates": listed}})
        assert path == "/csc/v2/signatures/signHash"
        return self._signature(question, self.signs_with or credential)

    def _signature(self, question: Mapping[str, Any], by: Issuer) -> Reply:
        (encoded,) = question["hashes"]
        digest = base64.b64decode(encoded)
        is_rsa = isinstance(by.key, rsa.RSAPrivateKey)
        assert len(digest) == 64
        assert question["hashAlgorithmOID"] == SHA512
        assert question["signAlgo"] in ALGORITHMS.values()
        prehashed = Prehashed(hashes.SHA512())
        self.signatures += 1
        value = (
            by.key.sign(digest, padding.PKCS1v15(), prehashed)
            if is_rsa and isinstance(by.key, rsa.RSAPrivateKey)
            else by.key.sign(digest, ec.ECDSA(prehashed))
        )
        return _json({"signatures": [base64.b64encode(value).decode()]})


def _json(value: Mapping[str, Any], status: int = 200) -> Reply:
    return status, "application/json", json.dumps(value).encode()
