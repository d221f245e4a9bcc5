"""The files of an exhibit: what of the evidence goes in, and what is written about it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence_service.core import bundle, document, exhibit, manifest
from evidence_service.core.digest import digest_of
from evidence_service.errors import ConflictError
from evidence_service.exhibit import guide
from evidence_service.exhibit.archive import Member
from evidence_service.exhibit.archive import document as member
from evidence_service.exhibit.redaction import Original, Redaction
from evidence_service.exhibit.searching import Needles
from evidence_service.service.bundles import assemble
from evidence_service.service.parts import Parts
from evidence_service.store.exhibits import Exhibit
from evidence_service.verify import policy

_MOST_CERTIFICATES = 40
"""As many as stand beside a bundle within the verifier's limit (docs/spec/exhibit.md, section 7)."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """One piece of evidence as it goes into an exhibit.

    Attributes:
        certificates: released ones, by their names in its folder.
    """

    evidence_id: str
    redaction: Redaction
    certificates: Mapping[str, Member]


def manifest_of(parts: Parts, evidence_id: str) -> dict[str, Any]:
    """The sealed manifest.

    Raises:
        NotFoundError, ConflictError: no such evidence, or it is not sealed yet.
    """
    evidence = parts.records.evidence(evidence_id)
    if evidence.manifest is None:
        raise ConflictError(
            f"evidence {evidence_id} has no manifest yet: {evidence.progress}",
            what_to_do="wait until it is captured and sealed",
        )
    value: dict[str, Any] = json.loads(evidence.manifest)
    return value


def originals(parts: Parts, evidence_id: str, opened: ExitStack) -> list[Original]:
    """Its files, each hashed again.

    Args:
        opened: for as long as it is open, the files are there.

    Raises:
        NotFoundError, MismatchError: the store has not what was preserved.
        ConflictError: its bytes were never here.
    """
    found = []
    for item in manifest_of(parts, evidence_id)["files"]:
        if item["role"] == manifest.STATED:
            raise ConflictError(
                f"of evidence {evidence_id} the digest alone was registered",
                what_to_do="give the proof bundle beside your own file",
            )
        path = opened.enter_context(parts.objects.open(bytes.fromhex(item["sha256"])))
        found.append(Original(item, path))
    return found


def redactions_of(parts: Parts, evidence_id: str) -> list[bytes]:
    """SHA-256 of every document on what was masked or withheld of it, as its custody log names them."""
    events = parts.records.custody(evidence_id)
    return [bytes.fromhex(event["after"]) for event in events if event["action"] == "redact"]


def certificates(parts: Parts, evidence_id: str, opened: ExitStack) -> dict[str, Member]:
    """Its current certificates, one of each edition, by their names; ``opened`` as for originals.

    Raises:
        NotFoundError: none is current, or the store has one not.
    """
    parts.certificates.of_evidence(evidence_id)
    folder, found = exhibit.folder_of(evidence_id), {}
    for item in parts.certificates.find(evidence_id=evidence_id, status="released", limit=_MOST_CERTIFICATES):
        sha256, name = item.sha256 or b"", f"certificate-{item.number}.pdf"
        path = opened.enter_context(parts.objects.open(sha256))
        digest = parts.objects.check(sha256)
        found[name] = Member(folder + name, "certificate", digest, path, searched=False)
    return found


def members(
    parts: Parts, order: Exhibit, prepared: Sequence[Prepared], approved_by: str, needles: Needles
) -> list[Member]:
    """Every file of the exhibit but its list and sums, with the custody logs as they are now."""
    about = described(parts, order)
    found = [member("trust.json", "policy", _policy(parts))]
    guides: list[guide.Part] = []
    addresses: dict[str, str] = {}
    for item in prepared:
        data = assemble(parts, item.evidence_id)
        value = bundle.parse(data)
        manifest_bytes = bundle.manifest_bytes(value)
        subject = value["manifest"]["subject"]
        address = subject["final_url"] or subject["requested_url"] or "–"
        addresses[item.evidence_id] = needles.masking.mask_text(address)
        guides.append(guide.Part(value, manifest_bytes, item.redaction, sorted(item.certificates)))
        folder = exhibit.folder_of(item.evidence_id)
        found.append(member(folder + exhibit.BUNDLE_NAME, "bundle", data))
        found += [member(folder + name, "proof", part) for name, part in guide.proofs(value).items()]
        redactions = item.redaction.document(approved_by)
        if redactions is not None:
            found.append(member(folder + exhibit.REDACTIONS_NAME, "redactions", redactions))
        found += item.certificates.values()
        found += _files(folder, item.redaction)
    found += guide.roots(parts.issuing.policy)
    found += guide.instructions(about, guides)
    found.append(guide.index(about, guides, addresses))
    return found


def _files(folder: str, redaction: Redaction) -> Iterator[Member]:
    for item in redaction.files:
        if item.change == exhibit.WITHHELD:
            continue
        if item.derivative is not None:
            name = folder + exhibit.derivative_path(item.original.name)
            yield Member(
                name, "derivative", item.derivative.digest, item.derivative.path, searched=item.searched
            )
        else:
            name = folder + exhibit.ORIGINALS + item.original.name
            yield Member(name, "original", item.original.digest, item.original.path, searched=item.searched)


def _policy(parts: Parts) -> bytes:
    """The issuer's own policy, as a file."""
    trust_file = parts.issuing.trust_file
    return (trust_file or Path(policy.__file__).with_name("trust.json")).read_bytes()


def described(parts: Parts, order: Exhibit) -> dict[str, Any]:
    """What ``exhibit.json`` says beside its list of files."""
    manifests = {item: parts.records.evidence(item).manifest or b"" for item in order.evidence}
    return {
        "exhibit_id": order.id,
        "made_at": document.format_time(order.ordered_at),
        "tool": parts.tool,
        "audience": order.audience,
        "recipient": order.recipient,
        "purpose": order.purpose,
        "evidence": [
            {"evidence_id": name, "manifest_sha256": digest_of(data).sha256.hex()}
            for name, data in manifests.items()
        ],
    }
