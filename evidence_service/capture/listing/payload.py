"""Text that knows which bytes of a payload its characters were."""

from __future__ import annotations

import codecs
import re
from email.message import Message

from evidence_service.capture.listing.fact import Source, Span

_MAX_BYTES = 12_000_000
_STEP = 8_192
_META_CHARSET = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{1,40})""", re.IGNORECASE
)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

# The Encoding Standard (encoding.spec.whatwg.org, section 4.2) reads these labels as their supersets.
_SUPERSETS = {
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "gb2312": "gb18030",
    "gb_2312-80": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "euc-kr": "cp949",
    "big5": "big5hkscs",
}
# Where a character's bytes depend on those before it, offsets cannot be counted chunk by chunk.
_STATEFUL = ("iso2022", "hz", "utf_7")


class Text:
    """A decoded payload, or the rendered page, which has no bytes on the wire.

    Attributes:
        text: decoded so that encoding it again gives the payload's bytes.
        record: WARC-Record-ID, or empty.
    """

    def __init__(self, text: str, record: str = "", payload: bytes = b"", encoding: str = "") -> None:
        self.text = text
        self.record = record
        self._payload = payload
        self._encoding = encoding
        self._offsets = [0]

    @classmethod
    def of(cls, source: Source) -> Text:
        """Decode a response; bytes that are none of its encoding's stay distinguishable."""
        payload = source.payload[:_MAX_BYTES]
        encoding = _encoding(source.media_type, payload)
        return cls(payload.decode(encoding, "surrogateescape"), source.record, payload, encoding)

    def span(self, start: int, end: int) -> Span | None:
        """Bytes of the characters from ``start`` to ``end``; None when they cannot be told exactly."""
        if not self._encoding or codecs.lookup(self._encoding).name.startswith(_STATEFUL):
            return None
        try:
            found = (self._byte(start), self._byte(end))
            same = self._payload[slice(*found)].decode(self._encoding, "surrogateescape")
        except UnicodeError:
            return None
        return found if same == self.text[start:end] else None

    def _byte(self, position: int) -> int:
        chunk, rest = divmod(position, _STEP)
        while len(self._offsets) <= chunk:
            begin = (len(self._offsets) - 1) * _STEP
            self._offsets.append(self._offsets[-1] + self._size(begin, begin + _STEP))
        return self._offsets[chunk] + self._size(position - rest, position)

    def _size(self, start: int, end: int) -> int:
        return len(self.text[start:end].encode(self._encoding, "surrogateescape"))


def _encoding(media_type: str, payload: bytes) -> str:
    """The order of the HTML standard, 13.2.3.2: byte order mark, transport, the page's own declaration."""
    for mark, name in _BOMS:
        if payload.startswith(mark):
            return name
    header = Message()
    header["Content-Type"] = media_type
    declared = _META_CHARSET.search(payload[:4096])
    for label in (str(header.get_param("charset", "")), declared.group(1).decode() if declared else ""):
        name = _SUPERSETS.get(label.strip().lower(), label.strip())
        try:
            if name and codecs.lookup(name)._is_text_encoding:
                return codecs.lookup(name).name
        except (LookupError, ValueError):
            continue
    return "utf-8"
