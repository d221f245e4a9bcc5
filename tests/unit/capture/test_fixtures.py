"""Every fixture that needs no browser to be understood: its outcome and its facts, from what is served."""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import urljoin

import pytest
from lxml import html as lxml_html

from evidence_service.capture.listing import Source, read_listing
from evidence_service.capture.listing.payload import Text
from evidence_service.capture.outcome import Observation, classify
from evidence_service.sandbox.marketplace import FIXTURES
from evidence_service.sandbox.marketplace.answer import Answer, Asked
from evidence_service.sandbox.marketplace.routes import answer
from tests.capture.recorded import says

ORIGIN = "http://127.0.0.1:8080"
STATIC = [fixture for fixture in FIXTURES if not fixture.browser]
RECORD = "urn:uuid:00000000-0000-5000-8000-000000000009"
OUTCOMES = {"captured", "challenge", "auth_wall", "removed", "http_error", "blocked", "partial"}


def served(path: str) -> tuple[str, Answer]:
    """The final address and answer, redirects followed."""
    for _ in range(5):
        found = answer(Asked(ORIGIN, path, {"host": "127.0.0.1:8080"}))
        if not found.location:
            return ORIGIN + path, found
        path = urljoin(path, found.location)
    raise AssertionError("redirects without end")


def visible(page: str) -> str:
    tree = lxml_html.fromstring(page)
    for element in tree.xpath(
        "//script|//style|//noscript|//title|//iframe|//*[contains(@style, 'display:none')]"
    ):
        element.drop_tree()
    return re.sub(r"\s+", " ", tree.text_content())


def observed(fixture) -> Observation:
    url, found = served(fixture.path)
    page = Text.of(Source("", found.media_type, found.body)).text
    return Observation(
        requested_url=ORIGIN + fixture.path,
        final_url=url,
        status=found.status,
        text=visible(page),
        html=page,
        password_fields=len(re.findall("type=['\"]password", visible_markup(page))),
    )


def visible_markup(page: str) -> str:
    return re.sub(r"<div[^>]*display:none.*?</div>", "", page, flags=re.DOTALL)


@pytest.mark.parametrize("fixture", STATIC, ids=lambda fixture: fixture.name)
def test_the_outcome_is_the_fixture_s_and_cites_its_rule(fixture) -> None:
    found = classify(observed(fixture))
    assert (found.status, found.reasons) == (fixture.outcome, found.reasons)
    if fixture.rule:
        assert any(f"(rule {fixture.rule})" in reason for reason in found.reasons), found.reasons


@pytest.mark.parametrize("fixture", [item for item in STATIC if item.facts], ids=lambda fixture: fixture.name)
def test_facts_are_read_and_cite_the_served_bytes(fixture) -> None:
    url, found = served(fixture.path)
    source = Source(RECORD, found.media_type, found.body)
    facts = read_listing(Text.of(source).text, url, [source])
    assert {name: facts[name].value for name in fixture.facts} == dict(fixture.facts)
    for name, fact in facts.items():
        if fact.record and fact.method != "comparison":
            assert fact.record == RECORD
            assert says(found.body, fact), (name, fact)


def test_the_set_covers_every_outcome_in_both_languages() -> None:
    count = Counter((fixture.outcome, fixture.language) for fixture in FIXTURES)
    assert {outcome for outcome, _ in count} == OUTCOMES
    assert all(count[outcome, language] >= 2 for outcome in OUTCOMES for language in ("en", "zh-CN")), count
    assert len(FIXTURES) >= 40
    assert len({fixture.name for fixture in FIXTURES}) == len(FIXTURES)
    assert len({fixture.path for fixture in FIXTURES}) == len(FIXTURES)
    assert all(bool(fixture.rule) == (fixture.outcome != "captured") for fixture in FIXTURES)
