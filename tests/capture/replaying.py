"""ReplayWeb.page, fetched on first use and served on loopback: a judge that shows a package as a reader sees it.

It is under the AGPL: tests run it as it is published, nothing of it is shipped. Its own dependencies are
needed to build it only, so that the published files are fetched alone.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from tests.running import answering

ROOT = Path(__file__).parents[2]
NAME = "replaywebpage-2.4.6"
SHA512 = "uG50jESRld0p+fY7+nUxIWl7hvfimreNjSmaNkc/a9a8gBdmb7PH4J42Iib+vgk9KrHd0HLScVT++LgqV5fwpQ=="
FILES = ("ui.js", "sw.js")


def player() -> Path:
    """Folder with the player's two files.

    Raises:
        RuntimeError: what was fetched is not the release that was tried.
    """
    folder = ROOT / ".setup" / NAME
    if all((folder / name).exists() for name in FILES):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    package = NAME.replace("-", "@", 1)
    subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True)
    archive = folder / f"{NAME}.tgz"
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != SHA512:
        raise RuntimeError(f"{package} has the SHA-512 {found}, not {SHA512}")
    with tarfile.open(archive) as packed:
        for name in FILES:
            stream = packed.extractfile(f"package/{name}")
            assert stream is not None
            (folder / name).write_bytes(stream.read())
    return folder


@contextmanager
def serving(wacz: Path, url: str) -> Iterator[str]:
    """Serve the player showing a page of a package; the address to open."""
    files = {f"/{name}": (player() / name, "text/javascript") for name in FILES}
    files["/replay/sw.js"] = files["/sw.js"]
    files["/capture.wacz"] = (wacz, "application/wacz")
    page = (
        "<!doctype html><style>body,replay-web-page{margin:0;height:100vh;display:block}</style>"
        '<script src="/ui.js"></script><replay-web-page source="/capture.wacz" embed="replayonly" '
        f'replayBase="/replay/" url="{quote(url, safe=":/?=&%")}"></replay-web-page>'
    ).encode()

    class Handler(BaseHTTPRequestHandler):
        """Files, whole or in ranges (RFC 9110, 14): the player reads packages piece by piece."""

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if path == "/":
                data, media_type = page, "text/html"
            elif path in files:
                source, media_type = files[path]
                data = source.read_bytes()
            else:
                self.send_error(404)
                return
            size, wanted = len(data), self.headers.get("Range", "").removeprefix("bytes=")
            if wanted:
                first, _, last = wanted.partition("-")
                start = int(first) if first else size - int(last)
                end = min(int(last) if first and last else size - 1, size - 1)
                data = data[start : end + 1]
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{end}/{size}")
            else:
                self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Accept-Ranges", "bytes")
            self.end_headers()
            # The player lets go of what it no longer needs.
            with suppress(ConnectionError):
                self.wfile.write(data)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Nothing to the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with answering(server):
        yield f"http://127.0.0.1:{server.server_port}/"
