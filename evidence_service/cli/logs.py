"""How a service's log looks: one event a line, JSON unless a person watches, without secrets.

Tracebacks come without the values of variables (the library's default shows every local one, keys and
passwords among them), and what the libraries log passes the same filter as what the service logs itself.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from structlog.types import EventDict, Processor

MASK = "[masked]"
_REQUESTS = "evidence_service.api.observing"
_SHORTEST = 8
"""Letters of a secret that is looked for by its value: a shorter one would mask half of the log's words."""
_TOLD = re.compile(
    # user:password@ of an address; the query of an address, which may hold a key or a listing's terms;
    r"(?P<user>[a-z][a-z0-9+.-]*://)[^\s/@'\"]*@|(?P<query>[a-z][a-z0-9+.-]*://[^\s'\"?#]*)\?[^\s'\"]*"
    # secrets of webhooks (Standard Webhooks); credentials of a request; libpq's way to write a password.
    r"|(?P<hook>\bwhsec_)[A-Za-z0-9+/=_-]+|(?P<scheme>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}|(?P<libpq>\bpassword\s*=\s*)('[^']*'|\S+)",
    re.IGNORECASE,
)
_NAMES = re.compile(
    r"password|passwd|secret|token|authorization|cookie|api_?key|login_state|pin\b", re.IGNORECASE
)


class Redaction:
    """Masks secrets in an event: members whose name says so, known values, and what looks like credentials.

    Args:
        secrets: values this process knows.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({item for item in secrets if len(item) >= _SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, _: Any, __: str, event: EventDict) -> EventDict:
        """A processor of structlog."""
        return {name: MASK if _NAMES.search(name) else self._masked(value) for name, value in event.items()}

    def __repr__(self) -> str:
        return "Redaction()"

    def text(self, words: str) -> str:
        """The same for words."""
        if self._known is not None:
            words = self._known.sub(MASK, words)
        return _TOLD.sub(_mask, words)

    def _masked(self, value: Any) -> Any:
        if isinstance(value, bool | int | float) or value is None:
            return value
        if isinstance(value, Mapping):
            return self("", "", dict(value))
        if isinstance(value, list | tuple):
            return [self._masked(item) for item in value]
        return self.text(str(value))


def _mask(found: re.Match[str]) -> str:
    groups = found.groupdict()
    if groups["user"]:
        return f"{groups['user']}{MASK}@"
    if groups["query"]:
        return f"{groups['query']}?{MASK}"
    return f"{groups['hook'] or groups['scheme'] or groups['libpq']}{MASK}"


def configure(secrets: Iterable[str] = ()) -> None:
    """Set it up for this process; the commands that run a service call it first.

    Args:
        secrets: values that must not appear, whatever they appear in.
    """
    masking = Redaction(secrets)
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    watched = sys.stderr.isatty()
    after = _for_people(masking) if watched else _for_machines(masking)
    structlog.configure(
        processors=[
            *before,
            *(() if watched else (_write_request,)),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *after],
        )
    )
    logging.root.handlers = [handler]
    # It writes in a form of its own unless somebody else was there first.
    durable = logging.getLogger("dbos")
    durable.handlers, durable.propagate = [handler], False
    logging.root.setLevel(logging.WARNING)
    logging.getLogger("evidence_service").setLevel(logging.INFO)


def _write_request(_: Any, __: str, event: EventDict) -> EventDict:
    """Write the line of a request at once, past the rest of the way, which takes a fifth of a small request.

    It has nothing to mask: a method and a route of ours, a status, a time, and ids that were checked.
    """
    if event.get("logger") != _REQUESTS:
        return event
    sys.stderr.write(json.dumps(event) + "\n")
    raise structlog.DropEvent


def _for_machines(masking: Redaction) -> list[Processor]:
    return [structlog.processors.format_exc_info, masking, structlog.processors.JSONRenderer()]


def _for_people(masking: Redaction) -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        masking,
        structlog.dev.ConsoleRenderer(colors=True, exception_formatter=structlog.dev.plain_traceback),
    ]
