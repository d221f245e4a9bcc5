"""How a capture ended, decided from what was seen, with the reasons in words.

Only ``captured`` may be certified without a visible qualification, so doubt always decides against it. A
page that shows a listing (a title and a price that were read and can be seen) is not judged by words and
widgets that listings happen to carry: a login form in the header, a reCAPTCHA badge, "no longer available
in red".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import unescape
from urllib.parse import urlsplit

from evidence_service.capture.listing import Fact, read_listing
from evidence_service.capture.listing.fact import without_bidi_controls
from evidence_service.capture.listing.platforms import platforms
from evidence_service.capture.outcome_rules import Rule, rule, rules

_SHORT_PAGE = 3_000
"""Characters of visible text: a page that talks only about its own refusal is short."""
_OPENING = 800
_HARDLY_ANY = 300
_NEXT_TO_NOTHING = 60
_MAX_HTML = 4_000_000

_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,2000})", re.IGNORECASE)
_EMAIL_FIELD = re.compile(r"""type=["']?email""", re.IGNORECASE)
_PICTURE = re.compile(r"<(?:img|picture|canvas|video)\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d{5,20}")
_HOME = re.compile(
    r"/?(?:[a-z]{2}(?:[-_][a-z]{2})?/?)?(?:(?:index|home|default)(?:\.[a-z]{2,5})?/?)?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Observation:
    """What the session saw of a page.

    Attributes:
        final_url: the document's; shown_url: what a script made of it, empty when none did. Doubt about
            either decides.
        status: of the final response; None when there was none.
        text: visible text of the page, without that of its frames.
        failure: why the page could not be opened; empty when it could.
        limits: limits that fired, in words.
        incomplete: what did not arrive (images, a body's end, a dead browser), in words.
        title: the document's title; read from ``html`` when empty.
        dialog: visible text of what lies over the page, when it covers its middle; else empty.
        dialog_password: whether that asks for a password.
        pictures: pictures that are shown, icons not counted; None when nobody counted.
        facts: what was read of the listing; read from ``html`` when None.
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
    title: str = ""
    dialog: str = ""
    dialog_password: bool = False
    pictures: int | None = None
    facts: Mapping[str, Fact] | None = field(default=None, repr=False)
    shown_url: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One of the manifest's outcomes, and why; each reason names its rule."""

    status: str
    reasons: tuple[str, ...]


def classify(seen: Observation) -> Outcome:
    """Decide the outcome: the status of the first rule that applies, with all its rules' reasons."""
    if seen.failure:
        return Outcome("blocked", (rule("not-reached").reason(seen.failure),))
    lacks = [*_named("limit", seen.limits), *_named("incomplete", seen.incomplete)]
    if seen.status is None:
        return Outcome("partial", (rule("no-response").reason(), *lacks))
    pages = [_Page(seen)]
    if seen.shown_url:
        pages.append(_Page(replace(seen, final_url=seen.shown_url)))
    for item in rules():
        for page in pages:
            if page.applies(item) is not None:
                return Outcome(item.status, tuple(page.reasons(item.status)) + tuple(lacks))
    return Outcome("partial", tuple(lacks)) if lacks else Outcome("captured", ())


def _named(name: str, words: Sequence[str]) -> list[str]:
    return [rule(name).reason(item) for item in words]


class _Page:
    """A page and the questions rules ask of it."""

    def __init__(self, seen: Observation) -> None:
        self._seen = seen
        html = seen.html[:_MAX_HTML]
        self._html = html
        self._text = " ".join(without_bidi_controls(seen.text).split())
        found = _TITLE.search(html)
        title = seen.title or (unescape(found.group(1)) if found else "")
        self._title = " ".join(without_bidi_controls(title).split())
        self._moved = _address(seen.requested_url) != _address(seen.final_url)
        facts = read_listing(html, seen.final_url) if seen.facts is None else seen.facts
        self._bare = not _shows_listing(facts, self._text)
        self._empty = self._bare and len(self._text) < _HARDLY_ANY and not _EMAIL_FIELD.search(html)

    def reasons(self, status: str) -> list[str]:
        """Reasons of every rule for this status that applies; of status codes the most telling alone."""
        found: list[str] = []
        coded = False
        for item in rules():
            if item.status == status and not (coded and item.look == "status"):
                words = self.applies(item)
                if words is not None:
                    found.append(item.reason(words))
                    coded = coded or item.look == "status"
        return found

    def applies(self, item: Rule) -> str | None:
        """What the rule found; None when it does not apply."""
        if item.look == "fixed":
            check = _FIXED.get(item.name)
            return None if check is None else check(self, item)
        if item.look == "status":
            status = self._seen.status or 0
            hit = status in item.codes or (item.at_least and status >= item.at_least)
            return str(status) if hit else None
        where = self._where(item)
        found = item.pattern.search(where) if where and item.pattern is not None else None
        if found is None:
            return None
        return urlsplit(self._seen.final_url).path if item.look in ("redirect", "url") else found.group(0)

    def _where(self, item: Rule) -> str:
        """The text a rule looks into; empty when it does not count on this page."""
        refused = (self._seen.status or 0) >= 400
        counts = {
            "always": True,
            "opening": True,
            "bare": self._bare,
            "empty": self._empty,
            "refused": refused,
        }
        if not counts[item.when]:
            return ""
        if item.look == "text":
            whole = refused or (len(self._text) <= _SHORT_PAGE and item.when != "opening")
            return self._text if whole else self._text[:_OPENING]
        return {
            "title": self._title,
            "html": self._html,
            "url": self._seen.final_url,
            "redirect": self._seen.final_url if self._moved else "",
            "dialog": self._seen.dialog,
        }[item.look]

    # --- fixed rules ---

    def password_page(self, _: Rule) -> str | None:
        asks = self._seen.password_fields and self._bare and len(self._text) < _SHORT_PAGE
        return "" if asks else None

    def password_dialog(self, _: Rule) -> str | None:
        return "" if self._seen.dialog and self._seen.dialog_password else None

    def redirect_home(self, _: Rule) -> str | None:
        before, after = urlsplit(self._seen.requested_url), urlsplit(self._seen.final_url)
        left = self._moved and not _HOME.fullmatch(before.path) and not before.query
        led = before.query and before.path != after.path and not after.query
        return "" if (left or (self._moved and led)) and _HOME.fullmatch(after.path) else None

    def redirect_search(self, item: Rule) -> str | None:
        after = self._seen.final_url
        if not self._moved or not self._bare or item.pattern is None:
            return None
        here = item.pattern.search(after) and not item.pattern.search(self._seen.requested_url)
        return urlsplit(after).path if here else None

    def other_listing(self, _: Rule) -> str | None:
        asked, got = _listing_id(self._seen.requested_url), _listing_id(self._seen.final_url)
        if not self._moved or not asked or not got or asked.casefold() == got.casefold():
            return None
        if not _platform_id(self._seen.requested_url) and asked in self._html:
            return None
        return f"{asked} was asked for, {got} was shown"

    def led_away(self, _: Rule) -> str | None:
        asked = _listing_id(self._seen.requested_url)
        if not self._moved or not asked or asked in self._seen.final_url or asked in self._html:
            return None
        return urlsplit(self._seen.final_url).path

    def empty_shell(self, _: Rule) -> str | None:
        if not self._html and (self._seen.incomplete or self._seen.limits):
            # Nobody looked; why not is told.
            return None
        pictures = self._seen.pictures
        shown = _PICTURE.search(self._html) is not None if pictures is None else pictures > 0
        characters = len(self._text.replace(" ", ""))
        nothing = self._bare and characters < _NEXT_TO_NOTHING and not shown
        return f"{characters} characters, no pictures" if nothing else None


_FIXED = {
    "password-page": _Page.password_page,
    "password-dialog": _Page.password_dialog,
    "redirect-home": _Page.redirect_home,
    "redirect-search": _Page.redirect_search,
    "other-listing": _Page.other_listing,
    "led-away": _Page.led_away,
    "empty-shell": _Page.empty_shell,
}


def _address(url: str) -> tuple[str, str, str]:
    """What makes two addresses lead to different pages; a fragment does not."""
    parts = urlsplit(url)
    return (parts.netloc.lower(), parts.path.rstrip("/"), parts.query)


def _platform_id(url: str) -> str:
    found = (item.id_in(url) for item in platforms() if not item.software)
    return next((identity for identity in found if identity), "")


def _listing_id(url: str) -> str:
    """The listing's id by the patterns of platforms; else the only long number in its path."""
    if found := _platform_id(url):
        return found
    numbers = _NUMBER.findall(urlsplit(url).path)
    return numbers[0] if len(numbers) == 1 else ""


def _shows_listing(facts: Mapping[str, Fact], text: str) -> bool:
    """Whether a title and a price that were read can be seen: data that is not shown proves nothing."""
    title, price = facts.get("title"), facts.get("price")
    if title is None or price is None or title.method == "element":
        return False
    digits = re.findall(r"\d+", price.value)
    squeezed = _squeezed(text)
    start = _squeezed(title.value)[:24]
    return bool(start and digits) and start in squeezed and max(digits, key=len) in text


def _squeezed(text: str) -> str:
    return "".join(part for part in without_bidi_controls(text).casefold() if part.isalnum())
