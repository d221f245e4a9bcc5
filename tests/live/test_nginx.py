"""Captures of pages that nginx serves over TLS, held against nginx's own log, files and certificates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evidence_service.capture.browser import BrowserSettings
from evidence_service.capture.session import CaptureResult, capture_listing
from evidence_service.egress.policy import EgressPolicy
from tests.live.authority import ServerAuthority
from tests.live.nginx import Nginx
from tests.live.pages import write_listing
from tests.live.record import compare, read_package


@dataclass(frozen=True, slots=True)
class Site:
    """A web server with one listing and a directory for captures."""

    nginx: Nginx
    root: Path
    path: str
    directory: Path

    def capture(self, name: str, url: str) -> CaptureResult:
        """Capture a page into a directory of that name."""
        return capture_listing(
            url,
            self.directory / name,
            policy=EgressPolicy(self.nginx.exceptions),
            browser=BrowserSettings(),
            now=lambda: datetime.now(UTC),
        )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerAuthority]:
    """The only one that clients trust."""
    made = ServerAuthority(tmp_path_factory.mktemp("authority"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(made.root))
        yield made


@pytest.fixture(scope="module")
def site(
    request: pytest.FixtureRequest, authority: ServerAuthority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Of the version of TLS that the test names."""
    directory = tmp_path_factory.mktemp("site")
    root = directory / "root"
    root.mkdir()
    wrong = {"expired": authority.issue("expired", ("localhost",), expired=True)}
    nginx = Nginx(directory / "nginx", root, authority, protocols=request.param, wrong=wrong)
    path = write_listing("100201", root, origin=f"https://localhost:{nginx.https}")
    with nginx:
        yield Site(nginx, root, path, directory)


@pytest.mark.parametrize("site", ["TLSv1.3", "TLSv1.2"], indirect=True)
def test_a_page_behind_tls_is_recorded_as_the_server_says(site: Site) -> None:
    result = site.capture("page", f"http://127.0.0.1:{site.nginx.http}{site.path}")
    assert (result.outcome.status, result.outcome.reasons) == ("captured", ())
    assert result.redirects == (f"https://127.0.0.1:{site.nginx.https}{site.path}",)
    assert result.final_url == f"https://localhost:{site.nginx.https}{site.path}"
    assert result.peer == "127.0.0.1"
    found = compare(read_package(site.directory / "page"), site.nginx, site.root)
    assert found.wrong == []
    assert found.pictures >= 8
    assert found.chunked and found.coded
    # Style and pictures; the page itself is a file of another name.
    assert found.files == found.pictures + 1
    assert set(site.nginx.log()) == found.ids


@pytest.mark.parametrize("site", ["TLSv1.3"], indirect=True)
def test_a_certificate_out_of_date_blocks_the_capture_and_is_kept(site: Site) -> None:
    url = f"https://localhost:{site.nginx.ports['expired']}{site.path}"
    result = site.capture("expired", url)
    assert result.outcome.status == "blocked"
    assert "it has expired" in result.outcome.reasons[0]
    exchanges = json.loads((site.directory / "expired" / "exchanges.json").read_bytes())
    assert [item["url"] for item in exchanges if item["response"]] == []
    assert len(exchanges[0]["chain"]) == 2
