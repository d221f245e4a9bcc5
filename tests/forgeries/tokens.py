"""Forged time stamps (checks 0.1, 4.1, 4.2)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from asn1crypto import cms, core, crl
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from evidence_service.core import canonical, manifest
from tests.forgeries.chain import text
from tests.forgeries.keys import EPOCH, Authority, SignerParts, authority, certify, key, later
from tests.forgeries.world import FIRST, Case, World, built, token_of, usual_value

Make = Callable[[Authority, bytes], bytes]


def cases(world: World) -> Iterator[Case]:
    """Every forgery of this kind; the first token over the manifest is the forged one."""
    trust = world.trust(json.loads(usual_value()))
    for number, table in (("4.1", BROKEN), ("4.2", UNTRUSTED), ("0.1", LIMITS)):
        for name, make in table.items():
            value = json.loads(usual_value())
            imprint = manifest.stamped_digest(canonical.encode(value["manifest"]))
            value["timestamps"][0]["token"] = text(make(authority(FIRST), imprint))
            verdict = {"4.1": "invalid", "4.2": "untrusted", "0.1": "over_limit"}[number]
            yield Case(name, trust, bundle=built(value), refused_by=number, verdict=verdict)
    for name, change in ARRANGED.items():
        value = json.loads(usual_value())
        number, verdict = change(value)
        yield Case(name, trust, bundle=built(value), refused_by=number, verdict=verdict)


def _honest(maker: Authority, imprint: bytes, **options: Any) -> bytes:
    return maker.token(imprint, later(seconds=30), **options)


def _changed(change: Callable[[SignerParts], Any], **options: Any) -> Make:
    return lambda maker, imprint: _honest(maker, imprint, change=change, **options)


def _info(**members: Any) -> Make:
    return lambda maker, imprint: _honest(maker, imprint, info=members)


def _flipped(at: float) -> Make:
    """One bit changed at a place of the finished token."""

    def make(maker: Authority, imprint: bytes) -> bytes:
        token = bytearray(_honest(maker, imprint))
        token[int(at * len(token))] ^= 0x01
        return bytes(token)

    return make


def _long_length(maker: Authority, imprint: bytes) -> bytes:
    """The outermost length in one byte more than it needs."""
    token = _honest(maker, imprint)
    return token[:1] + b"\x83\x00" + token[2:4] + token[4:]


def _surplus(parts: SignerParts) -> None:
    parts.certificates.append(authority("Stranger").root.der)


def _without_certificate(parts: SignerParts) -> None:
    parts.certificates = [authority("Stranger").root.der]


def _unsigned(parts: SignerParts) -> None:
    note = cms.CMSAttribute({"type": "1.2.3.4.5", "values": [core.Integer(1)]})
    parts.unsigned.append(note)


def _revocation_list(parts: SignerParts) -> None:
    # An empty list that nobody asked for: bytes that no signature covers.
    maker = authority(FIRST)
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(maker.root.certificate.subject)
        .last_update(EPOCH)
        .next_update(later(days=1))
    )
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding

    der = made.sign(maker.root.key, hashes.SHA256()).public_bytes(Encoding.DER)
    parts.crls = [crl.CertificateList.load(der)]


def _named_other(parts: SignerParts) -> None:
    parts.named = authority("Stranger").signer


def _set(**members: Any) -> Callable[[SignerParts], None]:
    def change(parts: SignerParts) -> None:
        for name, value in members.items():
            setattr(parts, name, value)

    return change


BROKEN: dict[str, Make] = {
    "token: nonsense": lambda m, i: b"\x00\x00\x00",
    "token: a letter instead": lambda m, i: b"-----BEGIN CMS-----",
    "token: cut off": lambda m, i: _honest(m, i)[:-1],
    "token: bytes after the end": lambda m, i: _honest(m, i) + b"\x00",
    "token: a length in too many bytes": _long_length,
    "token: over other data": lambda m, i: _honest(m, hashlib.sha512(b"other").digest()),
    "token: over the SHA-256 of the data": lambda m, i: _honest(
        m, i, info={"message_imprint": {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": i[:32]}}
    ),
    "token: the digest under another algorithm's name": lambda m, i: _honest(
        m, i, info={"message_imprint": {"hash_algorithm": {"algorithm": "sha3_512"}, "hashed_message": i}}
    ),
    "token: of version 2": _info(version=2),
    "token: bit changed in the content": _flipped(0.12),
    "token: bit changed in the certificate": _flipped(0.5),
    "token: bit changed in the signature": _flipped(0.99),
    "token: content is not a time stamp": _changed(_set(content_type="data", versions=("v1", "v1"))),
    "token: content left out": _changed(_set(content=None)),
    "token: signed digest is of other content": _changed(_set(message_digest=bytes(32))),
    "token: signed by another key than the certificate's": _changed(
        _set(signature=lambda data: SignerParts(authority("Stranger").signer, "data", b"")._sign(data))
    ),
    "token: signature of zeros": _changed(_set(signature=lambda data: bytes.fromhex("3006020100020100"))),
    "token: no message digest attribute": _changed(_set(without=("message_digest",))),
    "token: no content type attribute": _changed(_set(without=("content_type",))),
    "token: certificate not bound": _changed(_set(without=("signing_certificate_v2",))),
    "token: bound to another certificate": _changed(_named_other),
    "token: content type attribute says otherwise": _changed(_set(claimed_type="data")),
    "token: an attribute twice": _changed(_set(doubled=("message_digest",))),
    "token: a certificate too many": _changed(_surplus),
    "token: signer's certificate left out": _changed(_without_certificate),
    "token: an unsigned attribute": _changed(_unsigned),
    "token: a revocation list": _changed(_revocation_list),
    "token: version of the signed data exchanged": _changed(_set(versions=("v1", "v1"))),
    "token: version of the signer exchanged": _changed(_set(versions=("v3", "v3"))),
}


def _own_root(traveling: bool) -> Make:
    """A rogue authority under the trusted one's name; its root travels in the response or not."""

    def make(maker: Authority, imprint: bytes) -> bytes:
        root = certify(f"{FIRST} root", key("rogue root"), None, ca=True)
        signer = certify(f"{FIRST} signer", key("rogue signer"), root, stamping=True)
        return _honest(Authority(FIRST, root, signer, (root,) if traveling else ()), imprint)

    return make


def _cross_signed(maker: Authority, imprint: bytes) -> bytes:
    """The rogue root travels and carries the trusted root's name above it, without its signature."""
    rogue = certify("rogue", key("rogue root"), None, ca=True, issuer_name=f"{FIRST} root")
    signer = certify("rogue signer", key("rogue signer"), rogue, stamping=True)
    return _honest(Authority("rogue", rogue, signer, (rogue,)), imprint)


def _signer(**options: Any) -> Make:
    """A signer below the trusted root whose certificate is not what it should be."""
    moment = options.pop("at", later(seconds=30))
    middle = options.pop("middle", None)

    def make(maker: Authority, imprint: bytes) -> bytes:
        above, travelling = maker.root, ()
        if middle is not None:
            above = certify("middle", key("middle"), maker.root, **middle)
            travelling = (above,)
        signer = certify("odd signer", key("odd signer"), above, **{"stamping": True, **options})
        return Authority(FIRST, maker.root, signer, travelling).token(imprint, moment)

    return make


_EARLY = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC))
_LATE = (datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC))

UNTRUSTED: dict[str, Make] = {
    "authority: unknown": lambda m, i: _honest(authority("Stranger"), i),
    "authority: rogue root travels in the response": _own_root(traveling=True),
    "authority: rogue under the trusted one's names": _own_root(traveling=False),
    "authority: rogue root says the trusted one issued it": _cross_signed,
    "authority: signer's certificate expired before the stamp": _signer(valid=_EARLY),
    "authority: signer's certificate not valid yet": _signer(valid=_LATE),
    "authority: certificate not for time stamping": _signer(stamping=False),
    "authority: purpose not critical": _signer(stamping_critical=False),
    "authority: purpose among others": _signer(
        usages=(ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.SERVER_AUTH)
    ),
    "authority: another purpose": _signer(usages=(ExtendedKeyUsageOID.CODE_SIGNING,)),
    "authority: issued by one that may not issue": _signer(middle={"ca": False}),
    "authority: issued by a server's certificate": _signer(middle={"ca": False, "stamping": True}),
    "authority: path longer than allowed": lambda m, i: _two_between(m, i),  # noqa: PLW0108 - defined below
    "authority: issuer that may not sign certificates": _signer(
        middle={
            "ca": True,
            "extensions": (
                (
                    x509.KeyUsage(*[True, *[False] * 8]),
                    True,
                ),
            ),
        }
    ),
    "authority: critical extension nobody understands": _signer(
        extensions=((x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),)
    ),
    "authority: name constraints that are not looked at": _signer(
        middle={
            "ca": True,
            "extensions": (
                (x509.NameConstraints(permitted_subtrees=None, excluded_subtrees=[x509.DNSName("x")]), True),
            ),
        }
    ),
}


def _two_between(maker: Authority, imprint: bytes) -> bytes:
    """An issuer whose path length is 0 issues an issuer."""
    upper = certify("upper", key("upper"), maker.root, ca=True, path_length=0)
    lower = certify("lower", key("lower"), upper, ca=True)
    signer = certify("far signer", key("far signer"), lower, stamping=True)
    return _honest(Authority(FIRST, maker.root, signer, (lower, upper)), imprint)


def _weak_key(maker: Authority, imprint: bytes) -> bytes:
    root = certify("weak root", key("weak root", "rsa1024"), None, ca=True)
    return _honest(
        Authority("weak", root, certify("weak", key("weak", "rsa1024"), root, stamping=True)), imprint
    )


LIMITS: dict[str, Make] = {
    "token: an RSA key of 1024 bits": _weak_key,
    "token: nested a hundred deep": lambda m, i: _nested(100),
}


def _nested(depth: int) -> bytes:
    element = b"\x05\x00"
    for _ in range(depth):
        size = len(element)
        length = (
            bytes([size])
            if size < 0x80
            else b"\x82" + size.to_bytes(2, "big")
            if size > 0xFF
            else b"\x81" + bytes([size])
        )
        element = b"\x30" + length + element
    return element


def _one_twice(value: dict[str, Any]) -> tuple[str, str]:
    stamped = [item for item in value["timestamps"] if item["of"] == "manifest"]
    value["timestamps"] = [stamped[0], stamped[0]]
    return "4.2", "untrusted"


def _same_authority(value: dict[str, Any]) -> tuple[str, str]:
    """Two different tokens of one authority: still one authority."""
    imprint = manifest.stamped_digest(canonical.encode(value["manifest"]))
    token = authority(FIRST).token(imprint, later(seconds=40))
    value["timestamps"][1]["token"] = text(token)
    return "4.2", "untrusted"


def _exchanged(value: dict[str, Any]) -> tuple[str, str]:
    value["timestamps"][0]["of"] = "batch_header"
    return "4.1", "invalid"


def _only_header(value: dict[str, Any]) -> tuple[str, str]:
    """Stamps over the batch header do not make up for one missing over the manifest."""
    del value["timestamps"][1]
    return "4.2", "untrusted"


def _of_another(value: dict[str, Any]) -> tuple[str, str]:
    """The token of other evidence, genuine in itself."""
    value["timestamps"][0]["token"] = text(token_of(json.loads(usual_value()), 2))
    return "4.1", "invalid"


ARRANGED: dict[str, Callable[[dict[str, Any]], tuple[str, str]]] = {
    "tokens: one authority twice": _one_twice,
    "tokens: two tokens of one authority": _same_authority,
    "tokens: said to be over the other document": _exchanged,
    "tokens: only the batch header stamped by the second": _only_header,
    "tokens: one of other evidence": _of_another,
}
