"""Requests that are repeated safely, and downloads that are checked."""

from __future__ import annotations

import hashlib
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from evidence_service.client.events import Event, Message, messages
from evidence_service.client.problems import ClientError, ProblemError, problem_of

_LONGEST_WAIT = 60.0
"""Seconds before a repetition, whatever the service asks for."""
_PORTION = 1 << 20
_AGAIN = 2.0
"""Seconds until a stream that ended is followed again."""
_SHA256_DIGITS = 64


class Transport:
    """A connection to one service with one key.

    Args:
        base_url: of the service, e.g. ``https://evidence.example``.
        key: an API key or a token of an OpenID provider; never shown.
        organisation: needed by members of several organisations who show a token.
        attempts: how often a request is sent at most.
        timeout: seconds for which nothing may arrive.
        wait: waits so many seconds; to be replaced by tests.
        new_key: makes an idempotency key for each call that creates something and was given none.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        organisation: str | None = None,
        attempts: int = 4,
        timeout: float = 60.0,
        wait: Callable[[float], None] = time.sleep,
        new_key: Callable[[], str] = lambda: secrets.token_hex(16),
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        if organisation is not None:
            headers["Evidence-Organisation"] = organisation
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=timeout, transport=transport)
        self._attempts = attempts
        self._wait = wait
        self._new_key = new_key

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(
        self,
        answer: Any,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: BaseModel | bytes | Path | None = None,
        key: str | None = None,
        creates: bool = False,
        kind: str = "application/json",
        fields: Mapping[str, str | None] | None = None,
    ) -> Any:
        """Carry out an operation; its answer as the type ``answer``.

        Raises:
            ProblemError: the service refused it, or could not, as often as it was asked.
            ClientError: it was not reached, or answered what its description does not know.
        """
        headers = {name: value for name, value in (fields or {}).items() if value is not None}
        if creates:
            headers["Idempotency-Key"] = key or self._new_key()
        if body is not None:
            headers["Content-Type"] = kind
        request = _Request(method, path, _written(query), body, headers)
        with self._answered(request) as response:
            response.read()
        if answer is None:
            return None
        try:
            return TypeAdapter(answer).validate_json(response.content)
        except ValidationError as error:
            raise ClientError(f"{method} {path} was answered otherwise than described: {error}") from error

    def _download(
        self, to: Path, sha256: str | None, path: str, *, query: Mapping[str, Any] | None = None
    ) -> Path:
        """Write an answer to a file, which appears whole or not at all.

        Args:
            sha256: what the bytes have to hash to, in hexadecimal; where None, the answer's entity tag is
                taken when it is such a digest.

        Raises:
            ProblemError: as above.
            ClientError: the bytes are others, or did not all arrive.
        """
        with self._answered(_Request("GET", path, _written(query), None, {})) as response:
            tag = response.headers.get("ETag", "").strip('"')
            wanted = sha256 or (tag if len(tag) == _SHA256_DIGITS else None)
            with tempfile.NamedTemporaryFile(dir=to.parent, prefix=f".{to.name}-", delete=False) as sink:
                try:
                    found = _received(response, sink)
                    if wanted is not None and found != wanted.lower():
                        raise ClientError(f"GET {path} gave bytes with SHA-256 {found}, not {wanted}")
                    Path(sink.name).replace(to)
                except BaseException:
                    Path(sink.name).unlink(missing_ok=True)
                    raise
        return to

    def _look(self, path: str) -> dict[str, str]:
        """The header fields of an answer without a body, their names in lower case.

        Raises:
            ProblemError, ClientError: as above.
        """
        with self._answered(_Request("HEAD", path, {}, None, {})) as response:
            return dict(response.headers)

    def _follow(self, path: str, query: Mapping[str, Any]) -> Iterator[Event]:
        """Events without end: a stream that ends or breaks off is followed on after the last one.

        Raises:
            ProblemError: as above.
            ClientError: as above, or what comes is no event.
        """
        headers = {"Accept": "text/event-stream"}
        while True:
            request = _Request("GET", path, _written(query), None, headers)
            with self._answered(request) as response, suppress(httpx.HTTPError):
                for message in messages(response.iter_lines()):
                    if message.data:
                        yield _event(message)
                    if message.id:
                        headers["Last-Event-ID"] = message.id
            self._wait(_AGAIN)

    def _pages(self, page: type[Any], path: str, cursor: str, query: Mapping[str, Any]) -> Iterator[Any]:
        """The items of all pages, each page asked for when the one before is used up."""
        position = query.get(cursor)
        while True:
            found = self._ask(page, "GET", path, query={**query, cursor: position})
            yield from found.items
            if found.next is None:
                return
            position = found.next

    @contextmanager
    def _answered(self, request: _Request) -> Iterator[httpx.Response]:
        """An answer that is none of a problem, its body not read yet."""
        for left in reversed(range(self._attempts)):
            try:
                with request.send(self._http) as response:
                    if response.is_success:
                        yield response
                        return
                    response.read()
                    problem = problem_of(response)
            except httpx.HTTPError as error:
                # Whether it was carried out is not known.
                if not left or not request.repeatable:
                    raise ClientError(f"{request} was not answered: {error!r}") from error
                self._wait(1.0)
                continue
            if not left or not request.may_be_repeated_after(problem):
                raise problem
            self._wait(min(problem.retry_after or 1.0, _LONGEST_WAIT))


class _Request:
    """One that can be sent again with the same idempotency key."""

    def __init__(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: BaseModel | bytes | Path | None,
        headers: Mapping[str, str],
    ) -> None:
        self._method, self._path, self._query, self._body = method, path, query, body
        self._headers = dict(headers)
        self.repeatable = method in ("GET", "HEAD", "DELETE") or "Idempotency-Key" in headers

    def __str__(self) -> str:
        return f"{self._method} {self._path}"

    def may_be_repeated_after(self, problem: ProblemError) -> bool:
        """429 says that nothing was done; after 503 the same key makes sure that nothing is done twice."""
        return problem.status == 429 or (problem.status == 503 and self.repeatable)

    @contextmanager
    def send(self, http: httpx.Client) -> Iterator[httpx.Response]:
        with (
            _opened(self._body) as content,
            http.stream(
                self._method, self._path, params=dict(self._query), content=content, headers=self._headers
            ) as response,
        ):
            yield response


def _opened(body: BaseModel | bytes | Path | None) -> AbstractContextManager[Any]:
    if isinstance(body, Path):
        return body.open("rb")
    if isinstance(body, BaseModel):
        return nullcontext(body.model_dump_json(by_alias=True, exclude_unset=True).encode())
    return nullcontext(body)


def _received(response: httpx.Response, sink: IO[bytes]) -> str:
    digest = hashlib.sha256()
    try:
        for portion in response.iter_bytes(_PORTION):
            digest.update(portion)
            sink.write(portion)
    except httpx.HTTPError as error:
        raise ClientError(f"the download broke off: {error!r}") from error
    return digest.hexdigest()


def _event(message: Message) -> Event:
    try:
        return Event.model_validate_json(message.data)
    except ValidationError as error:
        raise ClientError(f"event {message.id} is not what the service describes: {error}") from error


def _written(query: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: _text(value) for name, value in (query or {}).items() if value is not None}


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def part(value: str) -> str:
    """A parameter as one segment of a path."""
    return quote(value, safe="")


def parts(value: str) -> str:
    """A parameter that is the rest of a path."""
    return quote(value, safe="/")
