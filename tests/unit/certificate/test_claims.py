"""What a certificate must never claim: in no template, in no table of texts, in no certificate."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import pytest

from evidence_service.certificate.edition import TEMPLATES, Edition, editions
from tests.unit.certificate.certified import pages_of, squeezed

FORBIDDEN = (
    "tamper-proof",
    "tamperproof",
    "tamper proof",
    "immutable",
    "unalterable",
    "cannot be altered",
    "court-approved",
    "court approved",
    "approved by the court",
    "court-recognised",
    "court-recognized",
    "self-proving",
    "self-authenticating",
    "notarised",
    "notarized",
    "notarial",
    "notary",
    "legally binding",
    "conclusive proof",
    "irrefutable",
    "guaranteed",
    "guarantees",
    "is counterfeit",
    "are fake",
    "is fake",
    "infringes",
    "infringement",
    "is the seller",
    "is authentic",
    "is true",
    "qualified",
    "time of capture",
    "不可篡改",
    "防篡改",
    "无法篡改",
    "不能篡改",
    "不可更改",
    "法院认可",
    "法院采信",
    "法院承认",
    "自证",
    "公证",
    "具有法律效力",
    "法定效力",
    "确凿",
    "保证",
    "系假冒",
    "为假货",
    "是假货",
    "侵权",
    "属实",
    "真实有效",
    "合格",
)
# Sentences that say what is not claimed, word for word; nothing else may hold a forbidden phrase.
ALLOWED = (
    "Not stated: whether goods are counterfeit, whether the page's content is true, whether the seller is who the "
    "page says.",
    "Not stated: whether goods are counterfeit, whether what the file shows is true, and who made it.",
    "Block time is not the time of capture.",
    "it is not the time of capture",
    "It does not show that what the page said is true.",
    "qualified time stamp: not stated, so none is claimed",
    "qualified trust service provider: not stated, so none is claimed",
    "Art. 41(2) of Regulation (EU) No 910/2014 presumes the accuracy of a qualified electronic time stamp alone. "
    "Nothing here states that a token is one.",
    "并不表明页面内容属实",
    "合格时间戳：未载明，故不主张",
    "合格信任服务提供者：未载明，故不主张",
    "欧盟第910/2014号条例第41条第2款仅对合格电子时间戳推定其准确；本证书未载明任何时间戳属于此类。",
)
# Names of keys and of facts in a template's code are no claims.
NAMES = ("missing.qualified", "qualified_stamp")


def claims(text: str) -> list[str]:
    """Forbidden phrases of a text, what is allowed taken out first; white space does not hide any."""
    words = squeezed(text).lower()
    for sentence in ALLOWED:
        words = words.replace(squeezed(sentence).lower(), "|")
    return [phrase for phrase in FORBIDDEN if squeezed(phrase).lower() in words]


FORMS = "forms"
TEMPLATES_OF_OURS = sorted(
    path.relative_to(TEMPLATES).as_posix()
    for path in TEMPLATES.rglob("*.*")
    if path.suffix in (".typ", ".json") and FORMS not in path.relative_to(TEMPLATES).parts
)


@pytest.mark.parametrize("name", TEMPLATES_OF_OURS)
def test_no_template_and_no_text_claims_it(name: str) -> None:
    content = (TEMPLATES / name).read_text(encoding="utf-8")
    texts = "\n".join(_strings(json.loads(content))) if name.endswith(".json") else content
    for key in NAMES:
        texts = texts.replace(key, "")
    assert claims(texts) == []


@pytest.mark.parametrize("complete", [True, False], ids=["capture", "upload"])
@pytest.mark.parametrize("edition", editions(), ids=lambda edition: edition.code)
def test_no_certificate_claims_it(edition: Edition, complete: bool) -> None:
    pages = pages_of(edition.code, complete=complete)
    # The forms are what a person signs, in the words of a rule; their own test is about them.
    ours, forms = _without_forms(pages, edition)
    assert claims(ours) == []
    assert forms or not edition.definition["forms"]


def _without_forms(pages: tuple[str, ...], edition: Edition) -> tuple[str, str]:
    """The pages that are ours, and those of Annex F."""
    first = {"en": "Annex F: Forms", "zh": "附件六：表格与声明"}[edition.printed_languages[0]]
    last = {"en": "Annex G: Glossary", "zh": "附件七：术语说明"}[edition.printed_languages[0]]
    starts = [number for number, page in enumerate(pages) if number > 0 and first in page]
    ends = [number for number, page in enumerate(pages) if number > 0 and last in page]
    return "".join(pages[: starts[0]] + pages[ends[0] :]), "".join(pages[starts[0] : ends[0]])


@pytest.mark.parametrize(
    "text", ["This is TAMPER-\nPROOF.", "本证书防\n篡改", "A qualified time stamp", "经公证"]
)
def test_a_claim_is_found_however_it_is_broken(text: str) -> None:
    assert claims(text) != []


def test_what_is_allowed_is_printed_somewhere() -> None:
    everything = "".join(squeezed(path.read_text(encoding="utf-8")) for path in TEMPLATES.rglob("*.json"))
    assert [sentence for sentence in ALLOWED if squeezed(sentence) not in everything] == []


def _strings(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from _strings(member)
