"""Commands that talk to a running service; ``EVIDENCE_API_URL`` and ``EVIDENCE_API_KEY`` say where."""

from __future__ import annotations

import hashlib
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import httpx
from rich.console import Console
from rich.live import Live
from rich.table import Table

from evidence_service.cli.terminal import cell, document, plain
from evidence_service.config import ClientSettings
from evidence_service.errors import RefusedError, ServiceUnavailableError
from evidence_service.verify.report import ExitCode

_POLL = 0.5
_FINAL = ("certified",)
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


def order_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of the commands that order something for a matter."""
    for option in (
        JSON_OPTION,
        click.option("--wait/--no-wait", default=True, help="Wait for the certificates."),
        click.option("--applicant", help="Applicant of a new matter."),
        click.option("--reference", help="Reference of a new matter."),
        click.option("--matter", help="Id of a registered matter."),
    ):
        command = option(command)
    return command


class ServiceClient:
    """The API, with its errors turned into the project's."""

    def __init__(self, settings: ClientSettings) -> None:
        self._url = settings.api_url
        self._http = httpx.Client(
            base_url=settings.api_url,
            # Without a key nothing is claimed: an empty one is no header that may be sent.
            headers={"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {},
            timeout=60.0,
            trust_env=False,
        )

    def call(self, method: str, path: str, **request: Any) -> httpx.Response:
        """One request.

        Raises:
            ServiceUnavailableError: nobody answers, or the service cannot answer now.
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
        kind = ServiceUnavailableError if answer.status_code >= 500 else RefusedError
        advice = str(problem.get("what_to_do", ""))
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            advice = "set EVIDENCE_API_KEY to a key that the service's operator gave you"
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

    def create(self, path: str, *, key: str | None = None, **request: Any) -> Any:
        """A creating request under an idempotency key, one of its own when none is given."""
        headers = {"Idempotency-Key": key or secrets.token_hex(16), **request.pop("headers", {})}
        return self.call("POST", path, headers=headers, **request).json()


def matter_of(
    client: ServiceClient,
    matter: str | None,
    reference: str | None,
    applicant: str | None,
    *,
    key: str | None = None,
) -> str:
    """Id of the matter a command names, or of a new one; the same under the same idempotency key."""
    if matter is not None:
        return matter
    if reference is None or applicant is None:
        raise click.UsageError("give --matter, or --reference and --applicant for a new one")
    order = {"reference": reference, "applicant": applicant}
    found: str = client.create("/v1/matters", key=key, json=order)["id"]
    return found


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@order_options
def add(
    files: Sequence[Path],
    matter: str | None,
    reference: str | None,
    applicant: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Preserve files of yours as uploaded evidence."""
    client = ServiceClient(ClientSettings())
    matter_id = matter_of(client, matter, reference, applicant)
    ordered = []
    for path in files:
        with path.open("rb") as content:
            ordered.append(
                client.create(
                    "/v1/uploads", params={"matter_id": matter_id, "name": path.name}, content=content
                )
            )
    finish(client, ordered, wait=wait, as_json=as_json)


@click.command()
@click.argument("evidence_ids", nargs=-1)
@JSON_OPTION
def status(evidence_ids: Sequence[str], as_json: bool) -> None:
    """Show where evidence stands; all of it without an id."""
    client = ServiceClient(ClientSettings())
    if evidence_ids:
        found = [client.call("GET", f"/v1/evidence/{item}").json() for item in evidence_ids]
    else:
        found = client.call("GET", "/v1/evidence").json()["items"]
    _show(found, as_json=as_json)


@click.command()
@click.argument("evidence_ids", nargs=-1, required=True)
@JSON_OPTION
def anchor(evidence_ids: Sequence[str], as_json: bool) -> None:
    """Have evidence anchored now: its batch is closed as soon as it is registered."""
    client = ServiceClient(ClientSettings())
    found = [client.call("POST", f"/v1/evidence/{item}/anchor").json() for item in evidence_ids]
    _show(found, as_json=as_json)


@click.command()
@click.argument("evidence_id")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="File to write; default: its own name.")
def certificate(evidence_id: str, output: Path | None) -> None:
    """Get the certificate of a piece of evidence."""
    client = ServiceClient(ClientSettings())
    client.call("POST", f"/v1/evidence/{evidence_id}/certificate")
    facts = client.call("GET", f"/v1/evidence/{evidence_id}/certificate").json()
    target = output or Path(f"certificate-{facts['number']}.pdf")
    target.write_bytes(client.call("GET", f"/v1/evidence/{evidence_id}/certificate.pdf").content)
    click.echo(plain(f"{target}  {facts['number']}  {facts['level']}"))


def finish(client: ServiceClient, ordered: list[dict[str, Any]], *, wait: bool, as_json: bool) -> None:
    """Show what was ordered, at the end of its way when that is waited for."""
    if wait:
        ordered = wait_for(client, [item["id"] for item in ordered], show=not as_json)
    _show(ordered, as_json=as_json)
    if wait and any(item["status"] not in _FINAL for item in ordered):
        sys.exit(int(ExitCode.PENDING))


def wait_for(client: ServiceClient, evidence_ids: Sequence[str], *, show: bool) -> list[dict[str, Any]]:
    """Wait until everything is certified or refused; progress on standard error."""
    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            found = [client.call("GET", f"/v1/evidence/{item}").json() for item in evidence_ids]
            if show and console.is_terminal:
                live.update(_table(found), refresh=True)
            if all(item["status"] in _FINAL or refused(item) for item in found):
                return found
            time.sleep(_POLL)


def refused(item: Mapping[str, Any]) -> bool:
    """Whether the work on evidence has ended without what was ordered."""
    return "refused" in (item["progress"] or "")


def _show(found: list[dict[str, Any]], *, as_json: bool) -> None:
    show(found, _table, as_json=as_json)
    if not as_json:
        for item in found:
            for reason in item["reasons"]:
                click.echo(plain(f"{item['id']}: {reason}"))


def show(
    found: list[dict[str, Any]], table: Callable[[list[dict[str, Any]]], Table], *, as_json: bool
) -> None:
    """Print answers of the service: as they came, or as a table."""
    if as_json:
        click.echo(document(found))
    else:
        Console().print(table(found))


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("Evidence", "Listing", "Outcome", "Status", "Now")
    for item in found:
        shade = "green" if item["status"] in _FINAL else "yellow"
        now = f"waiting: {item['waiting_for']}" if item["waiting_for"] else item["progress"]
        table.add_row(
            cell(item["id"]),
            cell(item["url"] or "upload"),
            cell(item["outcome"] or ""),
            cell(item["status"], shade),
            cell(now),
        )
    return table
