"""The Distinguished Encoding Rules (ITU-T X.690 section 10) at the level of tags and lengths.

One encoding for one value, checked in one pass that is linear in the input; then taken apart.
"""

from __future__ import annotations

from evidence_service.errors import LimitExceededError, MalformedError

_MAX_DEPTH = 40
BOOLEAN, INTEGER, OCTETS, NULL, OID, SEQUENCE, SET = 0x01, 0x02, 0x04, 0x05, 0x06, 0x30, 0x31
_CONSTRUCTED = 0x20


def check(data: bytes) -> None:
    """Refuse anything that is not exactly one DER value.

    Raises:
        MalformedError: a length or integer that is not minimal, a set out of order, bytes after the end.
        LimitExceededError: nested deeper than 40 levels.
    """
    if _element(memoryview(data), 0, 1) != len(data):
        raise MalformedError("it is not in DER: there are bytes after its end")


def _element(data: memoryview, start: int, depth: int) -> int:
    """Check the element at ``start``; its end."""
    if depth > _MAX_DEPTH:
        raise LimitExceededError(f"ASN.1 nested deeper than {_MAX_DEPTH} levels")
    tag, content, end = _header(data, start)
    if tag & _CONSTRUCTED:
        position, previous = content, b""
        while position < end:
            following = _element(data, position, depth + 1)
            if tag == SET:
                current = bytes(data[position:following])
                if current <= previous:
                    raise MalformedError("it is not in DER: a set is not in order")
                previous = current
            position = following
        if position != end:
            raise MalformedError("it is not in DER: an element is longer than what holds it")
        return end
    value = data[content:end]
    if tag == INTEGER and (
        not value or (len(value) > 1 and value[0] in (0x00, 0xFF) and (value[0] ^ value[1]) < 0x80)
    ):
        raise MalformedError("it is not in DER: an integer is not minimal")
    if (tag == BOOLEAN and bytes(value) != b"\xff") or (tag == NULL and value):
        raise MalformedError("it is not in DER: a value is not in its one form")
    return end


def _header(data: memoryview, start: int) -> tuple[int, int, int]:
    """Tag, start and end of the content of the element at ``start``."""
    if start + 2 > len(data) or data[start] & 0x1F == 0x1F:
        raise MalformedError("it is not in DER: cut off, or a tag of more than one byte")
    length, content = data[start + 1], start + 2
    if length >= 0x80:
        width = length - 0x80
        if not 1 <= width <= 4 or content + width > len(data):
            raise MalformedError("it is not in DER: an element without a definite length")
        length = int.from_bytes(data[content : content + width], "big")
        if length < 0x80 or length < 1 << 8 * (width - 1):
            raise MalformedError("it is not in DER: a length is not minimal")
        content += width
    if content + length > len(data):
        raise MalformedError("it is not in DER: it is cut off")
    return data[start], content, content + length


def children(element: bytes, tag: int) -> list[bytes]:
    """The elements inside a constructed element of checked DER, each with its header.

    Raises:
        MalformedError: the element has another tag.
    """
    data = memoryview(element)
    found, position, end = _header(data, 0)
    if found != tag:
        raise MalformedError(f"there is an element {found:#04x} where {tag:#04x} belongs")
    result = []
    while position < end:
        following = _header(data, position)[2]
        result.append(bytes(data[position:following]))
        position = following
    return result


def content(element: bytes, tag: int) -> bytes:
    """Content of a primitive element of checked DER.

    Raises:
        MalformedError: the element has another tag.
    """
    data = memoryview(element)
    found, start, end = _header(data, 0)
    if found != tag:
        raise MalformedError(f"there is an element {found:#04x} where {tag:#04x} belongs")
    return bytes(data[start:end])
