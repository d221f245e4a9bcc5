"""Hand over: evidence becomes one package for court or opponent, with what is masked stated and logged.

Nothing is logged, and no derivative stored, before it is known that no masked text is left anywhere; and the
package as it was written is searched and verified once more before anybody gets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from evidence_service.capture.masking import Secrets
from evidence_service.core import canonical, exhibit
from evidence_service.core.digest import digest_of
from evidence_service.errors import MismatchError, RefusedError, StorageUnavailableError
from evidence_service.exhibit.archive import Member, survivors, survivors_in, write
from evidence_service.exhibit.archive import document as member
from evidence_service.exhibit.plan import RedactionPlan, parse_plan
from evidence_service.exhibit.redaction import Treated, carry_out, names_of, needles_of
from evidence_service.exhibit.searching import Needles
from evidence_service.service.exhibit_content import (
    Prepared,
    certificates,
    described,
    manifest_of,
    members,
    originals,
)
from evidence_service.service.exhibit_storage import store_package, store_redacted
from evidence_service.service.parts import Parts
from evidence_service.service.ports import Durable
from evidence_service.service.scratch import scratch
from evidence_service.service.waiting import until_available
from evidence_service.store.custody_room import Room
from evidence_service.store.exhibits import Exhibit
from evidence_service.verify import inputs
from evidence_service.verify.report import Family
from evidence_service.verify.verifier import verify

_EVENTS = 2
"""Custody events of an exhibit: what was masked, and that it was made."""
_MOST_DETAIL = 2_000
"""Characters of a detail of a custody event (formats.md, section 11)."""
_SEALED = "sealed: what it prints and holds of the page cannot be masked"


def order_exhibit(parts: Parts, order: Exhibit) -> None:
    """Record the order of an exhibit; repeating it with the same id changes nothing.

    Raises:
        NotFoundError: no such evidence, or no certificate of it was released.
        DeletedError: its files are deleted.
        ConflictError: its manifest is not sealed yet, or its custody log has no room.
        RefusedError: the plan cannot be used, or names files that are not there.
    """
    plan = parse_plan(order.plan or {})
    parts.requests.refuse_deleted(order.evidence)
    paths = {}
    for evidence_id in order.evidence:
        paths[evidence_id] = [item["path"] for item in manifest_of(parts, evidence_id)["files"]]
        if not plan.without_certificate:
            parts.certificates.of_evidence(evidence_id)
        parts.records.check_room(evidence_id, events=_EVENTS, now=parts.now())
    plan.check_paths(paths)
    parts.exhibits.order(order)


def make_exhibit(parts: Parts, durable: Durable, exhibit_id: str) -> None:
    """The workflow of one exhibit."""
    note = partial(parts.exhibits.note_waiting, exhibit_id)
    until_available(durable, "make", lambda: build(parts, exhibit_id), note)


def note_download(parts: Parts, made: Exhibit, actor: tuple[str, str]) -> None:
    """Note in each custody log who took the package away; once for each person.

    Args:
        actor: id and role.
    """
    for evidence_id in made.evidence:
        parts.custody(
            evidence_id,
            f"copy {made.id} {actor[0]}",
            "copy",
            actor=actor,
            purpose="download of an exhibit",
            after=(made.sha256 or b"").hex(),
            detail={"exhibit": made.id},
            room=Room.OF_CALLERS,
        )


def build(parts: Parts, exhibit_id: str) -> None:
    """Make, check, store; an exhibit that was made is never made again.

    Raises:
        RefusedError: something would still show what is masked.
        MismatchError: the finished package does not hold, or a stored file does not.
        StorageUnavailableError: the disk does not take it.
    """
    order = parts.exhibits.exhibit(exhibit_id)
    if order.status != "ordered":
        return
    try:
        with scratch(parts, exhibit_id) as directory, ExitStack() as opened:
            directory.mkdir(parents=True)
            _build(parts, order, parse_plan(order.plan or {}), directory, opened)
    except OSError as error:
        raise StorageUnavailableError(f"the exhibit cannot be written: {error.strerror}") from error


def _build(parts: Parts, order: Exhibit, plan: RedactionPlan, directory: Path, opened: ExitStack) -> None:
    preserved = {evidence_id: originals(parts, evidence_id, opened) for evidence_id in order.evidence}
    every = [item for files in preserved.values() for item in files]
    needles = needles_of(plan, every, Secrets)
    prepared = [
        Prepared(
            evidence_id,
            carry_out(plan, evidence_id, files, needles, directory),
            {} if plan.without_certificate else certificates(parts, evidence_id, opened),
        )
        for evidence_id, files in preserved.items()
    ]
    approved_by = plan.approved_by or order.operator
    about = member(exhibit.LIST_NAME, "index", canonical.encode(described(parts, order)))
    before = [about, *members(parts, order, prepared, approved_by, needles)]
    _refuse_what_shows(plan, prepared, before, needles)
    accepted = needles.masking.mask_text(", ".join(plan.accepted))[:_MOST_DETAIL]
    for item in prepared:
        _record(parts, order, item, approved_by, accepted)
    package = directory / "exhibit.zip"
    # Once more: the custody logs in it know of this exhibit now.
    final = members(parts, order, prepared, approved_by, needles)
    with package.open("xb") as target:
        write(target, final, described(parts, order))
    _check_written(parts, plan, package, final, needles)
    files = [_told(item.evidence_id, treated) for item in prepared for treated in item.redaction.files]
    store_package(parts, order, package, files)


def _refuse_what_shows(
    plan: RedactionPlan, prepared: Sequence[Prepared], files: Sequence[Member], needles: Needles
) -> None:
    """Name every member that would disclose what is masked, unless it was accepted.

    Raises:
        RefusedError: there is one.
    """
    found: dict[str, str] = {}
    for item in prepared:
        folder = exhibit.folder_of(item.evidence_id)
        found |= {folder + exhibit.ORIGINALS + name: why for name, why in item.redaction.unresolved.items()}
        if item.redaction.hides:
            found |= {folder + name: _SEALED for name in item.certificates}
    # Files of the evidence were searched when they were treated; what is written about them is not yet.
    light = [item if isinstance(item.content, bytes) else replace(item, content=b"") for item in files]
    found |= dict.fromkeys(survivors(light, needles), "shows what is masked, and cannot be changed")
    left = {name: why for name, why in found.items() if not plan.accepts(*names_of(name))}
    if left:
        told = "; ".join(f"{name} ({why})" for name, why in sorted(left.items()))
        raise RefusedError(
            "the exhibit would disclose, or might disclose, what is masked: "
            # A name of a file may be what is masked.
            + needles.masking.mask_text(told),
            what_to_do="mask or withhold them, leave the certificate out, or accept each by its name",
        )


def _record(parts: Parts, order: Exhibit, item: Prepared, approved_by: str, accepted: str) -> None:
    """Store the derivatives; note redaction and handing over in the custody log. Repeatable.

    Args:
        accepted: names of what is handed over although it may show what is masked.
    """
    redactions = item.redaction.document(approved_by)
    counts = {
        "masked": str(item.redaction.count(exhibit.MASKED_TEXT, exhibit.MASKED_AREAS)),
        "withheld": str(item.redaction.count(exhibit.WITHHELD)),
    }
    if redactions is not None:
        stored = store_redacted(parts, item.evidence_id, redactions, item.redaction.files)
        parts.custody(
            item.evidence_id,
            f"redact {stored.sha256.hex()}",
            "redact",
            actor=(order.operator, order.operator_role),
            purpose="mask or withhold files in exhibits; originals are untouched",
            before=digest_of(parts.records.evidence(item.evidence_id).manifest or b"").sha256.hex(),
            after=stored.sha256.hex(),
            detail={**counts, "approved_by": approved_by},
            room=Room.OF_CALLERS,
        )
    parts.custody(
        item.evidence_id,
        f"export {order.id}",
        "export",
        actor=(order.operator, order.operator_role),
        purpose=order.purpose or f"exhibit for the {order.audience}",
        detail={
            **counts,
            "exhibit": order.id,
            "for": order.audience,
            "recipient": order.recipient,
            **({"accepted": accepted} if accepted else {}),
        },
        room=Room.OF_CALLERS,
    )


def _check_written(
    parts: Parts, plan: RedactionPlan, package: Path, files: Sequence[Member], needles: Needles
) -> None:
    """Search the package as it was written, and have the engine accept it.

    Raises:
        MismatchError: it is not released; this program is at fault, or a disk is.
    """
    shown = [name for name in survivors_in(package, files, needles) if not plan.accepts(*names_of(name))]
    if shown:
        raise MismatchError(f"the finished exhibit still shows what is masked in {', '.join(shown)}")
    for material in inputs.gather([package]):
        report = verify(material, parts.issuing.policy, now=parts.now())
        for check in report.failures():
            if check.family is not Family.TRUST:
                raise MismatchError(
                    f"the finished exhibit was not accepted: {check.id} {check.why}",
                    what_to_do="see whether the stored evidence is whole: evidence fsck",
                )


def _told(evidence_id: str, treated: Treated) -> dict[str, Any]:
    """What became of a file, for people."""
    return {
        "evidence": evidence_id,
        "path": treated.original.name,
        "treatment": treated.change or "original",
        "count": treated.count,
        "reason": treated.reason,
    }
