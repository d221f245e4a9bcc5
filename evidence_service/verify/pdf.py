"""Read a certificate's PDF: exactly the shape this project emits, and nothing else.

Two revisions (the document, then the seal), classic cross-reference tables (ISO 32000-1, 7.5.4), no object
streams, no encryption, no active content. Everything is parsed before anything is believed. Standard library
only: this module runs in a child process under limits (:mod:`evidence_service.verify.confined`).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from evidence_service.errors import LimitExceededError, MalformedError

SIZE_LIMIT = 64 * 1024 * 1024
"""Largest certificate, in bytes."""
ATTACHMENT_LIMIT = 16 * 1024 * 1024
"""Most bytes of all attachments together, decompressed."""
_MAX_OBJECTS = 50_000
_MAX_DEPTH = 60
_REVISIONS = 2
_MAX_ENDS = 1000

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


@dataclass(frozen=True, slots=True)
class PdfContents:
    """What the certificate's PDF holds for the verifier.

    Attributes:
        attachments: by file name, decompressed.
        byte_range: (0, end of the first part, start of the second, its length).
        subfilter: kind of the signature.
    """

    attachments: dict[str, bytes]
    byte_range: tuple[int, int, int, int]
    subfilter: str


def read(data: bytes) -> PdfContents:
    """Parse a sealed certificate.

    Raises:
        MalformedError: not a PDF of this shape; the message names what is wrong.
        LimitExceededError: too large, too deep, too many objects, or decompressing to too much.
    """
    if len(data) > SIZE_LIMIT:
        raise LimitExceededError(f"the PDF has {len(data)} bytes; the limit is {SIZE_LIMIT}")
    if not data.startswith(b"%PDF-1.7\n"):
        raise MalformedError("this is not a PDF that starts with %PDF-1.7")
    offsets, replaced, trailer = _cross_references(data)
    objects = {number: _indirect_object(data, number, offset) for number, offset in offsets.items()}
    # What the second revision replaced is still in the file: it is read as strictly, and then left alone.
    for value in [*objects.values(), *(_indirect_object(data, *item) for item in replaced)]:
        _refuse_active_content(value, 1)
    catalog = _dictionary(objects, trailer.get("Root"), "the catalogue")
    return _signature(data, objects, catalog, _attachments(objects, catalog))


# --- structure --------------------------------------------------------------------------------------

_STARTXREF = re.compile(rb"startxref\r?\n(\d{1,10})\r?\n%%EOF\r?\n?")
_SUBSECTION = re.compile(rb"(\d{1,7}) (\d{1,7})\r?\n")
_ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])(?: \r| \n|\r\n)")


def _cross_references(data: bytes) -> tuple[dict[int, int], list[tuple[int, int]], dict[str, Any]]:
    """Offsets of all objects, numbers and offsets of those the newer revision replaced, newest trailer."""
    revisions = data.count(b"%%EOF")
    # Few are looked for, so that a file of nothing but ends costs no memory.
    ends = list(_STARTXREF.finditer(data)) if revisions <= _MAX_ENDS else []
    if revisions <= _MAX_ENDS and (not ends or ends[-1].end() != len(data)):
        raise MalformedError("the PDF does not end with %%EOF: bytes were cut off or appended")
    if len(ends) != _REVISIONS or revisions != _REVISIONS:
        raise MalformedError(
            f"the PDF has {revisions} revisions; a sealed certificate has {_REVISIONS}",
            what_to_do="get the certificate again; this copy was saved by another program or is not sealed",
        )
    position: Any = int(ends[-1][1])
    offsets: dict[int, int] = {}
    replaced: list[tuple[int, int]] = []
    newest: dict[str, Any] = {}
    for revision in reversed(range(_REVISIONS)):
        table, trailer, end = _table(data, position)
        if end > ends[revision].start() or (revision and position < ends[revision - 1].end()):
            raise MalformedError("a cross-reference table is not in its own revision")
        replaced += [(number, offset) for number, offset in table.items() if number in offsets]
        offsets = {**table, **offsets}
        newest = newest or trailer
        position = trailer.get("Prev")
        if (position is None) != (revision == 0):
            raise MalformedError("the chain of cross-reference tables is not that of two revisions")
    if len(offsets) > _MAX_OBJECTS:
        raise LimitExceededError(f"the PDF has {len(offsets)} objects; the limit is {_MAX_OBJECTS}")
    return offsets, replaced, newest


def _table(data: bytes, position: Any) -> tuple[dict[int, int], dict[str, Any], int]:
    if not isinstance(position, int) or not data.startswith(b"xref", position):
        raise MalformedError("there is no cross-reference table where the PDF says it is")
    scanner = _Scanner(data, position + 4)
    scanner.skip_space()
    table: dict[int, int] = {}
    while match := _SUBSECTION.match(data, scanner.position):
        first, count = int(match[1]), int(match[2])
        scanner.position = match.end()
        if count > _MAX_OBJECTS:
            raise LimitExceededError("a cross-reference table announces too many objects")
        for number in range(first, first + count):
            entry = _ENTRY.match(data, scanner.position)
            if entry is None or number in table:
                raise MalformedError("a cross-reference table has a broken or repeated entry")
            scanner.position = entry.end()
            if entry[3] == b"n":
                if entry[2] != b"00000":
                    raise MalformedError("an object has a generation other than 0")
                table[number] = int(entry[1])
    scanner.expect(b"trailer")
    trailer = scanner.value()
    if not isinstance(trailer, dict) or "Encrypt" in trailer or "XRefStm" in trailer:
        raise MalformedError("the PDF is encrypted, or mixes kinds of cross-references")
    return table, trailer, scanner.position


def _indirect_object(data: bytes, number: int, offset: int) -> Any:
    scanner = _Scanner(data, offset)
    if scanner.integer() != number or scanner.integer() != 0:
        raise MalformedError(f"object {number} is not where the cross-reference table says")
    scanner.expect(b"obj")
    value = scanner.value()
    scanner.skip_space()
    if isinstance(value, dict) and data.startswith(b"stream", scanner.position):
        value = _stream(data, scanner, value, number)
    scanner.expect(b"endobj")
    if isinstance(value, Stream) and value.dictionary.get("Type") in ("ObjStm", "XRef"):
        raise MalformedError("the PDF hides objects in object streams")
    return value


def _stream(data: bytes, scanner: _Scanner, dictionary: dict[str, Any], number: int) -> Stream:
    start = scanner.position + len(b"stream")
    start += 2 if data.startswith(b"\r\n", start) else 1
    length = dictionary.get("Length")
    if not isinstance(length, int) or not 0 <= length <= len(data) - start:
        raise MalformedError(f"stream {number} has no length of its own, or one beyond the file")
    scanner.position = start + length
    scanner.skip_space()
    scanner.expect(b"endstream")
    return Stream(dictionary, data[start : start + length])


def _refuse_active_content(value: Any, depth: int) -> None:
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
            _refuse_active_content(item, depth + 1)


def _dictionary(objects: Mapping[int, Any], value: Any, what: str) -> dict[str, Any]:
    found = objects.get(value.number) if isinstance(value, Reference) else value
    if not isinstance(found, dict):
        raise MalformedError(f"{what} of the PDF is missing")
    return found


# --- attachments and signature ----------------------------------------------------------------------


def _attachments(objects: Mapping[int, Any], catalog: Mapping[str, Any]) -> dict[str, bytes]:
    names = _dictionary(objects, catalog.get("Names", {}), "the name dictionary")
    if not names.keys() <= {"EmbeddedFiles", "Dests"}:
        raise MalformedError("the PDF's name dictionary has entries a certificate has no use for")
    tree = _dictionary(objects, names.get("EmbeddedFiles", {}), "the list of attachments")
    pairs = tree.get("Names", [])
    if "Kids" in tree or not isinstance(pairs, list) or len(pairs) % 2:
        raise MalformedError("the list of attachments is not a flat list")
    result: dict[str, bytes] = {}
    room = ATTACHMENT_LIMIT
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        specification = _dictionary(objects, value, "an attachment")
        name = specification.get("F")
        if not isinstance(name, bytes) or name != key:
            raise MalformedError("an attachment is listed under another name than its own")
        text = _text(name)
        embedded = _dictionary(objects, specification.get("EF", {}), "an attachment's file")
        reference = embedded.get("F")
        stream = objects.get(reference.number) if isinstance(reference, Reference) else None
        if not isinstance(stream, Stream) or text in result:
            raise MalformedError(f"attachment {text} has no content, or is there twice")
        result[text] = _decompress(stream, room)
        room -= len(result[text])
    return result


def _decompress(stream: Stream, room: int) -> bytes:
    filters = stream.dictionary.get("Filter")
    if filters is None:
        if len(stream.raw) > room:
            raise LimitExceededError("the attachments are larger than the limit")
        return stream.raw
    if filters != "FlateDecode" or "DecodeParms" in stream.dictionary:
        raise MalformedError("an attachment is compressed in a way that is not read")
    engine = zlib.decompressobj()
    try:
        data = engine.decompress(stream.raw, room + 1)
    except zlib.error as error:
        raise MalformedError(f"an attachment's compression is broken: {error}") from error
    if len(data) > room:
        raise LimitExceededError("the attachments decompress to more than the limit")
    if not engine.eof or engine.unused_data:
        raise MalformedError("an attachment's compressed data is cut off or has bytes after its end")
    return data


def _signature(
    data: bytes, objects: Mapping[int, Any], catalog: Mapping[str, Any], attachments: dict[str, bytes]
) -> PdfContents:
    signatures = [
        (number, value)
        for number, value in objects.items()
        if isinstance(value, dict) and ("ByteRange" in value or value.get("Type") in ("Sig", "DocTimeStamp"))
    ]
    if len(signatures) != 1:
        raise MalformedError(f"the PDF has {len(signatures)} signatures; a sealed certificate has one")
    number, signature = signatures[0]
    permissions = _dictionary(objects, catalog.get("Perms", {}), "the permissions")
    form = _dictionary(objects, catalog.get("AcroForm", {}), "the form")
    if permissions.get("DocMDP") != Reference(number) or len(form.get("Fields", [])) != 1:
        raise MalformedError("the signature is not the certification of this PDF")
    field = _dictionary(objects, form["Fields"][0], "the signature's field")
    if field.get("V") != Reference(number):
        raise MalformedError("the form's field does not hold the signature")
    byte_range = signature.get("ByteRange")
    if (
        not isinstance(byte_range, list)
        or len(byte_range) != 4
        or not all(isinstance(part, int) for part in byte_range)
    ):
        raise MalformedError("the signature does not say which bytes it covers")
    start, first, second, length = byte_range
    if start != 0 or not 0 < first < second or second + length != len(data):
        raise MalformedError("the signature does not cover the whole file")
    if data[first : first + 1] != b"<" or data[second - 1 : second] != b">":
        raise MalformedError("the signature leaves out more than its own value")
    if signature.get("Contents") != _hex(data[first + 1 : second - 1]):
        raise MalformedError("the signature's value is not in the bytes it leaves out")
    return PdfContents(attachments, (start, first, second, length), str(signature.get("SubFilter", "")))


def _hex(text: bytes) -> bytes:
    if re.fullmatch(rb"(?:[0-9A-F]{2})+", text) is None:
        raise MalformedError("the signature's value is not plain upper-case hexadecimal")
    return bytes.fromhex(text.decode())


def _text(value: bytes) -> str:
    if re.fullmatch(rb"[A-Za-z0-9._-]{1,100}", value) is None or value.startswith(b"."):
        raise MalformedError("an attachment has a name that is not a plain file name")
    return value.decode()


# --- objects ----------------------------------------------------------------------------------------

_SPACE = b"\x00\t\n\x0c\r "
_REGULAR = re.compile(rb"[^\x00\t\n\x0c\r ()<>\[\]{}/%]+")
_INTEGER = re.compile(rb"[+-]?\d{1,10}")
_REAL = re.compile(rb"[+-]?(?:\d{1,15}\.\d{0,15}|\.\d{1,15})")
_REFERENCE = re.compile(rb"(\d{1,7})[\x00\t\n\x0c\r ]+0[\x00\t\n\x0c\r ]+R(?![^\x00\t\n\x0c\r ()<>\[\]{}/%])")
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


class _Scanner:
    """Reads PDF objects (ISO 32000-1, 7.3) from a position on."""

    def __init__(self, data: bytes, position: int) -> None:
        if not 0 <= position < len(data):
            raise MalformedError("the PDF points outside itself")
        self.data = data
        self.position = position

    def skip_space(self) -> None:
        """Skip white space and comments."""
        data = self.data
        while self.position < len(data):
            if data[self.position] in _SPACE:
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

    def integer(self) -> int:
        """Take a whole number."""
        self.skip_space()
        match = _INTEGER.match(self.data, self.position)
        if match is None:
            raise MalformedError(f"the PDF lacks a number at byte {self.position}")
        self.position = match.end()
        return int(match[0])

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
        text = bytes(byte for byte in self.data[self.position + 1 : end] if byte not in _SPACE)
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
