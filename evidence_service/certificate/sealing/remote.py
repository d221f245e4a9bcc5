"""A seal key at a signing service: what a seal needs of the Cloud Signature Consortium's API, version 2.

``credentials/info`` gives the certificates, ``signatures/signHash`` a signature. The bearer token has to
authorise signatures by itself (scope ``credential``): nobody is there to enter a second factor. The service
sees the digest of the signed attributes, never the PDF.

To ask twice, because the first answer was lost, is harmless: the first signature is over the digest of a file
that nobody has, so that it proves nothing, and nothing is recorded before an answer has come.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from evidence_service.certificate.sealing.keys import Identity, SealKey, identity_of, read_certificates
from evidence_service.core.canonical import check_nesting
from evidence_service.egress.http import Answer, Exchange, exchange
from evidence_service.errors import (
    ConfigurationError,
    EvidenceError,
    SignerUnavailableError,
    UnavailableError,
)
from evidence_service.verify.signatures import DAMAGED

_LIMIT = 256 * 1024
"""Most bytes of an answer: a path of certificates."""
_SHA512 = "2.16.840.1.101.3.4.2.3"
_SHA512_WITH_RSA, _ECDSA_WITH_SHA512 = "1.2.840.113549.1.1.13", "1.2.840.10045.4.3.4"
_REFUSALS = (400, 401, 403, 404, 429)
_WAIT = "nothing is lost: certificates wait and are tried again"


class RemoteKey(SealKey):
    """Signs with a credential of a signing service. Asks nobody before it is needed.

    Args:
        url: address before ``/csc/v2/…``.
        credential: the service's ``credentialID``.
        token: gives the bearer token, anew for every request: such tokens are short-lived.
        certificates: PEM file; None asks the service once.
        send: does one HTTP exchange.

    Raises:
        ConfigurationError: the certificates cannot be used.
    """

    def __init__(
        self,
        url: str,
        credential: str,
        *,
        token: Callable[[], str],
        certificates: Path | None = None,
        send: Exchange = exchange,
    ) -> None:
        self._url = url.rstrip("/")
        self._credential = credential
        self._token = token
        self._send = send
        self._identity = (
            None
            if certificates is None
            else read_certificates(certificates, setting="seal.remote.certificates_file")
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._credential!r})"

    def identity(self) -> Identity:
        """See :meth:`SealKey.identity`."""
        if self._identity is None:
            self._identity = self._ask_identity()
        return self._identity

    def _sign(self, data: bytes) -> bytes:
        is_rsa = isinstance(self.identity().certificate.public_key(), rsa.RSAPublicKey)
        answer = self._ask(
            "signatures/signHash",
            {
                "credentialID": self._credential,
                "hashes": [base64.b64encode(hashlib.sha512(data).digest()).decode()],
                "hashAlgorithmOID": _SHA512,
                "signAlgo": _SHA512_WITH_RSA if is_rsa else _ECDSA_WITH_SHA512,
            },
        )
        try:
            (value,) = answer["signatures"]
            return base64.b64decode(value, validate=True)
        except (KeyError, ValueError, TypeError) as error:
            raise _unavailable("returned no signature") from error

    def _ask_identity(self) -> Identity:
        answer = self._ask(
            "credentials/info", {"credentialID": self._credential, "certificates": "chain", "certInfo": False}
        )
        try:
            listed = answer["cert"]["certificates"]
            found = [x509.load_der_x509_certificate(base64.b64decode(item, validate=True)) for item in listed]
        except (KeyError, *DAMAGED) as error:
            raise _unavailable("returned no certificates that can be read") from error
        return identity_of(found, where=f"the signing service for {self._credential}")

    def _ask(self, endpoint: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        headers = {"Authorization": f"Bearer {self._token()}", "Content-Type": "application/json"}
        try:
            answer = self._send(
                f"{self._url}/csc/v2/{endpoint}",
                limit=_LIMIT,
                content=json.dumps(body).encode(),
                headers=headers,
                accept=(200, *_REFUSALS),
            )
        except UnavailableError as error:
            raise _unavailable(f"gave no answer: {error.message}") from error
        if answer.status != 200:
            raise _refusal(answer)
        found = _json(answer)
        if found is None:
            raise _unavailable("answered something that is not JSON")
        return found


def _json(answer: Answer) -> Mapping[str, Any] | None:
    try:
        check_nesting(answer.body, what="the signing service's answer")
        found = json.loads(answer.body)
    except (ValueError, EvidenceError):
        return None
    return found if isinstance(found, dict) else None


def _refusal(answer: Answer) -> SignerUnavailableError | ConfigurationError:
    """What a status and the API's error code mean; its description may quote the request and is left out."""
    code = str((_json(answer) or {}).get("error", ""))[:60]
    said = f"HTTP {answer.status}" + (f" ({code})" if code.isidentifier() else "")
    if answer.status in (401, 403):
        return SignerUnavailableError(
            f"the signing service refused the bearer token: {said}",
            what_to_do="renew the token in seal.remote.token_file; it needs the scope credential",
        )
    if answer.status in (400, 404):
        return ConfigurationError(
            f"the signing service refused the request: {said}",
            what_to_do="check seal.remote.url and seal.remote.credential, and that its key signs SHA-512",
        )
    return _unavailable(f"answered {said}")


def _unavailable(what: str) -> SignerUnavailableError:
    return SignerUnavailableError(f"the signing service {what}", what_to_do=_WAIT)
