"""pyHanko's judgement of a seal's level (ETSI EN 319 102-1), from the file alone: nothing is fetched."""

from __future__ import annotations

import asyncio
import dataclasses
import io
from collections.abc import Sequence

from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.ades.report import AdESPassed
from pyhanko.sign.validation import ades
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.errors import NoDSSFoundError
from pyhanko.sign.validation.policy_decl import (
    LocalKnowledge,
    PdfSignatureValidationSpec,
    RevinfoOnlineFetchingRule,
    RevocationInfoGatheringSpec,
    SignatureValidationSpec,
)
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import NO_REVOCATION, REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleTrustManager
from pyhanko_certvalidator.revinfo.archival import CRLContainer


def level_by_pyhanko(pdf: bytes, roots: Sequence[bytes]) -> str:
    """The highest level at which the seal of a file passes, now.

    Args:
        roots: DER certificates of those who issue seals and time stamps.
    """
    return asyncio.run(_level(pdf, roots))


async def _level(pdf: bytes, roots: Sequence[bytes]) -> str:
    seal = PdfFileReader(io.BytesIO(pdf)).embedded_regular_signatures[0]
    arguments = {"raw_digest": seal.compute_digest()}
    basic = await ades.ades_basic_validation(seal.signed_data, _spec(roots, NO_REVOCATION), **arguments)
    if basic.ades_subindic != AdESPassed.OK:
        return f"none: {basic.ades_subindic} {basic.failure_msg}"
    timed = await ades.ades_with_time_validation(seal.signed_data, _spec(roots, NO_REVOCATION), **arguments)
    if not _is_timed(timed):
        return "PAdES B-B"
    spec = _spec(roots, REQUIRE_REVINFO, _stored(seal.reader, roots))
    lasting = await ades.ades_with_time_validation(seal.signed_data, spec, **arguments)
    if not _is_timed(lasting):
        return "PAdES B-T"
    archived = await ades.ades_lta_validation(seal, PdfSignatureValidationSpec(_spec(roots, REQUIRE_REVINFO)))
    if archived.ades_subindic != AdESPassed.OK or archived.oldest_evidence_record_timestamp is None:
        return "PAdES B-LT"
    return "PAdES B-LTA"


def _is_timed(result: ades.AdESWithTimeValidationResult) -> bool:
    stamp = None if result.api_status is None else result.api_status.timestamp_validity
    if result.ades_subindic != AdESPassed.OK or stamp is None:
        return False
    return bool(stamp.intact and stamp.valid and stamp.trusted)


def _spec(
    roots: Sequence[bytes], rule: object, known: LocalKnowledge | None = None
) -> SignatureValidationSpec:
    trust = SimpleTrustManager.build(trust_roots=[x509.Certificate.load(item) for item in roots])
    spec = SignatureValidationSpec(
        cert_validation_policy=CertValidationPolicySpec(
            trust_manager=trust, revinfo_policy=CertRevTrustPolicy(rule)
        ),
        revinfo_gathering_policy=RevocationInfoGatheringSpec(RevinfoOnlineFetchingRule.LOCAL_ONLY),
    )
    return spec if known is None else dataclasses.replace(spec, local_knowledge=known)


def _stored(reader: PdfFileReader, roots: Sequence[bytes]) -> LocalKnowledge:
    trusted = [x509.Certificate.load(item) for item in roots]
    try:
        store = DocumentSecurityStore.read_dss(reader)
        context = store.as_validation_context({"allow_fetching": False, "trust_roots": trusted})
    except NoDSSFoundError:
        return LocalKnowledge()
    return LocalKnowledge(
        known_crls=[CRLContainer(item) for item in context.crls],
        known_certs=list(context.certificate_registry),
    )
