"""The recorder's own certificate authority: made for one capture, kept in memory, gone with it."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

_ALPN = b"http/1.1"


class InterceptionAuthority:
    """Issues a certificate for each host the browser asks for, all with one key.

    The browser is told to accept this one key (by its SPKI hash) and nothing else that is wrong.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, "Evidence recorder, this capture only")]
        )
        self._contexts: dict[str, SSL.Context] = {}

    @property
    def spki_sha256(self) -> str:
        """Base64 of the SHA-256 of the key, as Chromium's switch wants it."""
        spki = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(spki).digest()).decode()

    def connection(self, host: str) -> SSL.Connection:
        """Server side of a TLS connection to the browser for a host, on memory."""
        if host not in self._contexts:
            context = SSL.Context(SSL.TLS_SERVER_METHOD)
            context.set_min_proto_version(SSL.TLS1_2_VERSION)
            context.set_alpn_select_callback(
                lambda _, offered: _ALPN if _ALPN in offered else SSL.NO_OVERLAPPING_PROTOCOLS
            )
            context.use_privatekey(self._key)
            context.use_certificate(self._issue(host))
            self._contexts[host] = context
        connection = SSL.Connection(self._contexts[host], None)
        connection.set_accept_state()
        return connection

    def _issue(self, host: str) -> x509.Certificate:
        try:
            alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            alternative = x509.DNSName(host)
        return (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - timedelta(days=1))
            .not_valid_after(self._now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
