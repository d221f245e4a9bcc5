"""The exit code of an error that ends a command."""

from __future__ import annotations

import sys

from evidence_service.errors import (
    DatabaseUnavailableError,
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


def in_a_family(error: Exception) -> Exception:
    """The same error; one of a database that does not answer, or stopped to, as what is unavailable."""
    if "sqlalchemy" not in sys.modules:  # a command without a database, which does not wait for it to load
        return error
    import psycopg  # noqa: PLC0415 - as above
    from sqlalchemy import exc  # noqa: PLC0415 - as above

    kinds = exc.OperationalError, exc.InterfaceError, exc.TimeoutError
    if not isinstance(error, (*kinds, psycopg.OperationalError, psycopg.InterfaceError)):
        return error
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    words = str(cause).strip().splitlines()
    return DatabaseUnavailableError(
        f"PostgreSQL does not answer: {words[0] if words else type(cause).__name__}",
        what_to_do="try again when it does",
    )
