"""Preserve: an accepted order becomes a stamped manifest that is waiting for its batch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from evidence_service.anchor import blocks
from evidence_service.capture.options import parse_options
from evidence_service.capture.session import SOFTWARE, CaptureResult, capture_listing
from evidence_service.core import custody, document, manifest
from evidence_service.core.digest import Digest, digest_of
from evidence_service.errors import MismatchError, NodeUnavailableError, RefusedError
from evidence_service.service import login_state
from evidence_service.service.examine import examine_upload
from evidence_service.service.keep import keep
from evidence_service.service.parts import SERVICE, Parts
from evidence_service.service.ports import Durable
from evidence_service.service.scratch import scratch
from evidence_service.service.waiting import until_available
from evidence_service.store.records import Evidence, Matter

# RFC 6838, section 4.2.
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,90}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,90}")


def preserve(parts: Parts, durable: Durable, evidence_id: str) -> None:
    """The workflow of one piece of evidence, up to its registration for a batch."""

    def note(waiting_for: str | None) -> None:
        status = parts.records.evidence(evidence_id).status
        parts.records.note_progress(evidence_id, status, waiting_for=waiting_for)

    durable.step("order", record_order, parts, evidence_id)
    until_available(durable, "capture", lambda: capture(parts, evidence_id), note)
    durable.step("seal", seal_manifest, parts, evidence_id)
    until_available(durable, "stamp", lambda: stamp_manifest(parts, evidence_id), note)
    durable.step("register", register, parts, evidence_id)


def order_event(
    parts: Parts,
    *,
    operator: tuple[str, str],
    matter_id: str,
    kind: str,
    url: str | None,
    options: Mapping[str, Any] | None,
    login: bool,
) -> dict[str, Any]:
    """First event of a custody log: who asked for what.

    Args:
        operator: id and role.
    """
    chosen = options or {}
    return parts.event(
        "order",
        actor=operator,
        purpose="preserve as evidence",
        detail={
            "matter": matter_id,
            "kind": kind,
            "url": (url or "")[:2000],
            **{name: chosen[name] for name in ("profile", "locale", "timezone", "mode") if chosen.get(name)},
            **({"steps": str(len(chosen["steps"]))} if chosen.get("steps") else {}),
            **({"login_state": "supplied"} if login else {}),
        },
    )


def record_order(parts: Parts, evidence_id: str) -> None:
    """The first event where it was not recorded with the acceptance."""
    evidence = parts.records.evidence(evidence_id)
    members = order_event(
        parts,
        operator=(evidence.operator, evidence.operator_role),
        matter_id=evidence.matter_id,
        kind=evidence.kind,
        url=evidence.url,
        options=evidence.options,
        login=parts.logins.needed(evidence_id),
    )
    parts.records.append_custody(evidence_id, "order", members, now=parts.now())


def capture(parts: Parts, evidence_id: str) -> None:
    """Capture the listing or examine the upload, store the files, note both in the custody log.

    Before the files are stored and the record says so, a repetition captures again; the half-made capture of
    a killed process is thrown away and never seen. Where two captured at once, the first that is recorded
    counts.
    """
    evidence = parts.records.evidence(evidence_id)
    if evidence.capture is None:
        evidence = _capture_now(parts, evidence)
    if evidence.kind == "digest":
        _record_digest(parts, evidence)
        return
    received = evidence.kind == "upload"
    if received:
        evidence = examine_upload(parts, evidence)
    described = evidence.capture or {}
    size = sum(item["size"] for item in described["files"])
    parts.custody(
        evidence_id,
        "capture",
        "receive" if received else "capture",
        actor=(evidence.operator, evidence.operator_role) if received else SERVICE,
        purpose="receive uploaded files" if received else "record the listing in one browser session",
        detail={
            "outcome": described["outcome"]["status"],
            "started_at": described["started_at"],
            "finished_at": described["finished_at"],
            **(
                {"examination": described["tool"]["examination"]}
                if received
                else {"browser": described["tool"]["browser"]}
            ),
        },
    )
    parts.custody(
        evidence_id,
        "store",
        "store",
        actor=SERVICE,
        purpose="write-once storage under each file's SHA-256, hashed while written",
        detail={"files": str(len(described["files"])), "bytes": str(size)},
    )


def _record_digest(parts: Parts, evidence: Evidence) -> None:
    """Note whose digest is registered; its bytes were stored when they were made."""
    described = evidence.capture or {}
    parts.custody(
        evidence.id,
        "hash",
        "hash",
        actor=SERVICE,
        purpose="register the digest of a certificate as evidence",
        after=described["files"][0]["sha256"],
        detail={name: described["tool"][name] for name in ("certificate", "certificate_of")},
    )


def _capture_now(parts: Parts, evidence: Evidence) -> Evidence:
    not_before = _not_before(parts)
    options = parse_options(evidence.options or {}, login_state=_login_state(parts, evidence.id))
    with scratch(parts, evidence.id) as directory:
        result = capture_listing(
            str(evidence.url),
            directory,
            policy=parts.capturing.policy,
            browser=parts.capturing.browser,
            now=parts.now,
            progress=lambda words: parts.records.note_progress(evidence.id, words),
            limits=parts.capturing.limits,
            checks=parts.capturing.checks,
            roots=parts.capturing.roots,
            websockets=parts.capturing.websockets,
            options=options,
            recipients=parts.capturing.recipients,
            clocks=parts.stamping.authorities.clocks(parts.nonce),
        )

        def put() -> list[Digest]:
            for file in result.files:
                stored = parts.objects.put(directory / file.path)
                if stored != file.digest:
                    raise MismatchError(f"{file.path} changed between capture and storage")
            return [file.digest for file in result.files]

        def record(_: Sequence[Digest]) -> None:
            parts.records.captured(evidence.id, _describe(result, not_before))

        keep(parts, put, record)
    return parts.records.evidence(evidence.id)


def _login_state(parts: Parts, evidence_id: str) -> dict[str, Any] | None:
    """The login state a capture is made with; only ever in memory."""
    begun = parts.logins.begin(evidence_id)
    if begun is None:
        return None
    sealed, attempts = begun
    if attempts > login_state.ATTEMPTS:
        raise RefusedError(
            f"the login state was deleted after {login_state.ATTEMPTS} captures that did not end",
            what_to_do="order the capture again, with a fresh login state, when the browser works",
        )
    return parts.sealing_key.open(sealed)


def _describe(result: CaptureResult, not_before: dict[str, str]) -> dict[str, Any]:
    """The members of the manifest that the capture decides, as the record keeps them."""
    return {
        "subject": {
            "requested_url": result.requested_url,
            "final_url": result.final_url,
            "redirects": list(result.redirects),
            "http_status": result.status,
            "peer_address": result.peer,
            "listing": {
                name: {"value": fact.value, "read_from": fact.read_from}
                for name, fact in result.listing.items()
            },
        },
        "outcome": {"status": result.outcome.status, "reasons": _reasons(result.outcome.reasons)},
        "started_at": result.started_at,
        "finished_at": result.finished_at,
        "tool": {
            "software": SOFTWARE,
            "browser": result.browser.version,
            "browser_sha256": result.browser.sha256,
            **result.tool,
        },
        "egress": {"mode": result.mode, "exceptions": list(result.exceptions)},
        "not_before": not_before,
        "files": [
            manifest.file_record(file.path, file.media_type, file.role, file.digest) for file in result.files
        ],
    }


def describe_upload(parts: Parts, name: str, media_type: str, found: Digest) -> dict[str, Any]:
    """The same members for a file that was uploaded: received, never captured.

    Args:
        media_type: as it was announced; what is no media type is not kept.
    """
    if not _MEDIA_TYPE.fullmatch(media_type):
        media_type = "application/octet-stream"
    return describe_received(parts, manifest.file_record(name, media_type, "uploaded", found))


def describe_received(parts: Parts, file: Mapping[str, Any]) -> dict[str, Any]:
    """The same members for one file that came from elsewhere than a capture."""
    at = document.format_time(parts.now())
    return {**manifest.received(at, SOFTWARE, _not_before(parts)), "files": [dict(file)]}


def _reasons(reasons: Sequence[str]) -> list[str]:
    return [reason[:400] for reason in reasons]


def _not_before(parts: Parts) -> dict[str, str]:
    """The newest block before the capture: nobody could have known its hash earlier."""
    if not parts.chains:
        return {"status": "unavailable", "why": "no chain is configured"}
    node = parts.chains[0].node
    try:
        header = node.first("its newest block", lambda endpoint: blocks.header(endpoint, "latest"))
    except NodeUnavailableError as error:
        return {"status": "unavailable", "why": error.message[:400]}
    if header is None:
        return {"status": "unavailable", "why": "the node has no block"}
    return {
        "status": "recorded",
        "chain_id": str(node.chain_id),
        "block_number": str(header.number),
        "block_hash": header.hash,
        "block_time": document.format_time(datetime.fromtimestamp(header.time, UTC)),
    }


def matter_member(matter: Matter) -> dict[str, Any]:
    """The matter as a manifest names it."""
    return {
        "id": matter.id,
        "reference": matter.reference,
        "applicant": matter.applicant,
        "rights": list(matter.rights),
    }


def seal_manifest(parts: Parts, evidence_id: str) -> None:
    """Build the manifest over the custody log so far and close it with the sealing event, in one go."""
    evidence = parts.records.evidence(evidence_id)
    matter = parts.records.matter(evidence.matter_id)
    described = dict(evidence.capture or {})

    def build(events: Sequence[Mapping[str, Any]]) -> bytes:
        return manifest.build(
            {
                **described,
                "evidence_id": evidence.id,
                "kind": evidence.kind,
                "purpose": parts.purpose,
                "matter": matter_member(matter),
                "operator": {"id": evidence.operator, "role": evidence.operator_role},
                "custody": {"events": len(events), "head": custody.event_hash(events[-1]).hex()},
            }
        )

    def event(data: bytes) -> dict[str, Any]:
        found = digest_of(data)
        return parts.event(
            "seal",
            actor=SERVICE,
            purpose="close the manifest",
            after=found.sha256.hex(),
            detail={"sha3_512": found.sha3_512.hex(), "files": str(len(described["files"]))},
        )

    parts.records.seal(evidence_id, build=build, event=event, salt=parts.random_bytes(32), now=parts.now())


def stamp_manifest(parts: Parts, evidence_id: str) -> None:
    """Have the authorities stamp the manifest; enough of them have to answer."""
    evidence = parts.records.evidence(evidence_id)
    if not parts.records.tokens("manifest", evidence_id):
        request_stamps(parts, "manifest", evidence_id, evidence.manifest or b"")
    refused = parts.records.refusals("manifest", evidence_id)
    parts.custody(
        evidence_id,
        "stamp",
        "stamp",
        actor=SERVICE,
        purpose="RFC 3161 time stamps over the manifest",
        detail={
            "tokens": str(len(parts.records.tokens("manifest", evidence_id))),
            **({"refused": "; ".join(refused.values())[:2000]} if refused else {}),
        },
    )
    parts.records.advance(evidence_id, "stamped")


def request_stamps(parts: Parts, stamped: str, subject_id: str, data: bytes) -> None:
    """Get enough tokens over a document and store them together.

    Raises:
        AuthorityUnavailableError: fewer than the minimum answered.
    """
    found = parts.stamping.authorities.stamp(manifest.stamped_digest(data), nonce=parts.nonce, now=parts.now)
    parts.records.add_tokens(stamped, subject_id, found.tokens, refusals=found.failures)


def register(parts: Parts, evidence_id: str) -> None:
    """Put the manifest in line for the next batch."""
    parts.records.register(evidence_id, at=parts.now())
