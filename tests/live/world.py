"""A storefront and a web server that others wrote, and an evidence service that may reach them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from evidence_service.cli.client import ServiceClient
from evidence_service.sandbox.installation import DemoInstallation
from tests.live.authority import ServerAuthority
from tests.live.nginx import Nginx
from tests.live.storefront import Storefront
from tests.running import GANACHE, service


@dataclass(frozen=True, slots=True)
class World:
    """Everything that runs; ``environment`` is what the command line is given."""

    demo: DemoInstallation
    client: ServiceClient
    nginx: Nginx
    storefront: Storefront
    environment: dict[str, str]

    def evidence(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """The command line, as its users have it."""
        command = [sys.executable, "-m", "evidence_service.cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=self.environment)


@contextmanager
def running(directory: Path) -> Iterator[World]:
    """Started in an empty directory that other users can reach."""
    authority = ServerAuthority(directory / "authority")
    stranger = ServerAuthority(directory / "stranger", "Stranger")
    wrong = {
        "expired": authority.issue("expired", ("localhost",), expired=True),
        "other-name": authority.issue("other-name", ("shop.example",)),
        "no-intermediate": authority.issue("no-intermediate", ("localhost",), intermediate=False),
        "unknown-root": stranger.issue("unknown-root", ("localhost",)),
    }
    with ExitStack() as stack:
        shop = stack.enter_context(Storefront(directory / "shop"))
        nginx = stack.enter_context(
            Nginx(directory / "nginx", shop.root, authority, application=shop.port, wrong=wrong)
        )
        demo = stack.enter_context(DemoInstallation(directory / "demo", ganache=GANACHE))
        # The demonstration's own too: without the revocation lists of its authorities no seal reaches its level.
        reachable = [
            *json.loads(demo.settings_file.read_text())["egress_exceptions"],
            *(f"{host}:{port}" for host, port in nginx.exceptions),
        ]
        settings = {
            "EVIDENCE_EGRESS_EXCEPTIONS": json.dumps(reachable),
            "SSL_CERT_FILE": str(authority.root),
        }
        client = stack.enter_context(service(demo, settings))
        url = f"http://127.0.0.1:{demo.api_port}"
        environment = {**os.environ, "EVIDENCE_API_URL": url, "EVIDENCE_API_KEY": demo.api_key}
        yield World(demo, client, nginx, shop, environment)
