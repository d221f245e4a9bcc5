"""Rendering: deterministic, whole with hostile content, tagged, bounded, marked when it is no evidence."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evidence_service.certificate.edition import editions
from evidence_service.certificate.facts import CertificateFacts, Issuer
from evidence_service.certificate.recorded import Screenshot
from evidence_service.certificate.render import render
from tests.unit.certificate.certified import (
    DISAGREEMENTS,
    LISTING,
    Files,
    capture,
    changed,
    exchange,
    fact,
    facts,
    facts_of,
    judged,
    pages_of,
    png,
    point,
    rendered,
    squeezed,
    text_of,
    upload,
    whole_record,
    words_of,
)

# Each with what may be printed of it: nothing is interpreted, nothing hides, nothing is lost.
HOSTILE = {
    "typst": ('#eval("panic()") *bold* _it_ $x^2$ @ref <label> #pagebreak() \\ // /* `raw` ~ --', None),
    "include": ('#include "/facts.json" #read("/etc/passwd") #image("/code.svg")', None),
    "pdf operators": ("BT (hello) Tj ET ) ) ( endstream endobj /Type /Catalog <</JS (x)>>", None),
    "json": ('"},"number":"EP-1","x":{"y":"', None),
    "markup": ("<script>alert(1)</script> &amp; <b>bold</b>", None),
    "braces": ("{number} {page} {digest} {0} %s", None),
    "bidi": ("left \u202eright to left\u202c \u2067isolate\u2069", "left[U+202E]righttoleft[U+202C]"),
    "zero width": ("a\u200bb\u200dc\ufeffd\u2060e", "a[U+200B]b[U+200D]c[U+FEFF]d[U+2060]e"),
    "control": ("bell\u0007 nul\u0000 escape\u001b[31m delete\u007f", "bell[U+0007]nul[U+0000]"),
    "lines": ("one\ntwo\rthree\ttab\u2028four\u2029five", "onetwothreetab[U+2028]four[U+2029]five"),
    "long word": ("W" * 400, "W" * 400),
    "long title": ("Ein langer Titel " * 24, None),
    "no-break": ("\u00a0".join(["unbroken"] * 40), None),
    "arabic": ("سماعة", "[U+0633][U+0645][U+0627][U+0639][U+0629]"),
    "hebrew": ("שלום", "[U+05E9][U+05DC][U+05D5][U+05DD]"),
    "emoji": ("bag \U0001f45c\U0001f3fd\ufe0f", "bag[U+1F45C][U+1F3FD][U+FE0F]"),
    "rare ideograph": ("\U00020000 古", "[U+20000]古"),
    "private and unassigned": ("\ue000\U0010ffff", "[U+E000][U+10FFFF]"),
    "piled marks": ("a" + "\u0301" * 4, "[U+0301][U+0301]"),
    "quotes": ("\" ' \\ `` '' \\u{41} “”", None),
    "very long": ("much " * 3000, "[+13500]"),
}


def hostile(text: str) -> CertificateFacts:
    """Facts in which every text from outside is this one, as long as its place takes."""
    short, named = text[:390], text[:190]
    subject = {
        **capture()["subject"],
        "requested_url": text[:8000],
        "final_url": text[:8000],
        "redirects": [text[:8000]],
        "peer_address": short,
        "listing": {
            **{name: fact(text, short) for name in LISTING},
            named: fact(text, short),
        },
    }
    disagreements = {"price": {**DISAGREEMENTS["price"], "value": text, "where": text}}
    kept: Files = {
        **whole_record(),
        "listing.json": ("listing", json.dumps(disagreements).encode()),
        "actions.jsonl": (
            "actions",
            json.dumps({"at": "2026-03-04T05:06:07.000Z", "action": text, "detail": text}).encode(),
        ),
        "environment.json": (
            "environment",
            json.dumps(
                {
                    "at": "2026-03-04T05:06:07.000Z",
                    "points": [
                        point(4, "fail", {"entries_for_the_host": [text]}),
                        point(8, "unavailable", text),
                    ],
                }
            ).encode(),
        ),
        "exchanges.json": (
            "exchanges.metadata",
            json.dumps(
                [exchange(text[:8000].split("#", maxsplit=1)[0], tls={"version": text}, resolved=[text])]
            ).encode(),
        ),
    }
    usual = capture()
    changes = capture(
        subject=subject,
        matter={"id": "m-1", "reference": named or "-", "applicant": short or "-", "rights": [short]},
        operator={"id": named, "role": text[:60]},
        outcome={"status": "partial", "reasons": [short] * 5},
        tool={**dict.fromkeys(usual["tool"], short), "browser_sha256": "be" * 32, named: short},
        egress={"mode": "recording_proxy", "exceptions": [short]},
        not_before={"status": "unavailable", "why": short},
    )
    issuer = Issuer(text, text, text, text)
    found = facts_of(judged(changes, kept), kept, "generic:en", issuer=issuer, register=text)
    return _poisoned(found, text)


def _poisoned(found: CertificateFacts, text: str) -> CertificateFacts:
    """What the engine would not have let through, and what only others could have put there."""
    values = found.values
    event = {
        "actor": {"id": text, "role": text},
        "purpose": text,
        "host": text,
        "tool": text,
        "detail": {text: text},
    }
    manifest = {
        **values["manifest"],
        "files": [{**item, "path": text, "media_type": text} for item in values["manifest"]["files"]],
    }
    subject = {"subject": text, "issuer": text}
    return changed(
        found,
        manifest=manifest,
        custody=[{**item, **event} for item in values["custody"]],
        checks=[{**item, "name": text, "why": text} for item in values["checks"]],
        timestamps=[{**item, "authority": text, "serial": text} for item in values["timestamps"]],
        anchors=[{**item, "chain": text} for item in values["anchors"]],
        main={**values["main"], "certificates": [{**values["main"]["certificates"][0], **subject}]},
        unprinted=[{"path": text, "sha256": "ab" * 32}],
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_content_becomes_harmless_text(name: str) -> None:
    text, printed = HOSTILE[name]
    found = hostile(text)
    pdf = render(found)
    words = squeezed(text_of(pdf))
    expected = squeezed(text) if printed is None else squeezed(printed)
    # On the pages of facts, of the log and of the issuer at the least.
    assert words.count(expected) >= 20
    assert "EP-2026-000001" in words
    for mark in ("\u202e", "\u2067", "\u200b", "\u200d", "\u0000", "\u001b", "\u2060"):
        assert mark not in words
    assert _outside(pdf) == []
    assert re.search(r"JavaScript:\s+no", _inspected(pdf, "pdfinfo"))


def _outside(pdf: bytes) -> list[str]:
    """Words that are not between the page's margins, 20 mm wide, and its foot."""
    words = re.findall(
        r'xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)">(.*)</word', _boxes(pdf)
    )
    return [
        word
        for left, top, right, bottom, word in words
        if float(left) < 56 or float(right) > 540 or float(top) < 30 or float(bottom) > 815
    ]


def _boxes(pdf: bytes) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "certificate.pdf"
        path.write_bytes(pdf)
        done = subprocess.run(["pdftotext", "-bbox", path, "-"], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_same_facts_give_the_same_bytes() -> None:
    assert render(facts("cn:en+zh")) == render(facts("cn:en+zh"))


def test_another_process_makes_the_same_bytes(tmp_path: Path) -> None:
    found = facts("us:en")
    (tmp_path / "facts").write_bytes(pickle.dumps(found))
    program = (
        "import hashlib, pickle, sys; from evidence_service.certificate.render import render\n"
        "print(hashlib.sha256(render(pickle.load(open(sys.argv[1], 'rb')))).hexdigest())"
    )
    made = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "facts")],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert made.stdout.strip() == hashlib.sha256(render(found)).hexdigest()


def test_threads_do_not_read_one_anothers_facts() -> None:
    numbers = [f"EP-2026-{number:06}" for number in range(4)]
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda number: render(changed(facts("us:en"), number=number)), numbers))
    for number, pdf in zip(numbers, made, strict=True):
        assert set(re.findall(r"EP-2026-\d{6}", text_of(pdf))) == {number}
    assert made[0] == render(changed(facts("us:en"), number=numbers[0]))


CHANGES: dict[str, Any] = {
    "number": "EP-2026-000002",
    "issued_at": "2026-03-05T05:06:08.000Z",
    "level": "PAdES B-T",
    "register": None,
    "demonstration": True,
    "issuer": {"name": "Issuer", "registration": "1", "independence": "yes", "filings": "none"},
    "digest": {"sha256": "ab" * 32, "sha3_512": "cd" * 64},
    "actions": [],
    "environment": [],
    "timestamps": [],
    "custody": [],
    "checks": [],
    "calls": None,
    "disagreements": [],
    "unprinted": [],
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_fact_gives_other_bytes(name: str) -> None:
    found = facts("us:en")
    assert found.values[name] != CHANGES[name]
    assert render(changed(found, **{name: CHANGES[name]})) != rendered("us:en")


def test_another_picture_attachment_or_time_gives_other_bytes() -> None:
    found, usual = facts("us:en"), rendered("us:en")
    others = (
        replace(found, screenshots=(Screenshot("screenshot.full", png(640, 901), "screenshot.png"),)),
        replace(found, attachments={**found.attachments, "bundle.json": b"{}"}),
        replace(found, issued_at=found.issued_at.replace(second=1)),
    )
    assert len({hashlib.sha256(pdf).digest() for pdf in (usual, *map(render, others))}) == 4


@pytest.mark.parametrize("edition", editions(), ids=lambda edition: edition.code)
def test_every_page_has_its_number_and_the_certificates(edition: Any) -> None:
    pages = pages_of(edition.code)
    for number, words in enumerate(pages, start=1):
        assert words.count("EP-2026-000001") >= 2
        expected = {"en": f"Page {number} of {len(pages)}", "zh": f"第 {number} 页，共 {len(pages)} 页"}
        for language in edition.languages:
            assert squeezed(expected[language]) in squeezed(words)


@pytest.mark.parametrize("code", ["generic:en+zh", "us:en", "cn:zh"])
def test_a_demonstration_says_so_on_every_page_and_to_machines(code: str) -> None:
    marks = {"en": "DEMONSTRATION, NOT EVIDENCE", "zh": "演示，非证据"}
    wanted = [squeezed(mark) for language, mark in marks.items() if language in code]
    genuine, shown = rendered(code), render(changed(facts(code), demonstration=True))
    for words in text_of(shown).split("\f")[:-1]:
        # At its foot; the mark across the page is no text.
        assert all(mark in squeezed(words) for mark in wanted)
    assert not any(mark in words_of(code) for mark in wanted)
    assert _keywords(shown)[-1] == "demonstration"
    assert _keywords(genuine)[-1] == "evidence"
    assert _keywords(genuine)[:3] == ["EP-2026-000001", f"sha256:{facts().values['digest']['sha256']}", code]


def _keywords(pdf: bytes) -> list[str]:
    return _inspected(pdf, "pdfinfo").split("Keywords:")[1].splitlines()[0].strip().split(", ")


def _inspected(pdf: bytes, *command: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "certificate.pdf"
        path.write_bytes(pdf)
        done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize(
    ("code", "language"),
    [("us:en", "en"), ("generic:zh", "zh-CN"), ("cn:en+zh", "zh-CN"), ("eu:en+zh", "en")],
)
def test_the_documents_language_is_the_one_that_prevails(code: str, language: str) -> None:
    pdf = rendered(code)
    catalogues = re.findall(rb"<<[^<>]*(?:<<[^<>]*>>[^<>]*)*/Type\s*/Catalog.*?endobj", pdf, re.DOTALL)
    assert len(catalogues) == 1
    assert re.findall(rb"/Lang\s*\(([^)]*)\)", catalogues[0]) == [language.encode()]
    assert f"<dc:language><rdf:Bag><rdf:li>{language}</rdf:li>".encode() in pdf


def test_it_claims_what_the_typesetter_enforces() -> None:
    pdf = rendered("generic:en+zh")
    assert b"<pdfaid:part>3</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance>" in pdf
    assert b"<pdfuaid:part>1</pdfuaid:part>" in pdf
    assert b"/Marked true" in pdf
    assert "verify.txt" in _inspected(pdf, "pdfdetach", "-list")


def test_every_picture_has_words_and_says_which_part_it_is() -> None:
    pdf = rendered("us:en")
    figures = len(re.findall(rb"/S\s*/Figure", pdf))
    # The code, the thumbnail and three parts of two pictures.
    assert figures == 5
    assert len(re.findall(rb"/Alt\s*[(<]", pdf)) == figures
    assert b"Screenshot screenshot.png, part 1 of 2, pixels 0 to 832" in pdf
    words = words_of("us:en")
    assert squeezed("part 2 of 2, pixels 832–900 of 900") in words


def test_facts_are_read_in_the_order_of_the_sections() -> None:
    words = "".join(pages_of("us:en")[1:])
    places = [
        words.index(title)
        for title in (
            "2 What was captured",
            "3 How it was",
            "4 Integrity",
            "5 Custody",
            "6 Verify",
            "7 Scope",
        )
    ]
    assert places == sorted(places)


def test_three_hundred_files_and_more_do_not_break_it() -> None:
    many: Files = {f"data/{n:04}.bin": ("resource", b"%d" % n) for n in range(320)}
    found = facts(files={**whole_record(), **many})
    words = squeezed(text_of(render(found)))
    assert squeezed("Only the first 300 of 329 files are printed") in words
    assert "data/0200.bin" in words
    assert "data/0319.bin" not in words


def test_a_page_without_end_is_printed_as_far_as_there_is_room() -> None:
    high = Screenshot("screenshot.full", png(100, 130 * 60), "screenshot.png")
    steps = [Screenshot("screenshot.step", png(64, 48 + n), f"step-{n}.png") for n in range(30)]
    found = replace(facts("us:en"), screenshots=(high, *steps))
    words = squeezed(text_of(render(found)))
    assert squeezed("part 24 of 24, pixels 2990–3120 of 7800") in words
    assert squeezed("screenshot.png: pixels 3120–7800") in words
    assert squeezed("step-29.png: pixels 0–77") in words
    assert words.count("part1of1") == 16


def test_a_picture_nobody_can_read_is_named() -> None:
    whole = png()
    broken = [b"", b"GIF89a", whole[:200], whole[:-2000]]
    shots = tuple(Screenshot("screenshot.step", data, f"broken-{n}.png") for n, data in enumerate(broken))
    words = squeezed(text_of(render(replace(facts("us:en"), screenshots=shots))))
    for number in range(len(broken)):
        assert squeezed(f"broken-{number}.png cannot be shown") in words


def test_long_logs_are_cut_and_say_so() -> None:
    step = {"at": "2026-03-04T05:06:07.000Z", "action": "scroll", "detail": "on"}
    found = facts("us:en")
    event = found.values["custody"][0]
    many = changed(found, actions=[step] * 600, custody=[event] * 700)
    words = squeezed(text_of(render(many)))
    assert squeezed("Only the first 250 of 600 entries are printed; the rest is in actions.jsonl") in words
    assert squeezed("Only the first 250 of 700 entries are printed; the rest is in bundle.json") in words


def test_an_upload_is_never_said_to_be_captured() -> None:
    kept: Files = {"photo.jpg": ("upload", b"picture")}
    words = " ".join(text_of(render(facts_of(judged(upload(), kept), kept, "us:en"))).split())
    assert "uploaded by the applicant; not captured by this service" in words
    rest = words.split("Annex F")[0].replace("not captured by this service", "")
    assert [part for part in ("captured", "Capture clock", "a web page showed") if part in rest] == []
    assert "Examination of the uploaded file" not in words


def test_what_an_examination_found_is_on_the_first_page() -> None:
    reasons = [f"error wacz.resource_hash (archive/{number}.warc.gz): other" for number in range(9)]
    kept: Files = {"photo.jpg": ("upload", b"picture")}
    pdf = render(facts_of(judged(upload(*reasons), kept), kept))
    words = squeezed(text_of(pdf, "-l", "1"))
    assert "archive/2.warc.gz" in words
    assert "archive/3.warc.gz" not in words
    assert squeezed("More is in examination.json.") in words
    assert "archive/8.warc.gz" in squeezed(text_of(pdf))


def test_a_capture_that_did_not_end_well_says_so_on_the_first_page() -> None:
    outcome = {"status": "partial", "reasons": [f"reason number {n}" for n in range(5)]}
    pdf = render(facts(changes=capture(outcome=outcome)))
    words = squeezed(text_of(pdf, "-l", "1"))
    assert squeezed("Reservation: the capture did not end as complete") in words
    assert squeezed("部分取证") in words
    assert "reasonnumber2" in words
    assert "reasonnumber3" not in words
    assert squeezed("2 further reasons stand in section 2") in words
    assert "reasonnumber4" in squeezed(text_of(pdf))
