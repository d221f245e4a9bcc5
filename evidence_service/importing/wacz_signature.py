"""A WACZ's signature (WACZ Signing and Verification 0.1.0), as far as it can be judged without a network.

What is signed is the text of the data package's hash. An *anonymous* signature names a bare key; one of an
*observer* has a certificate for a domain, and a time stamp over the signature.
"""

from __future__ import annotations

import base64
import binascii
import itertools
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import load_der_public_key

from evidence_service.importing.findings import Notes

_NEEDED = (backend, ec)
"""What the library would load when a key is used, in a process that may open no file any more."""
_WHERE = "datapackage-digest.json signedData"


def examine(value: Any, declared: Any, notes: Notes) -> None:
    """Examine ``signedData``.

    Args:
        declared: the hash beside it, which it has to be about.
    """
    if not isinstance(value, dict) or not all(
        isinstance(value.get(name), str) for name in ("hash", "signature")
    ):
        notes.add("wacz.signature", "it has no hash and signature", _WHERE)
        return
    for name in ("software", "created", "domain"):
        if isinstance(value.get(name), str):
            notes.fact(f"signed: {name}", value[name])
    if value["hash"] != declared:
        notes.add("wacz.signature", "what was signed is another hash than the declared one", _WHERE)
        return
    try:
        if isinstance(value.get("domainCert"), str):
            _by_domain(value, notes)
        elif isinstance(value.get("publicKey"), str):
            _anonymous(value, notes)
        else:
            notes.add("wacz.signature_not_checked", "it has neither key nor certificate", _WHERE)
    except (ValueError, TypeError, binascii.Error, UnsupportedAlgorithm) as error:
        notes.add("wacz.signature", f"key, certificate or signature cannot be read: {error}", _WHERE)


def _anonymous(value: dict[str, Any], notes: Notes) -> None:
    data = base64.b64decode(value["publicKey"], validate=True)
    if not _holds(load_der_public_key(data), value):
        notes.add("wacz.signature", "it does not hold under the key beside it", _WHERE)
        return
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    notes.fact("signature", f"holds under the key with SHA-256 {digest.finalize().hex()}")
    notes.add(
        "wacz.signature_not_checked", "whose key it is was not checked: the signature is anonymous", _WHERE
    )


def _by_domain(value: dict[str, Any], notes: Notes) -> None:
    chain = x509.load_pem_x509_certificates(value["domainCert"].encode())
    leaf = chain[0]
    if not _holds(leaf.public_key(), value):
        notes.add("wacz.signature", "it does not hold under the certificate beside it", _WHERE)
        return
    try:
        for lower, upper in itertools.pairwise(chain):
            lower.verify_directly_issued_by(upper)
    except InvalidSignature:
        notes.add("wacz.signature", "the certificates do not follow from one another", _WHERE)
    names = _names(leaf)
    if value.get("domain") not in names:
        notes.add("wacz.signature", f"the certificate is for {', '.join(names) or 'no name'}", _WHERE)
    created = datetime.fromisoformat(str(value.get("created")))
    if created.tzinfo is None or not leaf.not_valid_before_utc <= created <= leaf.not_valid_after_utc:
        notes.add(
            "wacz.signature", "the certificate was not valid at the time of signing that it states", _WHERE
        )
    notes.fact("signature", f"holds under a certificate for {', '.join(names)}")
    stamp = "its time stamp" if value.get("timeSignature") else "its time (it has no time stamp)"
    notes.add(
        "wacz.signature_not_checked",
        f"not checked: whether a trusted authority issued the certificate, its revocation, and {stamp}",
        _WHERE,
    )


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return [str(item.value) for item in common]
    return found.value.get_values_for_type(x509.DNSName)


def _holds(key: Any, value: dict[str, Any]) -> bool:
    """ECDSA in both notations: DER, and the two numbers one after the other, which browsers write."""
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise UnsupportedAlgorithm("the key is not one for ECDSA")
    signature = base64.b64decode(value["signature"], validate=True)
    forms = [signature]
    half = (key.curve.key_size + 7) // 8
    if len(signature) == 2 * half:
        numbers = (int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
        forms.append(utils.encode_dss_signature(*numbers))
    for form in forms:
        for algorithm in (hashes.SHA256(), hashes.SHA384()):
            try:
                key.verify(form, value["hash"].encode(), ec.ECDSA(algorithm))
            except InvalidSignature:
                continue
            return True
    return False
