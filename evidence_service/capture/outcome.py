"""How a capture ended, decided from what was seen, with the reasons in words.

Only ``captured`` may be certified without a visible qualification, so doubt always decides against it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

_SHORT_PAGE = 3_000
"""Characters of visible text: a page that talks only about its own refusal is short; a listing that happens
to mention such words is not judged by them."""

_CHALLENGE_TEXT = re.compile(
    r"verify (?:that )?you are (?:a )?human|are you a robot|unusual traffic|security check|captcha|"
    r"安全验证|滑动验证|请完成验证|人机验证",
    re.IGNORECASE,
)
_CHALLENGE_MARKUP = re.compile(
    r"""(?:id|class|src)=["'][^"']*(?:captcha|challenge-platform|cf-turnstile|px-captcha|geetest|nc_wrapper|baxia)""",
    re.IGNORECASE,
)
_REMOVED_TEXT = re.compile(
    r"listing (?:has been|was) removed|no longer available|item (?:has been )?removed|"
    r"page (?:does not|doesn't) exist|"
    r"已下架|已删除|商品不存在|宝贝不存在",
    re.IGNORECASE,
)
_LOGIN_PATH = re.compile(r"/(?:[a-z_-]*login|log-in|signin|sign-in|passport|auth)(?:[/.?]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Observation:
    """What the session saw of a page.

    Attributes:
        status: of the final response; None when there was none.
        failure: why the page could not be opened; empty when it could.
        limits: limits that fired, in words.
        incomplete: what did not arrive (images, a dead browser), in words.
    """

    requested_url: str
    final_url: str
    status: int | None
    text: str
    html: str
    password_fields: int
    failure: str = ""
    limits: Sequence[str] = ()
    incomplete: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One of the manifest's outcomes, and why."""

    status: str
    reasons: tuple[str, ...]


def classify(seen: Observation) -> Outcome:
    """Decide the outcome; the first rule that applies wins."""
    if seen.failure:
        return Outcome("blocked", (seen.failure,))
    if seen.status is None:
        return Outcome(
            "partial", ("no response to the main request was seen", *seen.incomplete, *seen.limits)
        )
    for status, reasons in (
        ("challenge", _challenge(seen)),
        ("auth_wall", _auth_wall(seen)),
        ("removed", _removed(seen)),
        ("http_error", [f"HTTP status {seen.status}"] if seen.status >= 400 else []),
        ("partial", [*seen.limits, *seen.incomplete]),
    ):
        if reasons:
            return Outcome(status, tuple(reasons))
    return Outcome("captured", ())


def _challenge(seen: Observation) -> list[str]:
    if len(seen.text) > _SHORT_PAGE and seen.status == 200:
        return []
    reasons = []
    if found := _CHALLENGE_TEXT.search(seen.text):
        reasons.append(f"the page asks for a proof of being human: {found.group(0)}")
    if found := _CHALLENGE_MARKUP.search(seen.html):
        reasons.append(f"the page holds a challenge: {found.group(0)}")
    if reasons and seen.status != 200:
        reasons.append(f"HTTP status {seen.status}")
    return reasons


def _auth_wall(seen: Observation) -> list[str]:
    if seen.status == 401:
        return ["HTTP status 401"]
    requested, final = urlsplit(seen.requested_url), urlsplit(seen.final_url)
    sent_away = (requested.netloc, requested.path) != (final.netloc, final.path)
    if sent_away and _LOGIN_PATH.search(final.path):
        return [f"redirected to a login page: {final.path}"]
    if seen.password_fields and len(seen.text) < _SHORT_PAGE:
        return ["the page asks for a password"]
    return []


def _removed(seen: Observation) -> list[str]:
    if seen.status in (404, 410):
        return [f"HTTP status {seen.status}"]
    if urlsplit(seen.requested_url).path not in ("", "/") and urlsplit(seen.final_url).path in ("", "/"):
        return ["redirected to the start page"]
    found = _REMOVED_TEXT.search(seen.text) if len(seen.text) < _SHORT_PAGE else None
    return [f"the page says: {found.group(0)}"] if found else []
