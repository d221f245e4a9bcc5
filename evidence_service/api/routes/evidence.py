"""Uploads, and what becomes of evidence."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from evidence_service.api.auth import Principal, Reader, Wired, may
from evidence_service.api.downloads import stored_file
from evidence_service.api.idempotency import IdempotencyKey
from evidence_service.api.paging import cut
from evidence_service.api.receiving import UPLOAD_LIMIT, Upload, check_name, media_type_of, receive
from evidence_service.api.schemas import AcceptedView, EvidencePage, EvidenceView, FileView, ServiceRecords
from evidence_service.core.manifest import STATED
from evidence_service.errors import NotFoundError
from evidence_service.service.bundles import assemble
from evidence_service.service.parts import SERVICE
from evidence_service.store.custody_room import Room

router = APIRouter(prefix="/v1", tags=["evidence"])

Orderer = Annotated[Principal, may("captures:write")]
Copier = Annotated[Principal, may("evidence:download")]


# FastAPI sees no body where the route takes it in portions.
_FILE = {
    "required": True,
    "content": {
        "application/octet-stream": {
            "schema": {"type": "string", "format": "binary"},
            "example": "the file's bytes; the media type is kept with them",
        }
    },
}


@router.post("/uploads", status_code=202, response_model=AcceptedView, openapi_extra={"requestBody": _FILE})
async def upload(
    request: Request,
    caller: Orderer,
    parts: Wired,
    matter_id: str,
    name: Annotated[str, Query(min_length=1, max_length=200, description="Name of the file")],
    certificate: bool = True,
    urgent: bool = False,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Preserve a file as *uploaded* evidence; it is never shown as captured by the service."""
    check_name(name)
    media_type = media_type_of(request)
    with tempfile.NamedTemporaryFile(prefix="evidence-upload-") as sink:
        received = 0
        async for chunk in request.stream():
            received += len(chunk)
            if received > UPLOAD_LIMIT:
                raise HTTPException(413, f"the file is larger than {UPLOAD_LIMIT} bytes")
            sink.write(chunk)
        sink.flush()
        upload = Upload(matter_id, name, media_type, certificate, urgent)
        return await run_in_threadpool(receive, parts, caller, upload, Path(sink.name), idempotency_key)


@router.get("/evidence")
def list_evidence(
    _: Reader,
    parts: Wired,
    matter_id: str | None = None,
    service_records: ServiceRecords = True,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> EvidencePage:
    """Evidence, oldest id first."""
    found = parts.records.list_evidence(
        matter_id=matter_id, after=after, limit=limit + 1, not_by=None if service_records else SERVICE[0]
    )
    page, more = cut(found, limit, lambda item: item.id)
    return EvidencePage(items=[EvidenceView.of(item) for item in page], next=more)


@router.get("/evidence/{evidence_id}")
def show_evidence(evidence_id: str, _: Reader, parts: Wired) -> EvidenceView:
    """Where a piece of evidence stands."""
    return EvidenceView.of(parts.records.evidence(evidence_id))


@router.post("/evidence/{evidence_id}/anchor", status_code=202)
def anchor_now(evidence_id: str, _: Orderer, parts: Wired) -> EvidenceView:
    """Close the batch as soon as the evidence is registered, whatever the timers say."""
    parts.records.evidence(evidence_id)
    parts.records.mark_urgent(evidence_id)
    return EvidenceView.of(parts.records.evidence(evidence_id))


@router.get("/evidence/{evidence_id}/custody")
def show_custody(evidence_id: str, _: Reader, parts: Wired) -> list[dict[str, Any]]:
    """The custody log, oldest event first."""
    parts.records.evidence(evidence_id)
    return parts.records.custody(evidence_id)


@router.get("/evidence/{evidence_id}/bundle", response_class=Response)
def download_bundle(evidence_id: str, _: Reader, parts: Wired) -> Response:
    """The proof bundle, as complete as it is now."""
    return Response(assemble(parts, evidence_id), media_type="application/json")


@router.get("/evidence/{evidence_id}/files")
def list_files(evidence_id: str, _: Reader, parts: Wired) -> list[FileView]:
    """The preserved files."""
    manifest = parts.records.evidence(evidence_id).manifest
    files = [] if manifest is None else json.loads(manifest)["files"]
    return [FileView(**{name: item[name] for name in FileView.model_fields}) for item in files]


@router.get("/evidence/{evidence_id}/files/{path:path}", response_class=FileResponse)
def download_file(evidence_id: str, path: str, caller: Copier, parts: Wired) -> FileResponse:
    """One preserved file; the release is noted in the custody log."""
    parts.requests.refuse_deleted([evidence_id])
    found = next((item for item in list_files(evidence_id, caller, parts) if item.path == path), None)
    if found is None:
        raise NotFoundError(f"evidence {evidence_id} has no such file")
    if found.role == STATED:
        # Others may have stored a file with this digest: who states a digest is not given their bytes for it.
        raise NotFoundError(
            f"of evidence {evidence_id} the digest alone was registered; the file is with you"
        )
    # A hostile page must not run under the service's name: never the type that it claims to be.
    return stored_file(
        parts,
        bytes.fromhex(found.sha256),
        media_type="application/octet-stream",
        filename=path.rsplit("/", 1)[-1],
        note=lambda: parts.custody(
            evidence_id,
            f"copy {path} {caller.actor}",
            "copy",
            actor=(caller.actor, caller.role),
            purpose="download of a file",
            after=found.sha256,
            detail={"path": path},
            room=Room.OF_CALLERS,
        ),
    )
