"""Forged revocation lists, and genuine ones that revoke (checks 0.1, 4.4)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from evidence_service.core import canonical, manifest
from evidence_service.core.stamp import CRL_LIMIT
from tests.forgeries.chain import text
from tests.forgeries.keys import EPOCH, Authority, Issuer, authority, certify, key, later
from tests.forgeries.renewing import collected, day, revocation_list
from tests.forgeries.world import FIRST, SECOND, Case, Evidence, World, built, one_list, renewed_value

STAMPED = later(seconds=30)
"""genTime of the tokens over the manifest."""
_REASON = x509.ReasonFlags


def cases(world: World) -> Iterator[Case]:
    """Every forgery of this kind; the lists of the first token are the forged ones."""
    trust = world.trust(json.loads(_listed_value()))
    tables = (("4.4", "invalid", FORGED), ("4.4", "untrusted", REVOKING), ("0.1", "over_limit", LIMITS))
    for number, verdict, table in tables:
        for name, make in table.items():
            value = json.loads(_listed_value())
            value["timestamps"][0]["revocation"] = make(authority(FIRST))
            yield Case(name, trust, bundle=built(value), refused_by=number, verdict=verdict)
    for name, verdict, between, lists in INTERMEDIATE:
        value = json.loads(_listed_value())
        maker = _below(**between)
        imprint = manifest.stamped_digest(canonical.encode(value["manifest"]))
        token = {"token": text(maker.token(imprint, STAMPED)), "revocation": lists(maker)}
        value["timestamps"][0] |= token
        yield Case(name, trust, bundle=built(value), refused_by="4.4", verdict=verdict)
    value = json.loads(renewed_value())
    value["renewals"][-1]["timestamps"][0]["revocation"] = _revokes(_REASON.key_compromise, days=950)(
        authority(FIRST)
    )
    yield Case(
        "revoked: the authority of a renewal",
        world.trust(value),
        bundle=built(value),
        now=day(1100),
        refused_by="4.4",
        verdict="untrusted",
    )


@cache
def _listed_value() -> str:
    return json.dumps(Evidence(lists=one_list).value())


Make = Callable[[Authority], dict[str, Any]]


def _changed(change: Callable[[bytes], bytes]) -> Make:
    return lambda maker: collected(change(revocation_list(maker.root)))


def _made(**options: Any) -> Make:
    return lambda maker: collected(revocation_list(maker.root, **options))


def _entry_with(extension: x509.ExtensionType) -> Make:
    """An entry about somebody else with a critical extension."""
    other = authority("Stranger").signer.certificate
    options: dict[str, Any] = {"entry_extensions": ((extension, True),)}
    return lambda maker: collected(revocation_list(maker.root, (other, EPOCH, None), **options))


def _flipped(at: float) -> Make:
    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[int(at * len(data))] ^= 0x01
        return bytes(changed)

    return _changed(change)


def _other_algorithm(data: bytes) -> bytes:
    """The outer algorithm alone is said to be ecdsa-with-SHA384."""
    place = data.rindex(bytes.fromhex("06082a8648ce3d040302"))
    return data[: place + 9] + b"\x03" + data[place + 10 :]


def _point(**flags: Any) -> x509.IssuingDistributionPoint:
    members: dict[str, Any] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**members | flags)


def _critical(extension: x509.ExtensionType) -> Make:
    return _made(extensions=((extension, True),))


def _namesake(maker: Authority) -> dict[str, Any]:
    """A list under the issuer's name, by a key of the forger's own."""
    rogue = certify(f"{FIRST} root", key("rogue root"), None, ca=True)
    return collected(revocation_list(rogue))


def _own_list(maker: Authority) -> dict[str, Any]:
    """The authority itself vouches for its own certificate."""
    return collected(revocation_list(maker.root, signer=maker.signer))


def _of_second(maker: Authority) -> dict[str, Any]:
    return collected(revocation_list(authority(SECOND, "rsa2048", "sha512").root))


def _beside_genuine(maker: Authority) -> dict[str, Any]:
    return collected(revocation_list(maker.root), revocation_list(authority("Stranger").root))


FORGED: dict[str, Make] = {
    "list: nonsense": lambda m: collected(b"\x30\x03\x02\x01\x01"),
    "list: a letter instead": lambda m: collected(b"-----BEGIN X509 CRL-----"),
    "list: cut off": _changed(lambda data: data[:-1]),
    "list: bytes after the end": _changed(lambda data: data + b"\x00"),
    "list: the issuer's certificate instead": lambda m: collected(m.root.der),
    "list: bit changed in the content": _flipped(0.3),
    "list: bit changed in the dates": _flipped(0.4),
    "list: bit changed in the signature": _flipped(0.97),
    "list: signed by another under the issuer's name": _namesake,
    "list: signed by the authority itself": _own_list,
    "list: of another issuer": lambda m: collected(revocation_list(authority("Stranger").root)),
    "list: of the other authority's issuer": _of_second,
    "list: of another issuer beside a genuine one": _beside_genuine,
    "list: its two algorithms differ": _changed(_other_algorithm),
    "list: signed with an algorithm that is not accepted": _made(algorithm=hashes.SHA224()),
    "list: changes only, no list of its own": _critical(x509.DeltaCRLIndicator(1)),
    "list: of other issuers' certificates": _critical(_point(indirect_crl=True)),
    "list: for some reasons only": _critical(_point(only_some_reasons=frozenset({_REASON.key_compromise}))),
    "list: of attribute certificates": _critical(_point(only_contains_attribute_certs=True)),
    "list: an extension nobody understands": _critical(
        x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    ),
    "list: an entry of another issuer": _entry_with(
        x509.CertificateIssuer([x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")]))])
    ),
}  # fmt: skip


def _revokes(reason: x509.ReasonFlags | None, **after: float) -> Make:
    """The signer is revoked so long after the stamp."""

    def make(maker: Authority) -> dict[str, Any]:
        date = STAMPED + timedelta(**after)
        return collected(revocation_list(maker.root, (maker.signer.certificate, date, reason), at=date))

    return make


def _second_entry(maker: Authority) -> dict[str, Any]:
    """Two entries about the signer: the milder one does not undo the other."""
    signer = maker.signer.certificate
    entries = [(signer, day(9), _REASON.superseded), (signer, day(9), _REASON.key_compromise)]
    return collected(revocation_list(maker.root, *entries))


def _second_list(maker: Authority) -> dict[str, Any]:
    revoking = revocation_list(maker.root, (maker.signer.certificate, EPOCH, _REASON.superseded), at=day(8))
    return collected(revocation_list(maker.root), revoking)


def _root_itself(maker: Authority) -> dict[str, Any]:
    entry = (maker.root.certificate, day(9), _REASON.ca_compromise)
    return collected(revocation_list(maker.root, entry))


REVOKING: dict[str, Make] = {
    "revoked: superseded before the stamp": _revokes(_REASON.superseded, days=-1),
    "revoked: closed down before the stamp": _revokes(_REASON.cessation_of_operation, seconds=-30),
    "revoked: at the moment of the stamp": _revokes(_REASON.superseded, seconds=0),
    "revoked: key compromised, found later": _revokes(_REASON.key_compromise, days=300),
    "revoked: issuer compromised, found later": _revokes(_REASON.ca_compromise, days=300),
    "revoked: later, without a reason": _revokes(None, days=300),
    "revoked: later, on hold": _revokes(_REASON.certificate_hold, days=300),
    "revoked: later, privilege withdrawn": _revokes(_REASON.privilege_withdrawn, days=300),
    "revoked: by the second of two entries": _second_entry,
    "revoked: by the second of two lists": _second_list,
    "revoked: the root by itself": _root_itself,
}

LIMITS: dict[str, Make] = {
    "list: larger than the limit": lambda m: collected(bytes(CRL_LIMIT + 1)),
    "list: too many of them": lambda m: collected(*[revocation_list(m.root)] * 9),
    "list: nested too deep": lambda m: collected(_nested()),
}


def _nested() -> bytes:
    element = b"\x05\x00"
    for _ in range(60):
        element = (
            b"\x30"
            + (bytes([len(element)]) if len(element) < 128 else b"\x81" + bytes([len(element)]))
            + element
        )
    return element  # fmt: skip


def _below(**options: Any) -> Authority:
    """An authority whose issuer stands below the first one's root and travels in the token."""
    root = authority(FIRST).root
    between = certify("between", key("between"), root, ca=True, **options)
    signer = certify("low signer", key("low signer"), between, stamping=True)
    return Authority(FIRST, root, signer, (between,))


def _between(maker: Authority) -> Issuer:
    return maker.travelling[0]


def _usage(*, lists: bool) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    rights = [False, False, False, False, False, True, lists, False, False]
    return ((x509.KeyUsage(*rights), True),)


def _revoked_between(maker: Authority) -> dict[str, Any]:
    date: datetime = STAMPED - timedelta(days=1)
    entry = (_between(maker).certificate, date, _REASON.cessation_of_operation)
    return collected(revocation_list(_between(maker)), revocation_list(maker.root, entry))


INTERMEDIATE: list[tuple[str, str, dict[str, Any], Make]] = [
    (
        "list: by an issuer that may not sign lists",
        "invalid",
        {"extensions": _usage(lists=False)},
        lambda m: collected(revocation_list(_between(m))),
    ),
    (
        "list: by an issuer two steps above, under the name of the one between",
        "invalid",
        {"extensions": _usage(lists=True)},
        lambda m: collected(revocation_list(_between(m), signer=m.root)),
    ),
    ("revoked: the issuer between, before the stamp", "untrusted", {}, _revoked_between),
]
