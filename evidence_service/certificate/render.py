"""Facts become a PDF: Typst templates, PDF/A-3a and PDF/UA-1, the same bytes for the same facts."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import segno

from evidence_service.certificate.edition import TEMPLATES, Edition, parse_edition
from evidence_service.certificate.facts import CertificateFacts
from evidence_service.certificate.pictures import plates
from evidence_service.certificate.typesetting import Standard, as_json, typeset
from evidence_service.certificate.watermark import watermark

_STANDARDS: tuple[Standard, ...] = ("a-3a", "ua-1")
_TYPES = {".json": "application/json", ".tst": "application/timestamp-reply", ".txt": "text/plain"}


def render(facts: CertificateFacts, templates: Path = TEMPLATES) -> bytes:
    """The certificate before it is sealed.

    Raises:
        RefusedError: there is no such edition.
        RenderError: the templates cannot be compiled.
        ConfigurationError: the fonts are missing.
    """
    edition = parse_edition(facts.values["edition"]["code"], templates)
    shown = plates(facts.screenshots)
    attached = {**facts.attachments, "verify.txt": _guide(edition, facts.values)}
    values = {
        **facts.values,
        "screenshots": shown.shown,
        "left": shown.left,
        "broken": shown.broken,
        "thumbnail": bool(shown.shown),
        "attached": [
            {"name": name, "type": _TYPES[Path(name).suffix], "description": f"attached.{_kind(name)}"}
            for name in sorted(attached)
        ],
    }
    return typeset(
        f"jurisdictions/{edition.jurisdiction}/certificate.typ",
        {
            **shown.files,
            **attached,
            "facts.json": as_json(values),
            "texts.json": json.dumps(edition.texts, ensure_ascii=False).encode(),
            "mark.svg": watermark(
                tuple(edition.texts[language]["watermark"] for language in edition.printed_languages)
            ),
            "code.svg": _code(f"{values['number']} sha256:{values['digest']['sha256']}"),
        },
        templates=templates,
        standards=_STANDARDS,
        at=facts.issued_at,
    )


def _guide(edition: Edition, values: Mapping[str, Any]) -> bytes:
    """How to verify, as a text file inside the PDF."""
    words = "\n\n".join(edition.texts[language]["verify.guide"] for language in edition.printed_languages)
    return (
        words.replace("{digest}", values["digest"]["sha256"]).replace("{number}", values["number"]).encode()
    )


def _kind(name: str) -> str:
    return "token" if name.endswith(".tst") else name


def _code(content: str) -> bytes:
    """The QR code: certificate number and digest, no personal data."""
    buffer = io.BytesIO()
    segno.make(content, error="m", micro=False).save(buffer, kind="svg", border=1, dark="#16324f")
    return buffer.getvalue()
