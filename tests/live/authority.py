"""A certification authority as web servers have one: a root, an intermediate, and certificates of servers."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from evidence_service.sandbox.demo_certificates import demo_name, key_usage

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """What a web server is configured with: certificates (leaf first, PEM) and key.

    Attributes:
        sent: SHA-256 (hexadecimal) of each certificate the server sends, in order.
    """

    certificates: Path
    key: Path
    sent: tuple[str, ...]


class ServerAuthority:
    """Root and intermediate with new keys; ``root`` is the file a client has to trust (PEM).

    Args:
        directory: keeps the files.
        name: tells its certificates from another authority's.
    """

    def __init__(self, directory: Path, name: str = "Web") -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._root_key, self._key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root_name = demo_name(f"{name} root, not evidence")
        self._name = demo_name(f"{name} intermediate, not evidence")
        root = _issuer(root_name, root_name, self._root_key, self._root_key, path_length=1)
        self._intermediate = _issuer(self._name, root_name, self._key, self._root_key, path_length=0)
        self.root = directory / "root.pem"
        self.root.write_bytes(root.public_bytes(Encoding.PEM))

    def issue(
        self, name: str, hosts: tuple[str, ...], *, expired: bool = False, intermediate: bool = True
    ) -> ServerFiles:
        """Certificate and key of a server.

        Args:
            name: of the files.
            hosts: names and addresses it is for.
            expired: it ended yesterday.
            intermediate: whether the server sends it, as it should.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        end = datetime.now(UTC) + (-_DAY if expired else 30 * _DAY)
        leaf = (
            _builder(demo_name(hosts[0]), self._name, key, end)
            .add_extension(x509.SubjectAlternativeName([_host(item) for item in hosts]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        chain = [leaf, *([self._intermediate] if intermediate else [])]
        certificates, key_file = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        certificates.write_bytes(b"".join(item.public_bytes(Encoding.PEM) for item in chain))
        key_file.touch(mode=0o600)
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        sent = tuple(hashlib.sha256(item.public_bytes(Encoding.DER)).hexdigest() for item in chain)
        return ServerFiles(certificates, key_file, sent)


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - 60 * _DAY)
        .not_valid_after(end)
    )


def _issuer(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    path_length: int,
) -> x509.Certificate:
    return (
        _builder(subject, issuer, key, datetime.now(UTC) + 3650 * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(key_usage(certificates=True), critical=True)
        .sign(signer, hashes.SHA256())
    )
