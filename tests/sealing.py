"""Validation data for seals of a world of our own, and seals of every level in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from evidence_service.certificate.sealing import Level, Revocation, SealKey, ValidationData, extend, seal
from tests.forgeries.keys import Authority, Issuer, later
from tests.forgeries.renewing import revocation_list


def no_stamp(digest: bytes) -> bytes:
    """Not to be asked."""
    raise AssertionError("a seal without a time stamp was to be made")


def nobody_publishes(path: Sequence[x509.Certificate], *, timestamping: bool) -> None:
    """There are no revocation lists."""


def published_by(*issuers: Issuer, at: datetime) -> Revocation:
    """The issuers' lists of a moment, which revoke nobody; each has to sign the top of a path itself."""

    def collect(path: Sequence[x509.Certificate], *, timestamping: bool) -> ValidationData | None:
        above = [item for item in issuers if item.certificate.subject == path[-1].issuer]
        if not above:
            return None
        whole = tuple(path) if path[-1] == above[0].certificate else (*path, above[0].certificate)
        return ValidationData(whole, (revocation_list(above[0], at=at),))

    return collect


def sealed_at(
    pdf: bytes,
    key: SealKey,
    level: Level,
    *issuers: Issuer,
    stamps: Sequence[tuple[Authority, datetime]],
) -> bytes:
    """A seal of a level in the revision shape of the service.

    Args:
        issuers: roots whose revocation lists are stored.
        stamps: who stamps and when: first the signature; at level B-LTA then the first archive time stamp, and
            one extension for each that follows.
    """
    waiting = list(stamps)

    def stamp(digest: bytes) -> bytes:
        maker, at = waiting.pop(0)
        return maker.token(digest, at)

    def published() -> Revocation:
        return published_by(*issuers, at=waiting[0][1] if waiting else later())

    done = seal(pdf, key, level=level, stamp=stamp, revocation=published(), reason="Issued")
    while waiting:
        done = extend(done.pdf, stamp=stamp, revocation=published())
    if done.level != level:
        raise AssertionError(f"{level} was asked for, {done.level} was made")
    return done.pdf
