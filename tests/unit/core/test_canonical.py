"""Canonical JSON: what it accepts, what it refuses and in which words (vectors: canonical.json)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_service.core import canonical
from evidence_service.errors import EvidenceError, LimitExceededError, MalformedError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "canonical.json").read_text())

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("name", VECTORS["accepted"])
def test_accepts(name: str) -> None:
    data = VECTORS["accepted"][name].encode()
    assert canonical.encode(canonical.decode(data, what="vector")) == data


@pytest.mark.parametrize("name", VECTORS["refused"])
def test_refuses_and_says_why(name: str) -> None:
    case = VECTORS["refused"][name]
    with pytest.raises(EvidenceError) as refusal:
        canonical.decode(case["text"].encode("utf-8", "surrogatepass"), what="vector")
    assert case["because"] in refusal.value.message


def test_refuses_a_document_over_the_limit() -> None:
    with pytest.raises(LimitExceededError, match="limit is 5"):
        canonical.decode(b'"12345"', what="vector", limit=5)


def test_refuses_nesting_beyond_the_interpreter_stack() -> None:
    # In a process of its own: the failure this guards against is a crash, not an exception.
    program = (
        "import sys; sys.setrecursionlimit(10**6)\n"
        "from evidence_service.core import canonical\n"
        "from evidence_service.errors import LimitExceededError\n"
        "for text in (b'[' * 1_000_000, b'{\"a\":' * 500_000):\n"
        "    try: canonical.decode(text, what='vector')\n"
        "    except LimitExceededError: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "refused\nrefused\n"), done.stderr


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-be", "utf-32-le"])
def test_depth_is_not_hidden_by_another_coding(coding: str) -> None:
    # U+225C has the bytes of a quote and a backslash: in UTF-8 what follows would be text.
    data = ('["\u225c\u5c22", ' + "[" * 100_000).encode(coding)
    with pytest.raises(MalformedError, match="not JSON in UTF-8"):
        canonical.check_nesting(data, what="answer")


def test_brackets_inside_text_are_not_nesting() -> None:
    value = {"a": "[" * 100, "b": '\\"' + "{" * 100}
    assert canonical.decode(canonical.encode(value), what="value") == value


@pytest.mark.parametrize("value", [1.0, float("nan"), 2**53, "\ud800", {1: 2}, b"bytes", {"a": {"b": 0.5}}])
def test_refuses_to_encode_what_has_no_canonical_form(value: object) -> None:
    with pytest.raises(EvidenceError):
        canonical.encode(value)


@given(values)
def test_decode_undoes_encode(value: object) -> None:
    assert canonical.decode(canonical.encode(value), what="value") == value


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_only_evidence_errors(data: bytes) -> None:
    try:
        value = canonical.decode(data, what="bytes")
    except EvidenceError:
        return
    assert canonical.encode(value) == data
