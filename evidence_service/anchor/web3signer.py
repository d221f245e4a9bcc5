"""Signs with a key of a Web3Signer (its ETH1 signing API over HTTP)."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import httpx

from evidence_service.anchor.deadline import DeadlineTransport
from evidence_service.anchor.signer import CheckedSigner
from evidence_service.anchor.transaction import address_of
from evidence_service.core.canonical import check_nesting
from evidence_service.errors import ConfigurationError, EvidenceError, SignerUnavailableError

MAX_ANSWER = 1024 * 1024
"""Most bytes of an answer: a list of some 8,000 public keys."""

_KEY = re.compile(r"0x[0-9a-f]{128}")
_SIGNATURE = re.compile(r"0x[0-9a-f]{130}")
_WAIT = "nothing is lost: anchors wait and are tried again"


class Web3Signer(CheckedSigner):
    """Signs with the key of one address that a Web3Signer has loaded.

    Args:
        url: where it listens; a user part of it is sent as Basic authorisation and never shown.
        address: of the key, 0x and hexadecimal.
        timeout: seconds for a whole answer.
        transport: replaces the network in tests.

    Raises:
        ConfigurationError: not an http or https address, or not an address of a key.
    """

    def __init__(
        self,
        url: str,
        address: str,
        *,
        timeout: float = 5.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError(
                "the Web3Signer's url is not an http or https address", what_to_do="correct the signer's url"
            )
        if not re.fullmatch(r"0x[0-9a-fA-F]{40}", address):
            raise ConfigurationError(
                f"{address!r} is not the address of a key", what_to_do="correct the signer's address"
            )
        self._name = f"the Web3Signer at {parts.hostname}" + (f":{parts.port}" if parts.port else "")
        self._address = address.lower()
        self._identifier = ""
        self._client = httpx.Client(
            base_url=url,
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            transport=transport or DeadlineTransport(timeout),
        )

    @property
    def address(self) -> str:
        """0x and lower-case hexadecimal."""
        return self._address

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address})"

    def _sign(self, payload: bytes) -> tuple[int, int]:
        # It hashes what it is given with Keccak-256 itself, so it gets the payload and not the digest.
        if not self._identifier:
            self._identifier = self._find_identifier()
        status, body = self._request(
            "POST", f"/api/v1/eth1/sign/{self._identifier}", {"data": "0x" + payload.hex()}
        )
        if status == httpx.codes.NOT_FOUND:
            self._identifier = ""
            raise self._not_loaded()
        signature = body.decode("ascii", "replace").strip().lower()
        if status != httpx.codes.OK or not _SIGNATURE.fullmatch(signature):
            raise self._unavailable(f"answered HTTP {status} without a signature")
        # r, s, v; v is not needed, for the parity is found by recovering the key.
        return int(signature[2:66], 16), int(signature[66:130], 16)

    def _find_identifier(self) -> str:
        """The public key of the address, by which the API knows it."""
        status, body = self._request("GET", "/api/v1/eth1/publicKeys")
        try:
            check_nesting(body, what="Web3Signer's list of keys")
            listed = json.loads(body) if status == httpx.codes.OK else None
        except (ValueError, EvidenceError):
            listed = None
        if not isinstance(listed, list):
            raise self._unavailable(f"answered HTTP {status} without a list of public keys")
        for key in listed:
            # 0x and both coordinates, without the 04 that address_of expects before them.
            if not isinstance(key, str) or not _KEY.fullmatch(key.lower()):
                continue
            if address_of(b"\x04" + bytes.fromhex(key[2:])) == self._address:
                return key.lower()
        raise self._not_loaded()

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
        data = bytearray()
        try:
            with self._client.stream(method, path, json=body) as response:
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > MAX_ANSWER:
                        raise self._unavailable(f"gave an answer larger than {MAX_ANSWER} bytes")
                return response.status_code, bytes(data)
        except httpx.HTTPError as error:
            raise self._unavailable(f"did not answer: {type(error).__name__}") from error

    def _not_loaded(self) -> SignerUnavailableError:
        return SignerUnavailableError(
            f"{self._name} has no key of {self._address}",
            what_to_do="load the key there and reload its keys; anchors wait",
        )

    def _unavailable(self, what: str) -> SignerUnavailableError:
        return SignerUnavailableError(f"{self._name} {what}", what_to_do=_WAIT)
