"""Release: somebody without a key gets one thing, for a time, counted, and told to the custody log."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta

from evidence_service.core import document
from evidence_service.core.manifest import STATED
from evidence_service.errors import ConflictError, NotFoundError
from evidence_service.service.delete import CUSTODIAN, asked
from evidence_service.service.exhibit_content import manifest_of
from evidence_service.service.parts import Parts
from evidence_service.store.custody_room import Room
from evidence_service.store.releases import Release, nothing_released
from evidence_service.store.requests import Request

_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class NewRelease:
    """What is to be released, to whom, how long and how often.

    Attributes:
        name: as in :class:`Release`; empty takes the certificate that was released last.
    """

    id: str
    request_id: str
    evidence_id: str
    what: str
    name: str
    recipient: str
    purpose: str
    actor: str
    lasting: timedelta
    max_downloads: int


def make(parts: Parts, new: NewRelease) -> tuple[Release, str | None]:
    """Make a link; the token that opens it, which is told this once: None for one with the same id.

    Raises:
        NotFoundError: no such evidence, or there is no such thing of it.
        DeletedError: its files are deleted.
        ConflictError: its manifest is not sealed yet, its custody log has no room for the downloads, or the
            link with the same id is another one.
    """
    name = _named(parts, new)
    token = base64.urlsafe_b64encode(parts.random_bytes(_TOKEN_BYTES)).rstrip(b"=").decode()
    now = parts.now()
    release = Release(
        id=new.id,
        evidence_id=new.evidence_id,
        what=new.what,
        name=name,
        recipient=new.recipient,
        purpose=new.purpose,
        created_by=new.actor,
        at=now,
        expires_at=now + new.lasting,
        max_downloads=new.max_downloads,
    )
    request = None
    if parts.releases.two_persons():
        wanted = Request(new.request_id, "release", new.evidence_id, new.actor, new.purpose, now)
        release, request = replace(release, request_id=wanted.id), (wanted, asked(parts, wanted))
    event = _event(parts, release, "transfer", (new.actor, CUSTODIAN), "release link made")
    is_new = parts.releases.make(release, digest_of_token(token), event, request)
    made = parts.releases.release(new.id)
    if not is_new and not _is_repeated(new, made):
        raise ConflictError(
            "this Idempotency-Key was used for another release link",
            what_to_do="use a new key for a new link",
        )
    return made, token if is_new else None


def _is_repeated(new: NewRelease, made: Release) -> bool:
    # The certificate that was released last may be another one by now.
    name = new.name or made.name
    return (made.what, made.name, made.recipient, made.purpose, made.max_downloads) == (
        new.what,
        name,
        new.recipient,
        new.purpose,
        new.max_downloads,
    ) and made.expires_at - made.at == new.lasting


def revoke(parts: Parts, release: Release, *, actor: str) -> Release:
    """Have a link open nothing any more; the first time counts."""
    event = _event(parts, release, "transfer", (actor, CUSTODIAN), "release link revoked")
    return parts.releases.revoke(release, event, by=actor, at=parts.now())


def find(installed: Parts, token: str) -> tuple[Parts, Release]:
    """What a token opens now, with the parts of its organisation; not counted.

    Raises:
        NotFoundError: it opens nothing; always in the same words.
    """
    organisation, release = installed.releases.opened(digest_of_token(token), installed.now(), counted=False)
    return installed.within(organisation), release


def download(installed: Parts, parts: Parts, token: str) -> None:
    """Count one download and tell the custody log; called when it is known that the thing can be given out.

    Raises:
        NotFoundError: it is one too many, the link was revoked meanwhile, or the log takes no more.
    """
    _, release = installed.releases.opened(digest_of_token(token), installed.now(), counted=True)
    event = _event(
        parts,
        release,
        "export",
        (f"release link {release.id}", "recipient"),
        release.purpose,
        download=f"{release.downloads} of {release.max_downloads}",
    )
    key = f"release {release.id} {release.downloads}"
    try:
        parts.records.append_custody(release.evidence_id, key, event, now=parts.now(), room=Room.SET_ASIDE)
    except ConflictError as error:
        # A log that was filled before there was a limit: the recipient is told nothing of it.
        raise nothing_released() from error


def digest_of_token(token: str) -> bytes:
    """What is kept of a token, 32 bytes."""
    return hashlib.sha256(token.encode()).digest()


def file_of(parts: Parts, release: Release) -> tuple[bytes, str]:
    """SHA-256 and media type of the stored file that a link is for, the type as it was recorded.

    Raises:
        NotFoundError: it is not there any more.
    """
    if release.what == "certificate":
        return parts.certificates.pdfs(release.name)[-1].sha256, "application/pdf"
    parts.requests.refuse_deleted([release.evidence_id])
    if release.what == "exhibit":
        exhibit = parts.exhibits.exhibit(release.name)
        parts.requests.refuse_deleted(exhibit.evidence)
        if exhibit.sha256 is None:
            raise nothing_released()
        return exhibit.sha256, "application/zip"
    found = _file(parts, release.evidence_id, release.name)
    return bytes.fromhex(found["sha256"]), found["media_type"]


def _named(parts: Parts, new: NewRelease) -> str:
    if new.what == "bundle":
        manifest_of(parts, new.evidence_id)
        return ""
    if new.what == "certificate":
        return _certificate(parts, new)
    if new.what == "exhibit":
        exhibit = parts.exhibits.exhibit(new.name)
        if new.evidence_id not in exhibit.evidence:
            raise NotFoundError(f"exhibit {new.name} has nothing of evidence {new.evidence_id}")
        if exhibit.sha256 is None:
            raise ConflictError(f"exhibit {new.name} is {exhibit.status}, not made")
        return new.name
    _file(parts, new.evidence_id, new.name)
    return new.name


def _certificate(parts: Parts, new: NewRelease) -> str:
    if not new.name:
        return parts.certificates.of_evidence(new.evidence_id).number
    found = parts.certificates.certificate(new.name)
    if found.evidence_id != new.evidence_id or found.sha256 is None:
        raise NotFoundError(f"no certificate {new.name} of evidence {new.evidence_id} was released")
    return found.number


def _file(parts: Parts, evidence_id: str, path: str) -> dict[str, str]:
    for item in manifest_of(parts, evidence_id)["files"]:
        if item["path"] == path and item["role"] != STATED:
            found: dict[str, str] = item
            return found
    raise NotFoundError(f"evidence {evidence_id} has no such file")


def _event(
    parts: Parts, release: Release, action: str, actor: tuple[str, str], purpose: str, **more: str
) -> dict[str, object]:
    return parts.event(
        action,
        actor=actor,
        purpose=purpose,
        detail={
            "release": release.id,
            "what": f"{release.what} {release.name}".rstrip(),
            "recipient": release.recipient,
            "expires_at": document.format_time(release.expires_at),
            **more,
        },
    )
