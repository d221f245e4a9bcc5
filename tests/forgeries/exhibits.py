"""Exhibit packages of a world of our own: one that is genuine, and everything that can be done to it.

A careless forger changes a file; a careful one makes the unsigned list and the sums fit again.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evidence_service.core import exhibit
from evidence_service.core.digest import digest_of
from tests.forgeries.world import Evidence, World, built, event

FOLDER = "evidence/evidence-0001/"
ORIGINAL, MASKED = b"<html>sold by Jane Doe</html>", b"<html>sold by xxxxxxxx</html>"
FILES = {"dom.html": ORIGINAL, "note.txt": b"a note", "page.pdf": b"%PDF-1.7 of the page"}
Members = dict[str, bytes]
Forge = Callable[[Members], object]


def redactions(**changes: Any) -> bytes:
    """What is stated of the usual evidence; a change is of a member of the masked file."""
    masked = {
        "kind": "masked_text",
        "path": "dom.html",
        **exhibit.digests(digest_of(ORIGINAL)),
        "count": 1,
        "reason": "personal data",
        "approved_by": "counsel",
        "derivative": {"path": "redacted/dom.html", **exhibit.digests(digest_of(MASKED))},
        **changes,
    }
    withheld = {
        "kind": "withheld",
        "path": "page.pdf",
        **exhibit.digests(digest_of(FILES["page.pdf"])),
        "count": 0,
        "reason": "holds the same content",
        "approved_by": "counsel",
    }
    return exhibit.build_redactions("evidence-0001", [masked, withheld])


@dataclass
class Package:
    """A genuine exhibit.

    Attributes:
        members: its files but the list and the sums.
    """

    trust: bytes
    members: Members = field(default_factory=dict)
    manifest_sha256: str = ""


def genuine(world: World) -> Package:
    """One piece of evidence with an original, a derivative and a file withheld, certificate included."""
    value = Evidence(files=dict(FILES)).value()
    package = Package(world.trust(value))
    package.members[FOLDER + "certificate-EP-2026-000001.pdf"] = world.sealed(built(value))
    stated = redactions()
    value["custody"].append(event("redact", value["custody"][-1], 30, after=digest_of(stated).sha256.hex()))
    data = built(value)
    package.manifest_sha256 = value["custody"][value["manifest"]["custody"]["events"]]["after"]
    package.members |= {
        FOLDER + "bundle.json": data,
        FOLDER + "files/note.txt": FILES["note.txt"],
        FOLDER + "redacted/dom.html": MASKED,
        FOLDER + "redactions.json": stated,
        "index.html": b"<html></html>",
        "trust.json": package.trust,
    }
    return package


def finished(package: Package, members: Members, **changes: Any) -> Members:
    """The members with a list and sums that fit them; a change is of the list."""
    roles = {"bundle.json": "bundle", "redactions.json": "redactions"}
    listed = {
        "exhibit_id": "ex-00000001",
        "made_at": "2026-03-04T05:06:07.000Z",
        "tool": "evidence-service",
        "audience": "court",
        "recipient": "Landgericht",
        "purpose": "",
        "evidence": [{"evidence_id": "evidence-0001", "manifest_sha256": package.manifest_sha256}],
        "files": [
            {
                "path": name,
                "role": roles.get(name.rsplit("/", 1)[-1], "original"),
                **exhibit.digests(digest_of(data)),
            }
            for name, data in members.items()
        ],
        **changes,
    }
    found = {**members, exhibit.LIST_NAME: exhibit.build_list(listed)}
    sums = {name: digest_of(data).sha256.hex() for name, data in found.items()}
    return {**found, exhibit.SUMS_NAME: exhibit.sums(sums)}


def restate(members: Members, change: Callable[[dict[str, Any]], object]) -> None:
    """Change ``redactions.json`` as JSON, whether or not what comes out is allowed."""
    value = json.loads(members[FOLDER + "redactions.json"])
    change(value)
    members[FOLDER + "redactions.json"] = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()


def write_zip(path: Path, members: Members) -> Path:
    """The members as a ZIP."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def write_folder(path: Path, members: Members) -> Path:
    """The members unpacked."""
    for name, data in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path
