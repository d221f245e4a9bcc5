"""Shapes of a time stamp in a document: the authority's token, and what its issuer said of its certificates.

Members of ``evidence-bundle/2``; see ``docs/spec/formats.md`` section 8.
"""

from __future__ import annotations

from evidence_service.core import document

TOKEN_LIMIT = 64 * 1024
"""Largest token, in bytes."""
CRL_LIMIT = 64 * 1024
"""Largest certificate revocation list, in bytes."""

TOKEN = document.binary(maximum=TOKEN_LIMIT)

# That there is no proof is recorded with its cause, so that "nobody asked" and "nobody answered" stay apart.
REVOCATION = document.one_of(
    "status",
    {
        "collected": document.record(
            {
                "status": document.choice("collected"),
                "crls": document.list_of(document.binary(maximum=CRL_LIMIT), minimum=1, maximum=8),
            }
        ),
        "absent": document.record(
            {"status": document.choice("absent"), "why": document.text(minimum=1, maximum=400)}
        ),
    },
)
