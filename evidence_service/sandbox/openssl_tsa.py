"""A time-stamping authority over HTTP (RFC 3161 section 3.4) around ``openssl ts``. Demonstration only.

A GET of ``/NAME.crl`` gives a revocation list that lies in its directory; ``root.crl`` is that of its root.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_MAX_REQUEST = 8 * 1024


class _Handler(BaseHTTPRequestHandler):
    directory: Path
    lock = threading.Lock()  # `openssl ts` reads and writes the serial file without one

    def do_GET(self) -> None:
        """Answer with the revocation list."""
        found = self.directory / self.path[1:]
        if re.fullmatch(r"/[a-z]+\.crl", self.path) is None or not found.is_file():
            self.send_error(404)
            return
        self._answer("application/pkix-crl", found.read_bytes())

    def do_POST(self) -> None:
        """Answer one time-stamp request."""
        size = int(self.headers.get("Content-Length", "0"))
        if not 0 < size <= _MAX_REQUEST:
            self.send_error(413)
            return
        query = self.directory / f"query-{threading.get_ident()}.tsq"
        query.write_bytes(self.rfile.read(size))
        try:
            with self.lock:
                done = subprocess.run(
                    [
                        "openssl",
                        "ts",
                        "-reply",
                        "-config",
                        self.directory / "openssl.cnf",
                        "-queryfile",
                        query,
                    ],
                    capture_output=True,
                    check=False,
                )
        finally:
            query.unlink()
        if done.returncode:
            self.send_error(500)
            return
        self._answer("application/timestamp-reply", done.stdout)

    def _answer(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    _Handler.directory = arguments.directory
    ThreadingHTTPServer(("127.0.0.1", arguments.port), _Handler).serve_forever()


if __name__ == "__main__":
    main()
