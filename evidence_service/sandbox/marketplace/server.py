"""The sample marketplace as an HTTP server on loopback."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from evidence_service.sandbox.marketplace import pages
from evidence_service.sandbox.marketplace.catalogue import BY_ID, LISTINGS
from evidence_service.sandbox.marketplace.pictures import picture

_HTML = "text/html; charset=utf-8"


class Marketplace:
    """Serves the catalogue on ``127.0.0.1`` from a thread.

    Args:
        port: 0 takes a free one; see ``port`` afterwards.
    """

    def __init__(self, port: int = 0) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Address of its first page, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def listing_url(self, listing_id: str) -> str:
        """Address of a listing."""
        return f"{self.url}/item/{listing_id}"

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Morningbridge"
    sys_version = ""

    def do_GET(self) -> None:
        part, _, rest = self.path.split("?")[0].strip("/").partition("/")
        routes = {
            "": lambda: self._send(200, _HTML, pages.home().encode()),
            "style.css": lambda: self._send(200, "text/css; charset=utf-8", pages.style().encode()),
            "login": lambda: self._send(200, _HTML, pages.login().encode()),
            "item": lambda: self._item(rest),
            "picture": lambda: self._picture(rest),
            "shop": lambda: self._shop(rest),
        }
        routes.get(part, self._missing)()

    def _item(self, listing_id: str) -> None:
        item = BY_ID.get(listing_id)
        if item is None:
            self._missing()
        elif item.state == "removed":
            self._send(410, _HTML, pages.removed().encode())
        elif item.state == "challenge":
            self._send(403, _HTML, pages.challenge().encode())
        elif item.state == "login":
            self._send(302, _HTML, b"", [("Location", f"/login?next=/item/{item.id}")])
        else:
            origin = f"http://{self.headers.get('Host', '')}"
            # Two cookies, two header lines: a recorder that merges them changes the evidence.
            cookies = [("Set-Cookie", "visit=1; Path=/"), ("Set-Cookie", "basket=empty; Path=/; HttpOnly")]
            self._send(200, _HTML, pages.listing(item, origin).encode(), cookies)

    def _picture(self, rest: str) -> None:
        listing_id, _, name = rest.partition("/")
        item, number = BY_ID.get(listing_id), name.removesuffix(".jpg")
        if item is None or not number.isdecimal() or int(number) > item.pictures:
            self._missing()
            return
        self._send(200, "image/jpeg", picture(item.motif, item.colour, int(number), item.brand))

    def _shop(self, shop_id: str) -> None:
        items = [item for item in LISTINGS if item.shop.id == shop_id and item.state == "on_sale"]
        if not items:
            self._missing()
            return
        self._send(200, _HTML, pages.shop(items[0].shop.name, items).encode())

    def _missing(self) -> None:
        self._send(404, _HTML, pages.missing().encode())

    def _send(
        self, status: int, media_type: str, body: bytes, headers: list[tuple[str, str]] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers or []:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the inherited signature
        """Keep the terminal quiet; a capture's own record says what was asked for."""
