"""Files that were received, however they came: accepted as *uploaded* evidence, with a receipt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse

from evidence_service.api.auth import Principal
from evidence_service.api.idempotency import new_id, once
from evidence_service.api.schemas import AcceptedView
from evidence_service.core.digest import Digest
from evidence_service.core.manifest import check_path
from evidence_service.errors import MalformedError, RefusedError
from evidence_service.service.accept import Order, accept
from evidence_service.service.keep import keep
from evidence_service.service.parts import Parts
from evidence_service.service.preserve import describe_upload

UPLOAD_LIMIT = 512 * 1024 * 1024
PORTION = "application/partial-upload"
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


@dataclass(frozen=True, slots=True)
class Upload:
    """What was said about a file before its bytes came."""

    matter_id: str
    name: str
    media_type: str
    certificate: bool
    urgent: bool


def media_type_of(request: Request) -> str:
    """What a file that is the body is announced as.

    Raises:
        HTTPException: 415, the body is a form: what would be preserved is the form, not the file in it.
    """
    announced = _announced(request) or "application/octet-stream"
    if announced.lower() in _FORMS:
        raise HTTPException(
            415,
            "send the file's bytes as they are, with its media type and in no form: "
            "curl --data-binary @FILE --header 'Content-Type: application/octet-stream'",
            headers={"Accept": "application/octet-stream, */*;q=0.5"},
        )
    return announced


def check_portion(request: Request) -> None:
    """Refuse what is not announced as a portion of a file.

    Raises:
        HTTPException: 415, with what is taken (RFC 9110, section 15.5.16; RFC 5789, section 2.2).
    """
    if _announced(request).lower() != PORTION:
        raise HTTPException(415, f"send the portion as {PORTION}", headers={"Accept-Patch": PORTION})


def _announced(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip()


def check_name(name: str) -> None:
    """Refuse what is not the plain name of a file.

    Raises:
        RefusedError: it is not.
    """
    try:
        check_path(name)
    except MalformedError as error:
        raise RefusedError("the file's name is not a plain name", what_to_do="leave out folders") from error


def receive(parts: Parts, caller: Principal, upload: Upload, path: Path, key: str | None) -> JSONResponse:
    """Store a file and accept it; the answer, with its receipt.

    With a key, repeating it accepts nothing twice.

    Raises:
        NotFoundError: no such matter.
    """
    evidence_id = new_id("ev", caller, key)

    def put() -> list[Digest]:
        return [parts.objects.put(path)]

    def record(found: Sequence[Digest]) -> JSONResponse:
        stored = found[0]

        def perform() -> AcceptedView:
            return _accept(parts, caller, upload, stored, evidence_id)

        fingerprint = [
            "upload",
            upload.matter_id,
            upload.name,
            stored.sha256.hex(),
            upload.certificate,
            upload.urgent,
        ]
        return once(parts, caller, key, fingerprint, 202, perform)

    return keep(parts, put, record)


def _accept(
    parts: Parts, caller: Principal, upload: Upload, stored: Digest, evidence_id: str
) -> AcceptedView:
    capture = describe_upload(parts, upload.name, upload.media_type, stored)
    file = capture["files"][0]
    receipt = accept(
        parts,
        Order(
            evidence_id=evidence_id,
            matter_id=upload.matter_id,
            kind="upload",
            operator=caller.actor,
            accepted={
                "name": upload.name,
                **{member: file[member] for member in ("size", "sha256", "sha3_512")},
            },
            certificate=upload.certificate,
            urgent=upload.urgent,
            capture=capture,
            role=caller.role,
        ),
    )
    return AcceptedView.with_receipt(parts.records.evidence(evidence_id), receipt)
