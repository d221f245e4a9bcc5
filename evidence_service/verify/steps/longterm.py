"""Checks 7.4 and 7.5: what was added to a seal so that it can be judged when nobody can be asked any more.

Verification specification, section 10; levels of ETSI EN 319 142-1, 6.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from evidence_service.core import document
from evidence_service.errors import EvidenceError, LimitExceededError, MalformedError, MismatchError
from evidence_service.verify import crl, signatures
from evidence_service.verify.certificate import ArchiveStamp, OpenedCertificate, signature_value
from evidence_service.verify.path import common_name
from evidence_service.verify.pdf_updates import ValidationData
from evidence_service.verify.report import ConfirmedTimestamp, Family, Status
from evidence_service.verify.steps.run import Run
from evidence_service.verify.steps.times import CLOCK_TOLERANCE
from evidence_service.verify.timestamp import JudgedToken, TimestampFacts, read_token

_MAX_ISSUERS = 8
"""Certificates that could have issued one list; each costs a verification."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A time stamp that a seal existed: over its signature's value, or over the document with it."""

    judged: JudgedToken
    shown: ConfirmedTimestamp

    @property
    def made(self) -> datetime:
        """The authority's time, UTC."""
        return self.judged.facts.gen_time

    @property
    def trusted(self) -> bool:
        """Whether the policy trusts its authority."""
        return self.judged.voucher is not None


def read_proofs(run: Run, opened: OpenedCertificate) -> list[Proof]:
    """The signature time stamp, then the document time stamps; without these when one does not hold (7.5)."""
    result: list[Proof] = []
    first = opened.seal.timestamp
    if first is not None:
        judged, shown = run.judge("seal", first)
        run.timestamps.append(shown)
        result.append(Proof(judged, shown))
    try:
        later = _read_stamps(opened.stamps, first)
    except EvidenceError as error:
        run.failed("7.5", error)
        return result
    return result + [Proof(*run.judge("document", facts)) for facts in later]


def _read_stamps(stamps: Sequence[ArchiveStamp], before: TimestampFacts | None) -> list[TimestampFacts]:
    result = []
    for number, stamp in enumerate(stamps, start=1):
        facts = read_token(signature_value(stamp.token), imprint=stamp.imprint)
        if before is not None and facts.gen_time + CLOCK_TOLERANCE < before.gen_time:
            raise MismatchError(f"document time stamp {number} is dated before what it covers")
        result.append(facts)
        before = facts
    return result


def check_archive(run: Run, proofs: Sequence[Proof], *, stamps: int) -> bool:
    """Check 7.5 once its time stamps were read: by whom, and whether in time.

    Args:
        proofs: the last ones are the document time stamps.
        stamps: how many those are.
    """
    own = proofs[-stamps:]
    problems = [f"{proof.shown.authority}: {proof.judged.why}" for proof in own if not proof.trusted]
    run.demonstrations += [proof.judged.voucher.demonstration for proof in own if proof.judged.voucher]
    problems += [
        f"what was stamped again on {newer.made:%Y-%m-%d} had ended on {older.judged.ends:%Y-%m-%d}"
        for older, newer in pairwise(proofs)
        if older.trusted and older.judged.ends < newer.made
    ]
    if problems:
        run.add(
            "7.5",
            Status.FAIL,
            "; ".join(dict.fromkeys(problems)),
            "use a trust file that names these authorities, if you have reason to trust them; what was "
            "stamped again too late stays so",
            family=Family.TRUST,
        )
        return False
    until = document.format_time(own[-1].judged.ends)
    run.passed(
        "7.5",
        f"{stamps} document time stamps, the last by {own[-1].shown.authority}; covered until {until}",
        family=Family.TRUST,
    )
    return True


@dataclass(frozen=True, slots=True)
class Resting:
    """What rests on the certificates of a path: the seal, or a proof of it.

    Attributes:
        path: signer first; with the root at its end when it is trusted.
        made: time it is judged at, UTC.
        proved: until when it provably existed, None when nothing later says so.
    """

    name: str
    path: tuple[x509.Certificate, ...]
    trusted: bool
    made: datetime
    proved: datetime | None

    def is_revoked(self, entry: crl.Entry) -> bool:
        """Whether an entry about a certificate of the path takes its worth.

        Raises:
            MalformedError: the entry's invalidity date is not a date.
        """
        since = entry.since()
        if entry.reason in crl.BEFORE_ONLY:
            return since <= self.made
        return self.proved is None or since <= self.proved


def resting_proofs(proofs: Sequence[Proof]) -> list[Resting]:
    """The proofs, each known to have existed when the next trusted one was made."""
    result = []
    for position, proof in enumerate(proofs):
        proved = next((later.made for later in proofs[position + 1 :] if later.trusted), None)
        name = f"the time stamp by {proof.shown.authority}"
        result.append(Resting(name, proof.judged.path, proof.trusted, proof.made, proved))
    return result


def check_validation(
    run: Run, validation: Sequence[ValidationData], resting: Sequence[Resting], *, needed: Sequence[Resting]
) -> int | None:
    """Check 7.4.

    Args:
        resting: the seal and all its proofs.
        needed: those of them for which the data has to be complete.

    Returns:
        Number of the revision with which it is complete, None when it is not, or not good.
    """
    try:
        _check_certificates([item for item in validation if item.kind == "certificate"], resting)
        found = _Lists()
        for item in validation:
            if item.kind == "list":
                found.take(crl.read(item.data), resting, item.revision)
    except EvidenceError as error:
        run.failed("7.4", error)
        return None
    if found.revoked:
        run.add(
            "7.4",
            Status.FAIL,
            f"revoked by its issuer: {_listed(found.revoked)}",
            "ask the issuer since when it is not to be relied on",
            family=Family.TRUST,
        )
        return None
    return _conclude(run, found, needed)


def _conclude(run: Run, found: _Lists, needed: Sequence[Resting]) -> int | None:
    missing = [f"{item.name} is not trusted" for item in needed if not item.trusted]
    revisions = [2]
    for item in needed:
        for certificate in item.path[:-1] if item.trusted else ():
            revision = found.current.get((item, certificate))
            if revision is None:
                missing.append(f"no current list about {common_name(certificate.subject)}")
            else:
                revisions.append(revision)
    other = (
        f"; {found.unknown} lists not judged, the policy does not know their issuer" if found.unknown else ""
    )
    if missing:
        run.add(
            "7.4",
            Status.NOT_CHECKED,
            f"the validation data is not complete: {_listed(missing)}{other}",
            "judge the revocation by the issuers' own lists",
            required=False,
        )
        return None
    notes = f"; revoked later, which takes nothing away: {_listed(found.later)}" if found.later else ""
    run.passed(
        "7.4",
        f"{found.judged} revocation lists, none revokes what the seal and its stamps rest on{notes}{other}",
    )
    return max(revisions)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))


class _Lists:
    """What the lists of the validation data say.

    Attributes:
        current: revision that first brought a list that was current for a certificate, by what rests on it.
        revoked: names of certificates, and ``later`` of those revoked too late to matter.
        unknown: lists whose issuer is not known; ``judged`` are the others.
    """

    def __init__(self) -> None:
        self.current: dict[tuple[Resting, x509.Certificate], int] = {}
        self.revoked: list[str] = []
        self.later: list[str] = []
        self.unknown = self.judged = 0

    def take(self, found: crl.RevocationList, resting: Sequence[Resting], revision: int) -> None:
        """Judge one list.

        Raises:
            MismatchError: it is about none of the paths, or forged.
            MalformedError, LimitExceededError: an entry that cannot be read; too many possible issuers.
        """
        speaking = _speaking(found, resting)
        if speaking is None:
            self.unknown += 1
            return
        self.judged += 1
        entries: Mapping[int, list[crl.Entry]] = defaultdict(list)
        for entry in found.entries:
            entries[entry.serial].append(entry)
        for item, certificate in speaking:
            for entry in entries.get(certificate.serial_number, ()):
                names = self.revoked if item.is_revoked(entry) else self.later
                names.append(f"{common_name(certificate.subject)} ({entry.since():%Y-%m-%d})")
            if _is_current(found, certificate, item.made):
                self.current.setdefault((item, certificate), revision)


def _is_current(found: crl.RevocationList, certificate: x509.Certificate, at: datetime) -> bool:
    """Whether a list was the latest word about a certificate at a moment, or a later one.

    After a certificate's end its issuer need not list it any more (RFC 5280 section 3.3).
    """
    issued_in_time = found.this_update <= certificate.not_valid_after_utc
    return issued_in_time and found.next_update is not None and found.next_update >= at


def _speaking(
    found: crl.RevocationList, resting: Sequence[Resting]
) -> list[tuple[Resting, x509.Certificate]] | None:
    """Certificates whose issuer made a list, with what rests on them; None when its issuer is not known."""
    about = [
        (item, certificate, above)
        for item in resting
        for certificate, above in crl.issued_under(found, item.path)
    ]
    if not about:
        raise MismatchError("the validation data holds a revocation list about none of the certificates")
    possible = {above for _, _, above in about if above is not None}
    if len(possible) > _MAX_ISSUERS:
        raise LimitExceededError(f"more than {_MAX_ISSUERS} certificates could have issued a revocation list")
    makers = {above for above in possible if found.is_signed_by(above)}
    if not makers:
        if any(above is None for _, _, above in about):
            return None
        raise MismatchError("the validation data holds a list that is not signed by the issuer it names")
    return [(item, certificate) for item, certificate, above in about if above in makers]


def _check_certificates(data: Sequence[ValidationData], resting: Sequence[Resting]) -> None:
    """Each one is of a path or leads up from one (7.4, point 1)."""
    try:
        rest = [x509.load_der_x509_certificate(item.data) for item in data]
        for certificate in rest:
            signatures.check_key(certificate)
            if certificate.issuer == certificate.subject:
                certificate.verify_directly_issued_by(certificate)
    except InvalidSignature as error:
        raise MismatchError("the validation data holds a root that does not verify itself") from error
    except signatures.DAMAGED as error:
        raise MalformedError(f"the validation data holds no certificate: {str(error)[:200]}") from error
    admitted = {certificate for item in resting for certificate in item.path}
    issuers = {certificate.issuer for certificate in admitted}
    while found := {item for item in rest if item in admitted or item.subject in issuers}:
        issuers |= {item.issuer for item in found}
        rest = [item for item in rest if item not in found]
    if rest:
        name = common_name(rest[0].subject)
        raise MismatchError(f"the validation data holds a certificate that belongs to no path: {name}")
