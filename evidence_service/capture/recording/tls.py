"""TLS towards servers: verified, and what was agreed and sent taken from the same connection (ADR 0012)."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import service_identity
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL, crypto
from service_identity.pyopenssl import verify_hostname, verify_ip_address

from evidence_service.capture.recording.channels import PlainChannel, TlsChannel
from evidence_service.egress.hosts import is_address

# X509_verify_cert_error_string(3) has no public binding; these are the reasons servers give cause for.
_REASONS = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed",
    19: "its chain ends in a root nobody here trusts",
    20: "no trusted issuer is known",
    21: "the chain is incomplete",
    22: "the chain is too long",
    24: "an issuer is no certificate authority",
    25: "the chain is longer than an issuer allows",
    26: "it is not meant for servers",
    66: "its key is too weak",
    68: "its signature's digest is too weak",
    79: "an issuer is no certificate authority",
}


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a handshake came to.

    Attributes:
        described: ``verified`` (``yes`` or the reason why not), ``version``, ``cipher``, ``alpn``, ``roots``.
        chain: certificates as the server sent them, DER, leaf first.
    """

    described: dict[str, str]
    chain: tuple[bytes, ...]

    @property
    def verified(self) -> bool:
        """Whether bytes may be sent."""
        return self.described["verified"] == "yes"


class ServerVerification:
    """Client side of TLS towards servers; verification cannot be switched off.

    Args:
        roots: PEM of further roots beside the system's; may be empty.
    """

    def __init__(self, roots: str) -> None:
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_min_proto_version(SSL.TLS1_2_VERSION)
        self._context.set_alpn_protos([b"http/1.1"])
        self._context.set_verify(SSL.VERIFY_PEER, _note)
        self.roots = self._load_system() + self._load_further(roots)

    def _load_system(self) -> str:
        # The paths of the system's own OpenSSL: the one that comes with cryptography has been told others.
        paths = ssl.get_default_verify_paths()
        self._context.load_verify_locations(paths.cafile, paths.capath)
        if paths.cafile is None:
            return f"system, {paths.capath or 'none'}"
        content = Path(paths.cafile).read_bytes()
        return f"system, {Path(paths.cafile).name}, SHA-256 {hashlib.sha256(content).hexdigest()}"

    def _load_further(self, roots: str) -> str:
        if not roots:
            return ""
        store = self._context.get_cert_store()
        found = x509.load_pem_x509_certificates(roots.encode())
        if store is not None:
            for certificate in found:
                store.add_cert(crypto.X509.from_cryptography(certificate))
        digests = (hashlib.sha256(item.public_bytes(Encoding.DER)).hexdigest() for item in found)
        return "; and by the settings " + ", ".join(f"SHA-256 {item}" for item in digests)

    async def agree(self, plain: PlainChannel, host: str) -> tuple[TlsChannel, Agreed]:
        """Shake hands; the channel, and what was agreed. A chain that fails is told, not raised.

        Raises:
            OSError: no handshake came about.
        """
        connection = self.connection(host)
        channel = TlsChannel(plain, connection)
        await channel.handshake()
        return channel, self.describe(connection, host)

    def connection(self, host: str) -> SSL.Connection:
        """Client side of a connection, on memory; what is wrong with the chain gathers in its app data."""
        connection = SSL.Connection(self._context, None)
        problems: list[int] = []
        connection.set_app_data(problems)
        connection.set_connect_state()
        if not is_address(host):
            connection.set_tlsext_host_name(host.encode("ascii"))
        return connection

    def describe(self, connection: SSL.Connection, host: str) -> Agreed:
        """What a handshake that ended came to."""
        sent = connection.get_peer_cert_chain() or []
        described = {
            "verified": _verdict(connection, host, connection.get_app_data()),
            "version": connection.get_protocol_version_name(),
            "cipher": connection.get_cipher_name() or "",
            "alpn": connection.get_alpn_proto_negotiated().decode("latin-1"),
            "roots": self.roots,
        }
        chain = tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, item) for item in sent)
        return Agreed(described, chain)


def _note(connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
    """Keep a verification error and go on: the chain of a server that fails is evidence, too.

    Nothing is sent to such a server; see :meth:`ServerVerification.agree` and its caller.
    """
    del certificate, depth
    if not ok:
        connection.get_app_data().append(error)
    return True


def _verdict(connection: SSL.Connection, host: str, problems: Sequence[int]) -> str:
    if problems:
        return "; ".join(dict.fromkeys(_REASONS.get(item, f"X.509 error {item}") for item in problems))
    try:
        (verify_ip_address if is_address(host) else verify_hostname)(connection, host)
    except service_identity.VerificationError:
        return f"it is for another host than {host}"
    except (service_identity.CertificateError, ValueError) as error:
        return f"its names cannot be read: {error}"
    return "yes"
