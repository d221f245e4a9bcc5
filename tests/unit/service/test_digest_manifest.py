"""Manifests of digests built in bulk are those the format's own builder makes, to the byte."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_service.core import custody, manifest
from evidence_service.core.digest import Digest, digest_of
from evidence_service.errors import ConflictError, MalformedError
from evidence_service.service.digest_manifest import Registration, SealedDigest, StatedDigest, build
from evidence_service.service.exhibit_content import originals
from evidence_service.store.records import Matter
from tests.digests import registration

NOW = datetime(2026, 3, 4, 5, 6, 7, 89_999, tzinfo=UTC)
MATTER = Matter("m-1", "REF/1 \u2028", 'Ärmel "&" Söhne \\ 😀', ("trade mark 1",), NOW)
COMMON = registration(MATTER, NOW)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
PATHS = st.from_regex(manifest.PATH, fullmatch=True).filter(lambda text: len(text) <= 400)


def one(common: Registration = COMMON, **changes: Any) -> SealedDigest:
    usual = StatedDigest("ev-00000001", "photo.png", "image/png", digest_of(b"photo"))
    first, second = build(common, [usual, replace(usual, **changes)])
    assert first == build(common, [usual])[0], "one does not depend on another"
    return second


def by_the_format(common: Registration, sealed: SealedDigest) -> tuple[bytes, list[dict[str, Any]]]:
    """Manifest and events, made again by the builders of the formats."""
    events: list[dict[str, Any]] = []
    for event in sealed.events:
        rest = {name: item for name, item in event.items() if name not in ("format", "sequence", "previous")}
        events.append(custody.build(rest, previous=events[-1] if events else None))
    value = json.loads(sealed.manifest)
    members = {name: item for name, item in value.items() if name not in ("format", "suite")}
    members["custody"] = {"events": 1, "head": custody.event_hash(events[0]).hex()}
    return manifest.build(members), events


@settings(max_examples=40)
@given(TEXT, TEXT, PATHS, st.text(min_size=3, max_size=20), st.integers(0, 2**53 - 1))
def test_the_bytes_are_those_of_the_format(
    applicant: str, operator: str, path: str, media_type: str, size: int
) -> None:
    common = replace(COMMON, matter=replace(MATTER, applicant=applicant), operator=operator)
    found = digest_of(path.encode("utf-8", "surrogatepass"))
    made = one(common, path=path, media_type=media_type, digest=replace(found, size=size))
    assert (made.manifest, list(made.events)) == by_the_format(common, made)
    value = manifest.parse(made.manifest)
    custody.verify_chain(made.events, evidence_id="ev-00000001")
    sha256 = digest_of(made.manifest).sha256
    custody.verify_binding(made.events, manifest=value, manifest_sha256=sha256)
    [file] = value["files"]
    assert file == manifest.file_record(path, media_type, manifest.STATED, replace(found, size=size))
    assert (value["kind"], value["matter"]["applicant"], value["operator"]["id"]) == (
        "digest",
        applicant,
        operator,
    )
    assert value["started_at"] == value["finished_at"] == "2026-03-04T05:06:07.089Z"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"path": "../outside"}, r"digests\[1\].path"),
        ({"path": "c:\\x"}, r"digests\[1\].path"),
        ({"path": ""}, r"digests\[1\].path"),
        ({"media_type": "x"}, r"digests\[1\].media_type"),
        ({"evidence_id": "EV"}, r"digests\[1\].evidence_id"),
        ({"digest": Digest(-1, bytes(32), bytes(64))}, r"digests\[1\].size"),
        ({"digest": Digest(2**53, bytes(32), bytes(64))}, r"digests\[1\].size"),
        ({"digest": Digest(1, bytes(31), bytes(64))}, r"digests\[1\].sha256"),
        ({"digest": Digest(1, bytes(32), bytes(32))}, r"digests\[1\].sha3_512"),
        ({"path": "\ud800"}, "surrogate"),
    ],
)
def test_what_the_format_refuses_is_named(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(MalformedError, match=place):
        one(**changes)


def test_no_bytes_go_into_an_exhibit_for_it() -> None:
    """Whoever knows the digest of a file that is here is not given it."""
    manifest_only = SimpleNamespace(manifest=one().manifest)
    parts: Any = SimpleNamespace(records=SimpleNamespace(evidence=lambda _: manifest_only), objects=None)
    with ExitStack() as opened, pytest.raises(ConflictError, match="the digest alone was registered"):
        originals(parts, "ev-00000001", opened)


@pytest.mark.parametrize(
    "changes",
    [{"operator": ""}, {"purpose": "fun"}, {"host": "h" * 256}, {"not_before": {"status": "recorded"}}],
)
def test_what_is_common_is_checked_as_well(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedError):
        build(replace(COMMON, **changes), [])
