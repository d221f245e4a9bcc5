"""Profiles: which device the page is shown on, as the page is told and as the record says.

The user agent names the engine, its version and the platform truthfully. Chromium without a window adds
"Headless" to its name, which says nothing about the engine, and for which pages are served that no visitor
sees; the profile's user agent leaves that word out. Everything else an automated browser gives away
(``navigator.webdriver``) stays as it is: nothing is done to hide what this is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from evidence_service.capture.browser import BrowserIdentity, BrowserSettings
from evidence_service.capture.options import CaptureOptions


@dataclass(frozen=True, slots=True)
class Profile:
    """What a page is told about the device.

    Attributes:
        arguments: of Playwright's ``new_context``.
        described: name → text for the record.
    """

    arguments: dict[str, Any]
    described: dict[str, str]


def profile(options: CaptureOptions, settings: BrowserSettings, identity: BrowserIdentity) -> Profile:
    """The profile of one capture."""
    mobile = options.profile == "mobile"
    found = re.search(r"\b(\d+)\.\d", identity.version)
    engine = f"AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{found.group(1) if found else '0'}.0.0.0"
    width, height, scale = (412, 915, 2) if mobile else (settings.width, settings.height, 1)
    agent = (
        f"Mozilla/5.0 (Linux; Android 10; K) {engine} Mobile Safari/537.36"
        if mobile
        else f"Mozilla/5.0 (X11; Linux x86_64) {engine} Safari/537.36"
    )
    locale, timezone = options.locale or settings.locale, options.timezone or settings.timezone
    return Profile(
        {
            "viewport": {"width": width, "height": height},
            "device_scale_factor": scale,
            "is_mobile": mobile,
            "has_touch": mobile,
            "user_agent": agent,
            "locale": locale,
            "timezone_id": timezone,
        },
        {
            "profile": f"{options.profile}{' (emulated)' if mobile else ''}, {width}x{height} at {scale}x"
            + (", touch" if mobile else ""),
            "user_agent": agent,
            "locale": locale,
            "timezone": timezone,
        },
    )
