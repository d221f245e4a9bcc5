"""Declare: a declaration is prepared for somebody who took part, to be read, corrected and signed.

Courts turn away declarations of people who were not there. Who may sign what is therefore read from the
custody log, and everything else in the form from what the verification engine accepted a moment ago.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evidence_service.certificate.edition import parse_edition
from evidence_service.certificate.facts import CertificateFacts, Preserved, certificate_facts
from evidence_service.certificate.forms import Declarant, Form, form_named, form_pdf, forms
from evidence_service.core.digest import digest_of
from evidence_service.errors import PolicyRefusedError, RefusedError
from evidence_service.service.bundles import assemble
from evidence_service.service.gate import examine_bundle
from evidence_service.service.parts import SERVICE, Parts
from evidence_service.service.rules import judge
from evidence_service.store.certificates import Certificate
from evidence_service.store.custody_room import Room

MOST_DECLARATIONS = 200
"""Of one piece of evidence: each is an event of its custody log, which has an end."""
_MOST_TOLD = 10
"""Events of one person in an error; all of them are in the custody log."""
_MARK = "declaration"
"""Detail of the custody events that note a declaration; having one made is no part in the evidence."""

Events = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Participant:
    """A person of the custody log, and the forms that fit what this person did."""

    id: str
    events: Events
    may_sign: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for.

    Attributes:
        person: name in the custody log; name: in full, printed as given and never checked.
        language: None for the usual one of the form.
    """

    form: str
    person: str
    name: str
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Declaration:
    """A draft, and the certificate it belongs to."""

    pdf: bytes
    form: str
    certificate: str


def participants(events: Iterable[Mapping[str, Any]]) -> tuple[Participant, ...]:
    """Who took part in a custody log, in the order of their first events; the service itself is no person."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for event in _own_events(events):
        if event["actor"]["id"] != SERVICE[0]:
            found.setdefault(event["actor"]["id"], []).append(event)
    return tuple(
        Participant(
            name, own, tuple(form.name for form in forms() if form.signers & {item["action"] for item in own})
        )
        for name, own in found.items()
    )


def declare(parts: Parts, evidence_id: str, wish: Wish, *, actor: tuple[str, str]) -> Declaration:
    """Prepare a form for one person and note it in the custody log, once for each different document.

    Args:
        actor: id and role of who asks; need not be the person who signs.

    Raises:
        NotFoundError: no such evidence or form, or no certificate yet.
        RefusedError: the person took no part, or none that fits the form; it says who did what.
        UnavailableError: a node did not answer.
        MismatchError: the engine does not accept the evidence any more.
    """
    form = form_named(wish.form)
    form.printed_languages(wish.language)
    certificate = parts.certificates.of_evidence(evidence_id)
    # Refused from the log alone where that is possible; what is printed comes from what was verified.
    _events_of(parts.records.custody(evidence_id), wish.person, form)
    facts = _without_declarations(verified_facts(parts, certificate))
    own = _events_of(facts.values["custody"], wish.person, form)
    sha256 = (certificate.sha256 or b"").hex()
    pdf = form_pdf(
        form,
        facts,
        Declarant(wish.person, wish.name, own),
        certificate_sha256=sha256,
        language=wish.language,
    )
    _note(parts, evidence_id, form, certificate, wish, pdf, actor)
    return Declaration(pdf, form.name, certificate.number)


def verified_facts(parts: Parts, certificate: Certificate) -> CertificateFacts:
    """What a certificate says, from the bundle as it is now; the engine has accepted it a moment ago.

    Raises:
        UnavailableError: a node did not answer.
        MismatchError: the engine does not accept it.
    """
    data = assemble(parts, certificate.evidence_id)
    report = examine_bundle(parts, data)
    judge(report)
    return certificate_facts(
        report,
        Preserved(bundle=data, read=lambda sha256: parts.objects.read(bytes.fromhex(sha256))),
        number=certificate.number,
        issued_at=certificate.reserved_at,
        issuer=parts.issuing.issuer,
        edition=parse_edition(certificate.edition),
        level=certificate.level or "",
    )


def _without_declarations(facts: CertificateFacts) -> CertificateFacts:
    """The facts without events that note declarations: one that printed them would differ each time."""
    return replace(facts, values={**facts.values, "custody": list(_own_events(facts.values["custody"]))})


def _own_events(events: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    return (event for event in events if _MARK not in event["detail"])


def _events_of(events: Events, person: str, form: Form) -> Events:
    """The events a person took part in.

    Raises:
        RefusedError: there are none, or none that fits the form.
    """
    people = participants(events)
    took_part = "; ".join(f"{item.id}: {_told(item.events)}" for item in people) or "nobody"
    chosen = next((item for item in people if item.id == person), None)
    if chosen is None:
        raise RefusedError(
            "this person took no part in the evidence and cannot declare anything about it",
            what_to_do=f"name somebody of the custody log, which holds {took_part}",
        )
    if form.name not in chosen.may_sign:
        raise RefusedError(
            f"what {chosen.id} took part in ({_told(chosen.events)}) does not fit {form.name}: it needs "
            f"{form.fits['en']} (one of: {', '.join(sorted(form.signers))})",
            what_to_do=f"name somebody else, or another form; the custody log holds {took_part}",
        )
    return chosen.events


def _told(events: Events) -> str:
    told = [f"{event['sequence']} {event['action']}" for event in events[:_MOST_TOLD]]
    return ", ".join(told) + (" …" if len(events) > _MOST_TOLD else "")


def _note(
    parts: Parts,
    evidence_id: str,
    form: Form,
    certificate: Certificate,
    wish: Wish,
    pdf: bytes,
    actor: tuple[str, str],
) -> None:
    """Note a draft in the custody log; the same draft again is the same event.

    Raises:
        PolicyRefusedError: there are too many already.
        ConflictError: the custody log has no room for one more.
    """
    sha256 = digest_of(pdf).sha256.hex()
    events = parts.records.custody(evidence_id)
    made = [event for event in events if _MARK in event["detail"]]
    if len(made) >= MOST_DECLARATIONS and all(event["after"] != sha256 for event in made):
        raise PolicyRefusedError(
            f"{len(made)} declarations were prepared for {evidence_id} already",
            what_to_do="use one of them; each is noted in the custody log with its SHA-256",
        )
    parts.custody(
        evidence_id,
        f"declaration {sha256}",
        "export",
        actor=actor,
        purpose="prepare a declaration, not signed",
        after=sha256,
        # The full name stays out: the log travels with every copy of the evidence.
        detail={_MARK: form.name, "person": wish.person, "certificate": certificate.number},
        room=Room.OF_CALLERS,
    )
