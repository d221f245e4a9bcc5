"""Keys of every kind under one issuer that publishes its revocation list, and real authorities."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from evidence_service.certificate.sealing import Level, Revocation, Sealed, SealKey, seal
from evidence_service.certificate.sealing.pkcs11 import Pkcs11Key
from evidence_service.certificate.sealing.pkcs12 import Pkcs12Key
from evidence_service.certificate.sealing.remote import RemoteKey
from evidence_service.certificate.sealing.revisions import Stamp
from evidence_service.egress.http import guarded
from evidence_service.egress.policy import EgressPolicy, parse_exception
from evidence_service.sandbox.authorities import DemoAuthorities
from evidence_service.sandbox.demo_certificates import distribution_point
from evidence_service.service.validation_data import PublishedLists
from evidence_service.timestamp.revocation import RevocationLists
from evidence_service.timestamp.tsa import Authorities, Authority
from tests.forgeries.keys import Issuer, certify, key
from tests.forgeries.renewing import revocation_list
from tests.forgeries.world import plain as plain_pdf
from tests.unit.certificate.sealing.signing_service import SigningService

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
"""Where Debian has it."""
PIN = "4711-secret"
KINDS = ("rsa2048", "p256", "p384")


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class SealIssuer:
    """Issues seal certificates of each kind of key, which name its revocation list.

    Attributes:
        url: of the list.
    """

    root: Issuer
    url: str

    def issued(self, name: str, kind: str, *, names_list: bool = True) -> Issuer:
        """A key by name with its certificate."""
        extensions = ((distribution_point(self.url), False),) if names_list else ()
        return certify(name, key(name, kind), self.root, extensions=extensions)

    def pem(self, *issued: Issuer) -> bytes:
        """Certificates as a file names them."""
        return b"".join(item.certificate.public_bytes(Encoding.PEM) for item in issued)


@pytest.fixture(scope="session")
def issuer(running_authorities: DemoAuthorities) -> SealIssuer:
    """An issuer whose list revokes one certificate."""
    root = certify("Seal issuer", key("Seal issuer"), None, ca=True)
    made = SealIssuer(root, running_authorities.publish("issuer", b""))
    revoked = made.issued("revoked", "p256").certificate
    listed = revocation_list(root, (revoked, now() - timedelta(days=1), None), at=now() - timedelta(hours=1))
    running_authorities.publish("issuer", listed)
    return made


@dataclass(frozen=True)
class Token:
    """A token in software: one that opens, with a key of each kind, and one that is only for wrong PINs."""

    module: Path
    label: str
    spare: str


@pytest.fixture(scope="session")
def token(issuer: SealIssuer, tmp_path_factory: pytest.TempPathFactory) -> Token:
    """SoftHSM; its configuration is the process's."""
    directory = tmp_path_factory.mktemp("softhsm")
    (directory / "tokens").mkdir()
    (directory / "softhsm2.conf").write_text(f"directories.tokendir = {directory / 'tokens'}\n")
    os.environ["SOFTHSM2_CONF"] = str(directory / "softhsm2.conf")

    def run(*arguments: str) -> None:
        subprocess.run(["softhsm2-util", *arguments], check=True, capture_output=True)

    for label in ("seals", "spare"):
        run("--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "1234")
    for number, (name, kind) in enumerate(
        [*((kind, kind) for kind in KINDS), ("twin", "p256"), ("twin", "p384")]
    ):
        file = directory / "key.pem"
        file.write_bytes(
            issuer.issued(f"pkcs11 {kind}", kind).key.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
        )
        run("--import", str(file), "--token", "seals", "--pin", PIN, "--label", name, "--id", f"{number:02x}")
        file.unlink()
    return Token(MODULE, "seals", "spare")


@pytest.fixture
def service(issuer: SealIssuer) -> Iterator[SigningService]:
    """A signing service with a credential for each kind of key, and one for a revoked certificate."""
    credentials = {kind: issuer.issued(f"remote {kind}", kind) for kind in KINDS}
    with SigningService(credentials, chain=(issuer.root,)) as running:
        assert isinstance(running, SigningService)
        yield running


@pytest.fixture
def make_key(
    issuer: SealIssuer, token: Token, service: SigningService, tmp_path: Path
) -> Callable[[str, str], SealKey]:
    """Makes a key: where it is, and of which kind."""

    def make(custody: str, kind: str) -> SealKey:
        if custody == "pkcs12":
            return file_key(issuer.issued(f"pkcs12 {kind}", kind), tmp_path)
        if custody == "pkcs11":
            file = tmp_path / f"{kind}.pem"
            file.write_bytes(issuer.pem(issuer.issued(f"pkcs11 {kind}", kind)))
            return Pkcs11Key(token.module, token=token.label, pin=PIN, key=kind, certificates=file)
        return RemoteKey(service.url, kind, token=lambda: service.bearer)

    return make


def file_key(issued: Issuer, directory: Path) -> Pkcs12Key:
    """A key with its certificate, by way of a file."""
    return Pkcs12Key(key_file(issued, issued.certificate, directory), "x")


def key_file(issued: Issuer, certificate: x509.Certificate, directory: Path) -> Path:
    """PKCS#12 of a key and a certificate, with the password x."""
    path = directory / "seal.p12"
    encryption = BestAvailableEncryption(b"x")
    path.write_bytes(serialize_key_and_certificates(b"seal", issued.key, certificate, None, encryption))
    return path


@pytest.fixture(scope="session")
def plain() -> bytes:
    """A PDF before it is sealed."""
    return plain_pdf({"verify.txt": b"how"})


@pytest.fixture(scope="session")
def stamp(demo_authorities: list[Authority]) -> Stamp:
    """Asks a real authority."""
    asked = Authorities(demo_authorities, minimum=1)
    return lambda digest: asked.stamp(digest, nonce=lambda: 5, now=now).tokens[0].der


@pytest.fixture(scope="session")
def roots(issuer: SealIssuer, demo_authorities: list[Authority]) -> Sequence[bytes]:
    """Whom to trust."""
    return (issuer.root.der, *(item.roots[0] for item in demo_authorities))


@pytest.fixture(scope="session")
def revocation(issuer: SealIssuer, demo_authorities: list[Authority]) -> Revocation:
    """Fetches the lists over HTTP, from the authorities' own addresses and no other."""
    policy = EgressPolicy(
        exceptions=frozenset(parse_exception(urlsplit(item.url).netloc) for item in demo_authorities)
    )
    return PublishedLists(
        RevocationLists(guarded(policy)),
        seal_roots=[issuer.root.der],
        authority_roots=[item.roots[0] for item in demo_authorities],
        now=now,
    )


@pytest.fixture
def sealed(plain: bytes, stamp: Stamp, revocation: Revocation) -> Callable[..., Sealed]:
    """Seals the plain PDF; what is not said is as it should be."""

    def make(key: SealKey, level: Level, **changes: Any) -> Sealed:
        usual = {"stamp": stamp, "revocation": revocation, "reason": "Issued"}
        return seal(plain, key, level=level, **{**usual, **changes})

    return make
