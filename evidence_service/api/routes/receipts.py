"""Receipts, and the key that checks them."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from evidence_service.api.auth import Installed, Reader, Wired

router = APIRouter(prefix="/v1", tags=["receipts"])


@router.get("/evidence/{evidence_id}/receipt", response_class=Response)
def download_receipt(evidence_id: str, _: Reader, parts: Wired) -> Response:
    """The signed intake receipt, byte for byte as it was given."""
    parts.records.evidence(evidence_id)
    return Response(parts.records.receipt(evidence_id), media_type="application/json")


@router.get("/receipt-key", response_class=Response)
def download_key(parts: Installed) -> Response:
    """Public key that receipts are signed with now (Ed25519, PEM); no API key is needed."""
    return Response(parts.receipt_key.public_pem(), media_type="application/x-pem-file")
