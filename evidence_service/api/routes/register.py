"""The public register: anybody who holds a certificate can ask what became of it."""

from __future__ import annotations

import hashlib

from fastapi import APIRouter

from evidence_service.api.auth import Installed
from evidence_service.api.certificates import Number, RegisterEntry

router = APIRouter(prefix="/v1/register", tags=["register"])


@router.get("/{number}")
def show_entry(number: Number, installed: Installed) -> RegisterEntry:
    """The status of a certificate, with the digests of its PDFs and of its evidence; no API key is needed."""
    parts = installed.within(installed.organisations.owner_of_certificate(number))
    certificate = parts.certificates.certificate(number)
    manifest = parts.records.evidence(certificate.evidence_id).manifest
    return RegisterEntry.public(
        certificate,
        parts.certificates.pdfs(number),
        None if manifest is None else hashlib.sha256(manifest).digest(),
    )
