"""Facts become a PDF: Typst templates, PDF/A-3a and PDF/UA-1, the same bytes for the same facts."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import segno
import typst
from PIL import Image

from evidence_service.certificate.facts import CertificateFacts
from evidence_service.certificate.fonts import font_directory, printable
from evidence_service.errors import EvidenceServiceError

_TEMPLATES = Path(__file__).parent / "templates"
_MAIN = "generic/certificate.typ"
_TILE = 1.34
"""Height of a tile by its width: what fits on a page beside its caption."""
_THUMBNAIL = 0.38
"""Height of the thumbnail by its width: the top of the page, small enough for the page of facts."""
_MAX_TILES = 40
_QUALITY = 86
_TYPES = {".json": "application/json", ".tst": "application/timestamp-reply", ".txt": "text/plain"}


class RenderError(EvidenceServiceError):
    """The templates and the facts do not fit together: a defect of this program."""


def render(facts: CertificateFacts) -> bytes:
    """The certificate before it is sealed.

    Raises:
        RenderError: the templates cannot be compiled.
        ConfigurationError: the fonts are missing.
    """
    with tempfile.TemporaryDirectory(prefix="evidence-render-") as name:
        root = Path(name)
        shutil.copytree(_TEMPLATES, root, dirs_exist_ok=True)
        values = printable(dict(facts.values))
        values["screenshots"] = _write_tiles(root, facts)
        values["attached"] = _write_attachments(root, facts, values)
        _write_code(root, f"{values['number']} sha256:{values['digest']['sha256']}")
        (root / "facts.json").write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
        try:
            return bytes(
                typst.compile(
                    str(root / _MAIN),
                    root=str(root),
                    font_paths=[str(font_directory())],
                    ignore_system_fonts=True,
                    format="pdf",
                    pdf_standards=["a-3a", "ua-1"],
                    timestamp=facts.issued_at.replace(microsecond=0),
                )
            )
        except typst.TypstError as error:
            raise RenderError(f"the certificate cannot be rendered: {error}") from error


def _write_tiles(root: Path, facts: CertificateFacts) -> list[dict[str, Any]]:
    """Cut the screenshots into tiles that are readable on a page."""
    result: list[dict[str, Any]] = []
    for role, data in facts.screenshots:
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        if not result:
            top = picture.crop((0, 0, picture.width, min(picture.height, int(picture.width * _THUMBNAIL))))
            top.save(root / "thumbnail.jpg", "JPEG", quality=_QUALITY)
        height = int(picture.width * _TILE)
        tops = range(0, picture.height, height)
        for part, above in enumerate(tops[:_MAX_TILES], start=1):
            bottom = min(above + height, picture.height)
            path = f"{role.replace('.', '-')}-{part}.jpg"
            picture.crop((0, above, picture.width, bottom)).save(root / path, "JPEG", quality=_QUALITY)
            result.append(
                {
                    "path": f"/{path}",
                    "role": role,
                    "part": part,
                    "parts": min(len(tops), _MAX_TILES),
                    "top": above,
                    "bottom": bottom,
                    "height": picture.height,
                    "width": picture.width,
                }
            )
    return result


def _write_attachments(root: Path, facts: CertificateFacts, values: dict[str, Any]) -> list[dict[str, str]]:
    texts = json.loads((root / "texts.json").read_text(encoding="utf-8"))
    guide = "\n\n".join(texts["verify.guide"][language] for language in ("en", "zh"))
    guide = guide.replace("{digest}", values["digest"]["sha256"]).replace("{number}", values["number"])
    result = []
    for name, data in sorted({**facts.attachments, "verify.txt": guide.encode()}.items()):
        (root / name).write_bytes(data)
        result.append(
            {"name": name, "type": _TYPES[Path(name).suffix], "description": texts["attached"][_kind(name)]}
        )
    return result


def _kind(name: str) -> str:
    return "token" if name.endswith(".tst") else name


def _write_code(root: Path, content: str) -> None:
    """The QR code: certificate number and digest, no personal data."""
    segno.make(content, error="m", micro=False).save(str(root / "code.svg"), border=1, dark="#16324f")
