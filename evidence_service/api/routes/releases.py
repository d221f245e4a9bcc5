"""Release links, and what opens under them without a key."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from evidence_service.api.auth import Installed, Principal, Reader, Wired, may
from evidence_service.api.downloads import stored_file
from evidence_service.api.idempotency import IdempotencyKey, new_id
from evidence_service.api.paging import cut
from evidence_service.api.releasing import (
    NAMED,
    OPAQUE,
    MadeReleaseLink,
    NewReleaseLink,
    ReleaseLinkPage,
    ReleaseLinkView,
    ReleaseRule,
)
from evidence_service.errors import NotFoundError
from evidence_service.service import release as use_case
from evidence_service.service.bundles import assemble
from evidence_service.store.administration import Change
from evidence_service.store.releases import Release, Rule, nothing_released

router = APIRouter(prefix="/v1", tags=["releases"])

Custodian = Annotated[Principal, may("custody:manage")]
Administrator = Annotated[Principal, may("organisation:manage")]
OrganisationReader = Annotated[Principal, may("organisation:read")]

_CLOSED = {
    # The address is the key: it goes into no cache and no other site's log.
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@router.post("/evidence/{evidence_id}/release-links", status_code=201)
def make_release_link(
    evidence_id: str,
    order: NewReleaseLink,
    caller: Custodian,
    parts: Wired,
    idempotency_key: IdempotencyKey = None,
) -> MadeReleaseLink:
    """Make an address under which one thing is given out without a key.

    Its path is in this answer and nowhere else: a repetition under the same key makes no second link and is
    not told the path again. Where the organisation's rule is two persons, it opens after the approval of the
    request that is named.
    """
    release, token = use_case.make(
        parts,
        use_case.NewRelease(
            id=new_id("lk", caller, idempotency_key, evidence_id),
            request_id=new_id("rq", caller, idempotency_key, evidence_id, "release"),
            evidence_id=evidence_id,
            what=order.what,
            name=order.name,
            recipient=order.recipient,
            purpose=order.purpose,
            actor=caller.actor,
            lasting=timedelta(seconds=order.expires_in),
            max_downloads=order.max_downloads,
        ),
    )
    path = None if token is None else f"/v1/release/{token}"
    return MadeReleaseLink(**ReleaseLinkView.of(release).model_dump(), path=path)


@router.get("/evidence/{evidence_id}/release-links")
def list_release_links(
    evidence_id: str,
    _: Reader,
    parts: Wired,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> ReleaseLinkPage:
    """Release links of a piece of evidence by id, used and revoked ones included."""
    parts.records.evidence(evidence_id)
    found = parts.releases.releases(evidence_id, after=after, limit=limit + 1)
    page, more = cut(found, limit, lambda item: item.id)
    return ReleaseLinkPage(items=[ReleaseLinkView.of(item) for item in page], next=more)


@router.delete("/evidence/{evidence_id}/release-links/{link_id}")
def revoke_release_link(evidence_id: str, link_id: str, caller: Custodian, parts: Wired) -> ReleaseLinkView:
    """Have a link open nothing any more; the first time counts."""
    release = parts.releases.release(link_id)
    if release.evidence_id != evidence_id:
        raise NotFoundError(f"evidence {evidence_id} has no release link {link_id}")
    return ReleaseLinkView.of(use_case.revoke(parts, release, actor=caller.actor))


@router.get("/organisation/release-rule")
def show_release_rule(_: OrganisationReader, parts: Wired) -> ReleaseRule:
    """Whether two persons decide about releases; so it is until somebody says otherwise."""
    return ReleaseRule(two_persons=parts.releases.two_persons())


@router.put("/organisation/release-rule")
def set_release_rule(rule: ReleaseRule, caller: Administrator, parts: Wired) -> ReleaseRule:
    """Say whether two persons decide about releases; links that were made before stay as they are."""
    now = parts.now()
    detail = {"two_persons": rule.two_persons}
    parts.releases.set_rule(
        Rule(rule.two_persons, caller.actor, now),
        Change("set_release_rule", caller.actor, caller.organisation, now, detail),
    )
    return rule


@router.get("/release/{token}", response_class=Response)
def open_release_link(token: str, installed: Installed) -> Response:
    """What was released under this address, without a key; counted, and noted in the custody log.

    An address that is unknown, revoked, used up, not approved or too old is answered in the same way.
    """
    parts, release = use_case.find(installed, token)

    def note() -> None:
        use_case.download(installed, parts, token)

    try:
        if release.what == "bundle":
            data = assemble(parts, release.evidence_id)
            note()
            name = f"{release.evidence_id}.bundle.json"
            answer = Response(
                data,
                media_type="application/json",
                headers={"Content-Disposition": f'attachment; filename="{name}"'},
            )
        else:
            sha256, recorded = use_case.file_of(parts, release)
            answer = stored_file(
                parts,
                sha256,
                # What a browser would carry out is not named, whoever stated it.
                media_type=recorded if recorded in NAMED else OPAQUE,
                filename=_filename(release),
                note=note,
            )
    except NotFoundError as error:
        raise nothing_released() from error
    answer.headers.update(_CLOSED)
    return answer


@router.head("/release/{token}", response_class=Response)
def look_at_release_link(token: str, installed: Installed) -> Response:
    """Whether something is released under this address; not counted, not noted."""
    use_case.find(installed, token)
    return Response(status_code=200, headers=_CLOSED)


def _filename(release: Release) -> str:
    if release.what == "certificate":
        return f"certificate-{release.name}.pdf"
    if release.what == "exhibit":
        return f"{release.name}.zip"
    return release.name.rsplit("/", 1)[-1]
