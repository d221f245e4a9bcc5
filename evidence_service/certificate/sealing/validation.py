"""Validation data: what is kept with a signature so that it can be judged when nobody answers any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography import x509


@dataclass(frozen=True, slots=True)
class ValidationData:
    """What proves one path.

    Attributes:
        certificates: the path, signer first, with the trusted root at its end.
        lists: DER of the revocation lists, one for each certificate below the root.
    """

    certificates: tuple[x509.Certificate, ...]
    lists: tuple[bytes, ...]


class Revocation(Protocol):
    """Collects validation data; it knows whom to trust and where it may connect to."""

    def __call__(self, path: Sequence[x509.Certificate], *, timestamping: bool) -> ValidationData | None:
        """What proves a path now.

        Args:
            path: signer first, each signed by the next, as it travels in the signature.
            timestamping: the signer is a time-stamping authority; else it seals.

        Returns:
            None when there is no such data to be had: the path leads to no trusted root, or one of its
            certificates names no list that is published over http.

        Raises:
            UnavailableError: there is, but it could not be had now.
            MismatchError: a certificate of the path is revoked.
        """
