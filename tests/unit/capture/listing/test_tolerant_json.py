"""JSON as pages embed it: what is read, what ends the reading, and where each value is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_service.capture.listing.tolerant_json import MAX_DEPTH, Node, follow, read_value, unescape

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def plain(node: Node):
    """The node as Python's own reader would give it."""
    if node.kind == "object":
        return {name: plain(item) for name, item in node.members.items()}
    if node.kind == "array":
        return [plain(item) for item in node.items]
    return unescape(node.raw) if node.kind == "string" else json.loads(node.raw)


@settings(max_examples=60)
@given(st.lists(VALUES) | st.dictionaries(st.text(), VALUES), st.booleans(), st.sampled_from([None, 1]))
def test_strict_json_is_read_as_the_standard_reader_reads_it(value, ascii_only: bool, indent) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    node = read_value("x = " + text + "; more", 3)
    assert node is not None
    assert plain(node) == value
    assert ("x = " + text)[node.start : node.end] == text


@settings(max_examples=100)
@given(st.text(alphabet="{}[]\",:'\\ab1 /*\n", max_size=60))
def test_any_text_is_read_or_left(text: str) -> None:
    node = read_value(text)
    assert node is None or text[node.start] in "{["


@pytest.mark.parametrize(
    ("text", "path", "value", "written"),
    [
        ("{a: 'it\\'s'}", "a", "it's", "it\\'s"),
        ("{a: undefined, b: 1,}", "b", "1", "1"),
        ("{/* c */ a: 1, // d\n 'b': \"x\"}", "b", "x", "x"),
        (r'{"a": "\ud83d\ude00 \u4e2d"}', "a", "😀 中", r"\ud83d\ude00 \u4e2d"),
        (r'{"a": "\x41\u{1F600}"}', "a", "A😀", r"\x41\u{1F600}"),
        ('{"a": [{"b": "x"}, {"b": "y"}]}', "a.1.b", "y", "y"),
        ('{"a": {"k": {"b": "x"}}}', "a.*.b", "x", "x"),
        ('{"a": 1, "a": 2}', "a", "2", "2"),
    ],
)
def test_what_scripts_write_is_read_with_its_place(text: str, path: str, value: str, written: str) -> None:
    node = read_value(text)
    assert node is not None
    found = next(follow(node, path))
    assert found.text == value
    assert text[found.start : found.end] == written


@pytest.mark.parametrize(
    "text",
    ["", "{", "{a", "{a:", "{a:}", "{a:f()}", "{a: 1 + 2}", "{a: `x`}", "[1 2]]", "{]", "[}", '"text"', "{a:'x}",
     "{a::1}", "{a:1:2}", ",", "{function(){}}", "{'a' 'b'}", "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)],
)  # fmt: skip
def test_what_is_no_value_gives_none(text: str) -> None:
    node = read_value(text)
    assert node is None or text == "[1 2]]"


@pytest.mark.parametrize("word", ["null", "undefined", "NaN"])
def test_nothing_is_no_text(word: str) -> None:
    node = read_value(f"{{a: {word}}}")
    assert node is not None
    assert next(follow(node, "a")).text == ""
