"""How deeply a JSON body is nested, found before anything parses it, portion by portion and in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from starlette.exceptions import HTTPException

DEEPEST = 64
"""Arrays and objects within one another. A library that is imported on the way (py_ecc) raises Python's own
limit to 100,000 frames for the whole process. That is more than a thread's stack holds: parsing would end it.
"""
MOST = 250_000
"""Arrays and objects in all: twice as many as 5,000 captures with 20 steps each. Three bytes of a body make
an empty one, which takes twenty times as many in memory.
"""
_PORTION = 64 * 1024
"""Bytes after which other threads get their turn."""
_OUTSIDE = bytes(sorted(set(range(256)) - set(b"[]{}")))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""A bracket as the step it makes, a signed byte."""


def check_nesting(body: bytes) -> None:
    """Refuse a body whose parsing would take more of the stack or of memory than there is.

    It is right up to the first byte that no JSON text has in its place: no parser reads on there.

    Raises:
        HTTPException: 422.
    """
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return
    if b"\0" in body:
        # UTF-16 or UTF-32, which a parser would find out, and whose quotes are not where they seem to be.
        raise HTTPException(422, "the body is not JSON in UTF-8")  # RFC 8259, section 8.1
    depth, opened = 0, 0
    for brackets in _brackets(body):
        levels = list(accumulate(memoryview(brackets).cast("b"), initial=depth))
        depth = levels[-1]
        opened += brackets.count(b"\x01")
        if max(levels) > DEEPEST:
            raise HTTPException(422, f"the body is nested deeper than {DEEPEST}")
        if opened > MOST:
            raise HTTPException(422, f"the body has more than {MOST} arrays and objects; order in portions")


def _brackets(body: bytes) -> Iterator[bytes]:
    """Steps of the brackets outside texts, portion by portion."""
    inside, rest = False, b""
    for start in range(0, len(body), _PORTION):
        portion = rest + body[start : start + _PORTION]
        # Of backslashes at the end an odd one belongs to what comes next.
        odd = (len(portion) - len(portion.rstrip(b"\\"))) % 2
        portion, rest = portion[: len(portion) - odd], b"\\" * odd
        parts = portion.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        yield b"".join(parts[inside::2]).translate(_STEPS, _OUTSIDE)
        inside ^= len(parts) % 2 == 0
