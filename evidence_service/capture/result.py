"""What a capture gives back, ready for the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evidence_service.capture.browser import BrowserIdentity
from evidence_service.capture.files import CapturedFile
from evidence_service.capture.listing import Fact
from evidence_service.capture.login import login_hosts
from evidence_service.capture.options import CaptureOptions
from evidence_service.capture.outcome import Outcome


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """What a capture produced, ready for the manifest.

    Attributes:
        files: hashed while they were written, relative to the capture's directory.
        redirects: addresses between the requested and the final one.
        peer: address of the socket that carried the main response.
        browser: version line and binary hash.
        mode: of the recorder, for the manifest's ``egress.mode``.
        tool: what the manifest's ``tool`` says besides the browser, name → at most 400 characters.
    """

    files: tuple[CapturedFile, ...]
    outcome: Outcome
    requested_url: str
    final_url: str | None
    redirects: tuple[str, ...]
    status: int | None
    peer: str | None
    listing: dict[str, Fact]
    browser: BrowserIdentity
    started_at: str
    finished_at: str
    exceptions: tuple[str, ...]
    mode: str = "recording_proxy"
    tool: Mapping[str, str] = field(default_factory=dict)


def described(options: CaptureOptions) -> dict[str, str]:
    """What the options add to the manifest's ``tool``."""
    found = {}
    if options.steps:
        found["steps"] = f"{len(options.steps)} scripted steps, see actions.jsonl"
    if options.login_state is not None:
        hosts = ", ".join(login_hosts(options.login_state))
        found["login_state"] = (
            "a login state supplied by the operator was used; texts are masked, pictures and the PDF cannot "
            f"be; hosts: {hosts}"
        )[:400]
    if options.mode == "tunnel":
        found["tunnel"] = (
            "TLS exchanges are what the browser reported: heads rebuilt from their fields, content without "
            "codings; certificates of the page's own origin only"
        )
    return found
