"""What the recorded exchanges give to the listing: the page's own response, its data, its pictures."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urldefrag, urljoin

from evidence_service.capture.exchange import Exchange, record_id
from evidence_service.capture.listing import Source
from evidence_service.capture.payload import head_of, header_values, open_payload
from evidence_service.errors import EvidenceError

_MAX_SOURCES = 40
_MAX_SOURCE = 4_000_000
_MAX_PICTURES = 100
_MAX_PICTURE = 50_000_000
_MAX_HEAD = 1 << 16
_SUFFIXES = {
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/webp": ".webp",
    "image/avif": ".avif",
    "image/gif": ".gif",
    "image/svg+xml": ".svg",
}


def navigation_exchanges(
    wire: Path, exchanges: Sequence[Exchange], url: str, method: str = "GET"
) -> list[Exchange]:
    """The exchanges in which the browser asked for an address as the main frame's document, in order.

    A page's script may ask for the page's own address as often as it likes, by any method; the browser
    says of each request what it is for (W3C Fetch Metadata), and a script cannot set those fields.
    """
    wanted = _plain(url)
    return [
        item
        for item in exchanges
        if item.kind == "http"
        and item.method == method
        and _plain(item.url) == wanted
        and _is_navigation(_request_head(wire, item))
    ]


def main_exchange(
    wire: Path,
    exchanges: Sequence[Exchange],
    url: str,
    *,
    method: str = "GET",
    status: int | None = None,
    number: int = 1,
) -> Exchange | None:
    """The exchange of a navigation; None when it was not recorded.

    Args:
        status: that the browser tells of the document; None: not known.
        number: which of those with the status it is, from 1. What the browser kept from before (RFC 9110,
            15.4.5: 304 has no content) has no exchange of its own: then it is the last that is there.
    """
    asked = navigation_exchanges(wire, exchanges, url, method)
    whole = [item for item in asked if item.status is not None and item.status != 304] or asked
    answered = [item for item in whole if item.status == status] or whole
    return answered[min(number, len(answered)) - 1] if answered else None


def _request_head(wire: Path, exchange: Exchange) -> bytes:
    if exchange.request is None:
        return b""
    head = head_of(wire / exchange.request.name, exchange.request_head or _MAX_HEAD)
    return head.partition(b"\r\n\r\n")[0]


def _is_navigation(head: bytes) -> bool:
    mode, dest = header_values(head, "Sec-Fetch-Mode"), header_values(head, "Sec-Fetch-Dest")
    if mode or dest:
        return mode == ["navigate"] and dest == ["document"]
    # Sent to trustworthy origins alone (Fetch Metadata, 2.1); over plain HTTP to others only navigations ask
    # for an upgrade (W3C Upgrade Insecure Requests, 3.2.1), and a script has to add it.
    return header_values(head, "Upgrade-Insecure-Requests") == ["1"]


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
