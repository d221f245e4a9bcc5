"""Typst: templates and files become a PDF. One compiler for the process, so that fonts are loaded once.

Templates read what they print as JSON, never as markup; nothing of a record is ever compiled.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import typst

from evidence_service.certificate.fonts import font_directory, printable
from evidence_service.errors import EvidenceServiceError

Standard = Literal["a-2a", "a-3a", "ua-1"]

_turn = Lock()
_AGES = 4
"""Empty documents set after each real one. The compiler keeps what it made in the last ten; of certificates
that would be hundreds of megabytes for nothing, as no two have the same facts."""


class RenderError(EvidenceServiceError):
    """The templates and the facts do not fit together: a defect of this program."""


def typeset(
    main: str,
    files: Mapping[str, bytes],
    *,
    templates: Path,
    standards: Sequence[Standard],
    at: datetime | None = None,
) -> bytes:
    """A PDF; the same bytes for the same arguments, in every process.

    Args:
        main: the template to begin with, by its path below ``templates``.
        files: what the templates read, by name.
        standards: that the PDF has to follow, in Typst's words.
        at: date of the document; None for one without.

    Raises:
        RenderError: the templates cannot be compiled, or the result would break a standard.
        ConfigurationError: the fonts are missing.
    """
    with tempfile.TemporaryDirectory(prefix="evidence-typeset-") as name:
        root = Path(name)
        for entry in templates.iterdir():
            (root / entry.name).symlink_to(entry)
        for path, data in files.items():
            (root / path).write_bytes(data)
        compiler = _compiler()
        try:
            # The compiler's world is one: two documents at once would read each other's files.
            with _turn:
                made = compiler.compile(
                    input=f'#include "/{main}"'.encode(),
                    root=str(root),
                    format="pdf",
                    pdf_standards=list(standards),
                    timestamp=None if at is None else at.replace(microsecond=0),
                )
                for _ in range(_AGES):
                    compiler.compile(input=b"", root=str(root), format="pdf")
        except typst.TypstError as error:
            raise RenderError(f"the document cannot be set: {error}") from error
    if not isinstance(made, bytes):
        raise RenderError("the document was not made as one file")
    return made


def as_json(value: Mapping[str, Any]) -> bytes:
    """A file for templates to read, with every character printable."""
    return json.dumps(printable(value), ensure_ascii=False).encode()


@cache
def _compiler() -> typst.Compiler:
    return typst.Compiler(font_paths=[str(font_directory())], ignore_system_fonts=True)
