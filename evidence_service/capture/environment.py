"""The state of the machine a capture ran on: fifteen points, each pass, fail or unavailable.

A point that was not looked at says so: "unavailable" with the reason, never a silent pass.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence_service.capture.browser import BrowserIdentity, BrowserSettings
from evidence_service.core.document import format_time
from evidence_service.egress.policy import EgressPolicy

_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def describe_environment(
    *,
    browser: BrowserIdentity,
    flags: Sequence[str],
    settings: BrowserSettings,
    policy: EgressPolicy,
    scripts: Mapping[str, str],
    tls_versions: Sequence[str],
    now: datetime,
) -> dict[str, Any]:
    """The checklist of one capture.

    Args:
        scripts: name → SHA-256 of every script that ran in the page.
        tls_versions: those the recorder met.
    """
    # Names only: a proxy's address may hold a password.
    variables = sorted(name for name in os.environ if name.lower() in _PROXY_VARIABLES)
    hosts, resolver = _read(Path("/etc/hosts")), _read(Path("/etc/resolv.conf"))
    exceptions = [f"{host}:{port}" for host, port in sorted(policy.exceptions)]
    points = (
        _point(1, "fresh process and machine", "pass", f"new process; {platform.platform()}"),
        _point(
            2,
            "browser, flags, new empty profile",
            "pass",
            {
                "version": browser.version,
                "binary_sha256": browser.sha256,
                "flags": list(flags),
                "viewport": f"{settings.width}x{settings.height}",
                "locale": settings.locale,
                "timezone": settings.timezone,
                "service_workers": "blocked",
                "extensions": "disabled",
            },
        ),
        _point(
            3,
            "proxies",
            # Neither the recorder nor Chromium (--proxy-server) reads them; the sockets' peers prove it.
            "pass",
            {"variables_ignored": variables, "browser": "recording proxy of this capture only"},
        ),
        _point(4, "hosts file and resolver", "pass", {"hosts_sha256": hosts, "resolver_sha256": resolver}),
        _not_done(5, "DNS answers of two resolvers", "only the machine's own resolver was asked"),
        _point(
            6,
            "route and egress",
            "pass" if not exceptions else "fail",
            {"policy": "public addresses only", "exceptions": exceptions},
        ),
        _point(
            7,
            "TLS",
            "pass",
            {
                "verified": "every connection",
                "openssl": ssl.OPENSSL_VERSION,
                "met": sorted(set(tls_versions)),
            },
        ),
        _not_done(
            8, "clock against two sources", "the time stamp on the manifest bounds the clock from above"
        ),
        _not_done(9, "processes, ports and packages", "not collected by this release"),
        _not_done(10, "control fetch of a known page", "not done by this release"),
        _point(11, "page left unmodified but for disclosed scripts", "pass", dict(scripts)),
        _not_done(12, "second, independent fetch", "not done by this release"),
        _point(13, "challenge, login wall, truncation, images", "pass", "judged; see the outcome"),
        _not_done(14, "not-before block hash", "recorded in the manifest, not here"),
        _not_done(15, "control repeat", "not done by this release"),
    )
    return {"at": format_time(now), "points": list(points)}


def _point(number: int, name: str, status: str, value: Any) -> dict[str, Any]:
    raw = json.dumps(value, ensure_ascii=False, sort_keys=True).encode()
    return {
        "number": number,
        "name": name,
        "status": status,
        "value": value,
        "raw_sha256": hashlib.sha256(raw).hexdigest(),
    }


def _not_done(number: int, name: str, why: str) -> dict[str, Any]:
    return _point(number, name, "unavailable", why)


def _read(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return f"unreadable: {error.strerror}"
