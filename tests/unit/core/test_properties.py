"""What has to hold for any value and any bytes, and the bounds that no other test reaches."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_service.core import bundle, canonical, document, manifest, merkle
from evidence_service.errors import EvidenceError, LimitExceededError, MalformedError

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)


@given(VALUES)
def test_decoding_is_the_inverse_of_encoding(value: Any) -> None:
    data = canonical.encode(value)
    assert canonical.decode(data, what="value") == value
    assert json.loads(data) == value


@given(st.binary(max_size=100) | TEXT.map(str.encode) | VALUES.map(lambda v: json.dumps(v).encode()))
def test_any_bytes_are_canonical_or_refused(data: bytes) -> None:
    try:
        value = canonical.decode(data, what="value")
    except EvidenceError:
        return
    assert canonical.encode(value) == data


@given(st.binary(max_size=300))
def test_any_bytes_are_no_bundle_and_no_manifest(data: bytes) -> None:
    for parse in (bundle.parse, manifest.parse):
        with pytest.raises(EvidenceError):
            parse(data)


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return merkle.node_hash(naive_root(leaves[:split]), naive_root(leaves[split:]))


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40), st.data())
def test_every_leaf_proves_and_any_flipped_bit_fails(leaves: list[bytes], data: st.DataObject) -> None:
    tree = merkle.MerkleTree(leaves)
    assert tree.root == naive_root(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = {"index": index, "size": tree.size, "path": tree.path(index), "root": tree.root}
    merkle.verify_inclusion(leaves[index], **proof)
    whole = bytearray(leaves[index] + b"".join(proof["path"]) + proof["root"])
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    whole[bit // 8] ^= 1 << bit % 8
    parts = [bytes(whole[at : at + 32]) for at in range(0, len(whole), 32)]
    with pytest.raises(EvidenceError):
        merkle.verify_inclusion(parts[0], **(proof | {"path": parts[1:-1], "root": parts[-1]}))


@pytest.mark.parametrize(
    ("shape", "value", "words"),
    [
        (document.text(), 7, "not text"),
        (document.text(minimum=2), "a", "2 to 4096"),
        (document.binary(maximum=5), 7, "not base64 text"),
        (document.binary(maximum=5), "A", "not base64"),
        (document.binary(maximum=5), "AB==", "not canonical"),
        (document.boolean, 1, "true or false"),
        (document.list_of(document.boolean, maximum=1), {}, "not a list"),
        (document.list_of(document.boolean, maximum=1, minimum=1), [], "at least 1"),
        (document.map_of(document.boolean), [], "not an object"),
        (document.record({}), [], "not an object"),
        (document.one_of("kind", {}), {"kind": "a"}, "allowed"),
        (document.one_of("kind", {}), [], "allowed"),
        (document.timestamp, "2026-01-01T00:00:00.0٠0Z", "not a UTC time"),
    ],
)
def test_shapes_refuse_in_words(shape: document.Shape, value: Any, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        shape(value, "here")


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (document.binary(maximum=1), "A" * 100),
        (document.binary(maximum=1), "AAA="),
        (document.list_of(document.boolean, maximum=1), [True, True]),
        (document.map_of(document.boolean, maximum=1), {"a": True, "b": True}),
        (document.map_of(document.boolean), {"a" * 201: True}),
    ],
)
def test_shapes_have_limits(shape: document.Shape, value: Any) -> None:
    with pytest.raises(LimitExceededError):
        shape(value, "here")


def test_formats_are_told_apart() -> None:
    with pytest.raises(MalformedError, match="no format member"):
        document.check_format([], "evidence-bundle/1", what="bundle")


def test_nesting_is_refused_when_writing_as_well() -> None:
    deep: Any = []
    for _ in range(40):
        deep = [deep]
    with pytest.raises(LimitExceededError, match="deeper than 32"):
        canonical.encode(deep)


def test_files_by_role() -> None:
    value = {"files": [{"role": "a", "path": "1"}, {"role": "b", "path": "2"}]}
    assert [item["path"] for item in manifest.files_with_role(value, "b")] == ["2"]
