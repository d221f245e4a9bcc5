"""A typed client of the service for programs; it needs nothing else of this package."""

from evidence_service.client.events import Event
from evidence_service.client.operations import EvidenceClient
from evidence_service.client.problems import (
    ClientError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    ProblemError,
    RefusedError,
    ServiceFaultError,
    TooManyRequestsError,
    UnauthorisedError,
    UnavailableError,
)

__all__ = [
    "ClientError",
    "ConflictError",
    "Event",
    "EvidenceClient",
    "ForbiddenError",
    "NotFoundError",
    "ProblemError",
    "RefusedError",
    "ServiceFaultError",
    "TooManyRequestsError",
    "UnauthorisedError",
    "UnavailableError",
]
