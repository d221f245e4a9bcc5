"""Sealed certificates of every edition, of records of every kind, in a world of their own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from evidence_service.certificate.render import render
from evidence_service.core import bundle
from tests.forgeries.keys import authority
from tests.forgeries.world import FIRST, World, usual_manifest
from tests.sealing import sealed_at
from tests.unit.certificate.certified import (
    Files,
    capture,
    facts_of,
    judged,
    png,
    upload,
    whole_record,
)

LEVEL = "PAdES B-LTA"
FINDINGS = (
    "error wacz.resource_hash (archive/data.warc.gz): the declared digest is another",
    "warning warc.record_length (archive/data.warc.gz): a record is longer than it says",
)

Record = tuple[dict[str, Any], Files]
"""Members of a manifest that differ from the usual, and the files it lists."""


@dataclass(frozen=True)
class Made:
    """A sealed certificate and what is needed to judge it.

    Attributes:
        trust: trust file that knows those who made it.
        roots: DER certificates of those who issue seals and time stamps.
        attached: names of the files that have to be in it.
    """

    edition: str
    kind: str
    pdf: bytes
    number: str
    trust: bytes
    roots: tuple[bytes, ...]
    attached: frozenset[str]


def _capture() -> Record:
    return capture(), whole_record()


def _login() -> Record:
    changes = capture()
    tool = {**changes["tool"], "login_state": "a login state was used; hosts: shop.example"}
    return {**changes, "tool": tool}, whole_record() | {"redaction.json": ("redaction", b"{}")}


def _tunnel() -> Record:
    return {**capture(), "egress": {"mode": "tunnel", "exceptions": []}}, whole_record()


def _demonstration() -> Record:
    return {**capture(), "purpose": "demonstration"}, whole_record()


def _blocked() -> Record:
    outcome = {"status": "blocked", "reasons": ["the server answered with status 403"]}
    changes = capture({}, outcome=outcome)
    kept = ("certificates.pem", "actions.jsonl", "environment.json", "exchanges.json")
    files = {path: file for path, file in whole_record().items() if path in kept}
    return {**changes, "subject": {**changes["subject"], "http_status": 403}}, files


def _digest() -> Record:
    return {**upload(), "kind": "digest"}, {"catalogue.pdf": ("digest", b"never seen by anybody here")}


def _uploaded(*reasons: str) -> Record:
    examination = json.dumps({"findings": list(reasons)}).encode()
    changes = upload(*reasons)
    words = f"{len(reasons)} findings" if reasons else "nothing wrong found"
    return {**changes, "tool": {**changes["tool"], "examination": f"examined as png: {words}"}}, {
        "photo of the box.png": ("upload", png(640, 480)),
        "examination.json": ("examination", examination),
    }


KINDS: dict[str, Callable[[], Record]] = {
    "capture": _capture,
    "login": _login,
    "tunnel": _tunnel,
    "demonstration": _demonstration,
    "blocked": _blocked,
    "digest": _digest,
    "upload": _uploaded,
    "upload with findings": lambda: _uploaded(*FINDINGS),
}


@cache
def _world() -> World:
    return World(Path(tempfile.mkdtemp(prefix="certificates-")))


def made(edition: str, kind: str) -> Made:
    """A certificate sealed at level B-LTA.

    Args:
        edition: code, e.g. ``cn:en+zh``.
        kind: of the record, one of :data:`KINDS`.
    """
    changes, files = KINDS[kind]()
    changes = {"purpose": usual_manifest()["purpose"], **changes}
    found = judged(changes, files)
    facts = facts_of(found, files, edition)
    world, first = _world(), authority(FIRST)
    # Sealed now, whenever the evidence is from: other people's judges know no other time.
    now = datetime.now(UTC).replace(microsecond=0)
    stamps = [(first, now), (first, now)]
    pdf = sealed_at(render(facts), world.issuer.key, LEVEL, world.issuer.root, first.root, stamps=stamps)
    return Made(
        edition,
        kind,
        pdf,
        facts.values["number"],
        world.trust(bundle.parse(found[1])),
        (world.issuer.root.der, first.root.der),
        frozenset({*facts.attachments, "verify.txt"}),
    )
