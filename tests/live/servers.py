"""Web servers of many makes, each configured in the few lines its documentation asks for."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from evidence_service.errors import UnavailableError
from evidence_service.processes import ManagedProcess, accepts_connections
from tests.live.authority import ServerFiles

_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"

_LIGHTTPD = """server.document-root = "{root}"
server.bind = "127.0.0.1"
server.port = {port}
server.modules = ("mod_deflate")
server.protocol-http11 = "{http11}"
deflate.mimetypes = ("text/html", "text/css")
deflate.allowed-encodings = ("gzip")
mimetype.assign = (".html" => "text/html; charset=utf-8", ".css" => "text/css", ".jpg" => "image/jpeg")
"""
_NGINX = """{user}
daemon off;
pid {state}/nginx.pid;
events {{ }}
http {{
  include /etc/nginx/mime.types;
  access_log off;
  client_body_temp_path {state}/body;
  proxy_temp_path {state}/proxy;
  fastcgi_temp_path {state}/fastcgi;
  uwsgi_temp_path {state}/uwsgi;
  scgi_temp_path {state}/scgi;
  gzip on;
  gzip_types text/css;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""
_APACHE = """ServerRoot "{state}"
ServerName localhost
PidFile {state}/apache.pid
ErrorLog {state}/error.log
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule filter_module /usr/lib/apache2/modules/mod_filter.so
LoadModule deflate_module /usr/lib/apache2/modules/mod_deflate.so
Listen 127.0.0.1:{port}
User {user}
TypesConfig /dev/null
AddType text/html .html
AddType text/css .css
AddType image/jpeg .jpg
AddOutputFilterByType DEFLATE text/html text/css
KeepAlive {keep_alive}
DocumentRoot {root}
"""
_CADDY = """{{
  admin off
  auto_https off
}}
http://127.0.0.1:{port} {{
  root * {root}
  encode gzip
  file_server
}}
"""
# Chunks of odd sizes, an informational response before and a trailer after: what only some servers send.
_NODE = """const fs = require('fs'), path = require('path');
const [root, port, certificates, key] = process.argv.slice(2);
const kinds = { '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.jpg': 'image/jpeg' };
const answer = (request, response) => {
  const file = path.join(root, decodeURIComponent(request.url.split('?')[0]));
  const kind = kinds[path.extname(file)];
  if (!kind || !fs.existsSync(file)) { response.writeHead(404).end('none'); return; }
  if (kind.startsWith('text/html')) response.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
  if (request.method === 'HEAD') { response.writeHead(200, { 'Content-Type': kind }).end(); return; }
  response.writeHead(200, { 'Content-Type': kind, Trailer: 'X-Read' });
  const reader = fs.createReadStream(file, { highWaterMark: 1777 });
  reader.on('end', () => response.addTrailers({ 'X-Read': String(reader.bytesRead) }));
  reader.pipe(response);
};
const server = certificates
  ? require('https').createServer({ cert: fs.readFileSync(certificates), key: fs.readFileSync(key) }, answer)
  : require('http').createServer(answer);
server.listen(Number(port), '127.0.0.1');
"""


@dataclass(frozen=True, slots=True)
class Place:
    """What a server is started with.

    Attributes:
        state: directory for its files; root: what it serves.
        files: its certificates, None over plain HTTP; keys: where it writes the secrets of TLS sessions.
    """

    state: Path
    root: Path
    port: int
    files: ServerFiles | None = None
    keys: Path | None = None


@dataclass(frozen=True, slots=True)
class Make:
    """How to start one make of server; ``program`` has to be on the machine.

    Attributes:
        secure: over TLS; gets_only: it answers nothing but GET.
    """

    name: str
    program: str
    argv: Callable[[Place], list[str]]
    secure: bool = False
    gets_only: bool = False


class Server:
    """One server while the ``with`` block lasts; ``url`` is its address."""

    def __init__(self, make: Make, place: Place) -> None:
        self._make, self._place = make, place
        self.host = f"localhost:{place.port}" if make.secure else f"127.0.0.1:{place.port}"
        self.url = f"{'https' if make.secure else 'http'}://{self.host}"

    def __enter__(self) -> Self:
        state = self._place.state
        self._process = ManagedProcess(
            self._make.name,
            self._make.argv(self._place),
            log=state / "server.log",
            environment={**os.environ, "PATH": _PATH, "HOME": str(state)},
            directory=self._place.root,
        )
        self._process.wait_until(lambda: accepts_connections(self._place.port), seconds=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop()


def _configured(place: Place, name: str, text: str, **more: str) -> str:
    path = place.state / name
    path.write_text(text.format(state=place.state, root=place.root, port=place.port, **more))
    return str(path)


def _nginx(place: Place) -> list[str]:
    user = "user root;" if os.geteuid() == 0 else ""
    return ["nginx", "-e", "stderr", "-c", _configured(place, "nginx.conf", _NGINX, user=user)]


def _lighttpd(http11: str) -> Callable[[Place], list[str]]:
    return lambda place: [
        *("lighttpd", "-D", "-f"),
        _configured(place, "lighttpd.conf", _LIGHTTPD, http11=http11),
    ]


def _apache(keep_alive: str) -> Callable[[Place], list[str]]:
    # As root it insists on another user for its workers.
    user = "www-data" if os.geteuid() == 0 else f"#{os.geteuid()}"
    return lambda place: [
        *("apache2", "-D", "FOREGROUND", "-f"),
        _configured(place, "apache.conf", _APACHE, keep_alive=keep_alive, user=user),
    ]


def _caddy(place: Place) -> list[str]:
    return ["caddy", "run", "--adapter", "caddyfile", "--config", _configured(place, "Caddyfile", _CADDY)]


def _node(*options: str) -> Callable[[Place], list[str]]:
    def argv(place: Place) -> list[str]:
        script = place.state / "serve.js"
        script.write_text(_NODE)
        given = [script, place.root, place.port]
        if place.files is None:
            return ["node", *map(str, given)]
        keys = f"--tls-keylog={place.keys}"
        return ["node", keys, *options, *map(str, [*given, place.files.certificates, place.files.key])]

    return argv


def _python(place: Place) -> list[str]:
    return [sys.executable, "-m", "http.server", str(place.port), "--bind", "127.0.0.1"]


def _openssl(place: Place) -> list[str]:
    assert place.files is not None
    certificates, key = str(place.files.certificates), str(place.files.key)
    return [
        *("openssl", "s_server", "-WWW", "-quiet", "-accept", f"127.0.0.1:{place.port}", "-key", key),
        *("-cert", certificates, "-cert_chain", certificates, "-keylogfile", str(place.keys)),
    ]


MAKES = (
    Make("nginx", "nginx", _nginx),
    Make("lighttpd", "lighttpd", _lighttpd("enable")),
    # Compressed and HTTP/1.0: the end of the connection is the end of the body.
    Make("lighttpd-http10", "lighttpd", _lighttpd("disable")),
    Make("apache", "apache2", _apache("On")),
    Make("apache-close", "apache2", _apache("Off")),
    Make("caddy", "caddy", _caddy),
    Make("python", sys.executable, _python),
    Make("node", "node", _node()),
    Make("node-tls13", "node", _node(), secure=True),
    Make("node-tls12", "node", _node("--tls-max-v1.2"), secure=True),
    Make("openssl", "openssl", _openssl, secure=True, gets_only=True),
)
_PACKAGES = {
    "lighttpd": "lighttpd lighttpd-mod-deflate",
    "apache2": "apache2-bin",
    "nginx": "nginx-light",
    "dumpcap": "wireshark-common",
}


def require(*more: str) -> None:
    """All programs are on the machine.

    Raises:
        UnavailableError: naming the packages that bring the missing ones.
    """
    needed = [*(make.program for make in MAKES), *more]
    missing = sorted({_PACKAGES.get(name, name) for name in needed if shutil.which(name, path=_PATH) is None})
    if missing:
        raise UnavailableError(
            f"not installed: {' '.join(missing)}",
            what_to_do=f"type: apt-get install --no-install-recommends {' '.join(missing)}",
        )
