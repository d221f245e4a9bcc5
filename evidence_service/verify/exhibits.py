"""An exhibit package as what the engine verifies: each piece of evidence with what stands in its folder.

Which files are originals is decided by where they stand, never by what the package's own list calls them: the
list is not signed (``docs/spec/exhibit.md``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from evidence_service.core import exhibit
from evidence_service.core.digest import Digest
from evidence_service.errors import EvidenceError, LimitExceededError, MalformedError
from evidence_service.verify.material import EvidenceFile, ExhibitPart, Material
from evidence_service.verify.sources import GivenExhibit, Source

_NAMED = 5
"""Most problems that are kept: they are words for people."""
_MOST_SUBJECTS = 50

Files = Mapping[str, Source]


def materials_of(
    given: GivenExhibit, open_subject: Callable[[Source], Material | None]
) -> Iterator[Material]:
    """Every certificate and bundle of an exhibit, with the files and derivatives of its folder.

    Args:
        open_subject: makes a certificate or bundle of a file; None for anything else.

    Raises:
        MalformedError: there is no certificate and no bundle in it.
        LimitExceededError: there are too many pieces of evidence, or too many of these for one.
    """
    folders = _by_evidence(given.members)
    if len(folders) > exhibit.MOST_EVIDENCE:
        raise LimitExceededError(
            f"{given.path.name} has {len(folders)} pieces of evidence; the limit is {exhibit.MOST_EVIDENCE}"
        )
    digests = {name: source.digest() for name, source in given.members.items()}
    listed, trouble = _listed(given.members)
    problems = () if listed is None else tuple(_problems(folders, given.members, digests, listed))
    manifests = {item["evidence_id"]: item["manifest_sha256"] for item in (listed or {}).get("evidence", ())}
    found = False
    for evidence_id, files in sorted(folders.items()):
        prefix = exhibit.folder_of(evidence_id)
        part = ExhibitPart(
            evidence_id=evidence_id,
            trouble=trouble,
            problems=problems[:_NAMED],
            files=len(digests),
            manifest_sha256=manifests.get(evidence_id),
            originals=tuple(
                EvidenceFile(name.removeprefix(exhibit.ORIGINALS), digests[prefix + name])
                for name in sorted(files)
                if name.startswith(exhibit.ORIGINALS)
            ),
            derivatives=tuple(
                EvidenceFile(name, digests[prefix + name])
                for name in sorted(files)
                if name.startswith(exhibit.DERIVATIVES)
            ),
            redactions=_redactions(files),
        )
        for source in _subjects(files):
            material = open_subject(source)
            if material is not None:
                found = True
                yield replace(material, files=part.originals, exhibit=part)
    if not found:
        raise MalformedError(
            f"{given.path.name} is an exhibit without a certificate or proof bundle",
            what_to_do="get the whole package again from whoever handed it over",
        )


def _subjects(files: Files) -> list[Source]:
    """What may be a certificate or bundle: it stands in the evidence's folder itself."""
    found = sorted(name for name in files if "/" not in name)
    if len(found) > _MOST_SUBJECTS:
        raise LimitExceededError(
            f"{len(found)} files stand beside the bundle of one evidence; the limit is {_MOST_SUBJECTS}"
        )
    return [files[name] for name in found]


def _listed(members: Files) -> tuple[dict[str, Any] | None, EvidenceError | None]:
    try:
        return exhibit.parse_list(members[exhibit.LIST_NAME].read_whole(exhibit.LIMIT)), None
    except EvidenceError as error:
        return None, error


def _problems(
    folders: Mapping[str, Files], members: Files, digests: Mapping[str, Digest], listed: Mapping[str, Any]
) -> Iterator[str]:
    """Where the list, ``SHA256SUMS`` and what is there contradict one another."""
    said = {item["path"]: item for item in listed["files"]}
    there = digests.keys() - {exhibit.LIST_NAME, exhibit.SUMS_NAME}
    for name in sorted(said.keys() - there):
        yield f"{name} is listed and not there"
    for name in sorted(there - said.keys()):
        yield f"{name} is there and not listed"
    for name in sorted(said.keys() & there):
        if any(said[name][member] != value for member, value in exhibit.digests(digests[name]).items()):
            yield f"{name} was changed: it is not the file that is listed"
    for evidence_id in sorted(folders.keys() - {i["evidence_id"] for i in listed["evidence"]}):
        yield f"evidence {evidence_id[:64]} is there and not listed"
    for item in listed["evidence"]:
        if exhibit.folder_of(item["evidence_id"]) + exhibit.BUNDLE_NAME not in digests:
            yield f"evidence {item['evidence_id']} has no {exhibit.BUNDLE_NAME}"
    sums = {name: found.sha256.hex() for name, found in digests.items() if name != exhibit.SUMS_NAME}
    source = members.get(exhibit.SUMS_NAME)
    if source is None or source.read(exhibit.LIMIT) != exhibit.sums(sums):
        yield f"{exhibit.SUMS_NAME} is not the list of the digests of these files"


def _by_evidence(members: Files) -> dict[str, dict[str, Source]]:
    """Files of each piece of evidence, by their names in its folder."""
    found: dict[str, dict[str, Source]] = {}
    for name, source in members.items():
        top, _, rest = name.partition("/")
        evidence_id, _, inside = rest.partition("/")
        if top == "evidence" and inside:
            found.setdefault(evidence_id, {})[inside] = source
    return found


def _redactions(files: Files) -> bytes | None:
    source = files.get(exhibit.REDACTIONS_NAME)
    # One byte more than the limit is enough to be reported as over the limit (0.1).
    return None if source is None else source.read(exhibit.LIMIT + 1)
