"""Chromium for one capture: a fresh profile, every request through the recorder, gone afterwards.

The project starts Chromium itself and lets Playwright drive it over CDP: so the flags are known to the
letter, the process group can be killed when a page hangs it, and a killed worker takes its browser along.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from evidence_service.errors import BrowserUnavailableError, UnavailableError
from evidence_service.processes import ManagedProcess

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_WHAT_TO_DO = (
    "install Chromium (Debian: apt-get install chromium), or name its program in EVIDENCE_CHROMIUM; "
    "captures that were accepted wait and go on by themselves"
)

# Chromium's own calls (updates, field trials, component downloads) have no place in a capture: switched off
# here and, where a switch is missing, sent to a proxy that does not exist. Only the page's context has one.
_FLAGS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--disable-background-networking",
    "--disable-client-side-phishing-detection",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-quic",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--metrics-recording-only",
    "--mute-audio",
    "--hide-scrollbars",
    "--password-store=basic",
    "--use-mock-keychain",
    "--force-color-profile=srgb",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--disable-features=OptimizationHints,MediaRouter,Translate,AsyncDns,DnsOverHttps,InterestFeedContentSuggestions",
)


@dataclass(frozen=True, slots=True)
class BrowserSettings:
    """How the browser is started.

    Attributes:
        executable: path or name of the program; empty looks for Chromium in the usual places.
        width, height: of the viewport, in CSS pixels.
        locale, timezone: what the page is told; both are printed in the record.
    """

    executable: str = ""
    width: int = 1280
    height: int = 900
    locale: str = "en-US"
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class BrowserIdentity:
    """Which browser it was: program file, its version line, the SHA-256 of its binary."""

    program: str
    version: str
    sha256: str


def find_browser(executable: str) -> Path:
    """The browser's program.

    Raises:
        BrowserUnavailableError: there is none.
    """
    for name in (executable,) if executable else _NAMES:
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    missing = f"{executable} is not there" if executable else "no Chromium was found"
    raise BrowserUnavailableError(f"the browser is missing: {missing}", what_to_do=_WHAT_TO_DO)


@lru_cache(maxsize=4)
def identify(program: Path) -> BrowserIdentity:
    """Version and binary hash of a browser; computed once for each program."""
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        raise BrowserUnavailableError(
            f"the browser {program} does not answer: {error}", what_to_do=_WHAT_TO_DO
        ) from error
    binary = next(
        (
            path
            for path in (Path("/usr/lib") / program.name / program.name, program.resolve())
            if path.is_file()
        ),
        program,
    )
    with binary.open("rb") as reader:
        digest = hashlib.file_digest(reader, "sha256").hexdigest()
    return BrowserIdentity(str(binary), answer, digest)


class BrowserSession:
    """A browser with one page while the ``with`` block lasts.

    Args:
        proxy_port: the recorder's port on loopback.
        spki: base64 SHA-256 of the recorder's key; the only certificate error accepted; empty: none is.
        context: of Playwright's ``new_context``: viewport, user agent, locale, login state.
    """

    def __init__(
        self, settings: BrowserSettings, *, proxy_port: int, spki: str, context: Mapping[str, Any]
    ) -> None:
        self.identity = identify(find_browser(settings.executable))
        self._arguments = context
        self._proxy = f"http://127.0.0.1:{proxy_port}"
        self._profile = Path(tempfile.mkdtemp(prefix="evidence-browser-"))
        trust = (f"--ignore-certificate-errors-spki-list={spki}",) if spki else ()
        self.flags = (*_FLAGS, *trust, *_sandbox_flags())
        # The binary itself: a distribution's launcher would add flags of its own.
        self._argv = [self.identity.program, *self.flags, f"--user-data-dir={self._profile}", "about:blank"]
        self._process: ManagedProcess | None = None
        self._playwright: Playwright | None = None
        self.page: Page
        self.context: BrowserContext

    def __enter__(self) -> Self:
        try:
            self._open()
        except (PlaywrightError, UnavailableError) as error:
            self._shut()
            words = error.message.strip().splitlines()[0]
            raise BrowserUnavailableError(
                f"the browser did not start: {words}", what_to_do=_WHAT_TO_DO
            ) from error
        return self

    def _open(self) -> None:
        port_file = self._profile / "DevToolsActivePort"
        self._process = ManagedProcess("Chromium", self._argv, log=self._profile / "chromium.log")
        # Playwright's driver starts while Chromium does.
        self._playwright = sync_playwright().start()
        self._process.wait_until(lambda: port_file.exists() and "\n" in port_file.read_text(), seconds=30)
        port, path = port_file.read_text().strip().splitlines()
        browser = self._playwright.chromium.connect_over_cdp(f"ws://127.0.0.1:{port}{path}")
        self.context = browser.new_context(
            proxy={"server": self._proxy, "bypass": "<-loopback>"},
            **self._arguments,
            # A service worker would answer requests that then never reach the recorder.
            service_workers="block",
            accept_downloads=False,
        )
        self.page = self.context.new_page()

    def kill(self) -> None:
        """End the browser at once; calls on its page then fail. Safe from another thread."""
        if self._process is not None:
            self._process.kill()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shut()

    def _shut(self) -> None:
        try:
            if self._playwright is not None:
                self._playwright.stop()
        finally:
            if self._process is not None:
                self._process.stop()
            shutil.rmtree(self._profile, ignore_errors=True)


def _sandbox_flags() -> tuple[str, ...]:
    """Chromium refuses its own sandbox as root; that it ran without one is part of the record."""
    return ("--no-sandbox",) if os.geteuid() == 0 else ()
