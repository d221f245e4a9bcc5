"""Where the validation data of seals and their time stamps comes from: the lists that certificates name."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import datetime

from cryptography import x509

from evidence_service.certificate.sealing import ValidationData
from evidence_service.errors import UnavailableError
from evidence_service.timestamp.revocation import RevocationLists, distribution_points
from evidence_service.verify.path import common_name, trusted_path


class PublishedLists:
    """A :class:`~evidence_service.certificate.sealing.Revocation` over the published lists.

    Args:
        lists: fetches them, under the egress policy.
        seal_roots: DER certificates a seal's path may end in.
        authority_roots: the same of time-stamping authorities.
    """

    def __init__(
        self,
        lists: RevocationLists,
        *,
        seal_roots: Sequence[bytes],
        authority_roots: Sequence[bytes],
        now: Callable[[], datetime],
    ) -> None:
        self._lists = lists
        self._seal_roots = seal_roots
        self._authority_roots = authority_roots
        self._now = now

    def __call__(self, path: Sequence[x509.Certificate], *, timestamping: bool) -> ValidationData | None:
        """See :class:`~evidence_service.certificate.sealing.Revocation`."""
        now = self._now()
        roots = self._authority_roots if timestamping else self._seal_roots
        whole, _ = trusted_path(path, roots, at=now, timestamping=timestamping)
        if whole is None or not all(distribution_points(item) for item in whole[:-1]):
            return None
        if len(whole) == 1:
            return ValidationData(whole, ())
        found = self._lists.collect(whole, now=now)
        if found["status"] == "absent":
            raise UnavailableError(
                f"the revocation lists for {common_name(whole[0].subject)} could not be had: {found['why']}",
                what_to_do="it is tried again; name their hosts in egress_exceptions if they are not public",
            )
        return ValidationData(whole, tuple(base64.b64decode(item) for item in found["crls"]))
