"""Whether a certificate path ends in a root somebody trusts: a small, strict part of RFC 5280 section 6."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from evidence_service.verify.signatures import DAMAGED

_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
}


def trusted_path(
    path: Sequence[x509.Certificate], roots: Sequence[bytes], *, at: datetime, timestamping: bool
) -> tuple[tuple[x509.Certificate, ...] | None, str]:
    """The path up to the first of the roots that it ends in and under which it is valid at a moment.

    Args:
        path: signer first, each already known to be signed by the next.
        roots: DER certificates.
        timestamping: the signer must be a time-stamping authority (RFC 3161 section 2.3).

    Returns:
        The path with the root at its end, or None and why in words.
    """
    why = "its certificate does not lead to a trusted root"
    for complete in _completed(path, roots):
        why = _fault(complete, at=at, timestamping=timestamping)
        if not why:
            return complete, ""
    return None, why


def _fault(path: Sequence[x509.Certificate], *, at: datetime, timestamping: bool) -> str:
    """Why a path with its root is not valid at a moment; empty when it is."""
    for depth, certificate in enumerate(path):
        name = _name(certificate)
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            return f"the certificate of {name} was not valid at {at:%Y-%m-%d %H:%M:%S} UTC"
        try:
            extensions = list(certificate.extensions)
        except DAMAGED:
            return f"the certificate of {name} has extensions that cannot be read"
        for extension in extensions:
            if extension.critical and extension.oid not in _UNDERSTOOD:
                return f"the certificate of {name} has a critical extension that is not understood"
        if depth and not _may_issue(certificate, below=depth - 1):
            return f"{name} may not issue certificates"
    if timestamping and not _may_stamp(path[0]):
        return f"the certificate of {_name(path[0])} is not for time stamping alone"
    return ""


def _completed(
    path: Sequence[x509.Certificate], roots: Sequence[bytes]
) -> Iterator[tuple[x509.Certificate, ...]]:
    """The path with each root at its end that fits there."""
    top = path[-1]
    for der in roots:
        root = x509.load_der_x509_certificate(der)
        # The top itself has to be bound: a certificate above the root would be bytes nobody vouches for.
        if top.public_bytes(Encoding.DER) == der:
            yield tuple(path)
        elif top.issuer == root.subject:
            try:
                top.verify_directly_issued_by(root)
            except (InvalidSignature, *DAMAGED):
                continue
            yield (*path, root)


def _may_issue(certificate: x509.Certificate, *, below: int) -> bool:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    if not constraints.ca or (constraints.path_length is not None and constraints.path_length < below):
        return False
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def _may_stamp(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return False
    return usage.critical and list(usage.value) == [ExtendedKeyUsageOID.TIME_STAMPING]


def _name(certificate: x509.Certificate) -> str:
    return common_name(certificate.subject)


def common_name(name: x509.Name) -> str:
    """The common name, or the whole name where there is none."""
    found = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()
