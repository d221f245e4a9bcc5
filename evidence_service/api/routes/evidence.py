"""Uploads, and what becomes of evidence."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from evidence_service.api.auth import Principal, Reader, Wired, may
from evidence_service.api.downloads import stored_file
from evidence_service.api.idempotency import IdempotencyKey, new_id, once
from evidence_service.api.schemas import AcceptedView, EvidencePage, EvidenceView, FileView
from evidence_service.core.manifest import STATED, check_path
from evidence_service.errors import LimitExceededError, MalformedError, NotFoundError, RefusedError
from evidence_service.service.accept import Order, accept
from evidence_service.service.bundles import assemble
from evidence_service.service.preserve import describe_upload

router = APIRouter(prefix="/v1", tags=["evidence"])

Orderer = Annotated[Principal, may("captures:write")]
Copier = Annotated[Principal, may("evidence:download")]

UPLOAD_LIMIT = 512 * 1024 * 1024


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
    try:
        check_path(name)
    except MalformedError as error:
        raise RefusedError("the file's name is not a plain name", what_to_do="leave out folders") from error
    media_type = request.headers.get("content-type", "application/octet-stream").split(";")[0]
    with tempfile.NamedTemporaryFile(prefix="evidence-upload-") as sink:
        received = 0
        async for chunk in request.stream():
            received += len(chunk)
            if received > UPLOAD_LIMIT:
                raise LimitExceededError(f"the file is larger than {UPLOAD_LIMIT} bytes")
            sink.write(chunk)
        sink.flush()
        stored = await run_in_threadpool(parts.objects.put, Path(sink.name))
    evidence_id = new_id("ev", caller, idempotency_key)

    def perform() -> AcceptedView:
        capture = describe_upload(parts, name, media_type, stored)
        file = capture["files"][0]
        receipt = accept(
            parts,
            Order(
                evidence_id=evidence_id,
                matter_id=matter_id,
                kind="upload",
                operator=caller.actor,
                accepted={
                    "name": name,
                    **{member: file[member] for member in ("size", "sha256", "sha3_512")},
                },
                certificate=certificate,
                urgent=urgent,
                capture=capture,
            ),
        )
        return AcceptedView.with_receipt(parts.records.evidence(evidence_id), receipt)

    fingerprint = ["upload", matter_id, name, stored.sha256.hex(), certificate, urgent]
    return await run_in_threadpool(once, parts, caller, idempotency_key, fingerprint, 202, perform)


@router.get("/evidence")
def list_evidence(
    _: Reader,
    parts: Wired,
    matter_id: str | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> EvidencePage:
    """Evidence, oldest id first."""
    found = parts.records.list_evidence(matter_id=matter_id, after=after, limit=limit + 1)
    more = found[limit - 1].id if len(found) > limit else None
    return EvidencePage(items=[EvidenceView.of(item) for item in found[:limit]], next=more)


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
            actor=(caller.actor, "applicant"),
            purpose="download of a file",
            after=found.sha256,
            detail={"path": path},
        ),
    )
