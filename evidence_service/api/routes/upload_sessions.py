"""Uploads in portions that go on where they broke off (after draft-ietf-httpbis-resumable-upload; ADR 31)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from evidence_service.api.auth import Principal, Wired, may
from evidence_service.api.idempotency import IdempotencyKey, new_id, once
from evidence_service.api.paging import cut
from evidence_service.api.problems import problem
from evidence_service.api.receiving import PORTION, UPLOAD_LIMIT, Upload, check_name, check_portion, receive
from evidence_service.api.schemas import AcceptedView
from evidence_service.core import receipt
from evidence_service.core.digest import Digester
from evidence_service.errors import RefusedError
from evidence_service.service.custody_matter import keep_out
from evidence_service.service.parts import Parts
from evidence_service.store.upload_sessions import LASTING, Session

router = APIRouter(prefix="/v1/uploads/sessions", tags=["evidence"])

Sender = Annotated[Principal, may("captures:write")]
_CHUNK = 1 << 20
_NUMBER = re.compile(r"[0-9]{1,15}")
_PORTION = {
    "required": True,
    "content": {
        PORTION: {
            "schema": {"type": "string", "format": "binary"},
            "example": "the file's bytes from the offset on",
        }
    },
}


class NewUploadSession(BaseModel):
    """What is said about a file before its bytes come."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "matter_id": "m-0123456789abcdef0123",
                    "name": "recording.webm",
                    "size": 104857600,
                    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                    "media_type": "video/webm",
                }
            ]
        },
    )

    matter_id: Annotated[str, Field(max_length=200)]
    name: Annotated[str, Field(min_length=1, max_length=200)] = Field(description="Name of the file")
    size: int = Field(ge=0, le=UPLOAD_LIMIT, description="In bytes")
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="What arrives is compared with it"
    )
    media_type: str = Field(default="application/octet-stream", max_length=200)
    certificate: bool = True
    urgent: bool = False


class UploadSessionView(BaseModel):
    """A file that is being received."""

    id: str
    matter_id: str
    name: str
    size: int
    sha256: str | None
    offset: int = Field(description="Bytes that are on disk: go on from here")
    expires_at: datetime = Field(description="Each portion puts it off")
    evidence_id: str | None = Field(description="What it became; null until it is complete")

    @classmethod
    def of(cls, session: Session) -> Self:
        """The view of a record."""
        return cls(
            id=session.id,
            matter_id=session.matter_id,
            name=session.name,
            size=session.size,
            sha256=None if session.sha256 is None else session.sha256.hex(),
            offset=session.received,
            expires_at=session.expires_at,
            evidence_id=session.evidence_id,
        )


class UploadSessionPage(BaseModel):
    """Some uploads, and where to go on."""

    items: list[UploadSessionView]
    next: str | None = Field(description="Give it as “after” for the next page; null on the last")


@router.post("", status_code=201, response_model=UploadSessionView)
def begin_upload(
    order: NewUploadSession, caller: Sender, parts: Wired, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Begin to upload a file in portions; its address is in ``Location``.

    Under the key of an upload that has ended none is begun: 404, and another key begins another one.
    """
    check_name(order.name)
    session_id = new_id("us", caller, idempotency_key)

    def perform() -> UploadSessionView:
        keep_out(caller.organisation, order.matter_id)
        parts.records.matter(order.matter_id)
        now = parts.now()
        session = Session(
            id=session_id,
            matter_id=order.matter_id,
            actor=caller.actor,
            name=order.name,
            size=order.size,
            sha256=None if order.sha256 is None else bytes.fromhex(order.sha256),
            media_type=order.media_type,
            certificate=order.certificate,
            urgent=order.urgent,
            at=now,
            expires_at=now + LASTING,
        )
        return UploadSessionView.of(parts.upload_sessions.open(session))

    answer = once(parts, caller, idempotency_key, ["upload session", order.model_dump()], 201, perform)
    # The answer may be remembered, and the session ended since.
    parts.upload_sessions.session(session_id, caller.actor, parts.now())
    answer.headers["Location"] = f"/v1/uploads/sessions/{session_id}"
    return answer


@router.get("")
def list_uploads(
    caller: Sender,
    parts: Wired,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> UploadSessionPage:
    """The caller's uploads that are not complete, by id."""
    found = parts.upload_sessions.unfinished(caller.actor, parts.now(), after=after, limit=limit + 1)
    page, more = cut(found, limit, lambda item: item.id)
    return UploadSessionPage(items=[UploadSessionView.of(item) for item in page], next=more)


@router.head("/{session_id}", status_code=204, response_class=Response)
def look_at_upload(session_id: str, caller: Sender, parts: Wired) -> Response:
    """Where an upload has come to: ``Upload-Offset``."""
    session = parts.upload_sessions.session(session_id, caller.actor, parts.now())
    return Response(status_code=204, headers={**_state(session), "Cache-Control": "no-store"})


@router.patch(
    "/{session_id}",
    status_code=204,
    response_class=Response,
    openapi_extra={"requestBody": _PORTION},
)
async def append_to_upload(
    session_id: str,
    request: Request,
    caller: Sender,
    parts: Wired,
    upload_offset: Annotated[str | None, Header(description="Where this portion begins")] = None,
) -> Response:
    """Append a portion. When this answers, it is on disk; what arrived of one that broke off is, too.

    Another offset than the upload's own is answered with 409 and that one.
    """
    check_portion(request)
    now = parts.now()
    session = await run_in_threadpool(parts.upload_sessions.session, session_id, caller.actor, now)
    if upload_offset is None or _NUMBER.fullmatch(upload_offset) is None:
        raise RefusedError("Upload-Offset is not a number of bytes", what_to_do="ask for it with HEAD")
    if session.evidence_id is not None or session.received != int(upload_offset):
        return _elsewhere(request, session)
    taking = parts.upload_sessions.portion(session, now)
    portion = await run_in_threadpool(taking.__enter__)
    refused: RefusedError | None = None
    try:
        if portion.offset != int(upload_offset):
            return _elsewhere(request, replace(session, received=portion.offset))
        async for chunk in request.stream():
            if portion.offset + len(chunk) > session.size:
                refused = RefusedError(
                    f"the upload is longer than the {session.size} bytes that were announced",
                    what_to_do="begin a new one with its size",
                )
                break
            portion.write(chunk)
    except ClientDisconnect:
        pass  # what has arrived is kept; there is nobody to be answered
    finally:
        await run_in_threadpool(taking.__exit__, None, None, None)
    if refused is not None:
        raise refused
    return Response(status_code=204, headers=_state(replace(session, received=portion.offset)))


@router.post("/{session_id}/complete", status_code=202, response_model=AcceptedView)
def complete_upload(session_id: str, request: Request, caller: Sender, parts: Wired) -> Response:
    """Have the whole file accepted, as by one request; repeating it gives the same receipt."""
    session = parts.upload_sessions.session(session_id, caller.actor, parts.now())
    if session.evidence_id is not None:
        return JSONResponse(_accepted(parts, session.evidence_id), status_code=202)
    with parts.upload_sessions.whole(session, parts.now()) as (session, path):
        if session.evidence_id is not None:
            return JSONResponse(_accepted(parts, session.evidence_id), status_code=202)
        if session.received != session.size or path.stat().st_size < session.size:
            return _elsewhere(request, session)
        with path.open("r+b") as file:
            # Beyond what was acknowledged there may be what a killed process had not finished.
            file.truncate(session.size)
            digester = Digester()
            while chunk := file.read(_CHUNK):
                digester.update(chunk)
        if session.sha256 is not None and digester.digest().sha256 != session.sha256:
            raise RefusedError(
                f"what arrived has the SHA-256 {digester.digest().sha256.hex()}, not the announced one",
                what_to_do="end this upload and send the file again",
            )
        upload = Upload(
            session.matter_id, session.name, session.media_type, session.certificate, session.urgent
        )
        key = f"upload session {session_id}"
        answer = receive(parts, caller, upload, path, key)
        parts.upload_sessions.complete(session, new_id("ev", caller, key))
    return answer


@router.delete("/{session_id}", status_code=204, response_class=Response)
def end_upload(session_id: str, caller: Sender, parts: Wired) -> Response:
    """Forget an upload that is not complete, with what has arrived of it; 409 while a request of it runs."""
    parts.upload_sessions.end(parts.upload_sessions.session(session_id, caller.actor, parts.now()))
    return Response(status_code=204)


def _accepted(parts: Parts, evidence_id: str) -> dict[str, object]:
    given = receipt.parse(parts.records.receipt(evidence_id))
    return AcceptedView.with_receipt(parts.records.evidence(evidence_id), given).model_dump(mode="json")


def _state(session: Session) -> dict[str, str]:
    """Fields of the draft, section 4; the booleans are structured fields (RFC 9651)."""
    return {
        "Upload-Offset": str(session.received),
        "Upload-Length": str(session.size),
        "Upload-Complete": "?0" if session.evidence_id is None else "?1",
    }


def _elsewhere(request: Request, session: Session) -> Response:
    answer = problem(
        request,
        409,
        "mismatching-upload-offset",
        f"{session.received} of {session.size} bytes have arrived"
        + ("" if session.evidence_id is None else ", and the upload is complete"),
        what_to_do="go on at the offset that is named",
    )
    answer.headers.update(_state(session))
    return answer
