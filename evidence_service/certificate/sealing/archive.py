"""Keep a seal provable: add validation data and an archive time stamp before the newest one ends.

ETSI EN 319 142-1, clause 5.5: level B-LTA is kept by adding, again and again, the data that proves the newest
document time stamp, and a document time stamp over it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from evidence_service.certificate.sealing.contents import Contents, read
from evidence_service.certificate.sealing.levels import Sealed, level_of
from evidence_service.certificate.sealing.revisions import (
    Stamp,
    with_document_time_stamp,
    with_validation_data,
)
from evidence_service.certificate.sealing.validation import Revocation, ValidationData
from evidence_service.errors import ConfigurationError, MismatchError


def ends_at(pdf: bytes) -> datetime:
    """When the newest time stamp of a sealed file ends to prove anything, UTC.

    That is when the first certificate of its path ends; of a seal without a time stamp, of its own path.

    Raises:
        MalformedError, MismatchError: not a sealed file, or one that was changed.
    """
    return _end(read(pdf))


def due(pdf: bytes, now: datetime, *, before: timedelta) -> bool:
    """Whether a sealed file has to be extended now.

    Args:
        before: time between an extension and the end it is made for.
    """
    return now >= ends_at(pdf) - before


def extend(pdf: bytes, *, stamp: Stamp, revocation: Revocation) -> Sealed:
    """Add validation data and an archive time stamp, in a revision each; earlier bytes stay.

    It renews a seal of level B-LTA and lifts a lower one as far as its validation data permits. Repeating it
    after a lost answer is harmless: it starts from the file it is given and changes nothing elsewhere.

    Raises:
        UnavailableError: data or a time stamp could not be had; nothing is half-made.
        MismatchError: a certificate is revoked, or there is no time stamp that has not ended.
        ConfigurationError: some of the data is not to be had at all.
    """
    before = read(pdf)
    if before.token is None:
        raise MismatchError(
            "a seal without a time stamp cannot be extended", what_to_do="issue the certificate again"
        )
    data = missing(before, revocation)
    if data is None:
        raise ConfigurationError(
            "the seal cannot be extended: one of its certificates, or of its time stamps', leads to no "
            "trusted root or names no revocation list that is published over http",
            what_to_do="name their roots in the trust file and under authorities; use an authority that "
            "publishes revocation lists",
        )
    extended = with_document_time_stamp(
        with_validation_data(pdf, data), stamp, number=len(before.archive) + 1
    )
    after = read(extended)
    # The new stamp's own time decides: what it covers had to be provable when it was made.
    if after.archive[-1].gen_time >= _end(before):
        raise MismatchError(
            f"the newest time stamp ended at {_end(before):%Y-%m-%d %H:%M:%S} UTC: too late to extend it",
            what_to_do="issue the certificate again; the evidence in it has time stamps of its own",
        )
    return Sealed(extended, level_of(after))


def missing(found: Contents, revocation: Revocation) -> list[ValidationData] | None:
    """Data for what a file cannot prove yet, and fresh data for its newest time stamp.

    Returns:
        None when some of it is not to be had.
    """
    stamps = [item for item in (found.token, *found.archive) if item is not None]
    wanted = [(item.signed.path, item.gen_time, True) for item in stamps]
    if stamps:
        wanted.insert(0, (found.path, stamps[0].gen_time, False))
    data = [
        revocation(path, timestamping=timestamping)
        for path, moment, timestamping in wanted
        if path is wanted[-1][0] or not found.stored.proves(path, at=moment)
    ]
    complete = [item for item in data if item is not None]
    return complete if len(complete) == len(data) else None


def _end(found: Contents) -> datetime:
    path = found.path
    if found.token is not None:
        path = (found.token, *found.archive)[-1].signed.path
    return min(certificate.not_valid_after_utc for certificate in found.stored.complete(path))
