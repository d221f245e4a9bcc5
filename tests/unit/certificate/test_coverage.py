"""Every fact a jurisdiction requires stands in the certificate, or is visibly said to be missing and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pytest

from evidence_service.certificate.edition import Edition, editions
from evidence_service.certificate.render import render
from evidence_service.certificate.required import ROWS
from tests.unit.certificate.certified import (
    ACTIONS,
    ISSUER,
    LISTING,
    POINTS,
    REGISTER,
    SEEN_AT,
    bare,
    chain,
    changed,
    facts,
    squeezed,
    text_of,
    words_of,
)

FULL = facts().values
ANCHOR, TOKEN = FULL["anchors"][0], FULL["timestamps"][0]
FACTS: dict[str, Sequence[str]] = {
    "certificate": (FULL["number"], "2026-03-05 05:06:07.000 UTC", "{template}", REGISTER),
    "issuer": (ISSUER.name, ISSUER.registration, ISSUER.independence),
    "filings": (ISSUER.filings,),
    "applicant": (FULL["manifest"]["matter"]["applicant"], FULL["manifest"]["matter"]["reference"]),
    "operator": (FULL["manifest"]["operator"]["id"], "evidence-service 0.1.0", "Chromium 156", "be" * 4),
    "addresses": (
        "https://shop.example/r/4711",
        "https://shop.example/moved/4711",
        "https://shop.example/item/4711",
        "192.0.2.10",
        "TLSv1.3",
        *(name[:8] for name in chain()[0]),
        *(str(item[part]) for item in FULL["main"]["certificates"] for part in ("subject", "issuer")),
    ),
    "listing": [part for name, fact in LISTING.items() if name != "conflicts" for part in fact.values()],
    "environment": [part for point in POINTS for part in (point["raw_sha256"][:8],)],
    "cleanliness": ("10.0.0.7:80", "certificate has expired", "one of the two sources", "503"),
    "generation": (SEEN_AT.replace("T", " ").replace("Z", " UTC"),),
    "files": [
        part
        for item in FULL["manifest"]["files"]
        for part in (item["path"], str(item["size"]), item["media_type"], item["sha256"][:8])
    ],
    "corroboration": (
        "screenshot.png",
        "dom.html",
        "actions.jsonl",
        *(str(item["detail"]) for item in ACTIONS),
    ),
    "custody": [
        part for event in FULL["custody"] for part in (event["actor"]["id"], event["host"], event["purpose"])
    ],
    "timestamps": (TOKEN["authority"], TOKEN["serial"], TOKEN["policy"], "2026-03-04 05:06:37.000 UTC"),
    "chain": (
        ANCHOR["chain_id"],
        ANCHOR["contract"][2:10],
        ANCHOR["transaction"][2:10],
        ANCHOR["block_number"],
        ANCHOR["block_hash"][2:10],
        *(node[:8] for node in FULL["inclusion"]["path"]),
    ),
    "court_chain": (),
    "verification": ("evidence verify --offline certificate.pdf", "pdfdetach", "sha256sum"),
    "evidence_list": ("证据目录",),
    "translation": (),
    "declarant": (),
    "perjury": ("28 U.S.C.",),
    "vermont": ("1913",),
    "seal": ("PAdES B-LTA",),
}
"""Row → what has to stand in every language."""

WORDS: dict[str, dict[str, Sequence[str]]] = {
    "en": {
        "certificate": ("Certificate number", "Template version"),
        "applicant": ("not available: not collected by this installation", "not available: none was named"),
        "operator": ("Repeatability", "whoever repeats them"),
        "addresses": ("Certificate chain the server sent",),
        "listing": ("Number sold", "Ships from", "Where sources of the page disagree", "4.99 EUR"),
        "cleanliness": ("captures may reach these addresses although they are not public",),
        "corroboration": ("3 steps, 1 HTTP exchanges with 1 hosts, 1200 bytes",),
        "generation": ("generated automatically by the software above",),
        "custody": ("write-once object store", "Transmission", "none recorded before issue"),
        "timestamps": ("qualified time stamp: not stated, so none is claimed",),
        "chain": ("final by the rule of this chain", "entry 3 of 5, batch 7"),
        "court_chain": ("none: the evidence is not recorded on a judicial chain",),
        "verification": ("Result before issue", "checks of Annex D passed"),
        "translation": ("Chinese text not available in this edition",),
        "seal": ("electronic signature over the whole file", "qualified trust service provider: not stated"),
    },
    "zh": {
        "certificate": ("模板版本",),
        "applicant": ("未提供：本系统未收集", "未提供：未指明代理人"),
        "operator": ("可重复性", "取证步骤固定"),
        "addresses": ("服务器发送的证书链",),
        "listing": ("销量", "发货地", "页面各来源不一致之处", "4.99 EUR"),
        "cleanliness": ("允许访问下列非公网地址",),
        "corroboration": ("3 个步骤；与 1 个主机的 1 次 HTTP 往来",),
        "generation": ("由上述软件自动生成",),
        "custody": ("一次写入对象存储", "传输", "出具前无提取记录"),
        "timestamps": ("合格时间戳：未载明，故不主张",),
        "chain": ("收集证明时按该链规则已最终确认", "第 7 批，第 3 项，共 5 项"),
        "court_chain": ("无：本证据未记录于司法链",),
        "verification": ("出具前核验结果",),
        "translation": ("区块链存证证书",),
        "seal": ("对全文件的电子签名", "合格信任服务提供者：未载明"),
    },
}
"""Language → row → what has to stand there in its words."""

EDITIONS = pytest.mark.parametrize("edition", editions(), ids=lambda edition: edition.code)


def test_the_table_of_this_test_is_about_every_row() -> None:
    assert set(FACTS) == set(ROWS)


@EDITIONS
def test_every_required_fact_stands_in_the_pdf(edition: Edition) -> None:
    words = words_of(edition.code)
    needs = edition.definition["facts"]
    for row in ROWS:
        if needs[row] != "R":
            continue
        expected = [part.format(template=edition.template) for part in FACTS[row]]
        for language in edition.languages:
            own = WORDS[language].get(row, ())
            # The Chinese text is what an edition that has it states.
            if (row, language) == ("translation", "en") and "zh" in edition.languages:
                own = ()
            expected += own
        assert [part for part in expected if squeezed(part) not in words] == [], row


@EDITIONS
def test_what_a_record_does_not_have_is_said_to_be_missing(edition: Edition) -> None:
    words = words_of(edition.code, complete=False)
    stated = bare(edition.code).values["rows"]
    assert {item["row"] for item in stated} == {
        row for row, need in edition.definition["facts"].items() if need != "-"
    }
    for item in stated:
        for key in item["missing"]:
            for language in edition.languages:
                assert squeezed(edition.texts[language][key]) in words, (item["row"], key)
    missing = {key for item in stated for key in item["missing"]}
    assert {"missing.fact.title", "missing.registration", "missing.final_url"} <= missing


@EDITIONS
def test_what_is_not_needed_is_not_printed(edition: Edition) -> None:
    words = words_of(edition.code)
    unneeded = {
        "filings": ISSUER.filings,
        "court_chain": edition.texts[edition.languages[0]]["court_chain"],
    }
    for row, words_of_row in unneeded.items():
        needed = edition.definition["facts"][row] != "-"
        assert (squeezed(words_of_row) in words) is needed, row


@pytest.mark.parametrize(
    "edition", [item for item in editions() if len(item.languages) == 1], ids=lambda edition: edition.code
)
def test_an_edition_in_one_language_prints_no_other(edition: Edition) -> None:
    """The record's own words stay as they are; so do forms, which have the language of their court."""
    found = changed(facts(edition.code), forms=[])
    words = squeezed(text_of(render(found)))
    mine = squeezed("".join(_strings([edition.texts, found.values])))
    (other,) = {"en", "zh"} - set(edition.languages)
    least = 12 if other == "en" else 3
    strangers = [
        text
        for text in _strings([Edition(edition.jurisdiction, (other,)).texts])
        if len(text) >= least and "{" not in text and squeezed(text) in words and squeezed(text) not in mine
    ]
    assert strangers == []
    if other == "zh":
        assert [mark for mark in words if "\u4e00" <= mark <= "\u9fff"] == []


def _strings(values: Iterable[object]) -> list[str]:
    found: list[str] = []
    for value in values:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, Mapping):
            found += _strings(value.values())
        elif isinstance(value, Sequence):
            found += _strings(value)
    return found
