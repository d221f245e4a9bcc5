"""The depth of a body, against a scanner that looks at one byte after the other."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from evidence_service.api import nesting
from evidence_service.api.app import create_app
from evidence_service.api.nesting import DEEPEST, MOST, check_nesting
from tests.running import operator_key, serving
from tests.unit.api.conftest import KEY
from tests.unit.api.test_conventions import NOWHERE, check_problem

HOSTILE = b"[" * 65 + b'"' + b'\\"' * 1000


def steps(body: bytes) -> tuple[bytes, bool]:
    """Brackets outside texts, found byte by byte, up to where no JSON text goes on; and whether that is its end."""
    found, position, inside = bytearray(), 0, False
    while position < len(body):
        if body[position] == ord("\\"):
            if not inside:
                return bytes(found), False
            position += 1
        elif body[position] == ord('"'):
            inside = not inside
        elif not inside and body[position] in b"[{":
            found.append(1)
        elif not inside and body[position] in b"]}":
            found.append(255)
        position += 1
    return bytes(found), True


@pytest.mark.parametrize("portion", [1, 2, 3, 7, 64 * 1024])
@example(body=b'["\\')
@example(body=b'["\\\\"[')
@example(body=b'["\\\\\\"[')
@example(body=HOSTILE)
@given(body=st.lists(st.sampled_from([b'"', b"\\", b"[", b"]", b"{", b"}", b"a"])).map(b"".join))
def test_brackets_outside_texts_are_found(portion: int, body: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nesting, "_PORTION", portion)
        found = b"".join(nesting._brackets(body))
    wanted, whole = steps(body)
    assert found == wanted if whole else found.startswith(wanted)


@pytest.mark.parametrize("times", [1, 2, 4, 8])
def test_each_byte_is_looked_at_once(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Of a text without an end, each escaped quote was tried as a beginning once more.
    looked = []

    class Counted(bytes):
        def __getitem__(self, index: Any) -> Any:
            looked.append(len(bytes(self)[index]))
            return bytes(self)[index]

    monkeypatch.setattr(nesting, "_PORTION", 4096)
    body = Counted(HOSTILE[:66] + b'\\"' * 50_000 * times)
    assert b"".join(nesting._brackets(body)) == b"\x01" * 65
    assert sum(looked) == len(body)


def test_a_long_body_without_an_end_is_refused() -> None:
    with pytest.raises(HTTPException, match="deeper than 64"):
        check_nesting(b"[" * 65 + b'"' + b'\\"' * (8 << 20))


@pytest.mark.parametrize("depth", [DEEPEST, DEEPEST + 1])
def test_the_depth_that_is_allowed(depth: int) -> None:
    for body in (b"[" * depth + b"]" * depth, b"[]," * 300 + b'{"\\\\":' * depth):
        if depth > DEEPEST:
            with pytest.raises(HTTPException, match="deeper"):
                check_nesting(body)
        else:
            check_nesting(body)


def test_there_are_not_more_arrays_than_memory_holds() -> None:
    check_nesting(b"[" + b"[]," * (MOST - 1))
    with pytest.raises(HTTPException, match="order in portions"):
        check_nesting(b"[" + b"{}," * MOST)


def test_texts_in_which_quotes_cannot_be_found_are_refused() -> None:
    # In UTF-16 an escaped quote is not two bytes beside one another: what follows would pass for a text.
    body = ('{"reference": "\\"", "rights": ' + "[" * 80 + "]" * 80 + ', "title": "\\""}').encode("utf-16-le")
    app = create_app(NOWHERE, operator_key(KEY))
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    with serving(app) as url, httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        answer = client.post("/v1/matters", content=body)
    assert "UTF-8" in check_problem(answer, 422, "invalid-request")["title"]
