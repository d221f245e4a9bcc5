"""Editions of a certificate: for which courts, in which languages. There is what there are folders for.

A jurisdiction is a folder ``templates/jurisdictions/<name>/`` (``certificate.typ``, ``jurisdiction.json``),
a language a table ``templates/texts/<language>.json``. An edition is a jurisdiction with one language or with
two side by side; nothing in the code lists them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from evidence_service.errors import RefusedError

TEMPLATES = Path(__file__).parent / "templates"
DEFAULT = "generic:en+zh"
"""Edition of a certificate for which none is named."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition; made by :func:`parse_edition` or :func:`editions`.

    Attributes:
        jurisdiction: name of its folder.
        languages: one, or two in alphabetical order.
        templates: folder the certificate is made from.
    """

    jurisdiction: str
    languages: tuple[str, ...]
    templates: Path = field(default=TEMPLATES, repr=False, compare=False)

    @property
    def code(self) -> str:
        """What people write, e.g. ``cn:en+zh``."""
        return f"{self.jurisdiction}:{'+'.join(self.languages)}"

    @property
    def template(self) -> str:
        """Name and version of the template, as printed, e.g. ``cn-1``."""
        return f"{self.jurisdiction}-{self.definition['version']}"

    @property
    def definition(self) -> dict[str, Any]:
        """Value of ``jurisdiction.json``."""
        path = self.templates / "jurisdictions" / self.jurisdiction / "jurisdiction.json"
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    @property
    def texts(self) -> dict[str, dict[str, Any]]:
        """Language → key → text; the jurisdiction's own come in place of the language's.

        A language that a jurisdiction has no texts of its own for is printed with the usual ones.
        """
        own = self.definition["texts"]
        found = {}
        for language in self.languages:
            table = (self.templates / "texts" / f"{language}.json").read_text(encoding="utf-8")
            found[language] = {**json.loads(table), **own.get(language, {})}
        return found

    @property
    def printed_languages(self) -> tuple[str, ...]:
        """The languages in the order they are printed: the one that prevails comes first."""
        return tuple(sorted(self.languages, key=lambda language: language != self.definition["prevails"]))


def editions(templates: Path = TEMPLATES) -> tuple[Edition, ...]:
    """All editions there are, by jurisdiction, one language before two."""
    found = sorted(path.parent.name for path in templates.glob("jurisdictions/*/jurisdiction.json"))
    languages = sorted(path.stem for path in templates.glob("texts/*.json"))
    choices = [*combinations(languages, 1), *combinations(languages, 2)]
    return tuple(Edition(name, chosen, templates) for name in found for chosen in choices)


def parse_edition(code: str, templates: Path = TEMPLATES) -> Edition:
    """The edition of a code such as ``us-vt:en``.

    Raises:
        RefusedError: there is none; it names those there are.
    """
    known = {edition.code: edition for edition in editions(templates)}
    if code not in known:
        raise RefusedError(
            "there is no such edition of the certificate", what_to_do=f"name one of: {', '.join(known)}"
        )
    return known[code]
