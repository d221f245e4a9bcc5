"""One WARC record: the header's fields, the block's digests, and the HTTP message in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from evidence_service.importing.digests import Digests, UnknownDigestError, algorithm_of
from evidence_service.importing.findings import Notes
from evidence_service.importing.http_message import Head, Message
from evidence_service.importing.stream import BrokenError, PlainStream

_CHUNK = 1 << 16
_TEXT_LIMIT = 4096
_ID = re.compile(r"<[A-Za-z][A-Za-z0-9+.-]*:[^\s<>]+>")
# 5.4 of both editions: W3C-DTF in UTC; fractions of a second since 1.1.
_DATES = {
    "1.0": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    "1.1": re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?Z)?)?)?"),
}
_MANDATORY = ("warc-record-id", "warc-date", "warc-type")
_WITH_TARGET = ("response", "resource", "request", "revisit", "conversion", "continuation")
_REPEATABLE = ("warc-concurrent-to", "warc-protocol")
_FEW_FIELDS = 3


class Record:
    """A record of which the header was read; the block is read once, by whoever wants it.

    Attributes:
        where: number and offset, in words.
        fields: names in small letters and values, in their order.
        length: of the block; None where Content-Length is no number.
        text: beginning of the block, of a record that is read as text.
    """

    def __init__(
        self, where: str, version: str, fields: Sequence[tuple[str, str]], stream: PlainStream
    ) -> None:
        self.where = where
        self.version = version
        self.fields = fields
        self.text = ""
        length = self.value("content-length")
        self.length = int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None
        self._left = self.length or 0
        self._stream = stream

    @property
    def type(self) -> str:
        """WARC-Type."""
        return self.value("warc-type")

    @property
    def id(self) -> str:
        """WARC-Record-ID."""
        return self.value("warc-record-id")

    def values(self, name: str) -> list[str]:
        """Every field of a name."""
        return [value for key, value in self.fields if key == name]

    def value(self, name: str) -> str:
        """The first field of a name; empty where there is none."""
        return next(iter(self.values(name)), "")

    def block(self) -> Iterator[bytes]:
        """What is left of the block.

        Raises:
            BrokenError: the file ends before it does.
        """
        while self._left:
            data = self._stream.read(min(self._left, _CHUNK))
            if not data:
                raise BrokenError("warc.truncated", f"the file ends {self._left} bytes before the block does")
            self._left -= len(data)
            yield data

    def skip(self) -> None:
        """Read over what nobody wanted."""
        for _ in self.block():
            pass


@dataclass(slots=True)
class Heads:
    """What the records have in common: one head in small letters says nothing, all of them do."""

    counts: Counter[str] = field(default_factory=Counter)

    def response(self, head: Head, record: Record) -> None:
        """Count a response."""
        counts = self.counts
        counts["cookies_merged"] += head.cookies_merged
        counts["renamed"] += head.renamed
        # Names are in small letters in HTTP/2 (RFC 9113, section 8.2) and later.
        if len(head.fields) >= _FEW_FIELDS and not any(
            item.lower().startswith(("h2", "h3", "http/2", "http/3"))
            for item in record.values("warc-protocol")
        ):
            counts["responses"] += 1
            counts["lower_case"] += head.lower_case
            counts["sorted"] += head.sorted

    def judge(self, notes: Notes) -> None:
        """Say what was altered, as far as it shows."""
        counts, total = self.counts, self.counts["responses"]
        if total and counts["lower_case"] == total:
            notes.add(
                "warc.headers_lower_case",
                f"all {total} responses have header names in small letters only: HTTP/1.1 servers do not "
                "send them so; the archiving software changed them, or it was HTTP/2 and is not said",
            )
        if total and counts["sorted"] == total:
            notes.add(
                "warc.headers_sorted",
                f"all {total} responses have their header fields in alphabetical order: they were sorted",
            )
        if counts["cookies_merged"]:
            notes.add(
                "warc.cookies_merged",
                f"{counts['cookies_merged']} responses have several cookies in one Set-Cookie: merged",
            )
        if counts["renamed"]:
            notes.add(
                "warc.headers_renamed",
                f"{counts['renamed']} responses have fields moved to x-orig-…: they are not as sent",
            )
        if counts["no_address"]:
            notes.add(
                "warc.ip_address",
                f"{counts['no_address']} of {counts['fetched']} responses do not say from which address they "
                "came (WARC-IP-Address)",
            )
        if counts["no_digest"]:
            notes.add("warc.digest_missing", f"{counts['no_digest']} records have no digest of their bytes")
        notes.fact("digests computed and right", counts["right"])


def examine_record(record: Record, heads: Heads, notes: Notes) -> None:
    """Every check of one record that needs no other record."""
    _examine_header(record, notes)
    block, payload = record.value("warc-block-digest"), record.value("warc-payload-digest")
    algorithms = algorithm_of(block) | algorithm_of(payload)
    whole = Digests(algorithms)
    message = _message(record, algorithms)
    text = b""
    for data in record.block():
        whole.update(data)
        if message is not None:
            message.feed(data)
        elif len(text) < _TEXT_LIMIT:
            text += data
    if record.type == "warcinfo":
        record.text = text.decode("utf-8", "replace").strip()
    if not block and not payload and record.type != "warcinfo":
        heads.counts["no_digest"] += 1
    if block:
        _compare(record, heads, notes, "warc.block_digest", block, whole)
    # A revisit's payload is in the record it refers to; a segment's digest is that of all segments.
    if payload and record.type != "revisit" and not record.value("warc-segment-number"):
        if message is None:
            _compare(record, heads, notes, "warc.payload_digest", payload, whole)
        else:
            _compare(record, heads, notes, "warc.payload_digest", payload, message.payload, message.decoded)
    if message is not None:
        _examine_message(record, message, heads, notes)


def _examine_header(record: Record, notes: Notes) -> None:
    names = [name for name, _ in record.fields]
    for name in _MANDATORY + (("warc-target-uri",) if record.type in _WITH_TARGET else ()):
        if name not in names:
            notes.add("warc.header_missing", f"{name} is missing", record.where)
    for name, count in Counter(names).items():
        if count > 1 and name.startswith(("warc-", "content-")) and name not in _REPEATABLE:
            notes.add("warc.header_repeated", f"{name} is there {count} times", record.where)
    if record.id and not _ID.fullmatch(record.id):
        notes.add("warc.record_id", f"{record.id} is not a URI in angle brackets", record.where)
    date = record.value("warc-date")
    if date and not _is_date(date, record.version):
        notes.add("warc.date", f"{date!r} is not a time as WARC/{record.version} writes it", record.where)
    if reason := record.value("warc-truncated"):
        notes.add("warc.declared_truncated", f"its writer says it is not whole: {reason}", record.where)


def _is_date(text: str, version: str) -> bool:
    if not _DATES[version].fullmatch(text):
        return False
    try:
        # Nine digits of a second are allowed, the library knows six.
        datetime.fromisoformat(re.sub(r"\.\d+", "", text) if len(text) > 7 else "2000-01-01")
    except ValueError:
        return False
    return True


def _message(record: Record, algorithms: set[str]) -> Message | None:
    if "application/http" not in record.value("content-type").lower():
        return None
    if record.type not in ("request", "response", "revisit"):
        return None
    return Message(algorithms, response=record.type != "request")


def _compare(record: Record, heads: Heads, notes: Notes, code: str, label: str, *computed: Digests) -> None:
    """Compare a declared digest with the bytes as they are, and then as they were before their coding."""
    try:
        if computed[0].holds(label):
            heads.counts["right"] += 1
        elif any(item.holds(label) for item in computed[1:]):
            notes.add("warc.payload_digest_decoded", "it is that of the payload without chunks", record.where)
        else:
            notes.add(code, f"declared is {label}, and the bytes have another digest", record.where)
    except UnknownDigestError:
        notes.add("warc.digest_unknown", f"{label!r} was not computed", record.where)


def _examine_message(record: Record, message: Message, heads: Heads, notes: Notes) -> None:
    head = message.head
    if head is None or head.problem:
        words = "has no end" if head is None else head.problem
        notes.add("warc.http_head", f"the HTTP head: {words}", record.where)
        return
    if record.type != "response":
        return
    if record.value("warc-target-uri").strip("<>").startswith(("http:", "https:")):
        heads.counts["fetched"] += 1
        heads.counts["no_address"] += not record.value("warc-ip-address")
    heads.response(head, record)
    # Behind an informational response comes another head; 204 and 304 have no content (RFC 9110, 8.6).
    if head.status < 200 or head.status in (204, 304) or record.value("warc-truncated"):
        return
    if message.chunked is False and message.size:
        notes.add(
            "warc.http_chunked", "the head announces chunks, and the body has none, or no end", record.where
        )
    length = head.value(b"content-length")
    if (
        message.chunked is None
        and length
        and length.isdigit()
        and message.size
        and int(length) != message.size
    ):
        words = f"the head announces {length.decode()} bytes, there are {message.size}"
        notes.add("warc.http_length", words, record.where)
