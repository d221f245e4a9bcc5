"""What is given to the engine: the certificate or bundle, and the evidence files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evidence_service.core.digest import Digest
from evidence_service.errors import EvidenceError
from evidence_service.verify.certificate import OpenedCertificate
from evidence_service.verify.register import CertificateFile


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file given for comparison.

    Attributes:
        name: path as given; matched with the manifest by its ending.
        digest: of its whole content.
    """

    name: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class Material:
    """What is to be verified.

    Attributes:
        subject: name for the report.
        bundle: bytes of the proof bundle.
        certificate: the opened certificate the bundle was taken from, None for a bare bundle.
        files: evidence files given with it.
        digests: bare digests given instead of files, SHA-256 (32 bytes) or SHA3-512 (64 bytes).
        file: what the issuer's register can be asked with; None for a bare bundle.
        trouble: why the certificate could not be opened; the bundle is empty then.
    """

    subject: str
    bundle: bytes = b""
    certificate: OpenedCertificate | None = None
    files: Sequence[EvidenceFile] = ()
    digests: Sequence[bytes] = ()
    file: CertificateFile | None = None
    trouble: EvidenceError | None = None
