"""Seal a certificate's PDF: PAdES baseline signatures (ETSI EN 319 142-1) up to B-LTA, and their extension.

The shape of a sealed file: the document, the seal, then pairs of one revision with validation data and one
with a document time stamp over everything before it; at B-LT the first half of a pair alone.
"""

from evidence_service.certificate.sealing.archive import due, extend
from evidence_service.certificate.sealing.keys import SealKey
from evidence_service.certificate.sealing.levels import Level, Sealed
from evidence_service.certificate.sealing.signature import seal
from evidence_service.certificate.sealing.validation import Revocation, ValidationData

__all__ = ["Level", "Revocation", "SealKey", "Sealed", "ValidationData", "due", "extend", "seal"]
