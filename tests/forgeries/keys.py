"""Certificates, authorities and seal keys of a world of our own, honest and forged alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from cryptography.x509.oid import ExtendedKeyUsageOID

from evidence_service.certificate.sealing import SealKey
from evidence_service.certificate.sealing.pkcs12 import Pkcs12Key

EPOCH = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
"""When everything in this world happens."""
_ALWAYS = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
_CURVES = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
_HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@cache
def key(name: str, kind: str = "p256") -> Key:
    """A key by name; the same within a run."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(kind[3:]))
    return ec.generate_private_key(_CURVES[kind])


@dataclass(frozen=True)
class Issuer:
    """A key with its certificate."""

    key: Key
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


def certify(
    name: str,
    subject_key: Key,
    issuer: Issuer | None,
    *,
    ca: bool = False,
    path_length: int | None = None,
    stamping: bool | None = None,
    stamping_critical: bool = True,
    usages: tuple[x509.ObjectIdentifier, ...] = (ExtendedKeyUsageOID.TIME_STAMPING,),
    valid: tuple[datetime, datetime] = _ALWAYS,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    issuer_name: str | None = None,
    hash_name: str = "sha256",
) -> Issuer:
    """A certificate; self-issued when there is no issuer."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    if issuer_name is not None:
        above = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer_name)])
    else:
        above = subject if issuer is None else issuer.certificate.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above)
        .public_key(subject_key.public_key())
        .serial_number(int.from_bytes(hashlib.sha256(name.encode()).digest()[:12], "big") | 1)
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    )
    if stamping:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=stamping_critical)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    signing = subject_key if issuer is None else issuer.key
    return Issuer(subject_key, builder.sign(signing, _HASHES[hash_name]))


@dataclass(frozen=True)
class Authority:
    """A time-stamping authority: root, signer, and what travels in its tokens."""

    name: str
    root: Issuer
    signer: Issuer
    travelling: tuple[Issuer, ...] = ()
    digest: str = "sha256"

    def token(
        self,
        imprint: bytes,
        at: datetime,
        *,
        info: dict[str, Any] | None = None,
        change: Callable[[SignerParts], None] | None = None,
    ) -> bytes:
        """A token over a SHA-512 imprint.

        Args:
            info: members of TSTInfo to put in other values for.
            change: gets the parts before they are signed and put together.
        """
        members: dict[str, Any] = {
            "version": "v1",
            "policy": "1.3.6.1.4.1.99999.1",
            "message_imprint": {
                "hash_algorithm": {"algorithm": "sha512"},
                "hashed_message": imprint,
            },
            "serial_number": int.from_bytes(imprint[:6], "big") | 1,
            "gen_time": at,
            "nonce": 7,
        } | (info or {})
        content = tsp.TSTInfo(members).dump()
        parts = SignerParts(self.signer, "tst_info", content, self.digest)
        parts.certificates = [self.signer.der, *(item.der for item in self.travelling)]
        if change is not None:
            change(parts)
        return parts.assemble()


@dataclass
class SignerParts:
    """A SignedData before it is signed; every part can be exchanged."""

    signer: Issuer
    content_type: str
    content: bytes | None
    digest: str = "sha256"
    certificates: list[bytes] = field(default_factory=list)
    named: Issuer | None = None
    """Certificate the signed attribute names, when not the signer's."""
    message_digest: bytes | None = None
    unsigned: list[Any] = field(default_factory=list)
    without: tuple[str, ...] = ()
    """Signed attributes to leave out."""
    doubled: tuple[str, ...] = ()
    claimed_type: str | None = None
    signature: Callable[[bytes], bytes] | None = None
    """Makes the signature value of the bytes to sign instead of the signer's key."""
    crls: Any = None
    versions: tuple[str, str] = ("v3", "v1")

    def assemble(self) -> bytes:
        """DER of the ContentInfo."""
        named = self.named or self.signer
        digest = self.message_digest or hashlib.new(self.digest, self.content or b"").digest()
        algorithm = algos.DigestAlgorithm({"algorithm": self.digest})
        attributes = [
            {"type": "content_type", "values": [self.claimed_type or self.content_type]},
            {"type": "message_digest", "values": [digest]},
            {
                "type": "signing_certificate_v2",
                "values": [
                    tsp.SigningCertificateV2(
                        {
                            "certs": [
                                tsp.ESSCertIDv2(
                                    {
                                        "hash_algorithm": {"algorithm": "sha512"},
                                        "cert_hash": hashlib.sha512(named.der).digest(),
                                    }
                                )
                            ]
                        }
                    )
                ],
            },
        ]
        attributes = [item for item in attributes if item["type"] not in self.without]
        attributes += [item for item in attributes if item["type"] in self.doubled]
        signed = cms.CMSAttributes([cms.CMSAttribute(item) for item in attributes])
        message = signed.dump()
        certificate = asn1_x509.Certificate.load(self.signer.der)
        information = cms.SignerInfo(
            {
                "version": self.versions[1],
                "sid": {
                    "issuer_and_serial_number": {
                        "issuer": certificate.issuer,
                        "serial_number": certificate.serial_number,
                    }
                },
                "digest_algorithm": algorithm,
                "signed_attrs": signed,
                "signature_algorithm": self._scheme(),
                "signature": (self.signature or self._sign)(message),
            }
        )
        if self.unsigned:
            information["unsigned_attrs"] = cms.CMSAttributes(self.unsigned)
        encapsulated: dict[str, Any] = {"content_type": self.content_type}
        if self.content is not None:
            kind = core.OctetString if self.content_type == "data" else core.ParsableOctetString
            encapsulated["content"] = kind(self.content)
        data = cms.SignedData(
            {
                "version": self.versions[0],
                "digest_algorithms": [algorithm],
                "encap_content_info": encapsulated,
                "certificates": [
                    cms.CertificateChoices.load(item) for item in sorted(set(self.certificates))
                ],
                "signer_infos": [information],
            }
        )
        if self.crls is not None:
            data["crls"] = self.crls
        return bytes(cms.ContentInfo({"content_type": "signed_data", "content": data}).dump())

    def _scheme(self) -> dict[str, str]:
        kind = "rsa" if isinstance(self.signer.key, rsa.RSAPrivateKey) else "ecdsa"
        return {"algorithm": f"{self.digest}_{kind}"}

    def _sign(self, message: bytes) -> bytes:
        chosen = _HASHES[self.digest]
        if isinstance(self.signer.key, rsa.RSAPrivateKey):
            return self.signer.key.sign(message, padding.PKCS1v15(), chosen)
        return self.signer.key.sign(message, ec.ECDSA(chosen))


@cache
def authority(name: str, kind: str = "p256", digest: str = "sha256") -> Authority:
    """An honest authority: root, signer, only the signer travels."""
    root = certify(f"{name} root", key(f"{name} root", kind), None, ca=True)
    signer = certify(f"{name} signer", key(f"{name} signer", kind), root, stamping=True)
    return Authority(name, root, signer, digest=digest)


@dataclass(frozen=True)
class SealIssuer:
    """A root and the PKCS#12 of a key below it."""

    root: Issuer
    key: SealKey


def seal_issuer(name: str, directory: Path, **options: Any) -> SealIssuer:
    """A seal issuer; options go to the certificate of the signing key."""
    return stored_issuer(name, key(f"{name} root"), key(f"{name} seal"), directory, **options)


def stored_issuer(name: str, root_key: Key, own: Key, directory: Path, **options: Any) -> SealIssuer:
    """A seal issuer of this name with keys of the caller's choice."""
    root = certify(f"{name} root", root_key, None, ca=True)
    leaf = certify(f"{name} seal", own, root, **options)
    path = directory / f"{name}.p12"
    path.write_bytes(
        serialize_key_and_certificates(
            b"seal", leaf.key, leaf.certificate, None, BestAvailableEncryption(b"x")
        )
    )
    return SealIssuer(root, Pkcs12Key(path, "x"))


def later(**arguments: float) -> datetime:
    """A moment after the epoch of this world."""
    return EPOCH + timedelta(**arguments)
