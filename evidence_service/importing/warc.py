"""WARC/1.0 and 1.1 (ISO 28500:2009 and 2017): records one after the other, strictly framed, in any size."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from evidence_service.importing.findings import Notes
from evidence_service.importing.stream import BrokenError, PlainStream, Readable, Start, open_stream
from evidence_service.importing.warc_record import Heads, Record, examine_record

MAX_RECORDS = 100_000
_LINE_LIMIT = 64 * 1024
_HEADER_LIMIT = 256 * 1024
_VERSION = re.compile(rb"WARC/([0-9]+\.[0-9]+)\r?\n")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*", re.DOTALL)
INDEXED = ("response", "resource", "revisit")
"""Types of records that an index points at."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an index can be compared with.

    Attributes:
        length: bytes of the record, of its gzip member where there is one.
        url: SHA-256 of the target.
        payload: the declared payload digest.
    """

    length: int
    type: str
    url: bytes
    payload: str


@dataclass(slots=True)
class Walked:
    """What the records of a file were, in order of their offsets."""

    entries: dict[int, Entry] = field(default_factory=dict)
    complete: bool = False

    @property
    def urls(self) -> set[bytes]:
        """SHA-256 of the targets that an index points at."""
        return {entry.url for entry in self.entries.values() if entry.type in INDEXED}


def examine(file: Readable, notes: Notes) -> Walked:
    """Examine a WARC file, compressed or not.

    Args:
        file: read once, from its beginning, never as a whole.
    """
    walk = _Walk(open_stream(file, notes), notes)
    try:
        for record, start in walk.records():
            examine_record(record, walk.heads, notes)
            walk.note(record, start)
    except BrokenError as error:
        notes.add(error.code, error.what, walk.where)
    else:
        walk.walked.complete = True
    walk.finish()
    return walk.walked


class _Walk:
    """The state between records."""

    def __init__(self, stream: PlainStream, notes: Notes) -> None:
        self._stream = stream
        self._notes = notes
        self._ids: set[bytes] = set()
        self._referred: list[tuple[str, str, bytes]] = []
        self._types: Counter[str] = Counter()
        self._dates: list[str] = []
        self._number = 0
        self._members = 0
        self.heads = Heads()
        self.walked = Walked()
        self.where = ""

    def records(self) -> Iterator[tuple[Record, Start]]:
        """Every record: its header is read, its block is left to the caller, then its end is checked."""
        while (start := self._stream.begin()) is not None:
            self._number += 1
            self.where = f"record {self._number} at byte {start.offset}"
            if self._number > MAX_RECORDS:
                raise BrokenError("limit", f"more than {MAX_RECORDS} records; the rest was not examined")
            member = getattr(self._stream, "member", 0)
            record = self._header()
            yield record, start
            record.skip()
            if self._end() != b"\r\n\r\n":
                raise BrokenError("warc.framing", "the record does not end with two empty lines")
            shared = not start.fresh or member != getattr(self._stream, "member", 0)
            self._members += shared

    def _end(self) -> bytes:
        found = b""
        while len(found) < 4 and (data := self._stream.read(4 - len(found))):
            found += data
        if len(found) < 4:
            raise BrokenError("warc.truncated", "the file ends before the record does")
        return found

    def _header(self) -> Record:
        line = self._stream.line(_LINE_LIMIT)
        version = _VERSION.fullmatch(line)
        if version is None:
            raise BrokenError("warc.framing", f"here should be a record, and is {line[:40]!r}")
        if version[1] not in (b"1.0", b"1.1"):
            raise BrokenError("warc.version", f"WARC/{version[1].decode()} is not examined, only 1.0 and 1.1")
        record = Record(self.where, version[1].decode(), self._fields(line), self._stream)
        if record.length is None:
            raise BrokenError("warc.framing", "the record has no Content-Length that is a number")
        return record

    def _fields(self, line: bytes) -> list[tuple[str, str]]:
        fields: list[tuple[str, str]] = []
        loose, size = not line.endswith(b"\r\n"), 0
        while (line := self._stream.line(_LINE_LIMIT)).strip(b"\r\n"):
            size += len(line)
            if not line.endswith(b"\n") or size > _HEADER_LIMIT:
                raise BrokenError("warc.framing", "the record's header does not end")
            loose = loose or not line.endswith(b"\r\n")
            text = line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")
            if text[0] in " \t" and fields:
                # A folded line: WARC/1.0 has them, the edition of 2017 does not speak against them.
                fields[-1] = (fields[-1][0], f"{fields[-1][1]} {text.strip()}")
            elif found := _FIELD.fullmatch(text):
                fields.append((found[1].lower(), found[2]))
            else:
                self._notes.add(
                    "warc.header_syntax", f"a line is not a header field: {text[:60]!r}", self.where
                )
        if not line:
            raise BrokenError("warc.truncated", "the file ends inside a record's header")
        if loose:
            self._notes.add("warc.header_syntax", "lines end with LF instead of CRLF", self.where)
        return fields

    def note(self, record: Record, start: Start) -> None:
        """Remember what later records and an index are compared with."""
        record.skip()
        self._types[record.type] += 1
        identity = hashlib.sha256(record.id.encode()).digest()[:16]
        if identity in self._ids:
            self._notes.add("warc.record_id", f"{record.id} was used before", self.where)
        self._ids.add(identity)
        for name, code in (
            ("warc-concurrent-to", "warc.concurrent_to"),
            ("warc-refers-to", "warc.refers_to"),
        ):
            for value in record.values(name):
                self._referred.append((code, self.where, hashlib.sha256(value.encode()).digest()[:16]))
        if date := record.value("warc-date"):
            self._dates = [min([date, *self._dates[:1]]), max([date, *self._dates[1:]])]
        if record.type == "warcinfo" and record.text:
            self._notes.fact("warcinfo", "; ".join(record.text.split("\r\n")))
        url = hashlib.sha256(record.value("warc-target-uri").strip("<>").encode()).digest()
        if start.fresh:
            self.walked.entries[start.offset] = Entry(
                0, record.type, url, record.value("warc-payload-digest")
            )

    def finish(self) -> None:
        """What only the whole file shows."""
        notes = self._notes
        for code, where, identity in self._referred:
            if identity not in self._ids:
                notes.add(code, "the record it names is not in this file", where)
        if trailing := self._stream.trailing:
            notes.add("trailing", f"{trailing} bytes behind the last gzip member are none")
        if self._members:
            notes.add(
                "warc.gzip_members",
                f"{self._members} records are not alone in one gzip member (ISO 28500, annex D): an index "
                "cannot point at them",
            )
        if not self._number:
            notes.add("warc.empty", "there is no record")
        self._lengths()
        self.heads.judge(notes)
        notes.fact("records", [f"{kind}: {count}" for kind, count in sorted(self._types.items())])
        if self._dates:
            notes.fact("first WARC-Date", self._dates[0])
            notes.fact("last WARC-Date", self._dates[-1])

    def _lengths(self) -> None:
        """A record ends where the next one begins."""
        offsets = [*self.walked.entries, self._stream.end]
        for offset, following in itertools.pairwise(offsets):
            entry = self.walked.entries[offset]
            self.walked.entries[offset] = Entry(following - offset, entry.type, entry.url, entry.payload)
