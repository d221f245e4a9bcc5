"""Seal a PDF: a PAdES certification signature that allows no change, up to the level that is asked for."""

from __future__ import annotations

import asyncio
import io

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko_certvalidator.registry import SimpleCertificateStore

from evidence_service.certificate.sealing.archive import missing
from evidence_service.certificate.sealing.contents import read
from evidence_service.certificate.sealing.keys import Identity, SealKey
from evidence_service.certificate.sealing.levels import Level, Sealed, judged
from evidence_service.certificate.sealing.revisions import (
    Stamp,
    Stamper,
    with_document_time_stamp,
    with_validation_data,
)
from evidence_service.certificate.sealing.validation import Revocation

_FIELD = "Seal"
_RESERVED = 24 * 1024
"""Bytes kept for the signature: chain, token and room for a larger token than today's."""


def seal(
    pdf: bytes, key: SealKey, *, level: Level, stamp: Stamp, revocation: Revocation, reason: str
) -> Sealed:
    """Sign a PDF; its bytes stay as the beginning of the result.

    To repeat it after a lost answer is harmless: nothing that was made before is used, and a signature of the
    key over a file that nobody has proves nothing to anybody.

    Args:
        level: to be reached; the result says what was.
        stamp: gets the time stamps.
        revocation: collects validation data, for B-LT and above.
        reason: shown by PDF readers beside the signature.

    Raises:
        UnavailableError: the key's custodian, an authority or the publisher of a revocation list does not
            answer; nothing is half-made.
        MismatchError: the key's certificate, or one above it, is revoked.
        ConfigurationError: the key cannot be used.
    """
    identity = key.identity()
    lasting = level in ("PAdES B-LT", "PAdES B-LTA")
    if lasting:
        # Asked first: a revoked certificate signs nothing. The list is kept, the second time costs nothing.
        revocation(identity.path, timestamping=False)
    sealed = _signed(pdf, key, identity, reason, None if level == "PAdES B-B" else stamp)
    if lasting:
        data = missing(read(sealed), revocation)
        if data is not None:
            sealed = with_validation_data(sealed, data)
            if level == "PAdES B-LTA":
                sealed = with_document_time_stamp(sealed, stamp, number=1)
    return judged(sealed)


def _signed(pdf: bytes, key: SealKey, identity: Identity, reason: str, stamp: Stamp | None) -> bytes:
    metadata = signers.PdfSignatureMetadata(
        field_name=_FIELD,
        md_algorithm="sha512",
        subfilter=fields.SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=fields.MDPPerm.NO_CHANGES,
        reason=reason,
    )
    signer = signers.PdfSigner(
        metadata,
        signer=_KeySigner(key, identity),
        timestamper=None if stamp is None else Stamper(stamp),
        # Invisible: a visible field has no place in the structure tree, which PDF/UA demands.
        new_field_spec=fields.SigFieldSpec(sig_field_name=_FIELD, readable_field_name=_FIELD),
    )
    output = io.BytesIO()
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    # The loop is made here because a caller's thread has none.
    asyncio.run(signer.async_sign_pdf(writer, bytes_reserved=2 * _RESERVED, output=output))
    return output.getvalue()


class _KeySigner(signers.Signer):
    """pyHanko asks here for the signature value; wherever the key is, it is checked before it is used."""

    def __init__(self, key: SealKey, identity: Identity) -> None:
        store = SimpleCertificateStore()
        store.register_multiple(_asn1(item) for item in identity.path[1:])
        super().__init__(signing_cert=_asn1(identity.path[0]), cert_registry=store)
        self._key = key

    async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
        """Signature over SHA-512 of the signed attributes."""
        return await asyncio.to_thread(self._key.sign, data)


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
