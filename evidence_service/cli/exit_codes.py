"""The exit code of an error that ends a command."""

from __future__ import annotations

from evidence_service.errors import (
    EvidenceError,
    EvidenceServiceError,
    LimitExceededError,
    RefusedError,
    UnavailableError,
    UnsupportedVersionError,
)
from evidence_service.verify.report import ExitCode

_EXIT_CODES: tuple[tuple[type[EvidenceServiceError], ExitCode], ...] = (
    (LimitExceededError, ExitCode.OVER_LIMIT),
    (UnsupportedVersionError, ExitCode.UNSUPPORTED),
    (EvidenceError, ExitCode.INVALID),
    (UnavailableError, ExitCode.NOT_CHECKED),
    (RefusedError, ExitCode.USAGE),
    (EvidenceServiceError, ExitCode.INTERNAL),
)
"""Most specific first."""

NOT_CAPTURED = 10
"""Only of ``evidence capture``: all is preserved and certified, but not every outcome is ``captured``."""


def exit_code_of(error: EvidenceServiceError) -> ExitCode:
    """Exit code for an error, see the specification, section 11."""
    return next(code for kind, code in _EXIT_CODES if isinstance(error, kind))
