"""Typst: templates and files become a PDF. One compiler for the process, so that fonts are loaded once.

Templates read what they print as JSON, never as markup; nothing of a record is ever compiled.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Literal

import typst

from evidence_service.certificate.fonts import font_directory
from evidence_service.errors import EvidenceServiceError

Standard = Literal["a-2a", "a-3a", "ua-1"]

_turn = Lock()


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
        files: what the templates read, by path; they come in place of templates of the same path.
        standards: that the PDF has to follow, in Typst's words.
        at: date of the document; None for one without.

    Raises:
        RenderError: the templates cannot be compiled, or the result would break a standard.
        ConfigurationError: the fonts are missing.
    """
    with tempfile.TemporaryDirectory(prefix="evidence-typeset-") as name:
        root = Path(name)
        shutil.copytree(templates, root, dirs_exist_ok=True)
        for path, data in files.items():
            (root / path).write_bytes(data)
        compiler = _compiler()
        try:
            # The compiler's world is one: two documents at once would read each other's files.
            with _turn:
                made = compiler.compile(
                    input=str(root / main),
                    root=str(root),
                    format="pdf",
                    pdf_standards=list(standards),
                    timestamp=None if at is None else at.replace(microsecond=0),
                )
        except typst.TypstError as error:
            raise RenderError(f"the document cannot be set: {error}") from error
    if not isinstance(made, bytes):
        raise RenderError("the document was not made as one file")
    return made


@cache
def _compiler() -> typst.Compiler:
    return typst.Compiler(font_paths=[str(font_directory())], ignore_system_fonts=True)
