"""Seal a PDF: a PAdES certification signature that allows no change, with a signature time stamp (ETSI EN
319 142-1, levels B-B and B-T).
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asn1crypto import cms
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers
from pyhanko.sign.timestamps import TimeStamper

from evidence_service.errors import ConfigurationError

Stamp = Callable[[bytes], bytes]
"""SHA-512 digest, 64 bytes → DER token. Raises AuthorityUnavailableError."""

_FIELD = "Seal"
_RESERVED = 24 * 1024
"""Bytes kept for the signature: chain, token and room for a larger token than today's."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed certificate and the level its seal reached, e.g. ``PAdES B-T``."""

    pdf: bytes
    level: str


class SealKey:
    """The issuer's signing key with its certificates.

    Args:
        pkcs12: file with key, certificate and chain.
        password: opens it; kept nowhere.

    Raises:
        ConfigurationError: the file cannot be read or opened.
    """

    def __init__(self, pkcs12: Path, password: str) -> None:
        if not pkcs12.is_file():
            raise ConfigurationError(f"the seal's key file {pkcs12} does not exist")
        signer = signers.SimpleSigner.load_pkcs12(str(pkcs12), passphrase=password.encode())
        if signer is None:
            raise ConfigurationError(
                f"the seal's key file {pkcs12} cannot be opened",
                what_to_do="check that it is PKCS#12 and that the password file belongs to it",
            )
        self.signer = signer


def seal(pdf: bytes, key: SealKey, *, stamp: Stamp | None, reason: str) -> Sealed:
    """Sign a PDF; its bytes stay as the beginning of the result.

    Args:
        stamp: gets the time stamp over the signature value; None for a seal without one.
        reason: shown by PDF readers beside the signature.

    Raises:
        AuthorityUnavailableError: from ``stamp``.
    """
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
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
        signer=key.signer,
        timestamper=None if stamp is None else _Stamper(stamp),
        # Invisible: a visible field has no place in the structure tree, which PDF/UA demands.
        new_field_spec=fields.SigFieldSpec(sig_field_name=_FIELD),
    )
    output = io.BytesIO()
    # The loop is made here because a caller's thread has none.
    asyncio.run(signer.async_sign_pdf(writer, bytes_reserved=2 * _RESERVED, output=output))
    return Sealed(output.getvalue(), "PAdES B-B" if stamp is None else "PAdES B-T")


class _Stamper(TimeStamper):
    """pyHanko asks here; the answer comes from the service's own RFC 3161 client."""

    def __init__(self, stamp: Stamp) -> None:
        super().__init__(include_nonce=False)
        self._stamp = stamp

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> cms.ContentInfo:
        """Token over a digest of the signature value."""
        if md_algorithm != "sha512":
            raise ConfigurationError(f"a signature time stamp over {md_algorithm} is not what we verify")
        return cms.ContentInfo.load(self._stamp(message_digest))
