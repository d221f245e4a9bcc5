"""Step 9: what the issuer's register says of a certificate today (specification, section 13).

Pure: an answer goes in, what it means comes out. A register can only add words: it never makes bytes hold
that do not, and never makes bytes fail that do. It is asked only when somebody names it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from evidence_service.core import document
from evidence_service.core.canonical import check_nesting
from evidence_service.errors import EvidenceError, UnavailableError
from evidence_service.verify.report import Check, Family, Status

CHECK = "9.1"
NAME = "issuer's register calls the certificate current"
FORMAT = "evidence-register/1"
LIMIT = 256 * 1024
"""Most bytes of a register's answer."""

Standing = Literal["current", "superseded", "withdrawn", "not_released", "unknown", "not_checked"]
STANDINGS: tuple[Standing, ...] = (
    "current",
    "superseded",
    "withdrawn",
    "not_released",
    "unknown",
    "not_checked",
)
_STATUSES = ("reserved", "released", "superseded", "withdrawn")
# A literal string may write a hyphen as itself or in octal (ISO 32000-1, 7.3.4.2).
_HYPHEN = rb"(?:-|\\055)"
_NUMBER = re.compile(
    rb"/Reason\s*\(Certificate ([A-Z]{1,8})" + _HYPHEN + rb"(\d{4})" + _HYPHEN + rb"(\d{6,9})\)"
)
_TEXT = document.text(maximum=400)
_SHA256 = document.hexadecimal(32)


@dataclass(frozen=True, slots=True)
class Registered:
    """What was learned about one certificate.

    Attributes:
        register: address that was asked.
        number: of the certificate, as its seal says; None when it says none.
        standing: ``unknown``: no such number; ``not_released``: the number is there, this file is not.
        since, reason, superseded_by: of a certificate that is not current.
        why: the whole in a sentence; what_to_do: the reader's next step.
    """

    register: str
    number: str | None
    standing: Standing
    why: str
    what_to_do: str = ""
    since: str | None = None
    reason: str = ""
    superseded_by: str | None = None

    @property
    def check(self) -> Check:
        """The line of the report. It is never required and never fails: it cannot weaken a verdict."""
        status = Status.PASS if self.standing == "current" else Status.NOT_CHECKED
        return Check(CHECK, NAME, status, self.why, self.what_to_do, Family.TRUST, required=False)

    @property
    def warning(self) -> str:
        """What has to be read before the verdict; empty for a current certificate."""
        return {
            "current": "",
            "superseded": f"SUPERSEDED since {self.since} by {self.superseded_by}: {self.reason}",
            "withdrawn": f"WITHDRAWN since {self.since}: {self.reason}",
            "not_released": f"NOT RELEASED by the register: {self.why}",
            "unknown": f"UNKNOWN to the register: {self.why}",
            "not_checked": f"STATUS NOT CHECKED: {self.why}",
        }[self.standing]

    def to_document(self) -> dict[str, Any]:
        """Member ``register`` of a report."""
        return {
            "asked": self.register,
            "number": self.number,
            "standing": self.standing,
            "since": self.since,
            "reason": self.reason,
            "superseded_by": self.superseded_by,
        }


@dataclass(frozen=True, slots=True)
class CertificateFile:
    """What a register is asked with.

    Attributes:
        number: as the seal states it; None when it states none.
        digests: SHA-256 (hexadecimal) of the file and of its earlier revisions, newest first.
    """

    number: str | None
    digests: tuple[str, ...]

    @classmethod
    def of(cls, pdf: bytes) -> Self:
        """Of a PDF whose seal holds."""
        return cls(certificate_number(pdf), tuple(digests(pdf)))


def certificate_number(pdf: bytes) -> str | None:
    """Number of a certificate whose seal holds: the reason that its signature dictionary states.

    The revision of the seal is looked at alone. It is the issuer's signer that wrote it; what was captured,
    and might imitate such a line, is in the revision before.
    """
    revisions = pdf.split(b"%%EOF", 2)
    found = {
        b"-".join(match.groups()).decode()
        for match in _NUMBER.finditer(revisions[1] if len(revisions) > 1 else b"")
    }
    return found.pop() if len(found) == 1 else None


def digests(pdf: bytes) -> Iterator[str]:
    """SHA-256 of a file, and of what it was before revisions were added to it, newest first.

    Anybody can add a document time stamp; what the issuer released is then the beginning of the file.
    """
    ends = [match.end() for match in re.finditer(rb"%%EOF(?:\r\n|\n|\r)?", pdf)]
    view, whole, position = memoryview(pdf), hashlib.sha256(), 0
    found = []
    # Gone through once for all of them: every certificate that is verified is asked for its digests.
    for end in [*ends[1:-1], len(pdf)]:
        whole.update(view[position:end])
        position = end
        found.append(whole.hexdigest())
    return reversed(found)


def judge(answer: bytes | None, file: CertificateFile, *, register: str) -> Registered:
    """What a register's answer means for a certificate.

    Args:
        answer: its bytes; None when it has no such number.

    Raises:
        UnavailableError: the answer is none of a register.
    """
    number = str(file.number)
    if answer is None:
        return Registered(
            register,
            number,
            "unknown",
            f"the register at {register} has no certificate {number}",
            "ask the issuer; the certificate may name another register",
        )
    entry = _read(answer, register)
    if entry["number"] != number:
        raise UnavailableError(f"the register at {register} answered about another certificate")
    known = [item["sha256"] for item in entry["pdfs"]]
    released = next((item for item in file.digests if item in known), None)
    if entry["status"] == "reserved" or released is None:
        return Registered(
            register,
            number,
            "not_released",
            f"the register at {register} knows {number}, but not this file",
            "get the certificate again from its issuer and compare its SHA-256",
        )
    if entry["status"] == "released":
        newer = " (the register has the file with a newer time stamp)" if released != known[-1] else ""
        return Registered(
            register,
            number,
            "current",
            f"{number} is current, and this is its file{newer}",
            since=entry["since"],
        )
    return _ended(entry, register)


def not_checked(register: str, number: str | None, why: str, what_to_do: str) -> Registered:
    """What is said when a register could not be asked."""
    return Registered(register, number, "not_checked", why, what_to_do)


def _ended(entry: Mapping[str, Any], register: str) -> Registered:
    number, successor = entry["number"], entry["superseded_by"]
    superseded = entry["status"] == "superseded"
    return Registered(
        register,
        number,
        "superseded" if superseded else "withdrawn",
        f"the issuer's register calls {number} {entry['status']} since {entry['since']}"
        + (f" by {successor}" if superseded else "")
        + f": {entry['reason']}",
        f"ask the issuer for {successor}"
        if superseded
        else "ask the issuer why, and for another certificate",
        since=entry["since"],
        reason=entry["reason"],
        superseded_by=successor,
    )


def _read(answer: bytes, register: str) -> dict[str, Any]:
    """The members that are used; whatever else an answer has is left alone."""
    try:
        if len(answer) > LIMIT:
            raise ValueError
        check_nesting(answer, what="register's answer")
        value = json.loads(answer)
        if value["format"] != FORMAT or value["status"] not in _STATUSES:
            raise ValueError
        for name in ("number", "since", "reason"):
            _TEXT(value[name], name)
        document.optional(_TEXT)(value["superseded_by"], "superseded_by")
        for item in value["pdfs"]:
            _SHA256(item["sha256"], "sha256")
    except (ValueError, LookupError, TypeError, RecursionError, EvidenceError) as error:
        raise UnavailableError(
            f"what answers at {register} is no register of certificates",
            what_to_do="give the address that the certificate names, or that its issuer publishes",
        ) from error
    found: dict[str, Any] = value
    return found
