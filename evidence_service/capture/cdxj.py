"""CDXJ: one sorted line for each record that can be looked up by its address (WACZ 1.1.1, 4.4)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from evidence_service.capture.warc import Written, label

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line's content.

    Attributes:
        timestamp: 14 digits, UTC.
        method: of the request; anything but GET becomes part of the key, since its answer is another page.
    """

    url: str
    timestamp: str
    media_type: str
    status: int
    record: Written
    method: str

    @classmethod
    def of(
        cls, url: str, date: str, media_type: str, status: int, record: Written, *, method: str = "GET"
    ) -> Entry:
        """Entry of a record with a date in the formats' notation and a Content-Type as it was sent."""
        mime = media_type.split(";", maxsplit=1)[0].strip().lower() or "unk"
        return cls(url, re.sub(r"\D", "", date)[:14], mime, status, record, method)

    @property
    def key(self) -> str:
        """What the line is sorted and looked up by."""
        if self.method == "GET":
            return surt(self.url)
        return surt(f"{self.url}{'&' if '?' in self.url else '?'}__wb_method={self.method}")

    def line(self, filename: str) -> str:
        """The line, without its end.

        Args:
            filename: of the WARC file in the package's ``archive`` folder.
        """
        value = {
            "url": self.url,
            "mime": self.media_type,
            "status": str(self.status),
            "digest": label(self.record.payload),
            "recordDigest": label(self.record.block),
            "length": str(self.record.length),
            "offset": str(self.record.offset),
            "filename": filename,
        }
        if self.method != "GET":
            value["method"] = self.method
        return f"{self.key} {self.timestamp} {json.dumps(value, ensure_ascii=True)}"


def index_lines(entries: Iterable[Entry], filename: str) -> Iterator[bytes]:
    """Every line in byte order, as binary search needs it."""
    yield from sorted(entry.line(filename).encode() + b"\n" for entry in entries)


def surt(url: str) -> str:
    """The sort-friendly form of an address: ``com,example,shop)/item?a=1&b=2``.

    Host labels are reversed and ``www`` is dropped, scheme, default port and fragment are left out, case is
    folded and the query's members are sorted: the form that other tools look addresses up by. A URI without a
    host stays as it is.
    """
    parts = urlsplit(url)
    if parts.scheme not in _DEFAULT_PORTS:
        return url
    host = re.sub(r"^www\d*\.", "", (parts.hostname or "").rstrip("."))
    try:
        port = parts.port
    except ValueError:
        port = None
    ordered = host if ":" in host else ",".join(reversed(host.split(".")))
    suffix = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    path = re.sub("//+", "/", parts.path).rstrip("/") or "/"
    query = "&".join(sorted(parts.query.lower().split("&"))) if parts.query else ""
    return f"{ordered}{suffix}){path}".lower() + ("?" + query if query else "")
