"""Step 8: an exhibit accounts for every file of the manifest, and its derivatives are what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evidence_service.core import exhibit
from evidence_service.core.digest import Digest, digest_of
from evidence_service.errors import EvidenceError
from evidence_service.verify.material import ExhibitPart, Material
from evidence_service.verify.report import GivenFile, Status
from evidence_service.verify.steps.run import Run

_NAMED = 5
_AGAIN = "get the whole package again from whoever handed it over"


def check_exhibit(run: Run, material: Material, value: Mapping[str, Any], manifest_bytes: bytes) -> None:
    """Checks 8.1 to 8.5 (``docs/spec/exhibit.md``, section 7)."""
    part = material.exhibit
    if part is None:
        return
    _check_list(run, part, value["manifest"], manifest_bytes)
    redactions = _check_parents(run, part, value["manifest"])
    if redactions is None:
        return
    _check_derivatives(run, part, redactions)
    _check_accounts(run, part, value["manifest"], redactions)
    if material.certificate is None and part.redactions is not None:
        _check_custody(run, part.redactions, value["custody"])


def _check_list(run: Run, part: ExhibitPart, found: Mapping[str, Any], manifest_bytes: bytes) -> None:
    # (8.1) the package is whole; and what it calls this evidence is this evidence.
    if part.trouble is not None:
        run.failed("8.1", part.trouble)
        return
    problems = list(part.problems)
    if found["evidence_id"] != part.evidence_id:
        problems.append(f"this is about evidence {found['evidence_id']}, in the folder of {part.evidence_id}")
    if part.manifest_sha256 not in (None, digest_of(manifest_bytes).sha256.hex()):
        problems.append(f"{exhibit.LIST_NAME} names another manifest")
    _conclude(run, "8.1", problems, f"{part.files} files, each as {exhibit.LIST_NAME} lists it")


def _check_parents(run: Run, part: ExhibitPart, found: Mapping[str, Any]) -> Sequence[dict[str, Any]] | None:
    """(8.2) what was masked or withheld is of this evidence; None when it is not."""
    if part.redactions is None:
        if part.derivatives:
            _conclude(run, "8.2", [f"there are derivatives, and no {exhibit.REDACTIONS_NAME}"], "")
            return None
        return ()
    try:
        stated = exhibit.parse_redactions(part.redactions)
    except EvidenceError as error:
        run.failed("8.2", error)
        return None
    listed = {item["path"]: item for item in found["files"]}
    redactions: list[dict[str, Any]] = stated["redactions"]
    problems = [
        f"{item['path']} is not a file of the manifest, or the manifest lists it with another digest"
        for item in redactions
        if any(
            listed.get(item["path"], {}).get(name) != item[name] for name in ("size", "sha256", "sha3_512")
        )
    ]
    if stated["evidence_id"] != found["evidence_id"]:
        problems.append(f"{exhibit.REDACTIONS_NAME} is about evidence {stated['evidence_id']}")
    _conclude(run, "8.2", problems, f"{len(redactions)} files of the manifest masked or withheld")
    return None if problems else redactions


def _check_derivatives(run: Run, part: ExhibitPart, redactions: Sequence[Mapping[str, Any]]) -> None:
    # (8.3) each derivative is the one that is stated.
    stated = {item["derivative"]["path"]: item for item in redactions if "derivative" in item}
    there = {item.name: item.digest for item in part.derivatives}
    if not stated and not there:
        return
    problems = [f"{name} is a derivative nobody states" for name in there if name not in stated]
    for name, item in stated.items():
        if name not in there:
            problems.append(f"{name} is stated and not there")
        elif not _is(item["derivative"], there[name]):
            problems.append(f"{name} was changed: it is not the derivative that is stated")
        else:
            run.files.append(GivenFile(name, "redacted", item["path"]))
    _conclude(run, "8.3", problems, f"{len(stated)} derivatives, each as {exhibit.REDACTIONS_NAME} states it")


def _check_accounts(
    run: Run, part: ExhibitPart, found: Mapping[str, Any], redactions: Sequence[Mapping[str, Any]]
) -> None:
    # (8.4) nothing is left out without saying so, and nothing stands in two places.
    originals = {item.name: item.digest for item in part.originals}
    changed = {item["path"] for item in redactions}
    problems = list(_unaccounted(found["files"], originals, changed))
    withheld = [item["path"] for item in redactions if item["kind"] == exhibit.WITHHELD]
    run.files += [GivenFile(path, "withheld", path) for path in withheld]
    run.missing = [path for path in run.missing if path not in changed]
    _conclude(
        run,
        "8.4",
        problems,
        f"of {len(found['files'])} files, {len(originals)} are original, "
        f"{len(changed) - len(withheld)} masked and {len(withheld)} withheld",
    )


def _unaccounted(
    files: Sequence[Mapping[str, Any]], originals: Mapping[str, Digest], changed: set[str]
) -> Iterator[str]:
    for item in files:
        path = item["path"]
        if path in originals and path in changed:
            yield f"{path} is stated to be masked or withheld, and stands among the originals"
        elif path in originals and not _is(item, originals[path]):
            yield f"{path} stands among the originals and is another file"
        elif path not in originals and path not in changed:
            yield f"{path} is neither there nor stated to be masked or withheld"
    for path in sorted(originals.keys() - {item["path"] for item in files}):
        yield f"{path} stands among the originals and is no file of the manifest"


def _check_custody(run: Run, redactions: bytes, events: Sequence[Mapping[str, Any]]) -> None:
    # (8.5) the evidence's own log says that this was done, by whom, and when.
    wanted = digest_of(redactions).sha256.hex()
    logged = [item for item in events if item["action"] == "redact" and item["after"] == wanted]
    if logged:
        said = f"event {logged[0]['sequence']} of {logged[0]['at']}, by {logged[0]['actor']['id']}"
        _conclude(run, "8.5", [], said)
    else:
        _conclude(run, "8.5", [f"the custody log knows no redaction with this {exhibit.REDACTIONS_NAME}"], "")


def _is(stated: Mapping[str, Any], found: Digest) -> bool:
    return all(stated[name] == value for name, value in exhibit.digests(found).items())


def _conclude(run: Run, number: str, problems: Sequence[str], passed: str) -> None:
    if problems:
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        run.add(number, Status.FAIL, "; ".join(problems[:_NAMED]) + more, _AGAIN)
    else:
        run.passed(number, passed)
