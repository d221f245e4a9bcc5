"""Each jurisdiction, each language and each kind of record once before the judges; and judges that do judge."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evidence_service.certificate.edition import editions
from tests.certificate import judges
from tests.certificate.judges import complaints
from tests.certificate.making import KINDS, Made, made

CASES = (
    ("generic:en+zh", "capture"),
    ("cn:zh", "login"),
    ("us:en", "upload with findings"),
    ("us-vt:en", "tunnel"),
    ("eu:en+zh", "upload"),
    ("generic:en", "blocked"),
    ("cn:en+zh", "demonstration"),
    ("eu:zh", "digest"),
)
"""The whole matrix is ``make campaign-certificate``."""


def test_every_jurisdiction_language_and_kind_is_judged_here() -> None:
    codes = [edition.code.split(":") for edition in editions()]
    chosen = [edition.split(":") for edition, _ in CASES]
    assert {name for name, _ in chosen} == {name for name, _ in codes}
    assert {languages for _, languages in chosen} == {languages for _, languages in codes}
    assert {kind for _, kind in CASES} == set(KINDS)


@pytest.mark.parametrize(("edition", "kind"), CASES)
def test_nobody_has_anything_against_it(edition: str, kind: str, tmp_path: Path) -> None:
    assert complaints(made(edition, kind), tmp_path) == []


@pytest.fixture(scope="module")
def good() -> Made:
    return made(*CASES[0])


def _pdf(old: bytes, new: bytes) -> Callable[[Made], Made]:
    def change(found: Made) -> Made:
        changed, count = re.subn(old, new, found.pdf)
        assert count, old
        assert len(changed) == len(found.pdf), old
        return replace(found, pdf=changed)

    return change


WRONG: dict[str, tuple[str, Callable[[Made], Made]]] = {
    "a changed byte": ("signature", _pdf(rb"/CreationDate\(D:2026", rb"/CreationDate(D:2025")),
    "a broken table of objects": ("syntax", _pdf(rb"startxref\n\d", b"startxref\n9")),
    "a font that is not embedded": ("fonts", _pdf(rb"/FontFile(\d) ", rb"/FontFole\1 ")),
    "an attachment more": ("attachments", lambda found: replace(found, attached=found.attached | {"x.tst"})),
    "a root nobody trusts": ("level", lambda found: replace(found, roots=found.roots[1:])),
    "no claim": ("metadata", _pdf(rb'pdfaid:part="3"', rb'pdfaid:part="2"')),
    "another language": ("metadata", lambda found: replace(found, edition="generic:zh")),
    "a picture without a text": ("structure", _pdf(rb"/Alt\(", rb"/Alx(")),
    "a table without heads": ("structure", _pdf(rb"/S/TH\b", rb"/S/TD")),
    "another number": ("pages", lambda found: replace(found, number="EP-2026-000002")),
    "another trust file": ("verification", lambda found: replace(found, trust=b"{}")),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_judge_finds_what_is_wrong(name: str, good: Made, tmp_path: Path) -> None:
    judge, change = WRONG[name]
    changed = change(good)
    path = tmp_path / "certificate.pdf"
    path.write_bytes(changed.pdf)
    path.with_name("trust.json").write_bytes(changed.trust)
    assert list(getattr(judges, judge)(changed, path)) != []
