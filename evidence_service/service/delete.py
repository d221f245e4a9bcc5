"""Delete: the files of a piece of evidence go, with what was made of them; what proves them stays.

One person asks, another one approves (``ck_requests_two_persons``), the worker carries it out. Manifest,
custody log, proofs and certificates are kept: what was issued still verifies. Bytes are stored once for all
organisations, so those go that nothing else refers to; nobody is told which those are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from evidence_service.core import canonical
from evidence_service.errors import EvidenceServiceError, NotFoundError
from evidence_service.service.exhibit_content import redactions_of
from evidence_service.service.keep import let_go
from evidence_service.service.parts import SERVICE, Parts
from evidence_service.service.ports import Durable
from evidence_service.service.waiting import until_available
from evidence_service.store.requests import Request

REVIEWER, CUSTODIAN = "reviewer", "custodian"


def ask(parts: Parts, request_id: str, evidence_id: str, *, actor: str, reason: str) -> Request:
    """Ask for a deletion; repeating it with the same id changes nothing. Errors as for ``Requests.ask``."""
    request = Request(request_id, "delete", evidence_id, actor, reason, parts.now())
    return parts.requests.ask(request, asked(parts, request))


def decide(parts: Parts, request_id: str, *, approve: bool, actor: str, reason: str) -> Request:
    """Approve or refuse what another one asked for; errors as for ``Requests.decide``."""
    request = parts.requests.request(request_id)
    event = parts.event(
        _ACTIONS[request.kind],
        actor=(actor, REVIEWER),
        purpose=f"{_NAMES[request.kind]} {'approved' if approve else 'refused'}",
        detail={"request": request_id, "requested_by": request.requested_by, "reason": reason},
    )
    return parts.requests.decide(request_id, event, approve=approve, by=actor, reason=reason, at=parts.now())


def asked(parts: Parts, request: Request) -> dict[str, object]:
    """The custody event of a request."""
    return parts.event(
        _ACTIONS[request.kind],
        actor=(request.requested_by, CUSTODIAN),
        purpose=f"{_NAMES[request.kind]} asked for",
        detail={"request": request.id, "reason": request.reason},
    )


_ACTIONS = {"delete": "delete", "release": "transfer"}
_NAMES = {"delete": "deletion", "release": "release"}


def wanted(parts: Parts) -> list[str]:
    """Subjects of the attempts that are due: one an hour, until the object store lets the files go."""
    return [f"{request_id} {parts.now():%Y%m%d%H}" for request_id in parts.requests.executable()]


def delete(parts: Parts, durable: Durable, subject: str) -> None:
    """The workflow of one attempt; every step may be repeated."""
    request_id = subject.split(" ", maxsplit=1)[0]
    note = partial(parts.requests.note_waiting, request_id)
    try:
        if until_available(durable, "begin", partial(begin, parts, request_id), note):
            until_available(durable, "remove", partial(remove, parts, request_id), note)
            until_available(durable, "finish", partial(finish, parts, request_id), note)
    except EvidenceServiceError as error:
        durable.step("note", note, error.told)


def begin(parts: Parts, request_id: str) -> bool:
    """Set the tombstone, if nothing keeps the evidence now; whether its files are to be removed.

    Raises:
        RefusedError: the object store keeps a file, or an exhibit is being made; nothing was changed.
    """
    evidence_id = parts.requests.request(request_id).evidence_id
    for sha256 in parts.requests.files_of(evidence_id):
        if not parts.requests.referred_to(sha256, besides=evidence_id):
            _check_removable(parts, sha256)
    event = parts.event(
        "delete",
        actor=SERVICE,
        purpose="deletion stopped: the evidence has to be kept",
        detail={"request": request_id},
    )
    return parts.requests.begin(request_id, event, at=parts.now())


def remove(parts: Parts, request_id: str) -> None:
    """Remove what nothing else refers to; what is gone already stays gone.

    Raises:
        RefusedError: the object store keeps a file.
    """
    evidence_id = parts.requests.request(request_id).evidence_id
    redacted = _redacted(parts, evidence_id)
    let_go(parts, dict.fromkeys((*redacted, *_files(parts, evidence_id))), besides=evidence_id)


def finish(parts: Parts, request_id: str) -> None:
    """Record that the files are gone."""
    request = parts.requests.request(request_id)
    event = parts.event(
        "delete",
        actor=SERVICE,
        purpose="files deleted; manifest, custody log, proofs and certificates kept",
        detail={
            "request": request_id,
            "reason": request.reason,
            "requested_by": request.requested_by,
            "approved_by": request.decided_by or "",
        },
    )
    parts.requests.finish(request_id, event, at=parts.now())


def _check_removable(parts: Parts, sha256: bytes) -> None:
    with suppress(NotFoundError):  # an attempt before this one may have removed it
        parts.objects.protection(sha256).refuse_removal(sha256, parts.now())


def _files(parts: Parts, evidence_id: str) -> Iterator[bytes]:
    yield from parts.requests.files_of(evidence_id)
    yield from parts.exhibits.packages_of(evidence_id)


def _redacted(parts: Parts, evidence_id: str) -> Iterator[bytes]:
    """Masked copies of its files, as the documents on its redactions name them, then these documents.

    Copies that were made before evidence referred to them are named nowhere else. A document that is absent
    went in an attempt before this one, or was in no backup, and the copies with it.
    """
    for sha256 in redactions_of(parts, evidence_id):
        with suppress(NotFoundError):
            document = canonical.decode(parts.objects.read(sha256), what="redactions")
            for change in document["redactions"]:
                if "derivative" in change:
                    yield bytes.fromhex(change["derivative"]["sha256"])
            yield sha256
