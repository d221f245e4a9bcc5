"""A small PKI whose certificates can be wrong in every way that matters."""

from __future__ import annotations

import ipaddress
import ssl
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass
class Identity:
    """A certificate with its key, and the chain a server sends with it."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    def sent(self) -> list[bytes]:
        """What a server sends, DER, leaf first."""
        return [item.public_bytes(Encoding.DER) for item in (self.certificate, *self.chain)]

    def context(self, directory: Path, *, tls_1_0: bool = False) -> ssl.SSLContext:
        """Server side of TLS."""
        path = directory / f"{self.certificate.serial_number}.pem"
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(
            pem + b"".join(item.public_bytes(Encoding.PEM) for item in (self.certificate, *self.chain))
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if tls_1_0:
            context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
        context.load_cert_chain(path)
        return context


def _issue(
    name: str,
    issuer: Identity | None,
    *,
    host: str = "",
    authority: bool = False,
    days: tuple[int, int] = (-1, 30),
) -> Identity:
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + days[0] * DAY)
        .not_valid_after(now + days[1] * DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if host:
        try:
            alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            alternative = x509.DNSName(host)
        builder = builder.add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return Identity(key, certificate)


class Pki:
    """A root, an intermediate, and servers under it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._root = _issue("Test root", None, authority=True)
        self._intermediate = _issue("Test intermediate", self._root, authority=True)
        self.roots = directory / "roots.pem"
        self.roots.write_bytes(self._root.certificate.public_bytes(Encoding.PEM))

    def server(self, host: str = "127.0.0.1", days: tuple[int, int] = (-1, 30)) -> Identity:
        """A certificate under the intermediate, which a server sends along."""
        leaf = _issue("server", self._intermediate, host=host, days=days)
        leaf.chain = (self._intermediate.certificate,)
        return leaf

    @staticmethod
    def self_signed(host: str = "127.0.0.1") -> Identity:
        """A certificate nobody vouches for."""
        return _issue("alone", None, host=host)

    @staticmethod
    def unknown_root(host: str = "127.0.0.1") -> Identity:
        """A certificate of a root nobody here knows, which the server sends along."""
        root = _issue("Other root", None, authority=True)
        leaf = _issue("server", root, host=host)
        leaf.chain = (root.certificate,)
        return leaf
