"""How the tests examine: in this process, where a failure has a traceback."""

from __future__ import annotations

import io

from evidence_service.importing.examination import examine_here
from evidence_service.importing.findings import Examination


def examined(data: bytes, name: str = "", media_type: str = "") -> Examination:
    return examine_here(io.BytesIO(data), len(data), name, media_type, seconds=None)


def codes(data: bytes, *severities: str) -> set[str]:
    """Codes of what is found, of some severities or of all."""
    return {item.code for item in examined(data).findings if not severities or item.severity in severities}


def wrong(data: bytes) -> set[str]:
    """Codes of errors and warnings."""
    return codes(data, "error", "warning")
