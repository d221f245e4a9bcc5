"""What is missing is named, with what to do; accepted evidence waits and completes when it returns."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from evidence_service.capture.browser import find_browser
from evidence_service.cli.client import ServiceClient
from evidence_service.config import ClientSettings
from evidence_service.errors import ServiceUnavailableError
from evidence_service.sandbox.authorities import DemoAuthorities
from evidence_service.sandbox.devchain import DevChain
from evidence_service.sandbox.installation import DemoInstallation
from tests.running import GANACHE, certified, order, service, wait

SEVERAL = {"EVIDENCE_CAPTURES_AT_ONCE": "4"}
"""The digest of the certificate before may wait for the authorities too, and keeps its place meanwhile."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoInstallation]:
    with DemoInstallation(tmp_path_factory.mktemp("unavailable"), ganache=GANACHE) as running:
        yield running


def port(url: str) -> int:
    return urlsplit(url).port or 0


def test_no_browser(demo: DemoInstallation) -> None:
    link = demo.directory / "browser"
    with service(demo, {"EVIDENCE_CHROMIUM": str(link)}) as client:
        evidence_id = order(client, demo.marketplace.listing_url("100201"))
        view = wait(client, evidence_id, lambda item: bool(item["waiting_for"]))
        assert "the browser is missing" in view["waiting_for"]
        assert "apt-get install chromium" in view["waiting_for"]
        assert view["status"] == "accepted"
        link.symlink_to(find_browser(""))
        assert wait(client, evidence_id, certified)["status"] == "certified"


def test_no_authority(demo: DemoInstallation) -> None:
    first, second = (port(item.url) for item in demo.authorities.authorities)
    demo.authorities.stop()
    with service(demo, SEVERAL) as client:
        evidence_id = order(client, demo.marketplace.listing_url("100202"))
        view = wait(client, evidence_id, lambda item: bool(item["waiting_for"]))
        assert "0 of 2 required time stamps could be had" in view["waiting_for"]
        assert "Demonstration TSA A" in view["waiting_for"]
        assert view["status"] == "sealed"
        again = DemoAuthorities(demo.directory / "authorities", certomancer_port=first, openssl_port=second)
        demo._started.append(again)
        assert wait(client, evidence_id, certified)["status"] == "certified"


def test_no_node(demo: DemoInstallation) -> None:
    demo.chain.kill()
    with service(demo, SEVERAL) as client:
        evidence_id = order(client, demo.marketplace.listing_url("100203"))
        view = wait(client, evidence_id, lambda item: bool(item["waiting_for"]))
        assert f"127.0.0.1:{port(demo.chain.rpc_url)}: " in view["waiting_for"]
        assert view["status"] == "registered"
        again = DevChain(demo.directory / "chain", port(demo.chain.rpc_url), ganache=GANACHE)
        demo._started.append(again)
        assert wait(client, evidence_id, certified)["status"] == "certified"


def test_no_service() -> None:
    client = ServiceClient(ClientSettings(api_url="http://127.0.0.1:9", api_key="x"))
    with pytest.raises(ServiceUnavailableError, match="does not answer") as refusal:
        client.call("GET", "/v1/evidence")
    assert "evidence serve" in refusal.value.what_to_do


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve"], "no API key is configured"),
        (["status"], "does not answer"),
        (["verify", "/nonexistent.pdf"], "nonexistent.pdf"),
    ],
)
def test_a_command_says_what_is_missing_without_a_traceback(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "evidence_service.cli", *arguments],
        capture_output=True,
        text=True,
        env={"EVIDENCE_API_URL": "http://127.0.0.1:9", "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode in (2, 6)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
