"""What the recorded exchanges give to the listing: the page's own response, its data, its pictures."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urldefrag, urljoin

from evidence_service.capture.exchange import Exchange, record_id
from evidence_service.capture.listing import Source
from evidence_service.capture.payload import open_payload
from evidence_service.errors import EvidenceError

_MAX_SOURCES = 40
_MAX_SOURCE = 4_000_000
_MAX_PICTURES = 100
_MAX_PICTURE = 50_000_000
_SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/avif": ".avif",
    "image/gif": ".gif",
    "image/svg+xml": ".svg",
}


def main_exchange(exchanges: Sequence[Exchange], url: str) -> Exchange | None:
    """The last exchange that asked for the page itself, with its body where one has it."""
    wanted = _plain(url)
    asked = [item for item in exchanges if _plain(item.url) == wanted]
    # A page's script may ask for the page's address once more (RFC 9110, 15.4.5: 304 has no content).
    whole = [item for item in asked if item.status is not None and item.status != 304]
    return next(reversed(whole or asked), None)


def sources(
    wire: Path, exchanges: Sequence[Exchange], capture: uuid.UUID, main: Exchange | None
) -> list[Source]:
    """The page's response first, then the responses of JSON, in the order they were asked for.

    One whose codings cannot be removed is left out; its bytes are in the record all the same.
    """
    data = [item for item in exchanges if item is not main and "json" in item.content_type.lower()]
    found = []
    for item in [*([] if main is None else [main]), *data][:_MAX_SOURCES]:
        payload = source_payload(wire, item)
        if payload:
            found.append(Source(record_id(capture, item.id, "response"), item.content_type, payload))
    return found


def source_payload(wire: Path, exchange: Exchange) -> bytes | None:
    """A response's payload; None when its codings cannot be removed or it is larger than a source may be."""
    return _payload(wire, exchange, _MAX_SOURCE)


def pictures(
    wire: Path, exchanges: Sequence[Exchange], addresses: str, page: str
) -> Iterator[tuple[Exchange, str, str, bytes]]:
    """The listing's pictures as the servers sent them, codings removed.

    Args:
        addresses: as the page names them, separated by spaces.
        page: what relative ones are relative to.

    Yields:
        Exchange, path in the capture, media type, bytes; each address once, in the listing's order.
    """
    recorded = {_plain(item.url): item for item in exchanges if item.status == 200}
    wanted = dict.fromkeys(filter(None, (_joined(page, address) for address in addresses.split())))
    number = 0
    for address in list(wanted)[:_MAX_PICTURES]:
        item = recorded.get(address)
        media_type = "" if item is None else item.content_type.split(";")[0].strip().lower()
        if item is None or not media_type.startswith("image/"):
            continue
        payload = _payload(wire, item, _MAX_PICTURE)
        if payload:
            number += 1
            yield item, f"images/{number:04}{_SUFFIXES.get(media_type, '.bin')}", media_type, payload


def _payload(wire: Path, exchange: Exchange, limit: int) -> bytes | None:
    try:
        return open_payload(wire, exchange, limit)
    except EvidenceError:
        return None


def _joined(page: str, address: str) -> str:
    """An address on a page; empty for what is none (``http://[``)."""
    try:
        return _plain(urljoin(page, address))
    except ValueError:
        return ""


def _plain(url: str) -> str:
    return urldefrag(url).url.rstrip("/")
