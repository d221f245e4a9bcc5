"""A WACZ's index (CDXJ, plain or as ZipNum) and its pages: what they name has to be in the WARC files."""

from __future__ import annotations

import hashlib
import posixpath
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from evidence_service.importing import json_text
from evidence_service.importing.digests import Digests, UnknownDigestError, algorithm_of, parse
from evidence_service.importing.findings import Notes
from evidence_service.importing.stream import Readable, open_stream
from evidence_service.importing.warc import INDEXED, Walked

_LINE_LIMIT = 1024 * 1024


class Index:
    """All index files of a package together."""

    def __init__(self, walked: Mapping[str, Walked], notes: Notes) -> None:
        self._walked = walked
        self._notes = notes
        self._pointed: dict[str, set[int]] = {}
        self._counts: Counter[str] = Counter()

    def read(self, name: str, reader: Readable) -> None:
        """Compare every line of a first-level index with the record it points at."""
        for number, line in _lines(reader, self._notes):
            if line.startswith((b"!", b" ")):
                continue
            value = _members(line)
            if value is None:
                self._notes.add("wacz.index", "it is not “key time {…}”", f"{name} line {number}")
            else:
                self._entry(f"{name} line {number}", value)

    def _entry(self, where: str, value: dict[str, Any]) -> None:
        offset, length = _number(value.get("offset")), _number(value.get("length"))
        if offset is None or not isinstance(value.get("filename"), str):
            self._notes.add("wacz.index", "it names no file and offset", where)
            return
        path = "archive/" + posixpath.basename(value["filename"])
        walked = self._walked.get(path)
        entry = None if walked is None else walked.entries.get(offset)
        if entry is None:
            # Behind the place where a broken file could not be read any more, nothing is known.
            if walked is None or walked.complete:
                self._notes.add("wacz.index_record", f"no record begins at byte {offset} of {path}", where)
            return
        self._pointed.setdefault(path, set()).add(offset)
        self._counts["entries"] += 1
        if length is not None and entry.length and length != entry.length:
            words = f"the record is {entry.length} bytes long, the index says {length}"
            self._notes.add("wacz.index_length", words, where)
        if (
            isinstance(value.get("url"), str)
            and hashlib.sha256(value["url"].encode("utf-8", "surrogatepass")).digest() != entry.url
        ):
            self._notes.add("wacz.index_record", f"the record at byte {offset} is of another URL", where)
        declared = _label(value.get("digest"))
        if declared is not None and (found := _label(entry.payload)) is not None and found[0] == declared[0]:
            self._counts["compared"] += 1
            if found != declared:
                self._notes.add(
                    "wacz.index_digest", "the record declares another digest of its payload", where
                )

    def second_level(self, name: str, reader: Readable, first_level: Callable[[str], bytes | None]) -> None:
        """Compare a ZipNum index: each line is about one gzip member of the first level.

        Args:
            first_level: path in the archive → bytes; None where they cannot be had.
        """
        for number, line in _lines(reader, self._notes):
            value, where = _members(line), f"{name} line {number}"
            if line.startswith(b"!"):
                continue
            offset, length = (_number(value.get(item)) if value else None for item in ("offset", "length"))
            if value is None or offset is None or length is None:
                self._notes.add("wacz.index", "it names no offset and length", where)
                continue
            path = "indexes/" + posixpath.basename(str(value.get("filename", "index.cdx.gz")))
            data = first_level(path)
            if data is None or offset + length > len(data):
                self._notes.add(
                    "wacz.index_record", f"{path} has no bytes {offset} to {offset + length}", where
                )
                continue
            label = value.get("digest")
            digests = Digests(algorithm_of(label if isinstance(label, str) else None))
            digests.update(data[offset : offset + length])
            if isinstance(label, str) and algorithm_of(label) and not digests.holds(label):
                self._notes.add("wacz.index_digest", f"it is not that of its part of {path}", where)
            _check_member(data[offset : offset + length], where, self._notes)

    def finish(self) -> None:
        """What no line of any index points at."""
        for path, walked in self._walked.items():
            wanted = {offset for offset, entry in walked.entries.items() if entry.type in INDEXED}
            if missing := len(wanted - self._pointed.get(path, set())):
                self._notes.add("wacz.record_unindexed", f"no index points at {missing} of its records", path)
        self._notes.fact("index entries that point at a record", self._counts["entries"])
        self._notes.fact("index digests compared", self._counts["compared"])


def _check_member(data: bytes, where: str, notes: Notes) -> None:
    try:
        engine = zlib.decompressobj(wbits=31)
        engine.decompress(data, 1)
    except zlib.error:
        notes.add("wacz.index", "the part it names is no gzip member", where)


def read_pages(name: str, reader: Readable, walked: Mapping[str, Walked], notes: Notes) -> None:
    """Check a list of pages (WACZ 1.1.1, section 5.1.3): a heading, then a page on each line."""
    urls = set().union(*(item.urls for item in walked.values()))
    whole = all(item.complete for item in walked.values())
    pages = 0
    for number, line in _lines(reader, notes):
        where = f"{name} line {number}"
        try:
            value = json_text.parse(line)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            notes.add("wacz.pages", "it is not a JSON object", where)
        elif number == 1:
            if not isinstance(value.get("format"), str):
                notes.add("wacz.pages", "the first line names no format", where)
        elif not isinstance(value.get("url"), str):
            notes.add("wacz.pages", "a page has no URL", where)
        else:
            pages += 1
            if whole and hashlib.sha256(value["url"].encode("utf-8", "surrogatepass")).digest() not in urls:
                notes.add("wacz.page_record", f"no record is of the page {value['url'][:200]}", where)
    notes.fact(name, f"{pages} pages")


def _lines(reader: Readable, notes: Notes) -> Iterator[tuple[int, bytes]]:
    stream, number = open_stream(reader, notes), 0
    while line := stream.line(_LINE_LIMIT):
        number += 1
        notes.tick()
        if line.strip():
            yield number, line


def _members(line: bytes) -> dict[str, Any] | None:
    """The JSON object behind key and time."""
    begin = line.find(b"{")
    try:
        value = json_text.parse(line[begin:]) if begin >= 0 else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _label(value: Any) -> tuple[str, bytes] | None:
    """A digest; without an algorithm it is SHA-1, as in older indexes."""
    if not isinstance(value, str) or not value:
        return None
    try:
        return parse(value if ":" in value else f"sha1:{value}")
    except UnknownDigestError:
        return None
