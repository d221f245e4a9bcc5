"""Commands that talk to a running service; ``EVIDENCE_API_URL`` and ``EVIDENCE_API_KEY`` say where."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import httpx
from rich.table import Table

from evidence_service.cli.tables import show_table
from evidence_service.cli.terminal import document, plain
from evidence_service.config import ClientSettings
from evidence_service.errors import (
    ConfigurationError,
    EvidenceServiceError,
    ForbiddenError,
    NotFoundError,
    RefusedError,
    ServiceUnavailableError,
)

CERTIFIED = "certified"
_PAGE = 200
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


def segment(name: str) -> str:
    """A name that somebody gave as one segment of a path."""
    return quote(name, safe="")


def _check_address(url: str) -> None:
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(
            f"EVIDENCE_API_URL is no address: {error}", what_to_do="write it like http://127.0.0.1:8080"
        ) from error
    if found.scheme not in ("http", "https") or not found.host:
        place = url.rpartition("//")[2].rpartition("@")[2]  # not what may stand before it: a password
        raise ConfigurationError(
            f"EVIDENCE_API_URL names {place or 'nothing'} without http:// or https:// in front",
            what_to_do=f"write http://{place or '127.0.0.1:8080'}, or https://…",
        )


class ServiceClient:
    """The API, with its errors turned into the project's."""

    def __init__(self, settings: ClientSettings) -> None:
        self._url = settings.api_url
        _check_address(self._url)
        self._http = httpx.Client(
            base_url=self._url,
            # Without a key nothing is claimed: an empty one is no header that may be sent.
            headers={"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {},
            timeout=60.0,
            trust_env=False,
        )

    def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One request.

        Raises:
            ServiceUnavailableError: nobody answers, or the service cannot answer now.
            NotFoundError: it knows nothing of that name.
            ForbiddenError: the key may not do this.
            RefusedError: it refuses; with its words.
        """
        try:
            answer = self._http.request(method, path, **request)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        self._check(answer)
        return answer

    def _unreachable(self, error: httpx.TransportError) -> ServiceUnavailableError:
        return ServiceUnavailableError(
            f"the service at {self._url} does not answer: {error}",
            what_to_do="start it with “evidence serve”, or set EVIDENCE_API_URL",
        )

    @staticmethod
    def _check(answer: httpx.Response) -> None:
        """Raise what the service says where it does not do what was asked."""
        if answer.is_success:
            return
        try:
            problem = answer.json()
        except ValueError:
            problem = {}
        words = str(problem.get("title", f"HTTP status {answer.status_code}"))
        kind: type[EvidenceServiceError] = RefusedError
        if answer.status_code >= 500:
            kind = ServiceUnavailableError
        elif answer.status_code == httpx.codes.NOT_FOUND:
            kind = NotFoundError
        elif answer.status_code == httpx.codes.FORBIDDEN:
            kind = ForbiddenError
        advice = str(problem.get("what_to_do", ""))
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            advice = (
                "set EVIDENCE_API_KEY to a key that is neither revoked nor out of date; an administrator of "
                "your organisation makes one with “evidence key add”"
            )
        elif kind is ForbiddenError and not advice:
            advice = "ask an administrator of your organisation, who gives roles and makes keys"
        raise kind(words, what_to_do=advice)

    def download(self, path: str, target: Path) -> str:
        """Write an answer to a file as it arrives; its SHA-256, hexadecimal.

        Raises:
            ServiceUnavailableError, RefusedError: as :meth:`call`; what was written is not to be used.
        """
        digest = hashlib.sha256()
        try:
            with self._http.stream("GET", path) as answer, target.open("wb") as writer:
                if not answer.is_success:
                    answer.read()
                self._check(answer)
                for chunk in answer.iter_bytes(1 << 20):
                    writer.write(chunk)
                    digest.update(chunk)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        return digest.hexdigest()

    def items(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Everything on the pages of an answer, one page at a time."""
        following: dict[str, Any] = {}
        while True:
            page = self.call("GET", path, params={**query, "limit": _PAGE, **following}).json()
            yield from page["items"]
            if page["next"] is None:
                return
            following = {"after": page["next"]}

    def create(self, path: str, *, key: str | None = None, **request: Any) -> Any:
        """A creating request under an idempotency key, one of its own when none is given."""
        headers = {"Idempotency-Key": key or secrets.token_hex(16), **request.pop("headers", {})}
        return self.call("POST", path, headers=headers, **request).json()


@click.command()
@click.argument("evidence_ids", nargs=-1, required=True)
@JSON_OPTION
def anchor(evidence_ids: Sequence[str], as_json: bool) -> None:
    """Have evidence anchored now: its batch is closed as soon as it is registered."""
    client = ServiceClient(ClientSettings())
    found = [client.call("POST", f"/v1/evidence/{item}/anchor").json() for item in evidence_ids]
    show_evidence(found, as_json=as_json)


def refused(item: Mapping[str, Any]) -> bool:
    """Whether the work on evidence has ended without the certificate that was ordered."""
    return item["certificate_refused"] is not None


def now_of(item: Mapping[str, Any]) -> str:
    """What is being done for evidence, or waited for."""
    if item["waiting_for"]:
        return f"waiting: {item['waiting_for']}"
    return standing_of(item) if item["progress"] == item["status"] else str(item["progress"])


def standing_of(item: Mapping[str, Any]) -> str:
    """Where evidence stands, in words: what somebody handed over was received, not captured."""
    if item["status"] == "captured" and item["kind"] != "platform_capture":
        return "received"
    return str(item["status"])


def subject_of(item: Mapping[str, Any]) -> str:
    """What evidence is of: an address, or the name of what was uploaded, or whose digest was stated."""
    return str(item["url"] or f"{item['kind']}: {item['name']}")


def state_of(item: Mapping[str, Any]) -> str:
    """Where evidence stands, and how it came in; of a digest nothing came in."""
    outcome = None if item["kind"] == "digest" else item["outcome"]
    state = ", ".join(dict.fromkeys(filter(None, (standing_of(item), outcome))))
    return f"deleted on {item['deleted_at'][:10]} (was {state})" if item["deleted_at"] else state


def show_evidence(found: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print evidence: as it came, or in lines from which ids and addresses can be copied whole."""
    if as_json:
        click.echo(document(found))
        return
    for item in found:
        over = item["status"] == CERTIFIED or item["deleted_at"]
        shade = "red" if item["deleted_at"] else "green" if over else "yellow"
        click.echo(plain(item["id"]) + "  " + click.style(plain(state_of(item)), fg=shade))
        click.echo(f"  {plain(subject_of(item))}")
        if not over and now_of(item) != standing_of(item):
            click.echo(f"  {plain(now_of(item))}")
        for reason in item["reasons"]:
            click.echo(f"  - {plain(reason)}")


def show(
    found: list[dict[str, Any]], table: Callable[[list[dict[str, Any]]], Table], *, as_json: bool
) -> None:
    """Print answers of the service: as they came, or as a table."""
    if as_json:
        click.echo(document(found))
    else:
        show_table(table(found))
