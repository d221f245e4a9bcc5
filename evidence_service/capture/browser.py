"""Chromium for one capture: a fresh profile, every request through the recorder, gone afterwards.

The project starts Chromium itself and lets Playwright drive it over CDP: so the flags are known to the
letter, the process group can be killed when a page hangs it, and a killed worker takes its browser along.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from evidence_service.capture.scratch import Scratch
from evidence_service.errors import BrowserUnavailableError, UnavailableError
from evidence_service.processes import ManagedProcess, unprivileged_user

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_WHAT_TO_DO = (
    "install Chromium (Debian: apt-get install chromium), or name its program in EVIDENCE_CHROMIUM; "
    "captures that were accepted wait and go on by themselves"
)

# Chromium's own calls (updates, field trials, component downloads) have no place in a capture: switched off
# here and, where a switch is missing, sent to a proxy that is nowhere. Only the page's context has another.
# No name is ever resolved by the browser, so that a prefetched name or a bypassed proxy asks nobody.
_FLAGS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-pings",
    "--no-service-autorun",
    "--dns-prefetch-disable",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-field-trial-config",
    "--disable-quic",
    "--disable-search-engine-choice-screen",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--metrics-recording-only",
    "--mute-audio",
    "--hide-scrollbars",
    "--password-store=basic",
    "--use-mock-keychain",
    "--force-color-profile=srgb",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--proxy-server=http://nowhere.invalid:9",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-features="
    + ",".join(
        (
            "AsyncDns",
            "AutofillServerCommunication",
            "CertificateTransparencyComponentUpdater",
            "DialMediaRouteProvider",
            "DnsOverHttps",
            "InterestFeedContentSuggestions",
            "LoadingPredictorUseOptimizationGuide",
            "MediaRouter",
            "OptimizationHints",
            "Prerender2",
            "SpeculationRulesPrefetchProxy",
            "Translate",
        )
    ),
)

# All the browser is told of this process's environment: no proxy variable, no secret.
_PATH = "/usr/local/bin:/usr/bin:/bin"


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

    Attributes:
        flags: the command line, but for the path of the profile.
        user: number of the user it runs as; sandbox: whether Chromium's own sandbox is on.
        devtools_port: where it listens on 127.0.0.1 for the driver, while the block lasts.
    """

    def __init__(
        self, settings: BrowserSettings, *, proxy_port: int, spki: str, context: Mapping[str, Any]
    ) -> None:
        self.identity = identify(find_browser(settings.executable))
        self._arguments = context
        self._proxy = f"http://127.0.0.1:{proxy_port}"
        self._scratch = Scratch("browser")
        self._profile = self._scratch.path
        _write_preferences(self._profile)
        self._user = _user_for(self._profile)
        self.user = os.geteuid() if self._user is None else self._user
        self.sandbox = self.user != 0 and _has_namespaces(self._user)
        self.devtools_port = 0
        trust = (f"--ignore-certificate-errors-spki-list={spki}",) if spki else ()
        # Chromium refuses its own sandbox as root; that it ran without one is part of the record.
        self.flags = (*_FLAGS, *trust, *(() if self.sandbox else ("--no-sandbox",)))
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
        except BaseException:
            self._shut()
            raise
        return self

    def _open(self) -> None:
        port_file = self._profile / "DevToolsActivePort"
        self._process = ManagedProcess(
            "Chromium",
            self._argv,
            log=self._profile / "chromium.log",
            environment={"PATH": _PATH, "LANG": "C.UTF-8", "HOME": str(self._profile)},
            user=self._user,
        )
        # Playwright's driver starts while Chromium does.
        self._playwright = sync_playwright().start()
        self._process.wait_until(lambda: port_file.exists() and "\n" in port_file.read_text(), seconds=30)
        port, path = port_file.read_text().strip().splitlines()
        self.devtools_port = int(port)
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
            self._scratch.close()


def _write_preferences(profile: Path) -> None:
    """What has no switch: Chromium would look, through the recorder, whether the network wants a login."""
    folder = profile / "Default"
    folder.mkdir()
    (folder / "Preferences").write_text(json.dumps({"alternate_error_pages": {"enabled": False}}))


def _user_for(profile: Path) -> int | None:
    """Who Chromium runs as instead of root, with its profile handed over; None where nobody can be chosen."""
    user = unprivileged_user()
    if user is None or not all(parent.stat().st_mode & 0o001 for parent in profile.parents):
        return None
    for path in (profile, *profile.rglob("*")):
        os.chown(path, user, user)
    return user


@lru_cache(maxsize=2)
def _has_namespaces(user: int | None) -> bool:
    """Whether a user may make user namespaces, which Chromium's sandbox is built on; tried once."""
    try:
        tried = subprocess.run(
            ["unshare", "--user", "true"],
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            cwd="/",
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return tried.returncode == 0
