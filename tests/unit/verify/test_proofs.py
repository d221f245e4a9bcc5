"""RLP and trie proofs: one reading for one byte string, and nothing that is not needed."""

from __future__ import annotations

import base64

import pytest
import rlp as other
from hypothesis import given
from hypothesis import strategies as st
from trie import HexaryTrie

from evidence_service.errors import EvidenceError, LimitExceededError, MalformedError, MismatchError
from evidence_service.verify import rlp
from evidence_service.verify.trie import AbsentKeyError, keccak256, verify_trie_proof
from tests.forgeries.chain import proof

ITEMS = st.recursive(st.binary(max_size=70), lambda inner: st.lists(inner, max_size=6), max_leaves=20)


@given(ITEMS)
def test_decoding_is_the_inverse_of_anothers_encoding(item: rlp.Item) -> None:
    assert rlp.decode(bytes(other.encode(item))) == item


@given(st.integers(0, 2**40))
def test_integers_are_encoded_as_others_do(value: int) -> None:
    assert rlp.encode_integer(value) == bytes(other.encode(value))


@given(st.binary(max_size=200))
def test_any_bytes_decode_to_themselves_or_are_refused(data: bytes) -> None:
    try:
        item = rlp.decode(data)
    except EvidenceError:
        return
    assert bytes(other.encode(item)) == data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "truncated"),
        (b"\x00\x00", "1 bytes follow"),
        (b"\x81\x05", "below 0x80"),
        (b"\x82\x05", "truncated"),
        (b"\xb8\x05abcde", "shortest form"),
        (b"\xb9\x00\x40" + bytes(64), "shortest form"),
        (b"\xb9\x01", "inside a length"),
        (b"\xc2\x01", "truncated"),
        (b"\xc1\x82", "truncated"),
    ],
)
def test_forms_that_are_not_canonical(data: bytes, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        rlp.decode(data)


def test_limits_of_rlp() -> None:
    with pytest.raises(LimitExceededError, match="5 bytes"):
        rlp.decode(bytes(5), limit=4)
    deep: rlp.Item = []
    for _ in range(20):
        deep = [deep]
    with pytest.raises(LimitExceededError, match="nested deeper"):
        rlp.decode(bytes(other.encode(deep)))
    with pytest.raises(LimitExceededError, match="more than"):
        rlp.decode(bytes(other.encode([b""] * 70_000)))


def test_items_of_the_wrong_kind() -> None:
    with pytest.raises(MalformedError, match="not an RLP list"):
        rlp.decode_list(b"\x05", what="header")
    with pytest.raises(MalformedError, match="not an RLP list"):
        rlp.as_list(b"", what="logs")
    with pytest.raises(MalformedError, match="has 1 items"):
        rlp.as_list([b""], what="log", length=3)
    with pytest.raises(MalformedError, match="not a byte string"):
        rlp.as_bytes([], what="root")
    with pytest.raises(MalformedError, match="has 9 bytes"):
        rlp.as_integer(bytes([1] * 9), what="number")
    with pytest.raises(MalformedError, match="leading zero"):
        rlp.as_integer(b"\x00\x01", what="number")


def nodes_of(trie: HexaryTrie, key: bytes) -> list[bytes]:
    return [base64.b64decode(node) for node in proof(trie, key)]


@given(
    st.dictionaries(
        st.binary(min_size=1, max_size=4), st.binary(min_size=1, max_size=40), min_size=1, max_size=30
    )
)
def test_every_value_of_anothers_trie_is_proved(values: dict[bytes, bytes]) -> None:
    trie = HexaryTrie({})
    for key, value in values.items():
        trie[key] = value
    for key, value in values.items():
        assert verify_trie_proof(trie.root_hash, key, nodes_of(trie, key)) == value
        with pytest.raises(EvidenceError):
            verify_trie_proof(trie.root_hash, key + b"\x01\x02", nodes_of(trie, key))


def leaf(flag: bytes, value: bytes = b"v" * 40) -> bytes:
    return bytes(other.encode([flag, value]))


@pytest.mark.parametrize(
    ("node", "key", "kind", "words"),
    [
        (leaf(b""), b"a", MalformedError, "path of a trie node is empty"),
        (leaf(b"\x40"), b"a", MalformedError, "unknown flag"),
        (leaf(b"\x21a"), b"a", MalformedError, "padding"),
        (leaf(b"\x20b"), b"a", MismatchError, "another key"),
        (leaf(b"\x20a", b""), b"a", MismatchError, "no value"),
        (leaf(b"\x00"), b"a", MalformedError, "empty path"),
        (leaf(b"\x00b"), b"a", MismatchError, "leaves the key's path"),
        (leaf(b"\x00a", b"short"), b"a", MalformedError, "not a 32-byte hash"),
        (leaf(b"\x00a", b"h" * 32), b"a", MismatchError, "a node is missing"),
        (bytes(other.encode([b"a", b"b", b"c"])), b"a", MalformedError, "3 items"),
        (bytes(other.encode([b""] * 17)), b"a", MismatchError, "empty branch"),
        (bytes(other.encode([b""] * 17)), b"", MismatchError, "no value"),
        (bytes(other.encode([b""] * 16 + [[b"x"]])), b"", MalformedError, "list, not a byte string"),
        (
            bytes(other.encode([b"\x00a", [b"\x20", b"v" * 40]])),
            b"a",
            MalformedError,
            "embedded in its parent",
        ),
        (bytes(other.encode([b"\x00a", [b"\x20", [b"\x05" * 40]]])), b"a", MalformedError, "embedded"),
        (b"\x05", b"a", MalformedError, "not an RLP list"),
    ],
)
def test_nodes_that_prove_nothing(node: bytes, key: bytes, kind: type[EvidenceError], words: str) -> None:
    with pytest.raises(kind, match=words):
        verify_trie_proof(keccak256(node), key, [node])


@pytest.mark.parametrize(
    ("node", "key"),
    [
        (leaf(b"\x20b"), b"a"),
        (leaf(b"\x20a", b""), b"a"),
        (leaf(b"\x00b"), b"a"),
        (bytes(other.encode([b""] * 17)), b"a"),
        (bytes(other.encode([b""] * 17)), b""),
    ],
    ids=["another leaf", "an empty value", "another way", "an empty branch", "no value in a branch"],
)
def test_a_proof_of_absence_is_told_from_one_that_does_not_hold(node: bytes, key: bytes) -> None:
    with pytest.raises(AbsentKeyError):
        verify_trie_proof(keccak256(node), key, [node])
    with pytest.raises(MismatchError, match="1 nodes are left") as refusal:
        verify_trie_proof(keccak256(node), key, [node, node])
    assert not isinstance(refusal.value, AbsentKeyError)


def test_a_short_node_has_to_be_embedded() -> None:
    short = leaf(b"\x20", b"v")
    parent = bytes(other.encode([b"\x00a", keccak256(short)]))
    with pytest.raises(MalformedError, match="shorter than 32 bytes"):
        verify_trie_proof(keccak256(parent), b"a", [parent, short])
    assert verify_trie_proof(keccak256(leaf(b"\x20a", b"v")), b"a", [leaf(b"\x20a", b"v")]) == b"v"
    embedded = bytes(other.encode([b"\x00a", [b"\x20", b"v"]]))
    assert verify_trie_proof(keccak256(embedded), b"a", [embedded]) == b"v"


def test_too_many_nodes() -> None:
    with pytest.raises(MalformedError, match="71 nodes"):
        verify_trie_proof(bytes(32), b"a", [b""] * 71)
