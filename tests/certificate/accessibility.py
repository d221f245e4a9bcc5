"""Judges of the structure of a PDF by ISO 14289-1: outloud (91 rules) and pdfua (12), for the campaign.

They are large (300 MB with what they need) and young, so continuous integration does without; what they found
is kept by ``judges.structure``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tests.certificate.judges import run
from tests.environments import programs

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


_EXPECTED = {
    # PDF/A wants no field hidden (ISO 19005-3, 6.3.2), PDF/UA wants hidden what is not tagged (ISO 14289-1, 7.18.4);
    # seal and time stamp have no size, and no program can do justice to both.
    "FRM-003",
}


def accessibility_complaints(path: Path) -> Iterator[str]:
    """What both have against a certificate."""
    folder = programs("accessibility", REQUIREMENTS)
    report = path.with_suffix(".json")
    _, seen = run(folder / "outloud", "--layer", "conformance", "--json", report, path)
    if not report.exists():
        yield f"outloud: {seen}"
        return
    (result,) = json.loads(report.read_text())["results"]
    if result["error"] is not None or not result["stats"]["tagged"]:
        yield f"outloud: {result['error']}"
    for item in result["findings"]:
        if item["severity"] == "error" and item["rule"] not in _EXPECTED:
            yield f"outloud: {item['rule']} on page {item['page']}: {item['message']}"
    code, seen = run(folder / "pdfua", "check", path)
    if code:
        yield f"pdfua: {seen}"
