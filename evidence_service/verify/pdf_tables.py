"""Revisions of a PDF and their classic cross-reference tables (ISO 32000-2, 7.5.4 and 7.5.6).

Every object of every revision is parsed where its table says, and lies in its own revision, so that no byte
behind a revision can change what the revision says. Verification specification, 4.1 points 2 to 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from evidence_service.errors import LimitExceededError, MalformedError
from evidence_service.verify.pdf_objects import SPACE, Scanner, Stream, refuse_active_content

MAX_REVISIONS = 66
"""Document, seal, and 32 times validation data and a time stamp."""
_MAX_OBJECTS = 50_000
_SEALED = 2
"""Revisions that the seal covers."""
_STARTXREF = re.compile(rb"startxref\r?\n(\d{1,10})\r?\n%%EOF(?:\r\n|\n)?")
_HEAD = re.compile(rb"xref\r?\n")
_SUBSECTION = re.compile(rb"(\d{1,7}) (\d{1,7})\r?\n")
_BEGIN = re.compile(rb"stream\r?\n")
_END_OF_LINE = re.compile(rb"\r\n|\n|\r")
_ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])(?: \r| \n|\r\n)")


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision.

    Attributes:
        start: offset of its first byte, the end of the revision before.
        end: offset after its last byte.
        objects: what its table lists, by number.
    """

    start: int
    end: int
    objects: dict[int, Any]
    trailer: dict[str, Any]


def read_revisions(data: bytes) -> list[Revision]:
    """All revisions, oldest first; at least the document and its seal.

    Raises:
        MalformedError: not of the one shape.
        LimitExceededError: too many revisions or objects.
    """
    result: list[Revision] = []
    previous: int | None = None
    start = entries = 0
    for end in _ends(data):
        table = _table(data, int(end[1]))
        if table.start < start or table.end > end.start():
            raise MalformedError("a cross-reference table is not in its own revision")
        if table.trailer.get("Prev") != previous:
            raise MalformedError("the chain of cross-reference tables is not that of the revisions")
        if result and table.free - {0}:
            raise MalformedError("a revision of the PDF deletes an object")
        entries += len(table.offsets)
        if entries > _MAX_OBJECTS:
            raise LimitExceededError(f"the PDF has {entries} objects; the limit is {_MAX_OBJECTS}")
        result.append(_revision(data, start, end, table, later=len(result) >= _SEALED))
        start, previous = end.end(), table.start
    return result


def _ends(data: bytes) -> list[re.Match[bytes]]:
    count = data.count(b"%%EOF")
    # Few are looked for, so that a file of nothing but ends costs no memory.
    if count > MAX_REVISIONS:
        raise LimitExceededError(f"the PDF has {count} revisions; the limit is {MAX_REVISIONS}")
    ends = list(_STARTXREF.finditer(data))
    if not ends or ends[-1].end() != len(data):
        raise MalformedError("the PDF does not end with %%EOF: bytes were cut off or appended")
    if len(ends) != count or count < _SEALED:
        raise MalformedError(
            f"the PDF has {len(ends)} revisions that end as they should, of {count}; "
            f"a sealed certificate has at least {_SEALED}",
            what_to_do="get the certificate again; this copy was saved by another program or is not sealed",
        )
    return ends


@dataclass(frozen=True, slots=True)
class _Table:
    """A cross-reference table: where it is, offsets of objects in use, numbers that are free."""

    start: int
    end: int
    offsets: dict[int, int]
    free: set[int]
    trailer: dict[str, Any]


def _table(data: bytes, position: int) -> _Table:
    head = _HEAD.match(data, position)
    if head is None:
        raise MalformedError("there is no cross-reference table where the PDF says it is")
    scanner = Scanner(data, head.end())
    offsets: dict[int, int] = {}
    free: set[int] = set()
    while match := _SUBSECTION.match(data, scanner.position):
        first, count = int(match[1]), int(match[2])
        scanner.position = match.end()
        if count > _MAX_OBJECTS:
            raise LimitExceededError("a cross-reference table announces too many objects")
        for number in range(first, first + count):
            entry = _ENTRY.match(data, scanner.position)
            if entry is None or number in offsets or number in free:
                raise MalformedError("a cross-reference table has a broken or repeated entry")
            scanner.position = entry.end()
            if entry[3] == b"f":
                free.add(number)
                continue
            if entry[2] != b"00000":
                raise MalformedError("an object has a generation other than 0")
            offsets[number] = int(entry[1])
    scanner.keyword(b"trailer")
    trailer = scanner.value()
    if not isinstance(trailer, dict) or "Encrypt" in trailer or "XRefStm" in trailer:
        raise MalformedError("the PDF is encrypted, or mixes kinds of cross-references")
    return _Table(position, scanner.position, offsets, free, trailer)


def _revision(data: bytes, start: int, end: re.Match[bytes], table: _Table, *, later: bool) -> Revision:
    objects: dict[int, Any] = {}
    spans: list[tuple[int, int]] = []
    for number, offset in table.offsets.items():
        objects[number], after = _indirect_object(data, number, offset)
        if offset < start or after > table.start:
            raise MalformedError(f"object {number} is not in the revision of its table")
        refuse_active_content(objects[number])
        spans.append((offset, after))
    if later:
        _refuse_between(data, start, [*sorted(spans), (table.start, table.end), (end.start(), end.end())])
    return Revision(start, end.end(), objects, table.trailer)


def _refuse_between(data: bytes, start: int, spans: Iterable[tuple[int, int]]) -> None:
    """Nothing but white space between the parts of a revision (4.3, point 1)."""
    for first, after in spans:
        if first < start or data[start:first].strip(SPACE):
            raise MalformedError("a revision after the seal holds more than its objects and its table")
        start = after


def _indirect_object(data: bytes, number: int, offset: int) -> tuple[Any, int]:
    """The object and the offset after it."""
    scanner = Scanner(data, offset)
    for word in (b"%d" % number, b"0", b"obj"):
        scanner.keyword(word)
        scanner.skip_space()
    value = scanner.value()
    scanner.skip_space()
    if isinstance(value, dict) and data.startswith(b"stream", scanner.position):
        value = _stream(scanner, value, number)
    scanner.keyword(b"endobj")
    if isinstance(value, Stream) and value.dictionary.get("Type") in ("ObjStm", "XRef"):
        raise MalformedError("the PDF hides objects in object streams")
    return value, scanner.position


def _stream(scanner: Scanner, dictionary: dict[str, Any], number: int) -> Stream:
    """ISO 32000-2, 7.3.8.1: one end of line before the data, at most one after it."""
    data = scanner.data
    begin = _BEGIN.match(data, scanner.position)
    length = dictionary.get("Length")
    if begin is None or type(length) is not int or not 0 <= length <= len(data) - begin.end():
        raise MalformedError(f"stream {number} has no length of its own, or one beyond the file")
    after = begin.end() + length
    line_end = _END_OF_LINE.match(data, after)
    scanner.position = after if line_end is None else line_end.end()
    scanner.keyword(b"endstream")
    scanner.skip_space()
    return Stream(dictionary, data[begin.end() : after])
