"""Digests whose time is proved through the batch, forged (checks 3.1, 4.1 to 4.5)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

from cryptography import x509

from evidence_service.core import canonical, document, manifest
from tests.forgeries.chain import text
from tests.forgeries.keys import Authority, authority, later
from tests.forgeries.renewing import MIDDLE_ENDS, Renewing, day, revocation_list, until
from tests.forgeries.world import (
    FIRST,
    SECOND,
    Case,
    Evidence,
    World,
    built,
    old_evidence,
    old_makers,
    rechain,
    usual_value,
    voucher,
)

Value = dict[str, Any]
MAKERS = (authority(FIRST), authority(SECOND, "rsa2048", "sha512"))
STRANGERS = (authority("Stranger"), authority("Stranger two"))


def cases(world: World) -> Iterator[Case]:
    """Every forgery of this kind, and bundles that are not finished though others like them are."""
    for name, number, verdict, value in _values():
        trust = world.trust(value)
        yield Case(
            f"through the batch: {name}", trust, bundle=built(value), refused_by=number, verdict=verdict
        )
    yield _demonstration(world)
    for name, number, verdict, renewals in RENEWED:
        value = old_digest(renewals=renewals).value()
        yield Case(
            f"through the batch: {name}",
            world.trust(value),
            bundle=built(value),
            now=day(1100),
            refused_by=number,
            verdict=verdict,
        )


def digest_evidence(*makers: Authority, **options: Any) -> Evidence:
    """A registered digest that has no time stamp but those over the header of its batch."""
    stamping = tuple((maker, "batch_header") for maker in makers or MAKERS)
    changes = {**options.pop("manifest", {}), "kind": "digest"}
    return Evidence(**{"stamping": stamping, "manifest": changes, **options})


def old_digest(**options: Any) -> Evidence:
    """The same with time stamps that end after a year; to be renewed."""
    evidence = digest_evidence(*old_makers())
    return old_evidence(**{"stamping": evidence.stamping, "manifest": evidence.manifest, **options})


@cache
def digest_value() -> str:
    """A genuine one as JSON text."""
    return json.dumps(digest_evidence().value())


def _values() -> Iterator[tuple[str, str, str, Value]]:
    for name, number, verdict, change in CHANGED:
        value = json.loads(digest_value())
        change(value)
        yield name, number, verdict, value
    for name, number, verdict, evidence in MADE:
        yield name, number, verdict, evidence.value()
    for kind in ("platform_capture", "upload"):
        yield f"a relabelled {kind}", "3.1", "invalid", _relabelled(kind)


def _relabelled(kind: str) -> Value:
    """Evidence whose own time stamps are dropped and which is called a digest, custody chained again."""
    value: Value = Evidence(manifest={"kind": kind}).value()
    value["timestamps"] = [item for item in value["timestamps"] if item["of"] == "batch_header"]
    value["manifest"]["kind"] = "digest"
    rechain(value)
    return value


@cache
def _other() -> str:
    """Another digest in another batch, genuine as well."""
    return json.dumps(digest_evidence(files={"other.pdf": b"other"}, salt=bytes(32), leaves=9).value())


def _take(*names: str) -> Callable[[Value], None]:
    """Exchange members for those of the other one."""

    def change(value: Value) -> None:
        other = json.loads(_other())
        value.update({name: other[name] for name in names})

    return change


def _own(*makers: Authority, data: bytes | None = None) -> Callable[[Value], None]:
    """Add time stamps of its own, over the manifest or other data."""

    def change(value: Value) -> None:
        imprint = manifest.stamped_digest(data or canonical.encode(value["manifest"]))
        absent = {"status": "absent", "why": "none was asked for"}
        value["timestamps"][:0] = [
            {"of": "manifest", "token": text(maker.token(imprint, later(seconds=30))), "revocation": absent}
            for maker in makers
        ]

    return change


def _without_batch(value: Value) -> None:
    value.update(inclusion=None, batch_header=None, anchors=[])


def _swapped(value: Value) -> None:
    """The manifest of a digest that nobody registered."""
    value["manifest"]["files"][0]["sha256"] = "00" * 32
    rechain(value)


def _said_to_be_own(value: Value) -> None:
    for item in value["timestamps"]:
        item["of"] = "manifest"


CHANGED: list[tuple[str, str, str, Callable[[Value], Any]]] = [
    ("time stamps of another batch", "4.1", "invalid", _take("timestamps")),
    ("header and time stamps of another batch", "3.1", "invalid", _take("timestamps", "batch_header", "anchors")),
    ("batch, proof and time stamps of another digest", "3.1", "invalid",
     _take("timestamps", "batch_header", "anchors", "inclusion", "salt")),
    ("index moved", "3.1", "invalid", lambda v: v["inclusion"].update(index=1)),
    ("sibling exchanged", "3.1", "invalid", lambda v: v["inclusion"]["path"].__setitem__(0, "00" * 32)),
    ("salt exchanged", "3.1", "invalid", lambda v: v.update(salt="00" * 32)),
    ("one that is not in the batch", "3.1", "invalid", _swapped),
    ("time stamps said to be its own", "4.1", "invalid", _said_to_be_own),
    ("a time stamp that is nonsense", "4.1", "invalid", lambda v: v["timestamps"][1].update(token="AAAA")),
    ("one authority alone", "4.2", "untrusted", lambda v: v["timestamps"].pop()),
    ("one authority twice", "4.2", "untrusted", lambda v: v["timestamps"].__setitem__(1, v["timestamps"][0])),
    ("own time stamps by strangers", "4.2", "untrusted", _own(*STRANGERS)),
    ("one own time stamp, the other over the batch", "4.2", "untrusted", _own(MAKERS[0])),
    ("own time stamps over other data", "4.1", "invalid", _own(*MAKERS, data=b"other")),
    ("header stamped, no time stamp in the bundle", "4.1", "pending", lambda v: v.update(timestamps=[])),
    ("time stamps over a header that is not there", "4.1", "pending", _without_batch),
]  # fmt: skip


def _before_named_block() -> dict[str, Any]:
    named = {
        "status": "recorded",
        "chain_id": "1",
        "block_number": "19999999",
        "block_hash": "0x" + "77" * 32,
    }
    return {"not_before": {**named, "block_time": document.format_time(later(hours=1))}}


def _lost(maker: Authority) -> tuple[bytes, ...]:
    """The signer's key was lost, its issuer says."""
    entry = (maker.signer.certificate, later(days=1), x509.ReasonFlags.key_compromise)
    return (revocation_list(maker.root, entry, at=later(days=2)),)


def _batch_alone(kind: str, **options: Any) -> Evidence:
    made = digest_evidence(**options)
    return replace(made, manifest={**made.manifest, "kind": kind})


_HOUR = document.format_time(later(hours=1))
MADE: list[tuple[str, str, str, Evidence]] = [
    ("registered an hour after its batch was stamped", "4.3", "invalid",
     digest_evidence(manifest={"finished_at": _HOUR}, block_at=later(hours=2))),
    ("batch closed an hour after it was stamped", "4.3", "invalid",
     digest_evidence(closed_at=later(hours=1), block_at=later(hours=1))),
    ("batch stamped before the block the manifest names", "4.3", "invalid",
     digest_evidence(manifest=_before_named_block(), block_at=later(hours=2))),
    ("batch stamped by strangers", "4.2", "untrusted", digest_evidence(*STRANGERS)),
    ("batch stamped by one that is trusted and a stranger", "4.2", "untrusted", digest_evidence(MAKERS[0], STRANGERS[0])),
    ("who stamped the batch lost the key", "4.4", "untrusted", digest_evidence(lists=_lost)),
    ("a capture, its batch alone stamped", "4.1", "pending", _batch_alone("platform_capture")),
    ("an upload, its batch alone stamped", "4.1", "pending", _batch_alone("upload")),
    # Its time stamps stand for nothing, and what they say is held against it all the same.
    ("an upload an hour after its batch was stamped", "4.3", "invalid",
     _batch_alone("upload", manifest={"finished_at": _HOUR}, blocks=())),
]  # fmt: skip

_IN_TIME = Renewing(old_makers(MIDDLE_ENDS), day(300), suite="sha256-rfc9162")
_COVERED_ELSE = canonical.encode({"timestamps": json.loads(usual_value())["timestamps"], "renewals": []})
RENEWED: list[tuple[str, str, str, tuple[Renewing, ...]]] = [
    ("renewed after its batch's time stamps had ended", "4.5", "untrusted", (replace(_IN_TIME, at=day(366)),)),
    ("renewed by strangers", "4.5", "untrusted", (replace(_IN_TIME, makers=STRANGERS),)),
    ("renewed by one authority", "4.5", "untrusted",
     (replace(_IN_TIME, makers=(until(FIRST, "p256", "sha256", MIDDLE_ENDS),)),)),
    ("renewed before its batch was stamped", "4.5", "invalid", (replace(_IN_TIME, at=later(minutes=-30)),)),
    ("renewed over other time stamps", "4.5", "invalid", (replace(_IN_TIME, covered=_COVERED_ELSE),)),
    ("renewed a second time too late", "4.5", "untrusted",
     (_IN_TIME, Renewing(MAKERS, day(365) + timedelta(days=636), kind="hash_tree"))),
]  # fmt: skip


def _demonstration(world: World) -> Case:
    """One of those who stamped its batch is a demonstration: so is the whole."""
    value = json.loads(digest_value())
    trusted = [
        voucher(FIRST, authority(FIRST).root.der),
        voucher(SECOND, authority(SECOND, "rsa2048", "sha512").root.der, demonstration=True),
    ]
    trust = world.trust(value, authorities={"minimum": 2, "trusted": trusted})
    return Case("through the batch: a demonstration", trust, bundle=built(value), verdict="demonstration")
