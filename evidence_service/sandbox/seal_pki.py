"""A sealing key for demonstrations: root, leaf and PKCS#12, made once and kept. Never evidence."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from evidence_service.sandbox.demo_certificates import (
    certificate_builder,
    demo_name,
    distribution_point,
    empty_list,
    key_usage,
    new_key,
    read_key,
    write_key,
    write_private,
)


@dataclass(frozen=True, slots=True)
class DemoSealFiles:
    """Where the key is: a PKCS#12 file, the file with its password, the root's DER certificate.

    Attributes:
        list_der: revocation list of the root: empty, for a month.
    """

    pkcs12: Path
    password_file: Path
    root_der: bytes
    list_der: bytes


def ensure_demo_seal(directory: Path, *, list_url: str = "") -> DemoSealFiles:
    """The demonstration seal of a directory; its keys are the same on every call.

    Args:
        list_url: where the revocation list is published in this run; the key is certified anew to name it.
            Empty: the certificate names none when it is made, and stays as it is.
    """
    pkcs12, password_file = directory / "seal.p12", directory / "seal.password"
    if not (directory / "root.key").exists():
        _make(directory, password_file)
    root = x509.load_der_x509_certificate((directory / "seal-root.der").read_bytes())
    if list_url or not pkcs12.exists():
        store = serialize_key_and_certificates(
            b"seal",
            read_key(directory / "seal.key"),
            _leaf(directory, root, list_url),
            # The root stays out: only the leaf travels in a seal, bound by hash in the signed attributes.
            None,
            BestAvailableEncryption(password_file.read_bytes()),
        )
        write_private(pkcs12, store)
    return DemoSealFiles(
        pkcs12,
        password_file,
        root.public_bytes(Encoding.DER),
        empty_list(root.subject, read_key(directory / "root.key")),
    )


def _make(directory: Path, password_file: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    root_key, name = new_key(), demo_name("Demonstration seal root, not evidence")
    root = (
        certificate_builder(name, name, root_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(certificates=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    (directory / "seal-root.der").write_bytes(root.public_bytes(Encoding.DER))
    (directory / "seal.p12").unlink(missing_ok=True)
    write_private(password_file, secrets.token_urlsafe(24).encode())
    write_key(directory / "seal.key", new_key())
    # Last: a start that was killed before is made again.
    write_key(directory / "root.key", root_key)


def _leaf(directory: Path, root: x509.Certificate, list_url: str) -> x509.Certificate:
    builder = (
        certificate_builder(
            demo_name("Demonstration seal, not evidence"),
            root.subject,
            read_key(directory / "seal.key").public_key(),
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(certificates=False), critical=True)
    )
    if list_url:
        builder = builder.add_extension(distribution_point(list_url), critical=False)
    return builder.sign(read_key(directory / "root.key"), hashes.SHA256())
