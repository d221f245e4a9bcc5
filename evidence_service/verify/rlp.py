"""Strict decoder of RLP (Ethereum yellow paper, appendix B): one byte string has exactly one reading.

A lenient decoder would let two different byte strings stand for one header or node. Everything that the
canonical encoder never writes is refused.
"""

from __future__ import annotations

from evidence_service.errors import LimitExceededError, MalformedError

Item = bytes | list["Item"]

MAX_SIZE = 1024 * 1024
"""Most bytes of one encoding; the largest thing proved is a transaction or receipt of a block."""
MAX_DEPTH = 16
MAX_ITEMS = 65_536
"""Most items in one encoding, all lists together."""

_SHORT = 55
_STRING = 0x80
_LIST = 0xC0


def decode(data: bytes, *, limit: int = MAX_SIZE) -> Item:
    """Decode one item that fills ``data`` exactly.

    Raises:
        MalformedError: truncated, trailing bytes, a length or a single byte not in its shortest form.
        LimitExceededError: larger, deeper or with more items than allowed.
    """
    if len(data) > limit:
        raise LimitExceededError(f"the RLP encoding has {len(data)} bytes; the limit is {limit}")
    decoder = _Decoder(data)
    item, end = decoder.item(0, len(data), 0)
    if end != len(data):
        raise MalformedError(f"{len(data) - end} bytes follow the RLP encoding")
    return item


def decode_list(data: bytes, *, what: str, limit: int = MAX_SIZE) -> list[Item]:
    """Decode an item that has to be a list.

    Raises:
        MalformedError, LimitExceededError: as :func:`decode`, or it is a byte string.
    """
    item = decode(data, limit=limit)
    if not isinstance(item, list):
        raise MalformedError(f"the {what} is not an RLP list")
    return item


def as_bytes(item: Item, *, what: str, size: int | None = None) -> bytes:
    """The byte string in an item, optionally of an exact size.

    Raises:
        MalformedError: it is a list, or has another size.
    """
    if not isinstance(item, bytes):
        raise MalformedError(f"{what} is an RLP list, not a byte string")
    if size is not None and len(item) != size:
        raise MalformedError(f"{what} has {len(item)} bytes, not {size}")
    return item


def as_list(item: Item, *, what: str, length: int | None = None) -> list[Item]:
    """The list in an item, optionally of an exact length.

    Raises:
        MalformedError: it is a byte string, or has another length.
    """
    if isinstance(item, bytes):
        raise MalformedError(f"{what} is not an RLP list")
    if length is not None and len(item) != length:
        raise MalformedError(f"{what} has {len(item)} items, not {length}")
    return item


def as_integer(item: Item, *, what: str, size: int = 8) -> int:
    """The big-endian integer in an item of at most ``size`` bytes, without leading zeros.

    Raises:
        MalformedError: a list, too long, or with a leading zero byte.
    """
    data = as_bytes(item, what=what)
    if len(data) > size:
        raise MalformedError(f"{what} has {len(data)} bytes; at most {size} are allowed")
    if data[:1] == b"\x00":
        raise MalformedError(f"{what} is an integer with a leading zero byte")
    return int.from_bytes(data, "big")


def encode_integer(value: int) -> bytes:
    """Canonical encoding of a non-negative integer: the key of a transaction or receipt in its trie."""
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    if len(data) == 1 and data[0] < _STRING:
        return data
    return bytes([_STRING + len(data)]) + data


class _Decoder:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._items = 0

    def item(self, start: int, stop: int, depth: int) -> tuple[Item, int]:
        """The item at ``start`` and where it ends, which is at most ``stop``."""
        self._items += 1
        if self._items > MAX_ITEMS:
            raise LimitExceededError(f"the RLP encoding has more than {MAX_ITEMS} items")
        if start >= stop:
            raise MalformedError("the RLP encoding is truncated")
        first = self._data[start]
        if first < _STRING:
            return self._data[start : start + 1], start + 1
        if first < _LIST:
            begin, end = self._payload(start, stop, first - _STRING)
            payload = self._data[begin:end]
            if len(payload) == 1 and payload[0] < _STRING:
                raise MalformedError("a single byte below 0x80 is encoded with a length")
            return payload, end
        if depth >= MAX_DEPTH:
            raise LimitExceededError(f"the RLP encoding is nested deeper than {MAX_DEPTH} lists")
        position, end = self._payload(start, stop, first - _LIST)
        items: list[Item] = []
        while position < end:
            item, position = self.item(position, end, depth + 1)
            items.append(item)
        return items, end

    def _payload(self, start: int, stop: int, form: int) -> tuple[int, int]:
        """Where the payload of a string or list begins and ends; ``form`` is its first byte's lower part."""
        begin, length = start + 1, form
        if form > _SHORT:
            begin += form - _SHORT
            digits = self._data[start + 1 : min(begin, stop)]
            if len(digits) != form - _SHORT:
                raise MalformedError("the RLP encoding is truncated inside a length")
            length = int.from_bytes(digits, "big")
            if digits[0] == 0 or length <= _SHORT:
                raise MalformedError("an RLP length is not in its shortest form")
        if length > stop - begin:
            raise MalformedError("the RLP encoding is truncated")
        return begin, begin + length
