"""Forged renewals, and genuine ones that come too late or from the wrong ones (checks 0.1, 0.2, 2.1, 4.5)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from evidence_service.core import canonical, renewal
from tests.forgeries.keys import Authority, authority
from tests.forgeries.renewing import MIDDLE_ENDS, SHA3_512, Renewing, collected, day, imprint_of, until
from tests.forgeries.world import (
    FIRST,
    SECOND,
    Case,
    World,
    built,
    first_version,
    old_evidence,
    old_makers,
    renewed_value,
    usual_renewals,
    usual_value,
    voucher,
)

Change = Callable[[dict[str, Any]], Any]
Reshape = Callable[[dict[str, Any]], dict[str, Any]]


def cases(world: World) -> Iterator[Case]:
    """Every forgery of this kind."""
    trust = world.trust(json.loads(renewed_value()))
    for name, number, change in CHANGED:
        value = json.loads(renewed_value())
        change(value)
        yield _case(name, trust, value, number, _verdict(number))
    for name, number, reshape in RESHAPED:
        yield _case(name, trust, reshape(json.loads(renewed_value())), number, _verdict(number))
    for name, renewals in FORGED:
        yield _case(name, trust, _renewed(renewals), "4.5", "invalid")
    for name, renewals in UNTRUSTED:
        yield _case(name, trust, _renewed(renewals), "4.5", "untrusted")
    yield _demonstration(world)


def _case(name: str, trust: bytes, value: dict[str, Any], number: str | None, verdict: str) -> Case:
    return Case(name, trust, bundle=built(value), now=day(1100), refused_by=number, verdict=verdict)


def _verdict(number: str) -> str:
    return {"0.1": "over_limit", "0.2": "unsupported"}.get(number, "invalid")


@cache
def _old_value() -> str:
    """Old evidence before it is renewed."""
    return json.dumps(old_evidence().value())


def _renewed(renewals: tuple[Renewing, ...]) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(_old_value())
    for item in renewals:
        item.renew(value)
    return value


def _first(**members: Any) -> tuple[Renewing, ...]:
    return (replace(usual_renewals()[0], **members),)


def _second(**members: Any) -> tuple[Renewing, ...]:
    return (usual_renewals()[0], replace(usual_renewals()[1], **members))


def _document(value: dict[str, Any], position: int = 0, **members: Any) -> None:
    value["renewals"][position]["document"].update(members)


def _inclusion(value: dict[str, Any], position: int = 0, **members: Any) -> None:
    value["renewals"][position]["inclusion"].update(members)


def _other_tokens(value: dict[str, Any]) -> None:
    """The renewed tokens are exchanged for those of other authorities' signers, genuine as well."""
    value["timestamps"][0] = json.loads(usual_value())["timestamps"][0]
    value["renewals"].pop()


def _token_added(value: dict[str, Any]) -> None:
    value["timestamps"].append(json.loads(usual_value())["timestamps"][0])


def _of_another(value: dict[str, Any]) -> None:
    """The renewal of other evidence, genuine in itself."""
    other = old_evidence(salt=bytes([9]) * 32, renewals=usual_renewals()[:1]).value()
    value["renewals"] = other["renewals"]


def _shifted(value: dict[str, Any]) -> None:
    value["renewals"][0]["timestamps"][0]["token"] = value["renewals"][1]["timestamps"][0]["token"]


def _kinds_swapped(value: dict[str, Any]) -> None:
    """Each is said to be what the other is; trees and tokens stay."""
    first, second = (item["document"] for item in value["renewals"])
    first.update(kind="hash_tree", suite="sha3-256-rfc9162")
    second.update(kind="timestamp")


def _fact_dropped(value: dict[str, Any]) -> None:
    value["timestamps"][0]["revocation"] = collected()


def _sizes(value: dict[str, Any]) -> None:
    _document(value, size=9)
    _inclusion(value, size=9)


def _wrong_leaf(value: dict[str, Any]) -> None:
    """A forger's own document whose leaf lacks its prefix; it is not stamped, but the tree comes first."""
    item = value["renewals"][0]
    entry = renewal.entry(renewal.covered(value, "timestamp", []), bytes.fromhex(value["salt"]))
    item["document"].update(size=1, root=hashlib.sha256(entry).hexdigest())
    item["inclusion"] = {"index": 0, "size": 1, "path": []}
    value["renewals"].pop()


def _later_bundle(value: dict[str, Any]) -> dict[str, Any]:
    return {**value, "format": "evidence-bundle/3"}


def _in_first_version(value: dict[str, Any]) -> dict[str, Any]:
    return {**first_version(value), "renewals": value["renewals"]}


def _lists_in_first_version(value: dict[str, Any]) -> dict[str, Any]:
    return {**first_version(value), "timestamps": value["timestamps"]}


def _attested_early(value: dict[str, Any]) -> None:
    value.update(batch_header=None, inclusion=None, anchors=[])


def _without(name: str) -> Reshape:
    return lambda value: {member: item for member, item in value.items() if member != name}


RESHAPED: list[tuple[str, str, Reshape]] = [
    ("version 2: a later version", "0.2", _later_bundle),
    ("version 2: renewals in version 1", "2.1", _in_first_version),
    ("version 2: revocation lists in version 1", "2.1", _lists_in_first_version),
    ("version 2: said to be version 1", "2.1", lambda v: {**v, "format": "evidence-bundle/1"}),
    ("version 2: without renewals", "2.1", _without("renewals")),
    ("version 2: without attestations", "2.1", _without("attestations")),
]  # fmt: skip

CHANGED: list[tuple[str, str, Change]] = [
    ("version 2: a renewal document of a later version", "0.2", lambda v: _document(v, format="evidence-renewal/2")),
    ("version 2: a token without its revocation", "2.1", lambda v: v["timestamps"][0].pop("revocation")),
    ("version 2: lists that are absent and there", "2.1", lambda v: v["timestamps"][0]["revocation"].update(why="x")),
    ("version 2: absent without a cause", "2.1", lambda v: v["timestamps"][0].update(revocation={"status": "absent"})),
    ("version 2: absent for an empty cause", "2.1", lambda v: v["timestamps"][0].update(revocation={"status": "absent", "why": ""})),
    ("version 2: collected, but no list", "2.1", lambda v: v["timestamps"][0].update(revocation={"status": "collected", "crls": []})),
    ("version 2: attestation of a kind nobody knows", "2.1", lambda v: v["attestations"][0].update(kind="hearsay")),
    ("version 2: attestation of the manifest", "2.1", lambda v: v["attestations"][0].update(of="manifest")),
    ("version 2: attestation without a batch header", "2.1", _attested_early),
    ("version 2: too many attestations", "0.1", lambda v: v.update(attestations=v["attestations"] * 6)),
    ("version 2: too many renewals", "0.1", lambda v: v.update(renewals=v["renewals"] * 11)),
    ("version 2: a renewal with too many tokens", "0.1", lambda v: v["renewals"][0].update(timestamps=v["renewals"][0]["timestamps"] * 11)),
    ("version 2: a renewal without tokens", "2.1", lambda v: v["renewals"][0].update(timestamps=[])),
    ("version 2: a renewal document with a note", "2.1", lambda v: _document(v, note="x")),
    ("version 2: a renewal of an empty tree", "2.1", lambda v: _document(v, size=0)),
    ("version 2: a hash-tree renewal with SHA-256", "2.1", lambda v: _document(v, 1, suite="sha256-rfc9162")),
    ("renewal: over other tokens", "4.5", _other_tokens),
    ("renewal: a token added to those it is over", "4.5", _token_added),
    ("renewal: a collected list dropped afterwards", "4.5", _fact_dropped),
    ("renewal: an anchor dropped afterwards", "4.5", lambda v: v.update(anchors=[])),
    ("renewal: of other evidence", "4.5", _of_another),
    ("renewal: index moved", "4.5", lambda v: _inclusion(v, index=2)),
    ("renewal: index outside", "4.5", lambda v: _inclusion(v, index=5)),
    ("renewal: size of the proof exchanged", "4.5", lambda v: _inclusion(v, size=6)),
    ("renewal: size of the document exchanged", "4.5", lambda v: _document(v, size=6)),
    ("renewal: size exchanged everywhere", "4.5", _sizes),
    ("renewal: path too short", "4.5", lambda v: v["renewals"][0]["inclusion"]["path"].pop()),
    ("renewal: path too long", "4.5", lambda v: v["renewals"][0]["inclusion"]["path"].append("00" * 32)),
    ("renewal: sibling exchanged", "4.5", lambda v: v["renewals"][0]["inclusion"]["path"].__setitem__(0, "00" * 32)),
    ("renewal: root exchanged", "4.5", lambda v: _document(v, root="11" * 32)),
    ("renewal: suite exchanged", "4.5", lambda v: _document(v, suite="sha3-256-rfc9162")),
    ("renewal: leaf hashed without its prefix", "4.5", _wrong_leaf),
    ("renewal: kinds swapped", "4.5", _kinds_swapped),
    ("renewal: tokens of another renewal", "4.5", _shifted),
    ("renewal: token is nonsense", "4.5", lambda v: v["renewals"][0]["timestamps"][0].update(token="AAAA")),
    ("renewal: the earlier one removed", "4.5", lambda v: v["renewals"].pop(0)),
    ("renewal: order reversed", "4.5", lambda v: v["renewals"].reverse()),
    ("renewal: the same one twice", "4.5", lambda v: v["renewals"].append(v["renewals"][1])),
]  # fmt: skip

_NEW = (authority(FIRST), authority(SECOND, "rsa2048", "sha512"))


def _plain_leaf() -> bytes:
    """What a hash-tree renewal would cover if it left the anchors out."""
    value = json.loads(_old_value())
    names = ("manifest", "salt", "batch_header", "inclusion", "timestamps")
    return canonical.encode({**{name: value[name] for name in names}, "renewals": []})


FORGED: list[tuple[str, tuple[Renewing, ...]]] = [
    ("renewal: dated before what it renews", _second(at=day(299))),
    ("renewal: dated before the first time stamps", _first(at=day(-1))),
    ("renewal: over part of what its kind covers", (Renewing(_NEW, day(300), kind="hash_tree", covered=_plain_leaf()),)),
    ("renewal: imprint of SHA3-512 for time stamps", _first(info={"message_imprint": imprint_of(SHA3_512, bytes(64))})),
    ("renewal: imprint of SHA-512 for a hash tree", _second(info={"message_imprint": imprint_of("sha512", bytes(64))})),
    ("renewal: imprint of other data", _first(info={"message_imprint": imprint_of("sha512", bytes(64))})),
    ("renewal: imprint of SHA-256", _first(info={"message_imprint": imprint_of("sha256", bytes(32))})),
]  # fmt: skip


def _stranger() -> Authority:
    return authority("Stranger")


UNTRUSTED: list[tuple[str, tuple[Renewing, ...]]] = [
    ("renewed: after the time stamps had ended", _first(at=day(366), makers=_NEW)),
    ("renewed: a second time, after the first had ended", _second(at=day(1001))),
    ("renewed: by one authority alone", _first(makers=_NEW[:1])),
    ("renewed: by one authority twice", _first(makers=(_NEW[0], until(FIRST, "p256", "sha256", MIDDLE_ENDS)))),
    ("renewed: by strangers", _first(makers=(_stranger(), authority("Stranger two")))),
    ("renewed: by one that is trusted and a stranger", _first(makers=(_NEW[0], _stranger()))),
    ("renewed: by authorities that had ended", _first(at=day(366), makers=old_makers())),
    ("renewed: a second time by strangers", _second(makers=(_stranger(), authority("Stranger two")))),
]  # fmt: skip


def _demonstration(world: World) -> Case:
    """One of those who renewed is a demonstration: so is the whole."""
    value = json.loads(renewed_value())
    demonstrating = authority("Demonstrating")
    value["renewals"].pop()
    Renewing((*_NEW, demonstrating), day(900), kind="hash_tree").renew(value)
    trusted = [
        voucher(FIRST, authority(FIRST).root.der),
        voucher(SECOND, authority(SECOND, "rsa2048", "sha512").root.der),
        voucher("Demonstrating", demonstrating.root.der, demonstration=True),
    ]
    trust = world.trust(value, authorities={"minimum": 2, "trusted": trusted})
    return _case("renewed: by a demonstration as well", trust, value, None, "demonstration")
