"""Objects of a PDF (ISO 32000-2, 7.3), parsed strictly.

Arrays are lists, dictionaries are dicts, strings are bytes, null is None. Standard library only: it runs in
the child process of :mod:`evidence_service.verify.confined`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from evidence_service.errors import LimitExceededError, MalformedError

SPACE = b"\x00\t\n\x0c\r "
"""White space (ISO 32000-2, table 1)."""
_MAX_DEPTH = 60
_REGULAR = re.compile(rb"[^\x00\t\n\x0c\r ()<>\[\]{}/%]+")
_INTEGER = re.compile(rb"[+-]?\d{1,10}")
_REAL = re.compile(rb"[+-]?(?:\d{1,15}\.\d{0,15}|\.\d{1,15})")
_REFERENCE = re.compile(rb"(\d{1,7})[\x00\t\n\x0c\r ]+0[\x00\t\n\x0c\r ]+R(?![^\x00\t\n\x0c\r ()<>\[\]{}/%])")
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}

_FORBIDDEN = frozenset(
    {"AA", "OpenAction", "JavaScript", "JS", "Launch", "XFA", "RichMedia", "Movie", "Sound", "GoToR", "GoToE",
     "SubmitForm", "ImportData", "Rendition", "3D"}
)  # fmt: skip
"""Names of active content; a certificate has no use for any."""


class Name(str):
    """A PDF name without its slash."""

    __slots__ = ()


class Reference(NamedTuple):
    """An indirect reference; generations other than 0 are refused."""

    number: int


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream: its dictionary and its raw bytes."""

    dictionary: Mapping[str, Any]
    raw: bytes


def dictionary(objects: Mapping[int, Any], value: Any, what: str) -> dict[str, Any]:
    """The dictionary that a value is or refers to.

    Raises:
        MalformedError: it is none.
    """
    found = objects.get(value.number) if isinstance(value, Reference) else value
    if not isinstance(found, dict):
        raise MalformedError(f"{what} of the PDF is missing")
    return found


def same(one: Any, other: Any) -> bool:
    """Whether two values are of the same kind and equal in every part.

    Python's own comparison does not tell true from 1, nor a name from a string of keys.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if type(one) is list and type(other) is list:
        return len(one) == len(other) and all(map(same, one, other))
    numbers = (int, float)
    if type(one) in numbers and type(other) in numbers:
        return bool(one == other)
    return type(one) is type(other) and bool(one == other)


def references(value: Any) -> Iterator[int]:
    """Numbers of the objects that a value refers to, at any depth."""
    if isinstance(value, Stream):
        value = value.dictionary
    if isinstance(value, Reference):
        yield value.number
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from references(item)


def refuse_active_content(value: Any) -> None:
    """Refuse names of actions and scripts anywhere in an object.

    Raises:
        MalformedError: the message names them.
    """
    if isinstance(value, Stream):
        value = value.dictionary
    if isinstance(value, dict):
        found = _FORBIDDEN & value.keys()
        if value.get("S") in _FORBIDDEN:
            found = frozenset({str(value["S"])})
        if found:
            raise MalformedError(f"the PDF holds active content ({', '.join(sorted(found))})")
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            refuse_active_content(item)


class Scanner:
    """Reads PDF objects (ISO 32000-2, 7.3) from a position on."""

    def __init__(self, data: bytes, position: int) -> None:
        if not 0 <= position < len(data):
            raise MalformedError("the PDF points outside itself")
        self.data = data
        self.position = position

    def skip_space(self) -> None:
        """Skip white space and comments."""
        data = self.data
        while self.position < len(data):
            if data[self.position] in SPACE:
                self.position += 1
            elif data[self.position] == 0x25:
                end = re.compile(rb"[\r\n]").search(data, self.position)
                self.position = len(data) if end is None else end.end()
            else:
                return

    def expect(self, word: bytes) -> None:
        """Take a keyword."""
        self.skip_space()
        if not self.data.startswith(word, self.position):
            raise MalformedError(f"the PDF lacks {word.decode()} at byte {self.position}")
        self.position += len(word)

    def keyword(self, word: bytes) -> None:
        """Take a keyword that stands right here and is ended by white space, a delimiter or the end."""
        match = _REGULAR.match(self.data, self.position)
        if match is None or match[0] != word:
            raise MalformedError(f"the PDF lacks {word.decode()} at byte {self.position}")
        self.position = match.end()

    def value(self, depth: int = 1) -> Any:  # noqa: PLR0911 - one return for each kind of object
        """Take one object."""
        if depth > _MAX_DEPTH:
            raise LimitExceededError(f"PDF objects nested deeper than {_MAX_DEPTH}")
        self.skip_space()
        data, position = self.data, self.position
        head = data[position : position + 1]
        if data.startswith(b"<<", position):
            return self._dictionary(depth)
        if head == b"[":
            return self._array(depth)
        if head == b"/":
            self.position += 1
            return Name(self._name())
        if head == b"(":
            return self._literal_string()
        if head == b"<":
            return self._hexadecimal_string()
        if match := _REFERENCE.match(data, position):
            self.position = match.end()
            return Reference(int(match[1]))
        return self._word()

    def _dictionary(self, depth: int) -> dict[str, Any]:
        self.position += 2
        result: dict[str, Any] = {}
        while True:
            self.skip_space()
            if self.data.startswith(b">>", self.position):
                self.position += 2
                return result
            self.expect(b"/")
            key = self._name()
            if key in result:
                raise MalformedError(f"a PDF dictionary has {key[:40]} twice")
            result[key] = self.value(depth + 1)

    def _array(self, depth: int) -> list[Any]:
        self.position += 1
        result: list[Any] = []
        while True:
            self.skip_space()
            if self.data.startswith(b"]", self.position):
                self.position += 1
                return result
            result.append(self.value(depth + 1))

    def _name(self) -> str:
        match = _REGULAR.match(self.data, self.position)
        if match is None:
            raise MalformedError(f"the PDF has an empty name at byte {self.position}")
        self.position = match.end()
        return re.sub(rb"#([0-9A-Fa-f]{2})", lambda m: bytes.fromhex(m[1].decode()), match[0]).decode(
            "latin-1"
        )

    def _literal_string(self) -> bytes:
        out = bytearray()
        depth, position, data = 0, self.position, self.data
        while position < len(data):
            char = data[position : position + 1]
            if char == b"\\":
                escaped = data[position + 1 : position + 2]
                if octal := re.compile(rb"[0-7]{1,3}").match(data, position + 1):
                    out.append(int(octal[0], 8) & 255)
                    position = octal.end()
                    continue
                out += _ESCAPES.get(escaped, escaped)
                position += 2
                continue
            depth += (char == b"(") - (char == b")")
            if depth == 0:
                self.position = position + 1
                return bytes(out)
            if out or depth > 1 or char != b"(" or position != self.position:
                out += char
            position += 1
        raise MalformedError("a PDF string has no end")

    def _hexadecimal_string(self) -> bytes:
        end = self.data.find(b">", self.position)
        text = bytes(byte for byte in self.data[self.position + 1 : end] if byte not in SPACE)
        if end < 0 or re.fullmatch(rb"(?:[0-9A-Fa-f]{2})*", text) is None:
            raise MalformedError("a PDF string is not hexadecimal")
        self.position = end + 1
        return bytes.fromhex(text.decode())

    def _word(self) -> Any:
        match = _REGULAR.match(self.data, self.position)
        word = b"" if match is None else match[0]
        constants = {b"true": True, b"false": False, b"null": None}
        if match is None or not (word in constants or _INTEGER.fullmatch(word) or _REAL.fullmatch(word)):
            raise MalformedError(f"the PDF has something unreadable at byte {self.position}")
        self.position = match.end()
        if word in constants:
            return constants[word]
        return int(word) if _INTEGER.fullmatch(word) else float(word)
