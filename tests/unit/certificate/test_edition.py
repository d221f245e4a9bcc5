"""Editions: found in folders, complete in every language, extended by a folder or a table alone."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from evidence_service.certificate.edition import DEFAULT, TEMPLATES, editions, parse_edition
from evidence_service.certificate.render import render
from evidence_service.certificate.required import ROWS
from evidence_service.errors import RefusedError
from tests.unit.certificate.certified import bare, facts, squeezed, text_of

TABLES = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((TEMPLATES / "texts").glob("*.json"))
}
DEFINITIONS = {
    path.parent.name: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(TEMPLATES.glob("jurisdictions/*/jurisdiction.json"))
}
# Keys put together from a fact, and those only Python reads.
COMPOSED = re.compile(
    r"(fact|kind|outcome|point|fail|check|action|role|step|state|row|shot\.screenshot|missing|attached|language"
    r"|corroboration|section|annex)\."
)
READ_IN_PYTHON = {"verify.guide"}


def test_every_jurisdiction_is_there_in_every_choice_of_languages() -> None:
    expected = {
        f"{name}:{languages}"
        for name in ("cn", "eu", "generic", "us", "us-vt")
        for languages in ("en", "zh", "en+zh")
    }
    assert {edition.code for edition in editions()} == expected
    assert parse_edition(DEFAULT).template == "generic-2"
    assert parse_edition("us-vt:en").template == "us-vt-1"


@pytest.mark.parametrize("code", ["", "cn", "cn:fr", "cn:zh+en", "../us:en", "us:en+en", "US:en"])
def test_a_code_that_names_none_is_refused_with_those_there_are(code: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_edition(code)
    assert "us-vt:en+zh" in refused.value.what_to_do


@pytest.mark.parametrize(("code", "first"), [("cn:en+zh", "zh"), ("us:en+zh", "en"), ("cn:en", "en")])
def test_the_language_that_prevails_is_printed_first_and_said_to_prevail(code: str, first: str) -> None:
    edition = parse_edition(code)
    assert edition.printed_languages[0] == first
    words = text_of(render(facts(code)), "-l", "1")
    names = {"en": ("English", "英文"), "zh": ("Chinese", "中文")}[first]
    expected = {
        "en": f"the {names[0]} text prevails" if len(edition.languages) == 2 else f"is in {names[0]} alone",
        "zh": f"以{names[1]}文本为准",
    }
    for language in edition.languages:
        assert squeezed(expected[language]) in squeezed(words)


def test_every_language_has_every_text_with_the_same_parts_to_fill_in() -> None:
    first, *others = TABLES.values()
    for other in others:
        assert list(other) == list(first)
        for key, value in first.items():
            assert _shape(value) == _shape(other[key]), key


def _shape(value: Any) -> Any:
    if isinstance(value, str):
        return sorted(re.findall(r"\{[a-z]+\}", value))
    if isinstance(value, list):
        return [_shape(item) for item in value]
    return {name: _shape(member) for name, member in value.items()}


def test_every_text_is_printed_somewhere() -> None:
    templates = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES.rglob("*.typ"))
    unused = [
        key
        for key in TABLES["en"]
        if not COMPOSED.match(key) and key not in READ_IN_PYTHON and f'"{key}"' not in templates
    ]
    assert [key for key in unused if not re.search(rf"\.{re.escape(key)}\b", templates)] == []


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_jurisdiction_says_of_every_fact_whether_it_is_needed(name: str) -> None:
    definition = DEFINITIONS[name]
    assert set(definition["facts"]) == set(ROWS)
    assert set(definition["facts"].values()) <= {"R", "O", "-"}
    assert definition["prevails"] in TABLES
    for own in definition["texts"].values():
        assert set(own) <= set(TABLES["en"])
        assert set(own.get("rules", {})) <= set(ROWS)


def test_a_jurisdictions_own_texts_are_there_in_every_language_or_in_none() -> None:
    for definition in DEFINITIONS.values():
        assert set(definition["texts"]) in (set(), set(TABLES))
        shapes = [_shape(own) for own in definition["texts"].values()]
        assert all(shape == shapes[0] for shape in shapes)


def test_a_folder_is_a_jurisdiction_and_a_table_a_language(tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    shutil.copytree(TEMPLATES, templates)
    _add_jurisdiction(templates)
    _add_language(templates)
    assert {"at:xx", "at:en+xx", "generic:xx+zh", "cn:en+zh"} <= {item.code for item in editions(templates)}
    edition = parse_edition("at:en+xx", templates)
    found = bare()
    values = {
        **found.values,
        "edition": {"code": edition.code, "jurisdiction": "at", "languages": list(edition.printed_languages)},
        "template": edition.template,
        "forms": edition.definition["forms"],
    }
    words = text_of(
        render(type(found)(values, found.screenshots, found.attachments, found.issued_at), templates)
    )
    assert "at-1 (at:en+xx)" in words
    assert "【Certificate" in words
    assert "Note of a new place" in words
    assert "A form of a new place" in words


def _add_jurisdiction(templates: Path) -> None:
    folder = templates / "jurisdictions" / "at"
    folder.mkdir()
    definition = {
        **DEFINITIONS["generic"],
        "version": 1,
        "forms": ["at-form"],
        "texts": {"en": {"notes": ["Note of a new place."]}, "xx": {"notes": ["【Note】"]}},
    }
    (folder / "jurisdiction.json").write_text(json.dumps(definition), encoding="utf-8")
    (folder / "certificate.typ").write_text('#include "/shared/certificate.typ"', encoding="utf-8")
    form = "#let form(facts, person: none) = [A form of a new place about #facts.number]"
    (templates / "forms" / "at-form.typ").write_text(form, encoding="utf-8")


def _add_language(templates: Path) -> None:
    """A language in which every word stands in brackets."""
    table = {**_bracketed(TABLES["en"]), "region": ""}
    (templates / "texts" / "xx.json").write_text(json.dumps(table, ensure_ascii=False), encoding="utf-8")


def _bracketed(value: Any) -> Any:
    if isinstance(value, str):
        return f"【{value}】"
    if isinstance(value, list):
        return [_bracketed(item) for item in value]
    return {name: _bracketed(member) for name, member in value.items()}
