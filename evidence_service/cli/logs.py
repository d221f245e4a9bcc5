"""How a service's log looks: one line an event, and tracebacks without the values of variables.

The library's default shows every local variable of a traceback, keys and passwords among them.
"""

from __future__ import annotations

import sys

import structlog


def configure() -> None:
    """Set it up for this process; the commands that run a service call it first."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
