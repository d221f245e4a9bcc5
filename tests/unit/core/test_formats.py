"""Every format against the worked bytes of formats.json; refusals name the member."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_service.core import batch, bundle, canonical, custody, digest, manifest, merkle, renewal
from evidence_service.errors import (
    EvidenceError,
    LimitExceededError,
    MalformedError,
    MismatchError,
    UnsupportedVersionError,
)

ROOT = Path(__file__).parents[3]
VECTORS = json.loads((ROOT / "tests" / "vectors" / "formats.json").read_text())
MANIFEST = bytes.fromhex(VECTORS["manifest"])
BUNDLE = bytes.fromhex(VECTORS["bundle"])
RENEWALS = json.loads((ROOT / "tests" / "vectors" / "renewals.json").read_text())
SECOND_BUNDLE = bytes.fromhex(RENEWALS["bundle"])
HEADER = bytes.fromhex(VECTORS["batch_header"])


def value_of(data: bytes) -> dict[str, Any]:
    return dict(json.loads(data))


def test_vector_files_are_fresh() -> None:
    script = ROOT / "scripts" / "generate_vectors.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- manifest ---


def test_manifest_has_the_bytes_of_the_vector() -> None:
    members = value_of(MANIFEST)
    members["files"].reverse()
    assert manifest.build(members) == MANIFEST
    assert manifest.parse(MANIFEST) == value_of(MANIFEST)
    found = digest.digest_of(MANIFEST)
    assert found.sha256.hex() == VECTORS["manifest_sha256"]
    assert found.sha3_512.hex() == VECTORS["manifest_sha3_512"]
    assert manifest.stamped_digest(MANIFEST).hex() == VECTORS["manifest_sha512_stamped"]


def _set(path: str, new: Any) -> Any:
    def change(value: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        target: Any = value
        for parent in parents:
            target = target[int(parent)] if isinstance(target, list) else target[parent]
        if isinstance(target, list):
            target[int(last)] = new
        else:
            target[last] = new

    return change


MANIFEST_REFUSALS: list[tuple[str, Any, type[EvidenceError], str]] = [
    ("later version", _set("format", "evidence-manifest/2"), UnsupportedVersionError, "newer|knows"),
    ("another document", _set("format", "evidence-batch/1"), MalformedError, "not a manifest"),
    ("unknown member", _set("surprise", 1), MalformedError, "unknown members: surprise"),
    ("unknown suite", _set("suite", "md5"), MalformedError, "manifest.suite"),
    ("unknown outcome", _set("outcome.status", "fine"), MalformedError, "outcome.status"),
    ("upper-case digest", _set("files.0.sha256", "A" * 64), MalformedError, r"files\[0\].sha256"),
    ("short digest", _set("files.0.sha3_512", "ab"), MalformedError, r"files\[0\].sha3_512"),
    ("boolean as a size", _set("files.0.size", True), MalformedError, r"files\[0\].size"),
    ("path upwards", _set("files.0.path", "../x"), MalformedError, r"files\[0\].path"),
    ("path upwards inside", _set("files.0.path", "a/../x"), MalformedError, r"files\[0\].path"),
    ("absolute path", _set("files.0.path", "/etc/passwd"), MalformedError, r"files\[0\].path"),
    ("drive letter", _set("files.0.path", "c:x"), MalformedError, r"files\[0\].path"),
    ("backslash", _set("files.0.path", "a\\b"), MalformedError, r"files\[0\].path"),
    ("control character", _set("files.0.path", "a\nb"), MalformedError, r"files\[0\].path"),
    ("files out of order", lambda v: v["files"].reverse(), MalformedError, "path order"),
    ("path twice", lambda v: v["files"].append(v["files"][1]), MalformedError, "share a path"),
    ("paths differ by case", _set("files.0.path", "SCREENSHOT.png"), MalformedError, "letter case"),
    ("time without zone", _set("started_at", "2026-01-02T03:04:05.000"), MalformedError, "started_at"),
    ("30 February", _set("started_at", "2026-02-30T03:04:05.000Z"), MalformedError, "date that exists"),
    ("ends before it starts", _set("finished_at", "2025-01-01T00:00:00.000Z"), MalformedError, "before"),
    ("missing member", lambda v: v.pop("operator"), MalformedError, "lacks operator"),
    ("too many files", _set("files", [{}] * 5001), LimitExceededError, "limit is 5000"),
]


@pytest.mark.parametrize(("name", "change", "kind", "words"), MANIFEST_REFUSALS)
def test_manifest_refuses(name: str, change: Any, kind: type[EvidenceError], words: str) -> None:
    value = copy.deepcopy(value_of(MANIFEST))
    change(value)
    with pytest.raises(kind, match=words):
        manifest.check(value)


# --- custody ---


def test_custody_hashes_are_those_of_the_vector() -> None:
    events = value_of(BUNDLE)["custody"]
    assert [custody.event_hash(event).hex() for event in events] == VECTORS["custody_hashes"]
    rebuilt = custody.build(
        {k: v for k, v in events[1].items() if k not in ("format", "sequence", "previous")},
        previous=events[0],
    )
    assert rebuilt == events[1]
    custody.verify_chain(events, evidence_id="vector-0001")
    custody.verify_binding(
        events, manifest=value_of(MANIFEST), manifest_sha256=bytes.fromhex(VECTORS["manifest_sha256"])
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda events: events.pop(0), "carries the number"),
        (lambda events: events.reverse(), "carries the number"),
        (lambda events: events[0].update(purpose="another"), "does not follow"),
        (lambda events: events[1].update(evidence_id="vector-0002"), "other evidence"),
        (lambda events: events[1].update(at="2020-01-01T00:00:00.000Z"), "dated before"),
    ],
)
def test_custody_chain_refuses_edits(change: Any, words: str) -> None:
    events = copy.deepcopy(value_of(BUNDLE)["custody"])
    change(events)
    with pytest.raises(MismatchError, match=words):
        custody.verify_chain(events, evidence_id="vector-0001")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda events: events.pop(), "before the manifest was sealed"),
        (lambda events: events[0].update(host="another"), "different custody history"),
        (lambda events: events[1].update(action="stamp"), "not the sealing"),
        (lambda events: events[1].update(after="00" * 32), "not the sealing"),
    ],
)
def test_manifest_is_bound_to_its_history(change: Any, words: str) -> None:
    events = copy.deepcopy(value_of(BUNDLE)["custody"])
    change(events)
    with pytest.raises(MismatchError, match=words):
        custody.verify_binding(
            events, manifest=value_of(MANIFEST), manifest_sha256=bytes.fromhex(VECTORS["manifest_sha256"])
        )


# --- entry, batch ---


def test_entry_and_commitment_are_those_of_the_vector() -> None:
    found, salt = digest.digest_of(MANIFEST), bytes.fromhex(VECTORS["salt"])
    assert batch.entry(found, salt).hex() == VECTORS["entry"]
    assert len(batch.entry(found, salt)) == batch.ENTRY_SIZE == 136
    leaf = batch.entry_leaf(found, salt)
    assert leaf.hex() == VECTORS["leaf_hash"]
    tree = merkle.MerkleTree([*map(bytes.fromhex, VECTORS["other_leaf_hashes"]), leaf])
    header = batch.build_header(
        tree=tree,
        sequence=1,
        previous=None,
        opened_at=datetime(2026, 1, 2, 3, 5, tzinfo=UTC),
        closed_at=datetime(2026, 1, 2, 3, 6, tzinfo=UTC),
    )
    assert header == HEADER
    assert batch.commitment(header).hex() == VECTORS["commitment"]


def test_a_salt_of_another_size_is_refused() -> None:
    with pytest.raises(MalformedError, match="32 bytes"):
        batch.entry(digest.digest_of(b""), b"short")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("sequence", 2), "names the batch before"),
        (_set("previous", "00" * 32), "names the batch before"),
        (_set("closed_at", "2020-01-01T00:00:00.000Z"), "closed before"),
        (_set("size", 0), "batch header.size"),
        (_set("suite", "md5"), "batch header.suite"),
    ],
)
def test_batch_header_refuses(change: Any, words: str) -> None:
    value = value_of(HEADER)
    change(value)
    with pytest.raises(MalformedError, match=words):
        batch.check_header(value)


# --- bundle ---


def members_of(value: dict[str, Any]) -> dict[str, Any]:
    """What :func:`bundle.build` wants."""
    return {name: member for name, member in value.items() if name not in ("format", "checksum")}


def test_bundle_has_the_bytes_of_the_vector() -> None:
    value = bundle.parse(SECOND_BUNDLE)
    assert bundle.manifest_bytes(value) == MANIFEST
    assert bundle.header_bytes(value) == HEADER
    assert bundle.build(members_of(value)) == SECOND_BUNDLE
    assert [item["kind"] for item in bundle.attestations(value)] == ["opentimestamps"]


def test_the_first_version_is_read_and_no_longer_written() -> None:
    value = bundle.parse(BUNDLE)
    assert bundle.manifest_bytes(value) == MANIFEST
    assert bundle.renewals(value) == bundle.attestations(value) == []
    later = {"attestations": [], "renewals": []}
    with pytest.raises(MalformedError, match="unknown members: attestations, renewals"):
        bundle.check(value | later)
    assert bundle.parse(bundle.build(members_of(value | later)))["format"] == "evidence-bundle/2"


def test_a_bundle_without_a_batch_has_no_header_bytes() -> None:
    alone = {"inclusion": None, "batch_header": None, "attestations": [], "renewals": []}
    pending = bundle.parse(bundle.build(members_of(value_of(BUNDLE) | alone)))
    with pytest.raises(MalformedError, match="not in a batch yet"):
        bundle.header_bytes(pending)


def test_renewals_have_the_bytes_of_the_vector() -> None:
    value = value_of(SECOND_BUNDLE)
    for number, (item, step) in enumerate(zip(value["renewals"], RENEWALS["renewals"], strict=True)):
        kind, suite = item["document"]["kind"], item["document"]["suite"]
        algorithm = renewal.ALGORITHMS[suite]
        covered = renewal.covered(value, kind, value["renewals"][:number])
        entry = renewal.entry(covered, bytes.fromhex(value["salt"]))
        assert (covered.hex(), entry.hex()) == (step["covered"], step["entry"])
        leaves = [bytes.fromhex(leaf) for leaf in step["leaf_hashes"]]
        assert merkle.leaf_hash(entry, algorithm) == leaves[1]
        tree = merkle.MerkleTree(leaves, algorithm)
        made = renewal.build_document(kind, tree, suite=suite)
        assert made.hex() == step["document"]
        assert renewal.stamped_digest(made, kind).hex() == step["stamped"]
        assert [node.hex() for node in tree.path(1)] == item["inclusion"]["path"]


def test_a_hash_tree_renewal_has_the_other_hash() -> None:
    tree = merkle.MerkleTree([bytes(32)])
    with pytest.raises(MalformedError, match="sha3-256-rfc9162, not sha256-rfc9162"):
        renewal.build_document("hash_tree", tree, suite="sha256-rfc9162")
    with pytest.raises(MalformedError, match="32 bytes, not 31"):
        renewal.entry(b"", bytes(31))


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (_set("renewals.0.document.format", "evidence-renewal/2"), UnsupportedVersionError, "renewal/2"),
        (_set("renewals.0.document.suite", "md5"), MalformedError, r"renewals\[0\].document.suite"),
        (_set("renewals.0.document.size", 0), MalformedError, r"renewals\[0\].document.size"),
        (_set("renewals.0.timestamps", []), MalformedError, "at least 1"),
        (_set("renewals.1.document.suite", "sha256-rfc9162"), MalformedError, "sha3-256-rfc9162"),
        (_set("batch_header.format", "evidence-batch/2"), UnsupportedVersionError, "evidence-batch/2"),
        (_set("timestamps.0.revocation", None), MalformedError, r"timestamps\[0\].revocation.status"),
        (_set("timestamps.0.revocation.crls", []), MalformedError, "at least 1"),
        (_set("timestamps.0.revocation.crls", ["AA=="] * 9), LimitExceededError, "limit is 8"),
        (_set("timestamps.1.revocation.why", ""), MalformedError, "1 to 400"),
        (_set("timestamps.1.revocation.crls", ["AA=="]), MalformedError, "unknown members: crls"),
        (_set("attestations.0.kind", "belief"), MalformedError, r"attestations\[0\].kind"),
    ],
)
def test_second_version_refuses(change: Any, kind: type[EvidenceError], words: str) -> None:
    value = value_of(SECOND_BUNDLE)
    change(value)
    with pytest.raises(kind, match=words):
        bundle.check(value)


def test_an_attestation_needs_what_it_is_about() -> None:
    value = value_of(SECOND_BUNDLE) | {"inclusion": None, "batch_header": None}
    with pytest.raises(MalformedError, match="attestation needs the batch header"):
        bundle.check(value)


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (_set("checksum", "00" * 32), MismatchError, "checksum"),
        (_set("format", "evidence-bundle/9"), UnsupportedVersionError, "evidence-bundle/9"),
        (_set("inclusion", None), MalformedError, "both"),
        (_set("manifest", None), MalformedError, "no manifest"),
        (_set("custody", []), MalformedError, "at least 1"),
        (_set("timestamps", [{"of": "manifest", "token": "!!"}]), MalformedError, r"timestamps\[0\].token"),
        (_set("timestamps", [{"of": "page", "token": "AA=="}]), MalformedError, r"timestamps\[0\].of"),
        (_set("timestamps", [{"of": "manifest", "token": "AB=="}]), MalformedError, "canonical base64"),
        (_set("timestamps", [{"of": "manifest", "token": "A" * 90_000}]), LimitExceededError, "larger"),
        (_set("inclusion.path", ["00" * 32] * 33), LimitExceededError, "limit is 32"),
    ],
)
def test_bundle_refuses(change: Any, kind: type[EvidenceError], words: str) -> None:
    value = value_of(BUNDLE)
    change(value)
    with pytest.raises(kind, match=words):
        bundle.parse(canonical.encode(value))


@pytest.mark.parametrize("data", [BUNDLE, SECOND_BUNDLE], ids=["version 1", "version 2"])
@given(place=st.data(), pattern=st.integers(1, 255))
def test_any_changed_byte_of_a_bundle_is_refused(data: bytes, place: st.DataObject, pattern: int) -> None:
    changed = bytearray(data)
    changed[place.draw(st.integers(0, len(data) - 1))] ^= pattern
    with pytest.raises(EvidenceError):
        bundle.parse(bytes(changed))


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_a_digest_does_not_depend_on_how_bytes_arrive(data: bytes, cuts: list[int]) -> None:
    digester = digest.Digester()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        digester.update(data[start:end])
    assert digester.digest() == digest.digest_of(data)
