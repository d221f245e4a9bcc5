"""The manifest: what was preserved, from where, by whom, when, with the digest of every file.

Format ``evidence-manifest/1``; see ``docs/spec/formats.md`` section 3. The manifest's two digests are what
is stamped, put in a batch and anchored; everything else is reached from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from evidence_service.core import canonical, digest, document
from evidence_service.errors import MalformedError

FORMAT = "evidence-manifest/1"
LIMIT = 2 * 1024 * 1024
"""Largest manifest, in bytes."""

KINDS = ("platform_capture", "upload", "digest")
PURPOSES = ("evidence", "demonstration")
OUTCOMES = (
    "captured",
    "challenge",
    "auth_wall",
    "removed",
    "http_error",
    "blocked",
    "partial",
    "received",
)
"""How a capture ended; ``received`` is for uploads and digests, which were never captured by us."""

STATED = "digest"
"""Role of a file whose digests somebody stated: its bytes were never here, and none that happen to have them
are handed out for it."""

# A path names a file inside a package on every system: relative, no parent references, no control
# characters, no backslash, no drive letter.
PATH = r"(?!/)(?!.*(?:^|/)\.{1,2}(?:/|$))(?!.*//)[^\x00-\x1f\x7f\\:]+(?<!/)"

EVIDENCE_ID = document.text(minimum=8, maximum=64, pattern=r"[a-z0-9-]+")
_SHORT = document.text(maximum=400)
_ACTOR = document.record({"id": document.text(minimum=1, maximum=200), "role": document.text(maximum=60)})

PATH_SHAPE = document.text(minimum=1, maximum=400, pattern=PATH)

FILE = document.record(
    {
        "path": PATH_SHAPE,
        "media_type": document.text(minimum=3, maximum=200),
        "role": document.text(minimum=1, maximum=60, pattern=r"[a-z0-9_.]+"),
        "size": document.integer(),
        "sha256": document.hexadecimal(32),
        "sha3_512": document.hexadecimal(64),
    }
)

_FACT = document.record({"value": document.text(maximum=20_000), "read_from": _SHORT})

_SUBJECT = document.record(
    {
        "requested_url": document.optional(document.text(maximum=8192)),
        "final_url": document.optional(document.text(maximum=8192)),
        "redirects": document.list_of(document.text(maximum=8192), maximum=50),
        "http_status": document.optional(document.integer(minimum=100, maximum=599)),
        "peer_address": document.optional(_SHORT),
        "listing": document.map_of(_FACT),
    }
)

_NOT_BEFORE = document.one_of(
    "status",
    {
        "recorded": document.record(
            {
                "status": document.choice("recorded"),
                "chain_id": document.decimal(),
                "block_number": document.decimal(),
                "block_hash": document.prefixed_hexadecimal(32),
                "block_time": document.timestamp,
            }
        ),
        "unavailable": document.record({"status": document.choice("unavailable"), "why": _SHORT}),
    },
)

SHAPE = document.record(
    {
        "format": document.choice(FORMAT),
        "suite": document.choice(digest.SUITE),
        "evidence_id": EVIDENCE_ID,
        "kind": document.choice(*KINDS),
        "purpose": document.choice(*PURPOSES),
        "matter": document.record(
            {
                "id": document.text(minimum=1, maximum=64),
                "reference": document.text(minimum=1, maximum=200),
                "applicant": document.text(minimum=1, maximum=400),
                "rights": document.list_of(_SHORT, maximum=50),
            }
        ),
        "operator": _ACTOR,
        "subject": _SUBJECT,
        "outcome": document.record(
            {"status": document.choice(*OUTCOMES), "reasons": document.list_of(_SHORT, maximum=50)}
        ),
        "started_at": document.timestamp,
        "finished_at": document.timestamp,
        "tool": document.map_of(_SHORT),
        "egress": document.record(
            {
                "mode": document.choice("recording_proxy", "tunnel", "none"),
                "exceptions": document.list_of(_SHORT, maximum=50),
            }
        ),
        "not_before": _NOT_BEFORE,
        "files": document.list_of(FILE, maximum=5_000),
        "custody": document.record({"events": document.integer(minimum=1), "head": document.hexadecimal(32)}),
    }
)


def build(members: Mapping[str, Any]) -> bytes:
    """Canonical bytes of a manifest; ``format`` and ``suite`` are filled in, files are put in path order.

    Args:
        members: every other member of the format.

    Raises:
        MalformedError: a member is missing, unknown, of the wrong type, or two files share a path.
    """
    value = {
        **members,
        "format": FORMAT,
        "suite": digest.SUITE,
        "files": sorted(members["files"], key=lambda item: item["path"]),
    }
    check(value)
    return canonical.encode(value)


def parse(data: bytes) -> dict[str, Any]:
    """Parse and check a manifest's bytes.

    Raises:
        MalformedError, UnsupportedVersionError, LimitExceededError: as named.
    """
    value = canonical.decode(data, what="manifest", limit=LIMIT)
    check(value)
    result: dict[str, Any] = value
    return result


def check(value: Any) -> None:
    """Check the value of a manifest against the format.

    Raises:
        MalformedError, UnsupportedVersionError, LimitExceededError: naming the member.
    """
    document.check_format(value, FORMAT, what="manifest")
    SHAPE(value, "manifest")
    paths = [item["path"] for item in value["files"]]
    if paths != sorted(set(paths)):
        raise MalformedError("the manifest's files are not in path order, or two share a path")
    # Upper and then lower: the one folding that other languages have as well.
    if len({path.upper().lower() for path in paths}) != len(paths):
        raise MalformedError("two paths of the manifest differ by letter case only")
    started = document.parse_time(value["started_at"], "manifest.started_at")
    if document.parse_time(value["finished_at"], "manifest.finished_at") < started:
        raise MalformedError("manifest.finished_at lies before manifest.started_at")


def check_path(path: str) -> None:
    """Check that a name can be a file's path in a manifest.

    Raises:
        MalformedError: it leads out of a package, or is no name on some system.
    """
    PATH_SHAPE(path, "path")


def file_record(path: str, media_type: str, role: str, found: digest.Digest) -> dict[str, Any]:
    """One member of ``files``."""
    return {
        "path": path,
        "media_type": media_type,
        "role": role,
        "size": found.size,
        "sha256": found.sha256.hex(),
        "sha3_512": found.sha3_512.hex(),
    }


def received(at: str, software: str, not_before: Mapping[str, str]) -> dict[str, Any]:
    """The members that say how files came, where they came from elsewhere than a capture.

    Args:
        at: when, in the notation of the formats.
        not_before: member of the manifest.
    """
    return {
        "subject": {
            "requested_url": None,
            "final_url": None,
            "redirects": [],
            "http_status": None,
            "peer_address": None,
            "listing": {},
        },
        "outcome": {"status": "received", "reasons": []},
        "started_at": at,
        "finished_at": at,
        "tool": {"software": software},
        "egress": {"mode": "none", "exceptions": []},
        "not_before": not_before,
    }


def files_with_role(value: Mapping[str, Any], role: str) -> Iterable[dict[str, Any]]:
    """Files of a parsed manifest that have a role, in path order."""
    return (item for item in value["files"] if item["role"] == role)


def stamped_digest(data: bytes) -> bytes:
    """What an authority stamps: SHA-512 of the document's bytes, 64 bytes."""
    return hashlib.sha512(data).digest()
