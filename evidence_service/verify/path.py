"""Whether a certificate path ends in a root somebody trusts: a small, strict part of RFC 5280 section 6."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
}


def trusted_root(  # noqa: PLR0911 - one return for each reason
    path: Sequence[x509.Certificate], roots: Sequence[bytes], *, at: datetime, timestamping: bool
) -> tuple[bool, str]:
    """Whether the path is valid at a moment and ends in one of the roots.

    Args:
        path: signer first, each already known to be signed by the next.
        roots: DER certificates.
        timestamping: the signer must be a time-stamping authority (RFC 3161 section 2.3).

    Returns:
        Whether it is, and why not in words.
    """
    complete = _complete(path, roots)
    if complete is None:
        return False, "its certificate does not lead to a trusted root"
    for depth, certificate in enumerate(complete):
        name = _name(certificate)
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            return False, f"the certificate of {name} was not valid at {at:%Y-%m-%d %H:%M:%S} UTC"
        try:
            extensions = list(certificate.extensions)
        except ValueError:
            return False, f"the certificate of {name} has extensions that cannot be read"
        for extension in extensions:
            if extension.critical and extension.oid not in _UNDERSTOOD:
                return False, f"the certificate of {name} has a critical extension that is not understood"
        if depth and not _may_issue(certificate, below=depth - 1):
            return False, f"{name} may not issue certificates"
    if timestamping and not _may_stamp(complete[0]):
        return False, f"the certificate of {_name(complete[0])} is not for time stamping alone"
    return True, ""


def _complete(
    path: Sequence[x509.Certificate], roots: Sequence[bytes]
) -> tuple[x509.Certificate, ...] | None:
    """The path with the trusted root at its end, None when no root fits."""
    top = path[-1]
    for der in roots:
        root = x509.load_der_x509_certificate(der)
        # The top itself has to be bound: a certificate above the root would be bytes nobody vouches for.
        if top.public_bytes(Encoding.DER) == der:
            return tuple(path)
        if top.issuer == root.subject:
            try:
                top.verify_directly_issued_by(root)
            except (InvalidSignature, ValueError, TypeError):
                continue
            return (*path, root)
    return None


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
