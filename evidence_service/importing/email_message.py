"""An email as a file (RFC 5322, MIME): who says it came when, by which way, with which attachments."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from email import policy
from email.message import Message
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from typing import BinaryIO

from evidence_service.importing.findings import Notes

SIZE_LIMIT = 64 * 1024 * 1024
MAX_PARTS = 1_000
_ONCE = ("From", "Date", "Subject", "Message-ID", "To", "Cc", "Reply-To", "Sender")
"""RFC 5322, section 3.6: at most one of each; two of them are shown differently by different programs."""
_TOLERANCE = timedelta(minutes=10)
_DOMAIN = re.compile(r"(?:^|;)\s*d\s*=\s*([^;\s]+)")


def examine(file: BinaryIO, size: int, notes: Notes) -> None:
    """Examine an email."""
    if size > SIZE_LIMIT:
        notes.add("limit", f"{size} bytes; an email is examined up to {SIZE_LIMIT}")
        return
    # compat32 gives header fields as they are written; the newer policy repairs them on the way.
    message = BytesParser(policy=policy.compat32).parsebytes(file.read())
    _headers(message, notes)
    _way(message, notes)
    _signatures(message, notes)
    _parts(message, notes)


def _values(message: Message, name: str) -> list[str]:
    return [str(value) for value in message.get_all(name, [])]


def _headers(message: Message, notes: Notes) -> None:
    for name in ("From", "To", "Cc", "Subject", "Date", "Message-ID", "X-Mailer", "User-Agent"):
        if values := _values(message, name):
            notes.fact(name, " ".join(values[0].split()))
    for name in ("From", "Date", "Message-ID"):
        if not _values(message, name):
            notes.add("email.header_missing", f"there is no {name}")
    for name in _ONCE:
        if (count := len(_values(message, name))) > 1:
            notes.add("email.header_repeated", f"{name} is there {count} times")
    if any(not value.isascii() for value in message.values() if isinstance(value, str)) or any(
        not isinstance(value, str) for value in message.values()
    ):
        notes.add("email.charset", "header fields have bytes that are not ASCII and not encoded")


def _way(message: Message, notes: Notes) -> None:
    """The Received fields: the last one written stands first (RFC 5321, section 4.4)."""
    received = _values(message, "Received")
    times = [_moment(value.rpartition(";")[2]) for value in received]
    notes.fact("Received fields", len(received))
    if not received:
        notes.add("email.no_received", "it has no Received field: it was not delivered, or they were removed")
    for number, moment in enumerate(times, start=1):
        if moment is None:
            notes.add("email.date", "its time cannot be read", f"Received {number}")
    known = [moment for moment in reversed(times) if moment is not None]
    if any(later < earlier - _TOLERANCE for earlier, later in itertools.pairwise(known)):
        notes.add("email.received_order", "the servers' times do not follow one another")
    dates = _values(message, "Date")
    sent = _moment(dates[0]) if dates else None
    if dates and sent is None:
        notes.add("email.date", f"{dates[0][:60]!r} is not a date with a zone", "Date")
    if sent is not None and known and sent > known[0] + _TOLERANCE:
        notes.add("email.date", "it says it was sent after the first server received it", "Date")


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(re.sub(r"\([^()]*\)", " ", text).strip())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None


def _signatures(message: Message, notes: Notes) -> None:
    domains = [
        found[1] if (found := _DOMAIN.search(" ".join(value.split()))) else "no domain"
        for value in _values(message, "DKIM-Signature")
    ]
    signed = [f"DKIM of {domain}" for domain in domains]
    signed += [name for name in ("ARC-Seal",) if _values(message, name)]
    signed += [
        part.get_content_type() for part in message.walk() if part.get_content_type() == "multipart/signed"
    ]
    if signed:
        words = f"signed ({', '.join(signed[:5])}); the signatures were not checked, which needs their keys"
        notes.add("email.signature_not_checked", words)
    else:
        notes.add("email.unsigned", "it has no signature of a server or sender")


def _parts(message: Message, notes: Notes) -> None:
    attachments: list[str] = []
    for number, part in enumerate(_walk(message, notes), start=1):
        where = f"part {number}"
        for defect in part.defects:
            notes.add("email.defect", type(defect).__name__, where)
        if part.is_multipart():
            continue
        payload = part.get_payload(decode=True)
        data = payload if isinstance(payload, bytes) else b""
        name = part.get_filename()
        if name is not None or part.get_content_disposition() == "attachment":
            digest = hashlib.sha256(data).hexdigest()
            attachments.append(
                f"{name or 'unnamed'} ({part.get_content_type()}, {len(data)} bytes) SHA-256 {digest}"
            )
        elif part.get_content_maintype() == "text":
            _charset(part, data, where, notes)
    notes.fact("attachments", attachments[:200])


def _walk(message: Message, notes: Notes) -> Iterator[Message]:
    for number, part in enumerate(message.walk()):
        notes.tick()
        if number >= MAX_PARTS:
            notes.add("limit", f"more than {MAX_PARTS} parts; the rest was not examined")
            return
        yield part


def _charset(part: Message, data: bytes, where: str, notes: Notes) -> None:
    charset = part.get_content_charset("us-ascii")
    try:
        data.decode(charset)
    except LookupError:
        notes.add("email.charset", f"the character set {charset[:40]!r} is not known", where)
    except (UnicodeError, ValueError):
        notes.add(
            "email.charset", f"the text is not in the character set {charset[:40]!r} it announces", where
        )
