"""Rendering: deterministic, complete with hostile content, and silent about what must never be claimed."""

from __future__ import annotations

import io
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evidence_service.certificate import render as module
from evidence_service.certificate.facts import CertificateFacts
from evidence_service.certificate.fonts import printable
from evidence_service.certificate.render import render

TEMPLATES = Path(module.__file__).parent / "templates"
VECTORS = Path(__file__).parents[2] / "vectors" / "formats.json"
# docs: what a certificate must never claim, in both languages.
FORBIDDEN = (
    "tamper-proof",
    "tamperproof",
    "court-approved",
    "self-proving",
    "notarised",
    "notarized",
    "is counterfeit",
    "不可篡改",
    "防篡改",
    "法院认可",
    "公证",
    "系假冒",
)


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "#cfd8e3").save(buffer, "PNG")
    return buffer.getvalue()


def sample(*, title: str = "A bag", screenshots: int = 1, demonstration: bool = True) -> CertificateFacts:
    manifest: dict[str, Any] = json.loads(bytes.fromhex(json.loads(VECTORS.read_text())["manifest"]))
    manifest["subject"]["listing"] = {"title": {"value": title, "read_from": "JSON-LD block 1, name"}}
    values = {
        "number": "EP-2026-000001",
        "issued_at": "2026-01-02T03:04:05.000Z",
        "template": "generic-1",
        "level": "PAdES B-T",
        "demonstration": demonstration,
        "issuer": {"name": "Issuer", "registration": "1", "independence": "yes", "filings": "none"},
        "manifest": manifest,
        "digest": {"sha256": "ab" * 32, "sha3_512": "cd" * 64},
        "main": None,
        "actions": [{"at": "2026-01-02T03:04:05.000Z", "action": "open", "detail": "x" * 500}],
        "environment": [],
        "timestamps": [],
        "batch": None,
        "anchors": [],
        "inclusion": None,
        "custody": [],
        "checks": [{"id": "2.1", "name": "form", "status": "pass", "why": "holds"}],
    }
    pictures = tuple(("screenshot.full", png(1280, 9000)) for _ in range(screenshots))
    return CertificateFacts(
        values, pictures, {"bundle.json": b"{}"}, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    )


def text_of(pdf: bytes, tmp_path: Path) -> str:
    path = tmp_path / "c.pdf"
    path.write_bytes(pdf)
    return subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True, check=True).stdout


def test_the_same_facts_give_the_same_bytes() -> None:
    assert render(sample()) == render(sample())


def test_hostile_content_is_printed_visibly(tmp_path: Path) -> None:
    title = "العربية " + "\u202e" + "evil " + "\U0001f600" + " " + "W" * 400 + " \U00020000"
    words = "".join(text_of(render(sample(title=title)), tmp_path).split())
    assert "[U+202E]" in words
    assert "[U+1F600]" in words
    assert "W" * 400 in words
    assert "[U+0627]" in words


def test_many_screenshots_and_none(tmp_path: Path) -> None:
    assert "part 6 of" in text_of(render(sample(screenshots=2)), tmp_path)
    assert "No screenshot" in text_of(render(sample(screenshots=0)), tmp_path)


def test_only_a_demonstration_carries_the_mark(tmp_path: Path) -> None:
    mark = "DEMONSTRATION, NOT EVIDENCE"
    assert mark in text_of(render(sample()), tmp_path)
    assert mark not in text_of(render(sample(demonstration=False)), tmp_path)


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.*")), ids=lambda path: path.name)
def test_no_template_claims_what_must_never_be_claimed(path: Path) -> None:
    words = path.read_text(encoding="utf-8").lower()
    assert [phrase for phrase in FORBIDDEN if phrase in words] == []


def test_every_text_is_there_in_both_languages() -> None:
    texts = json.loads((TEMPLATES / "texts.json").read_text(encoding="utf-8"))
    for name, value in texts.items():
        if isinstance(value, dict) and name != "attached":
            assert set(value) == {"en", "zh"}, name
            assert len(value["en"]) == len(value["zh"]) or isinstance(value["en"], str), name


def test_printable_goes_through_containers() -> None:
    assert printable({"a": ["\u200b", 1, None, "好"]}) == {"a": ["[U+200B]", 1, None, "好"]}


def upload(*reasons: str) -> CertificateFacts:
    facts = sample(screenshots=0)
    value = facts.values["manifest"]
    value |= {"kind": "upload", "outcome": {"status": "received", "reasons": list(reasons)}}
    value["tool"] = {"software": "test"}
    return facts


def test_an_upload_is_never_said_to_be_captured(tmp_path: Path) -> None:
    words = " ".join(text_of(render(upload()), tmp_path).split())
    assert "uploaded by the applicant; not captured by this service" in words
    rest = words.replace("not captured by this service", "")
    assert [phrase for phrase in ("captured", "Capture clock", "a web page showed") if phrase in rest] == []
    assert "Examination of the uploaded file" not in words
    assert "a web page showed" in " ".join(text_of(render(sample()), tmp_path).split())


def test_what_an_examination_found_is_on_the_first_page(tmp_path: Path) -> None:
    reasons = [
        f"error wacz.resource_hash (archive/{number}.warc.gz): declared is other" for number in range(9)
    ]
    path = tmp_path / "c.pdf"
    path.write_bytes(render(upload(*reasons)))
    text = subprocess.run(
        ["pdftotext", "-l", "1", path, "-"], capture_output=True, text=True, check=True
    ).stdout
    words = "".join(text.split())
    assert "archive/2.warc.gz" in words
    assert "archive/3.warc.gz" not in words
    assert "Moreisinexamination.json." in words
