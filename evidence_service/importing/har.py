"""HAR 1.2: what a browser's developer tools say they exchanged. Nothing in it is authenticated."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, BinaryIO

from evidence_service.importing import json_text
from evidence_service.importing.findings import Notes

SIZE_LIMIT = 48 * 1024 * 1024
"""Bytes; JSON of this size takes most of the memory an examination may have."""
_REDACTED = re.compile(r"(?i)\[?(redacted|removed|masked|sanitized|filtered)\]?|\*{3,}|x{6,}")
_SECRET = ("cookie", "set-cookie", "authorization", "proxy-authorization")
_PHASES = ("blocked", "dns", "connect", "send", "wait", "receive")
_NEEDED: Mapping[str, Mapping[str, type]] = {
    "request": {"method": str, "url": str, "httpVersion": str, "headers": list, "cookies": list},
    "response": {"status": int, "statusText": str, "headers": list, "cookies": list, "content": dict},
}


def examine(file: BinaryIO, size: int, notes: Notes) -> None:
    """Examine a HAR."""
    if size > SIZE_LIMIT:
        notes.add("limit", f"{size} bytes; a HAR is examined up to {SIZE_LIMIT}")
        return
    log = _log(file.read(), notes)
    if log is None:
        return
    creator = log.get("creator")
    for name, value in (("creator", creator), ("browser", log.get("browser"))):
        if isinstance(value, dict):
            notes.fact(name, f"{value.get('name', '?')} {value.get('version', '')}".strip())
    if not isinstance(creator, dict):
        notes.add("har.structure", "log.creator is missing")
    if log.get("version") != "1.2":
        notes.add("har.version", f"examined as 1.2; it says {log.get('version')!r}")
    entries = log.get("entries")
    if not isinstance(entries, list):
        notes.add("har.structure", "log.entries is not a list")
        return
    _Entries(notes).examine(entries)


def _log(data: bytes, notes: Notes) -> dict[str, Any] | None:
    doubled: set[str] = set()

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(found)
        if len(value) != len(found):
            doubled.update(name for name, count in Counter(name for name, _ in found).items() if count > 1)
        return value

    try:
        value = json_text.parse(data, pairs)
    except ValueError as error:
        notes.add("har.structure", f"it is not JSON in UTF-8: {error}")
        return None
    if doubled:
        notes.add(
            "har.duplicate_key", f"members are there twice, readers differ: {', '.join(sorted(doubled)[:5])}"
        )
    log = value.get("log") if isinstance(value, dict) else None
    if not isinstance(log, dict):
        notes.add("har.structure", "there is no member “log”")
        return None
    return log


class _Entries:
    """The exchanges, one after the other."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._counts: Counter[str] = Counter()
        self._times: list[datetime] = []

    def examine(self, entries: list[Any]) -> None:
        notes, counts = self._notes, self._counts
        for number, entry in enumerate(entries, start=1):
            notes.tick()
            self._entry(f"entry {number}", entry)
        notes.fact("entries", len(entries))
        if self._times:
            notes.fact("first startedDateTime", min(self._times).isoformat())
            notes.fact("last startedDateTime", max(self._times).isoformat())
        if self._times != sorted(self._times):
            notes.add("har.order", "the entries are not in the order of their times")
        if counts["missing"]:
            notes.add("har.body_missing", f"{counts['missing']} answers have a size and no body")
        if counts["redacted"]:
            notes.add("har.redacted", f"{counts['redacted']} headers or cookies were made unreadable")
        if entries and not counts["secret"]:
            notes.add(
                "har.cookies_absent", "no cookie and no authorization anywhere: they may have been removed"
            )
        if counts["no_address"]:
            notes.add(
                "har.ip_address", f"{counts['no_address']} entries do not say from which address they came"
            )
        if counts["no_answer"]:
            notes.add("har.no_answer", f"{counts['no_answer']} requests have no answer (status 0)")

    def _entry(self, where: str, entry: Any) -> None:
        if not isinstance(entry, dict):
            self._notes.add("har.structure", "it is not an object", where)
            return
        self._time(where, entry)
        self._counts["no_address"] += not entry.get("serverIPAddress")
        for side, needed in _NEEDED.items():
            value = entry.get(side)
            if not isinstance(value, dict):
                self._notes.add("har.structure", f"{side} is missing", where)
                continue
            wrong = [name for name, kind in needed.items() if not isinstance(value.get(name), kind)]
            if wrong:
                self._notes.add(
                    "har.structure", f"{side}: {', '.join(wrong)} missing or of a wrong type", where
                )
            self._secrets(value)
        response = entry.get("response")
        if isinstance(response, dict) and isinstance(response.get("content"), dict):
            if response.get("status") in (0, -1):
                self._counts["no_answer"] += 1
            else:
                self._content(where, response["content"])

    def _time(self, where: str, entry: Mapping[str, Any]) -> None:
        try:
            moment = datetime.fromisoformat(str(entry.get("startedDateTime")))
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            words = f"{str(entry.get('startedDateTime'))[:40]!r} is not a time with a zone"
            self._notes.add("har.time", words, where)
        else:
            self._times.append(moment)
        timings, total = entry.get("timings"), entry.get("time")
        if not isinstance(timings, dict) or not isinstance(total, int | float) or not _is_number(total):
            self._notes.add("har.structure", "time and timings are missing", where)
            return
        phases = [timings.get(name, -1) for name in _PHASES]
        if not all(_is_number(value) for value in phases):
            self._notes.add("har.structure", "timings has members that are no numbers", where)
            return
        # HAR 1.2: time is the sum of the timings without those that are -1; ssl is a part of connect.
        expected = sum(value for value in phases if value > 0)
        if abs(expected - total) > 1 + total / 1000:
            self._notes.add("har.timings", f"time is {total:.0f} ms, its parts are {expected:.0f} ms", where)

    def _secrets(self, message: Mapping[str, Any]) -> None:
        for kind in ("headers", "cookies"):
            fields: Any = message.get(kind)
            for field in fields if isinstance(fields, list) else ():
                if isinstance(field, dict):
                    secret = kind == "cookies" or str(field.get("name", "")).lower() in _SECRET
                    self._counts["secret"] += secret
                    value = field.get("value")
                    self._counts["redacted"] += isinstance(value, str) and bool(
                        _REDACTED.fullmatch(value.strip())
                    )

    def _content(self, where: str, content: Mapping[str, Any]) -> None:
        size, text = content.get("size"), content.get("text")
        if not isinstance(text, str):
            self._counts["missing"] += isinstance(size, int) and size > 0
            return
        if content.get("encoding") == "base64":
            try:
                length = len(base64.b64decode(text, validate=True))
            except (binascii.Error, ValueError):
                self._notes.add("har.body_encoding", "the body is not the base64 it is said to be", where)
                return
        elif content.get("encoding"):
            words = f"the encoding {str(content['encoding'])[:40]!r} is not base64"
            self._notes.add("har.body_encoding", words, where)
            return
        elif not text.isascii():
            # The size is that of the original character set, which the text does not have any more.
            return
        else:
            length = len(text)
        if isinstance(size, int) and size >= 0 and size != length:
            self._notes.add("har.body_size", f"the size is {size}, the body has {length} bytes", where)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12
