"""A sealing key for demonstrations: root, leaf and PKCS#12, made once and kept. Never evidence."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from evidence_service.sandbox.demo_certificates import certificate_builder, demo_name, key_usage, new_key


@dataclass(frozen=True, slots=True)
class DemoSealFiles:
    """Where the key is: a PKCS#12 file, the file with its password, the root's DER certificate."""

    pkcs12: Path
    password_file: Path
    root_der: bytes


def ensure_demo_seal(directory: Path) -> DemoSealFiles:
    """The demonstration seal of a directory; the same on every call."""
    files = DemoSealFiles(directory / "seal.p12", directory / "seal.password", b"")
    root_file = directory / "seal-root.der"
    if not root_file.exists():
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        root_key, key = new_key(), new_key()
        root_name = demo_name("Demonstration seal root, not evidence")
        root = (
            certificate_builder(root_name, root_name, root_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage(certificates=True), critical=True)
            .sign(root_key, hashes.SHA256())
        )
        leaf = (
            certificate_builder(demo_name("Demonstration seal, not evidence"), root_name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(certificates=False), critical=True)
            .sign(root_key, hashes.SHA256())
        )
        password = secrets.token_urlsafe(24)
        # The root stays out: only the leaf travels in a seal, bound by hash in the signed attributes.
        store = serialize_key_and_certificates(
            b"seal", key, leaf, None, BestAvailableEncryption(password.encode())
        )
        _write_private(files.password_file, password.encode())
        _write_private(files.pkcs12, store)
        root_file.write_bytes(root.public_bytes(Encoding.DER))
    return DemoSealFiles(files.pkcs12, files.password_file, root_file.read_bytes())


def _write_private(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as writer:
        writer.write(data)
