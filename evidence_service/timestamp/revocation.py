"""Revocation lists of a token's certificates, fetched while they can be had and kept beside the token.

Years later nobody publishes the list that said "not revoked" on the day of the stamp. What cannot be had is
recorded as absent with the reason and never stops a stamp; a certificate that is revoked does.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509

from evidence_service.core.stamp import CRL_LIMIT
from evidence_service.egress.http import Exchange
from evidence_service.errors import (
    EvidenceError,
    MalformedError,
    MismatchError,
    RefusedError,
    UnavailableError,
)
from evidence_service.verify import crl
from evidence_service.verify.path import common_name

MOST_LISTS = 8
"""Lists beside one token, as a bundle keeps them (formats.md section 10)."""

_CLOCKS = timedelta(minutes=10)
_WHY_LIMIT = 400


@dataclass(frozen=True, slots=True)
class _Kept:
    der: bytes
    found: crl.RevocationList


class RevocationLists:
    """Fetches lists; one is kept in this process until its publisher's next update is due.

    Args:
        send: does one HTTP exchange, under the egress policy.
    """

    def __init__(self, send: Exchange) -> None:
        self._send = send
        self._kept: dict[str, _Kept] = {}

    def collect(
        self, path: Sequence[x509.Certificate], *, now: datetime, at: datetime | None = None
    ) -> dict[str, Any]:
        """What a bundle keeps beside a token.

        Args:
            path: from the signer to the trusted root, each signed by the next.
            at: when it signed; None: now.

        Returns:
            ``{"status": "collected", "crls": […]}`` with a list for every certificate below the root, else
            ``{"status": "absent", "why": …}``.

        Raises:
            MismatchError: a certificate of the path is revoked for what was signed then.
        """
        lists, problems = [], []
        for certificate in path[:-1]:
            try:
                lists.append(self._list_for(certificate, path, now, at or now))
            except UnavailableError as error:
                problems.append(f"{common_name(certificate.subject)}: {error.message}")
        if not problems and len(lists) > MOST_LISTS:
            problems.append(f"{len(lists)} lists; at most {MOST_LISTS} are kept")
        if problems or not lists:
            why = "; ".join(problems) or "the root itself signed"
            return {"status": "absent", "why": why[:_WHY_LIMIT]}
        return {"status": "collected", "crls": [base64.b64encode(item).decode() for item in lists]}

    def _list_for(
        self, certificate: x509.Certificate, path: Sequence[x509.Certificate], now: datetime, at: datetime
    ) -> bytes:
        problems = []
        for url in distribution_points(certificate):
            try:
                kept = self._current(url, now)
                # Judged as check 4.4 will judge it: what that would refuse is not kept.
                revoked = crl.revoked(kept.found, path, at=at) or []
            except (UnavailableError, EvidenceError, RefusedError) as error:
                # The address is the certificate's word; where it may lead is the egress policy's to say.
                problems.append(f"{url}: {error.message}")
                continue
            if certificate in revoked:
                raise MismatchError(f"the certificate of {common_name(certificate.subject)} is revoked")
            return kept.der
        raise UnavailableError("; ".join(problems) or "it names no revocation list that is had over http")

    def _current(self, url: str, now: datetime) -> _Kept:
        kept = self._kept.get(url)
        if kept is None or not _is_current(kept.found, now):
            der = self._send(url, limit=CRL_LIMIT).body
            kept = _Kept(der, crl.read(der))
            if not _is_current(kept.found, now):
                raise MalformedError("its list is not current")
            self._kept[url] = kept
        return kept


def _is_current(found: crl.RevocationList, now: datetime) -> bool:
    due = found.next_update
    return due is not None and found.this_update - _CLOCKS <= now <= due


def distribution_points(certificate: x509.Certificate) -> list[str]:
    """Addresses over http of the lists of a certificate's own issuer (RFC 5280 section 4.2.1.13)."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [
        name.value
        for point in points
        # A point with an issuer of its own is of an indirect list; one with reasons says only a part.
        if point.full_name and point.crl_issuer is None and point.reasons is None
        for name in point.full_name
        if isinstance(name, x509.UniformResourceIdentifier) and name.value.startswith("http://")
    ]
