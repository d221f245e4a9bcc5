"""Step 1: the evidence files that were given are the manifest's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evidence_service.core.digest import Digest, digest_of
from evidence_service.verify.material import Material
from evidence_service.verify.report import GivenFile, Status
from evidence_service.verify.steps.run import Run
from evidence_service.verify.steps.seal import attachments_of

_NAMED = 5
"""Most files named in the sentence of the check; the report lists all."""


def check_files(run: Run, material: Material, value: Mapping[str, Any], manifest_bytes: bytes) -> None:
    """Check 1.1, for files and for bare digests."""
    listed = value["manifest"]["files"]
    if not material.files and not material.digests:
        run.missing = [item["path"] for item in listed]
        run.add(
            "1.1",
            Status.NOT_CHECKED,
            f"no evidence files were given; the manifest lists {len(listed)}",
            "give the evidence files or their folder as well to compare them",
            required=False,
        )
        return
    copies = {digest_of(data).sha256 for data in attachments_of(material, value).values()}
    by_digest = {_key(item): item["path"] for item in listed}
    for given in material.files:
        path = by_digest.get((given.digest.sha256.hex(), given.digest.sha3_512.hex(), given.digest.size))
        if path is not None:
            run.files.append(GivenFile(given.name, "unchanged", path))
        elif given.digest.sha256 in copies:
            run.files.append(GivenFile(given.name, "attachment", None))
        else:
            same = [item["path"] for item in listed if same_path(given.name, item["path"])]
            run.files.append(
                GivenFile(given.name, "changed" if same else "foreign", same[0] if same else None)
            )
    known = _digests(listed, digest_of(manifest_bytes))
    for digest in material.digests:
        found = known.get(digest.hex())
        run.files.append(GivenFile(digest.hex(), "foreign" if found is None else "unchanged", found))
    matched = {item.path for item in run.files if item.status == "unchanged"}
    run.missing = [item["path"] for item in listed if item["path"] not in matched]
    _conclude(run, len(listed), len(matched))


def same_path(given: str, listed: str) -> bool:
    """Whether a path somebody gave ends in a path of the manifest."""
    return given == listed or given.replace("\\", "/").endswith("/" + listed)


def _key(item: Mapping[str, Any]) -> tuple[str, str, int]:
    return item["sha256"], item["sha3_512"], item["size"]


def _digests(listed: list[dict[str, Any]], manifest: Digest) -> dict[str, str]:
    """What a bare digest may stand for: digest → path."""
    found = {manifest.sha256.hex(): "manifest.json", manifest.sha3_512.hex(): "manifest.json"}
    for item in listed:
        found |= {item["sha256"]: item["path"], item["sha3_512"]: item["path"]}
    return found


def _conclude(run: Run, listed: int, matched: int) -> None:
    words = {
        "changed": "was changed, or is a file of the same name from other evidence",
        "foreign": "does not belong to this evidence",
    }
    problems = [f"{item.name} {words[item.status]}" for item in run.files if item.status in words]
    if problems:
        more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        run.add(
            "1.1",
            Status.FAIL,
            "; ".join(problems[:_NAMED]) + more,
            "compare with the originals in the exhibit, or leave out files that are not part of it",
        )
        return
    if not matched:
        run.add(
            "1.1",
            Status.NOT_CHECKED,
            "only copies of the certificate's attachments were given, no evidence file",
            "give the evidence files or their folder as well to compare them",
            required=False,
        )
        return
    absent = f"; not given: {', '.join(run.missing[:6])}" if run.missing else ""
    run.passed("1.1", f"{matched} of {listed} listed files given and unchanged{absent}")
