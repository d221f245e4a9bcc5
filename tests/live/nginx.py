"""nginx in front of a shop, configured as shops do, with an access log of what it sent and received."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Self

from evidence_service.processes import ManagedProcess, accepts_connections, free_port
from tests.live.authority import ServerAuthority, ServerFiles

_CONFIGURATION = Path(__file__).parent / "nginx.conf"
_WRONG = """server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {files.certificates};
    ssl_certificate_key {files.key};
    root {root};
  }}"""
_APPLICATION = (
    "proxy_pass http://127.0.0.1:{port}; proxy_http_version 1.1; proxy_set_header Host $http_host; "
    "proxy_set_header X-Forwarded-Proto https; proxy_set_header X-Forwarded-For $remote_addr;"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One request as nginx logged it.

    Attributes:
        sent: bytes of head and body as they were on the wire, framing included.
        received: bytes of the request.
        complete: whether all of it was sent.
    """

    id: str
    host: str
    request: str
    status: int
    sent: int
    received: int
    complete: bool
    tls: str
    cipher: str
    alpn: str
    connection: str
    agent: str
    coding: str
    transfer: str


class Nginx:
    """Serves while the ``with`` block lasts.

    Args:
        state: directory for its files; created.
        root: what it serves as it is.
        application: port on loopback of what answers everything else; None: 404.
        protocols: of TLS.
        wrong: certificates of further servers by name, which clients must not accept; ``ports`` says where.
    """

    def __init__(
        self,
        state: Path,
        root: Path,
        authority: ServerAuthority,
        *,
        application: int | None = None,
        protocols: str = "TLSv1.2 TLSv1.3",
        wrong: Mapping[str, ServerFiles] | None = None,
    ) -> None:
        self.state = state
        self.http, self.https = free_port(), free_port()
        self.files = authority.issue("shop", ("localhost", "127.0.0.1"))
        self.ports = {name: free_port() for name in wrong or {}}
        (state / "pages").mkdir(parents=True)
        (state / "pages" / "maintenance.html").write_text("<h1>We will be back in an hour</h1>")
        (state / "users").write_text("")
        servers = [
            _WRONG.format(port=self.ports[name], files=files, root=root)
            for name, files in (wrong or {}).items()
        ]
        values = {
            "USER": "user root;" if os.geteuid() == 0 else "",
            "STATE": state,
            "ROOT": root,
            "HTTP": self.http,
            "HTTPS": self.https,
            "PROTOCOLS": protocols,
            "CERTIFICATES": self.files.certificates,
            "KEY": self.files.key,
            "APPLICATION": "return 404;" if application is None else _APPLICATION.format(port=application),
            "WRONG": "\n  ".join(servers),
        }
        self._configuration = state / "nginx.conf"
        self._configuration.write_text(Template(_CONFIGURATION.read_text()).safe_substitute(values))
        self._process: ManagedProcess | None = None

    def __enter__(self) -> Self:
        command = ["nginx", "-e", "stderr", "-p", str(self.state), "-c", str(self._configuration)]
        self._process = ManagedProcess(
            "nginx",
            command,
            log=self.state / "nginx.log",
            environment={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"},
        )
        self._process.wait_until(lambda: accepts_connections(self.https), seconds=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.stop()

    @property
    def exceptions(self) -> frozenset[tuple[str, int]]:
        """Hosts and ports a capture of it has to be allowed to reach."""
        names = [("localhost", port) for port in (self.http, self.https, *self.ports.values())]
        return frozenset([*names, ("127.0.0.1", self.http), ("127.0.0.1", self.https)])

    def maintenance(self, on: bool) -> None:
        """Begin or end it."""
        switch = self.state / "maintenance"
        switch.touch() if on else switch.unlink()

    def log(self, wanted: Iterable[str] = (), *, seconds: float = 5.0) -> dict[str, Line]:
        """Lines by their id, as soon as all the wanted ones are there; a line comes after its response."""
        deadline = time.monotonic() + seconds
        while True:
            text = (self.state / "access.log").read_text(encoding="utf-8")
            lines = {line.id: line for line in map(_line, text.splitlines())}
            if set(wanted) <= set(lines) or time.monotonic() > deadline:
                return lines
            time.sleep(0.05)


def _line(text: str) -> Line:
    value = json.loads(text)
    return Line(
        id=value["id"],
        host=value["host"],
        request=value["request"],
        status=int(value["status"]),
        sent=int(value["bytes_sent"]),
        received=int(value["request_length"]),
        complete=value["completion"] == "OK",
        tls=value["tls"],
        cipher=value["cipher"],
        alpn=value["alpn"],
        connection=value["connection"],
        agent=value["agent"],
        coding=value["coding"],
        transfer=value["transfer"],
    )
