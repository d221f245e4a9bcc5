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
    by_digest: dict[tuple[str, str, int], list[str]] = {}
    for item in listed:
        by_digest.setdefault((item["sha256"], item["sha3_512"], item["size"]), []).append(item["path"])
    matched: set[str] = set()
    for given in material.files:
        same_bytes = by_digest.get(_key(given.digest))
        if same_bytes is not None:
            # Bytes are preserved, not names: one file stands for every path that was recorded with its bytes.
            matched.update(same_bytes)
            named = next((path for path in same_bytes if same_path(given.name, path)), same_bytes[0])
            run.files.append(GivenFile(given.name, "unchanged", named))
        elif given.digest.sha256 in copies:
            run.files.append(GivenFile(given.name, "attachment", None))
        else:
            same = [item["path"] for item in listed if same_path(given.name, item["path"])]
            run.files.append(
                GivenFile(given.name, "changed" if same else "foreign", same[0] if same else None)
            )
    whole = digest_of(manifest_bytes)
    for digest in material.digests:
        found = [item["path"] for item in listed if digest.hex() in (item["sha256"], item["sha3_512"])]
        matched.update(found)
        if not found and digest in (whole.sha256, whole.sha3_512):
            found = ["manifest.json"]
        run.files.append(
            GivenFile(digest.hex(), "unchanged" if found else "foreign", next(iter(found), None))
        )
    run.missing = [item["path"] for item in listed if item["path"] not in matched]
    _conclude(run, len(listed), len(matched))


def same_path(given: str, listed: str) -> bool:
    """Whether a path somebody gave ends in a path of the manifest."""
    return given == listed or given.replace("\\", "/").endswith("/" + listed)


def _key(digest: Digest) -> tuple[str, str, int]:
    return digest.sha256.hex(), digest.sha3_512.hex(), digest.size


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
    if all(item.status == "attachment" for item in run.files):
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
