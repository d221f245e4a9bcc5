"""A plan carried out on one piece of evidence: what of each file goes into the exhibit.

Rules (``docs/spec/exhibit.md``, section 4): text is masked; a picture is masked where an area is named; what
can neither be searched nor masked is withheld, or is in the exhibit because somebody accepted it by its name.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evidence_service.core import exhibit
from evidence_service.core.digest import Digest, Digester
from evidence_service.errors import RefusedError
from evidence_service.exhibit.content import Kind, kind_of
from evidence_service.exhibit.patterns import find_texts
from evidence_service.exhibit.pictures import mask_areas
from evidence_service.exhibit.plan import RedactionPlan
from evidence_service.exhibit.searching import MakeMasking, Masking, Needles

_CHUNK = 1 << 20
_HEAD = 16
_ALONE = frozenset({"package.wacz", "original.encrypted"})
"""Roles of files that no other file holds: leaving one out hides nothing that stands elsewhere."""
_SEALED = "holds the same content in a form that is not masked"


@dataclass(frozen=True, slots=True)
class Original:
    """A file of the manifest, and where its bytes are."""

    record: Mapping[str, Any]
    path: Path

    @property
    def name(self) -> str:
        """Its path in the manifest."""
        return str(self.record["path"])

    @property
    def digest(self) -> Digest:
        """What the manifest says it is."""
        sha256, sha3_512 = (bytes.fromhex(self.record[name]) for name in ("sha256", "sha3_512"))
        return Digest(int(self.record["size"]), sha256, sha3_512)

    @property
    def kind(self) -> Kind:
        """How it can be treated."""
        with self.path.open("rb") as reader:
            head = reader.read(_HEAD)
        return kind_of(str(self.record["media_type"]), head, int(self.record["size"]))


@dataclass(frozen=True, slots=True)
class Derivative:
    """A masked copy, kept in a scratch folder until it is stored."""

    path: Path
    digest: Digest


@dataclass(frozen=True, slots=True)
class Treated:
    """What of one file goes into the exhibit.

    Attributes:
        change: kind of the redaction; None: it goes in as it was preserved.
        derivative: what goes in instead; None when it is withheld.
        searched: whether no masked text can be in it unseen.
    """

    original: Original
    kind: Kind
    change: str | None = None
    derivative: Derivative | None = None
    count: int = 0
    reason: str = ""
    searched: bool = True


@dataclass(slots=True)
class Redaction:
    """A plan carried out on one piece of evidence.

    Attributes:
        hides: whether other files, and the certificate, may show what it hides.
        unresolved: members that would still show, or might show, what is masked; why, by name.
    """

    evidence_id: str
    hides: bool
    files: list[Treated] = field(default_factory=list)
    unresolved: dict[str, str] = field(default_factory=dict)

    def document(self, approved_by: str) -> bytes | None:
        """``redactions.json``; None when everything is as it was preserved."""
        changes = [_change(item, approved_by) for item in self.files if item.change is not None]
        return exhibit.build_redactions(self.evidence_id, changes) if changes else None

    def count(self, *kinds: str) -> int:
        """Files that were treated so."""
        return sum(item.change in kinds for item in self.files)


def needles_of(plan: RedactionPlan, originals: Iterable[Original], make: MakeMasking) -> Needles:
    """Everything the plan says in words, and everything its patterns find in text of any of the files."""
    texts, patterns = set(plan.texts()), list(plan.patterns())
    if patterns:
        for item in originals:
            if item.kind == "text":
                texts |= find_texts(item.path, patterns)
    return Needles(texts, make)


def hides(plan: RedactionPlan, evidence_id: str, originals: Iterable[Original]) -> bool:
    """Whether the plan is to hide something that another file of this evidence may show as well."""
    return plan.masks or any(
        item.record["role"] not in _ALONE and plan.withholds(evidence_id, item.name) is not None
        for item in originals
    )


def carry_out(
    plan: RedactionPlan, evidence_id: str, originals: Sequence[Original], needles: Needles, scratch: Path
) -> Redaction:
    """Treat every file of a piece of evidence.

    Args:
        scratch: folder that derivatives are written to.

    Raises:
        RefusedError: the plan asks for what cannot be done.
    """
    found = Redaction(evidence_id, hides(plan, evidence_id, originals))
    for number, original in enumerate(originals):
        target = scratch / f"{evidence_id}-{number}"
        treated = _treat(plan, found, original, needles, target)
        found.files.append(treated)
        if treated.change is None and treated.kind == "picture" and found.hides:
            found.unresolved[original.name] = "a picture: mask an area of it, withhold it, or accept it"
        elif treated.change != exhibit.WITHHELD and _still_shows(treated, needles):
            found.unresolved[original.name] = "shows what is masked in a form that cannot be masked"
    return found


def _treat(
    plan: RedactionPlan, redaction: Redaction, original: Original, needles: Needles, target: Path
) -> Treated:
    name, kind, evidence_id = original.name, original.kind, redaction.evidence_id
    why = plan.withholds(evidence_id, name)
    areas, reason = plan.areas_of(evidence_id, name)
    if why is not None:
        return Treated(original, kind, exhibit.WITHHELD, reason=why)
    if areas:
        with original.path.open("rb") as reader:
            data = mask_areas(reader, areas, name)
        derivative = _written(target, (data,))
        return Treated(original, kind, exhibit.MASKED_AREAS, derivative, len(areas), reason, searched=False)
    if kind == "text" and needles:
        return _masked(plan, original, needles.masking, target)
    accepted = plan.accepts(*names_of(exhibit.folder_of(evidence_id) + exhibit.ORIGINALS + name))
    if kind == "container" and redaction.hides and not accepted:
        return Treated(original, kind, exhibit.WITHHELD, reason=_SEALED)
    return Treated(original, kind, searched=kind in ("text", "certificates"))


def _masked(plan: RedactionPlan, original: Original, masking: Masking, target: Path) -> Treated:
    places = 0

    def count() -> None:
        nonlocal places
        places += 1

    with original.path.open("rb") as reader:
        pieces = iter(lambda: reader.read(_CHUNK), b"")
        derivative = _written(target, masking.mask_stream(pieces, count))
    if not places:
        target.unlink()
        return Treated(original, "text")
    _check_json(original, derivative)
    reasons = dict.fromkeys((*plan.texts().values(), *plan.patterns().values()))
    return Treated(
        original, "text", exhibit.MASKED_TEXT, derivative, places, "; ".join(reasons)[:400], searched=True
    )


def _check_json(original: Original, derivative: Derivative) -> None:
    """What was JSON stays JSON, or nobody can read the derivative."""
    if original.record["media_type"] != "application/json" or not _is_json(original.path):
        return
    if not _is_json(derivative.path):
        raise RefusedError(
            f"{original.name} cannot be masked without tearing its JSON apart",
            what_to_do="give the text with other surroundings, or withhold the file",
        )


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return True


def _written(target: Path, pieces: Iterable[bytes]) -> Derivative:
    digester = Digester()
    with target.open("wb") as writer:
        for data in pieces:
            writer.write(data)
            digester.update(data)
    return Derivative(target, digester.digest())


def _still_shows(treated: Treated, needles: Needles) -> bool:
    if not needles or not treated.searched:
        return False
    path = treated.original.path if treated.derivative is None else treated.derivative.path
    with path.open("rb") as reader:
        return needles.survives(reader)


def _change(treated: Treated, approved_by: str) -> dict[str, Any]:
    record = treated.original.record
    change = {
        "kind": treated.change,
        "path": record["path"],
        **{name: record[name] for name in ("size", "sha256", "sha3_512")},
        "count": treated.count,
        "reason": treated.reason,
        "approved_by": approved_by,
    }
    if treated.derivative is not None:
        path = exhibit.derivative_path(record["path"])
        change["derivative"] = {"path": path, **exhibit.digests(treated.derivative.digest)}
    return change


def names_of(member: str) -> tuple[str, ...]:
    """What a member may be called where it is accepted; parts of the bundle are accepted with it."""
    if not member.startswith("evidence/"):
        return (member,)
    inside = member.split("/", 2)[2]
    if inside.startswith("proofs/"):
        return member, inside, exhibit.BUNDLE_NAME
    if inside.startswith("certificate-"):
        return member, inside, "certificate"
    return member, inside, inside.removeprefix(exhibit.ORIGINALS)
