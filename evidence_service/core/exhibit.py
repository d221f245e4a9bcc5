"""What an exhibit package says about itself: its list of files, and what of the evidence was masked.

Formats ``evidence-exhibit/1`` and ``evidence-redactions/1``; see ``docs/spec/exhibit.md``. Neither is signed:
both are held against the manifest and the custody log, which are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from evidence_service.core import canonical, digest, document, manifest
from evidence_service.core.digest import Digest
from evidence_service.errors import LimitExceededError, MalformedError

FORMAT: Final = "evidence-exhibit/1"
REDACTIONS_FORMAT: Final = "evidence-redactions/1"
LIMIT = 4 * 1024 * 1024
"""Largest of either document, in bytes."""

LIST_NAME = "exhibit.json"
SUMS_NAME = "SHA256SUMS"
BUNDLE_NAME = "bundle.json"
REDACTIONS_NAME = "redactions.json"
ORIGINALS, DERIVATIVES = "files/", "redacted/"
"""Folders of one piece of evidence: what is as it was preserved, and what is not."""

ROLES = (
    "certificate",
    "bundle",
    "proof",
    "original",
    "derivative",
    "redactions",
    "policy",
    "root",
    "instructions",
    "index",
)
MASKED_TEXT, MASKED_AREAS, WITHHELD = "masked_text", "masked_areas", "withheld"
MOST_EVIDENCE = 100
"""Pieces of evidence in one exhibit."""
AUDIENCES = ("court", "opponent")

_MEMBER = document.text(minimum=1, maximum=600, pattern=manifest.PATH)
"""A path of the manifest behind the folders of an exhibit is longer than a path of the manifest."""
_DIGESTS = {
    "size": document.integer(),
    "sha256": document.hexadecimal(32),
    "sha3_512": document.hexadecimal(64),
}
_LINE = document.text(minimum=1, maximum=400)

SHAPE = document.record(
    {
        "format": document.choice(FORMAT),
        "suite": document.choice(digest.SUITE),
        "exhibit_id": document.text(minimum=8, maximum=64, pattern=r"[a-z0-9-]+"),
        "made_at": document.timestamp,
        "tool": document.text(maximum=200),
        "audience": document.choice(*AUDIENCES),
        "recipient": _LINE,
        "purpose": document.text(maximum=400),
        "evidence": document.list_of(
            document.record(
                {
                    "evidence_id": manifest.EVIDENCE_ID,
                    "manifest_sha256": document.hexadecimal(32),
                }
            ),
            minimum=1,
            maximum=MOST_EVIDENCE,
        ),
        "files": document.list_of(
            document.record({"path": _MEMBER, "role": document.choice(*ROLES), **_DIGESTS}), maximum=10_000
        ),
    }
)

_CHANGE = {
    "path": manifest.PATH_SHAPE,
    **_DIGESTS,
    "count": document.integer(),
    "reason": _LINE,
    "approved_by": _LINE,
}
_DERIVATIVE = document.record({"path": _MEMBER, **_DIGESTS})

REDACTIONS = document.record(
    {
        "format": document.choice(REDACTIONS_FORMAT),
        "evidence_id": manifest.EVIDENCE_ID,
        "redactions": document.list_of(
            document.one_of(
                "kind",
                {
                    MASKED_TEXT: document.record(
                        {"kind": document.choice(MASKED_TEXT), **_CHANGE, "derivative": _DERIVATIVE}
                    ),
                    MASKED_AREAS: document.record(
                        {"kind": document.choice(MASKED_AREAS), **_CHANGE, "derivative": _DERIVATIVE}
                    ),
                    WITHHELD: document.record({"kind": document.choice(WITHHELD), **_CHANGE}),
                },
            ),
            minimum=1,
            maximum=5_000,
        ),
    }
)


def check_member(name: str) -> None:
    """Check that a name can be that of an exhibit's file.

    Raises:
        MalformedError: it leads out of the package, or is no name on some system.
    """
    _MEMBER(name, "path")


def build_list(members: Mapping[str, Any]) -> bytes:
    """Canonical bytes of ``exhibit.json``; format and suite are filled in, files are put in path order."""
    value = {
        **members,
        "format": FORMAT,
        "suite": digest.SUITE,
        "files": sorted(members["files"], key=lambda item: item["path"]),
    }
    _check_list(value)
    return _within_limit(canonical.encode(value))


def parse_list(data: bytes) -> dict[str, Any]:
    """Parse ``exhibit.json``.

    Raises:
        MalformedError, UnsupportedVersionError, LimitExceededError: as named.
    """
    value: dict[str, Any] = canonical.decode(data, what="exhibit's list of files", limit=LIMIT)
    _check_list(value)
    return value


def build_redactions(evidence_id: str, changes: list[dict[str, Any]]) -> bytes:
    """Canonical bytes of ``redactions.json``, in the order of the parents' paths."""
    value = {
        "format": REDACTIONS_FORMAT,
        "evidence_id": evidence_id,
        "redactions": sorted(changes, key=lambda item: item["path"]),
    }
    _check_redactions(value)
    return _within_limit(canonical.encode(value))


def parse_redactions(data: bytes) -> dict[str, Any]:
    """Parse ``redactions.json``.

    Raises:
        MalformedError, UnsupportedVersionError, LimitExceededError: as named.
    """
    value: dict[str, Any] = canonical.decode(data, what="list of redactions", limit=LIMIT)
    _check_redactions(value)
    return value


def digests(found: Digest) -> dict[str, Any]:
    """A digest as members of either document."""
    return {"size": found.size, "sha256": found.sha256.hex(), "sha3_512": found.sha3_512.hex()}


def sums(files: Mapping[str, str]) -> bytes:
    """``SHA256SUMS`` as ``sha256sum -c`` reads it: digest (hexadecimal) by path, in path order."""
    return "".join(f"{files[path]}  {path}\n" for path in sorted(files)).encode()


def folder_of(evidence_id: str) -> str:
    """Where one piece of evidence stands in an exhibit."""
    return f"evidence/{evidence_id}/"


def derivative_path(path: str) -> str:
    """Where the derivative of a file of the manifest stands in the evidence's folder: never in its place."""
    return DERIVATIVES + path


def _within_limit(data: bytes) -> bytes:
    if len(data) > LIMIT:
        raise LimitExceededError(
            f"an exhibit of so many files has a list of {len(data)} bytes; the limit is {LIMIT}",
            what_to_do="hand the evidence over in several exhibits",
        )
    return data


def _check_list(value: Any) -> None:
    document.check_format(value, FORMAT, what="exhibit's list of files")
    SHAPE(value, LIST_NAME)
    paths = [item["path"] for item in value["files"]]
    if paths != sorted(set(paths)) or {LIST_NAME, SUMS_NAME} & set(paths):
        raise MalformedError(f"the files of {LIST_NAME} are not in path order, or one is listed twice")
    if len({item["evidence_id"] for item in value["evidence"]}) != len(value["evidence"]):
        raise MalformedError(f"{LIST_NAME} lists a piece of evidence twice")


def _check_redactions(value: Any) -> None:
    document.check_format(value, REDACTIONS_FORMAT, what="list of redactions")
    REDACTIONS(value, REDACTIONS_NAME)
    paths = [item["path"] for item in value["redactions"]]
    if paths != sorted(set(paths)):
        raise MalformedError(f"the paths of {REDACTIONS_NAME} are not in order, or one is there twice")
    for item in value["redactions"]:
        if item["kind"] != WITHHELD and item["derivative"]["path"] != derivative_path(item["path"]):
            raise MalformedError(f"the derivative of {item['path']} does not stand under {DERIVATIVES}")
