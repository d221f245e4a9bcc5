"""Declarations as unsigned forms: what a court asks a person for, filled as far as the facts go.

A form is a Typst module in ``templates/forms`` and a table of the same name beside it: title, the rule it is
made for, the languages it exists in, and which custody events let somebody sign it. A certificate prints it
blank (Annex F); :func:`form_pdf` prints it for one person who took part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from evidence_service.certificate.edition import DEFAULT, TEMPLATES, parse_edition
from evidence_service.certificate.facts import CertificateFacts
from evidence_service.certificate.typesetting import Standard, as_json, typeset
from evidence_service.certificate.watermark import watermark
from evidence_service.errors import NotFoundError, RefusedError

_MAIN = "forms/declaration.typ"
_STANDARDS: tuple[Standard, ...] = ("a-2a", "ua-1")
"""PDF/A-2 and not 3: nothing is attached, the certificate carries the proofs."""


@dataclass(frozen=True, slots=True)
class Form:
    """A declaration there is.

    Attributes:
        titles, laws, fits: by language; what it is called, which rule it is for, and whose part fits it.
        languages: codes it is printed in, ``en``, ``zh`` or ``en+zh``; the first one is the usual one.
        signers: custody actions that let somebody sign it.
    """

    name: str
    titles: Mapping[str, str]
    laws: Mapping[str, str]
    fits: Mapping[str, str]
    languages: tuple[str, ...]
    signers: frozenset[str]

    def described(self) -> dict[str, Any]:
        """What answers say of it, in English."""
        return {
            "form": self.name,
            "title": self.titles["en"],
            "law": self.laws["en"],
            "languages": list(self.languages),
            "signed_by": self.fits["en"],
        }

    def printed_languages(self, wanted: str | None) -> list[str]:
        """The languages of a code in the order they are printed; those of the usual one when none is wanted.

        Raises:
            RefusedError: it does not exist in what is wanted.
        """
        if wanted is not None and wanted not in self.languages:
            raise RefusedError(
                f"the form {self.name} does not exist in that language",
                what_to_do=f"choose one of: {', '.join(self.languages)}",
            )
        first = self.languages[0]
        return sorted((wanted or first).split("+"), key=lambda language: language != first)


@dataclass(frozen=True, slots=True)
class Declarant:
    """Who a form is filled for.

    Attributes:
        id: name in the custody log.
        name: in full, as whoever asks for the form gives it; printed as given.
        events: of the custody log, those this person took part in.
    """

    id: str
    name: str
    events: Sequence[Mapping[str, Any]]


@cache
def forms() -> tuple[Form, ...]:
    """Every form there is, by name."""
    return tuple(_form(path) for path in sorted((TEMPLATES / "forms").glob("*.json")))


def form_named(name: str) -> Form:
    """A form.

    Raises:
        NotFoundError: there is none of this name.
    """
    for form in forms():
        if form.name == name:
            return form
    raise NotFoundError(
        "there is no such form", what_to_do=f"choose one of: {', '.join(form.name for form in forms())}"
    )


def form_pdf(
    form: Form,
    facts: CertificateFacts,
    declarant: Declarant,
    *,
    certificate_sha256: str,
    language: str | None = None,
) -> bytes:
    """A form filled for one person, not signed: PDF/A-2a and PDF/UA-1, the same bytes for the same arguments.

    Args:
        facts: of the certificate it belongs to.
        certificate_sha256: hexadecimal, of that certificate's PDF.

    Raises:
        RefusedError: the form does not exist in this language.
        RenderError: the templates and the facts do not fit together.
        ConfigurationError: the fonts are missing.
    """
    languages = form.printed_languages(language)
    declared = {
        "form": form.name,
        "title": form.titles[languages[0]],
        "person": {
            "id": declarant.id,
            "name": declarant.name,
            "events": list(declarant.events),
            "certificate_sha256": certificate_sha256,
        },
    }
    values = {**facts.values, "edition": {**facts.values["edition"], "languages": languages}}
    texts = parse_edition(DEFAULT).texts
    return typeset(
        _MAIN,
        {
            "facts.json": as_json(values),
            "declaration.json": as_json(declared),
            # The layout's own texts, in every language a form may be in.
            "texts.json": json.dumps(texts, ensure_ascii=False).encode(),
            "mark.svg": watermark(tuple(texts[name]["watermark"] for name in languages)),
        },
        templates=TEMPLATES,
        standards=_STANDARDS,
        at=facts.issued_at,
    )


def _form(path: Path) -> Form:
    table = json.loads(path.read_text(encoding="utf-8"))
    return Form(
        name=path.stem,
        titles=table["title"],
        laws=table["law"],
        fits=table["fits"],
        languages=tuple(table["languages"]),
        signers=frozenset(table["signers"]),
    )
