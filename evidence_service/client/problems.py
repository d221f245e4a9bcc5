"""What the service says is wrong, as exceptions (RFC 9457)."""

from __future__ import annotations

import json
from typing import Any

import httpx

_PREFIX = "urn:evidence-service:problem:"


class ClientError(Exception):
    """No answer that could be used: the service was not reached, or what was received is not what it sent."""


class ProblemError(ClientError):
    """The service refused, or could not.

    Attributes:
        type: stable name of the kind of problem.
        title: what is wrong.
        status: of HTTP.
        request_id: to be quoted to whoever runs the service.
        what_to_do: empty where there is nothing to be said.
        retry_after: seconds after which it can be tried again; None where the service does not say.
    """

    def __init__(
        self, type_: str, title: str, status: int, request_id: str, what_to_do: str, retry_after: float | None
    ) -> None:
        super().__init__(f"{title} (status {status}, request {request_id})")
        self.type = type_
        self.title = title
        self.status = status
        self.request_id = request_id
        self.what_to_do = what_to_do
        self.retry_after = retry_after


class UnauthorisedError(ProblemError):
    """401: no known key or token was shown."""


class ForbiddenError(ProblemError):
    """403: the caller may not do this."""


class NotFoundError(ProblemError):
    """404: there is no such thing, or not for this caller."""


class ConflictError(ProblemError):
    """409: it contradicts what is recorded, or is not there yet."""


class RefusedError(ProblemError):
    """Another 4xx: the request was understood and is not carried out as it is."""


class TooManyRequestsError(ProblemError):
    """429: after ``retry_after`` seconds the same request is taken."""


class UnavailableError(ProblemError):
    """503: something the service needs does not answer now."""


class ServiceFaultError(ProblemError):
    """Another 5xx: the service, or what it keeps, is at fault."""


_OF_STATUS: dict[int, type[ProblemError]] = {
    401: UnauthorisedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    429: TooManyRequestsError,
    503: UnavailableError,
}


def problem_of(answer: httpx.Response) -> ProblemError:
    """The exception for an answer whose body was read; a proxy may have given it in the service's place."""
    try:
        body: Any = json.loads(answer.content)
    except ValueError:
        body = None
    told = body if isinstance(body, dict) else {}
    status = answer.status_code
    family = _OF_STATUS.get(status, RefusedError if status < 500 else ServiceFaultError)
    return family(
        str(told.get("type", f"{_PREFIX}http")),
        str(told.get("title", f"HTTP status {status}")),
        status,
        str(told.get("request_id", answer.headers.get("X-Request-Id", ""))),
        str(told.get("what_to_do") or ""),
        _seconds(answer.headers.get("Retry-After", "")),
    )


def _seconds(value: str) -> float | None:
    return float(value) if value.isascii() and value.isdigit() else None
