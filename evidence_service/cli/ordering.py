"""Ordering evidence for a matter, waiting for its certificates, and what the command then ends with."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from evidence_service.cli.client import (
    CERTIFIED,
    JSON_OPTION,
    ServiceClient,
    now_of,
    refused,
    show_evidence,
    standing_of,
    subject_of,
)
from evidence_service.cli.exit_codes import NOT_CAPTURED
from evidence_service.cli.tables import whole
from evidence_service.cli.terminal import cell, plain
from evidence_service.cli.uploading import send
from evidence_service.config import ClientSettings
from evidence_service.errors import NotFoundError, RefusedError
from evidence_service.verify.report import ExitCode

CAPTURED = "captured"
"""The one outcome that says: the listing was there, and all of it was captured."""
_RECEIVED = "received"
_POLL = 0.5


def order_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of the commands that order something for a matter."""
    for option in (
        JSON_OPTION,
        click.option("--wait/--no-wait", default=True, help="Wait for the certificates."),
        click.option("--applicant", help="Applicant of a new matter."),
        click.option("--reference", help="Reference of a new matter."),
        click.option("--matter", help="Id of a registered matter, instead of --reference and --applicant."),
    ):
        command = option(command)
    return command


def matter_of(
    client: ServiceClient,
    matter: str | None,
    reference: str | None,
    applicant: str | None,
    *,
    key: str | None = None,
) -> str:
    """Id of the matter a command names, or of a new one; the same under the same idempotency key.

    One that is named is not looked up: that would need the right to read matters. See :func:`naming`.
    """
    if matter is not None:
        return matter
    if reference is None or applicant is None:
        raise click.UsageError(
            "give --reference and --applicant for a new matter, or --matter for an old one"
        )
    order = {"reference": reference, "applicant": applicant}
    found: str = client.create("/v1/matters", key=key, json=order)["id"]
    click.echo(f"matter: {plain(found)} (--matter {plain(found)} adds to it)", err=True)
    return found


@contextmanager
def naming(matter: str | None) -> Iterator[None]:
    """Where something is ordered for a matter that a command names.

    Raises:
        RefusedError: there is no such matter.
    """
    try:
        yield
    except NotFoundError as error:
        if matter is None:
            raise
        raise RefusedError(
            f"there is no matter {matter}",
            what_to_do="give --reference and --applicant instead, which register a new one; the id of an "
            "old one is matter_id in “evidence status --json”, and is shown by “evidence matter list”",
        ) from error


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
    with naming(matter):
        ordered = [send(client, matter_id, path) for path in files]
    finish(client, ordered, wait=wait, as_json=as_json)


def finish(client: ServiceClient, ordered: list[dict[str, Any]], *, wait: bool, as_json: bool) -> None:
    """Show what was ordered, at the end of its way when that is waited for; the exit code is how it went."""
    if wait:
        ordered = _wait_for(client, [item["id"] for item in ordered], show=not as_json)
    show_evidence(ordered, as_json=as_json)
    _tell_next_step([item for item in ordered if not refused(item)])
    if wait:
        sys.exit(
            end_code(
                stopped=any(refused(item) for item in ordered),
                pending=any(item["status"] != CERTIFIED for item in ordered),
                outcomes=[item["outcome"] for item in ordered],
            )
        )


def end_code(*, stopped: bool, pending: bool, outcomes: Iterable[str]) -> int:
    """Exit code of a command that waited for its orders.

    ``partial`` is no success: what did not arrive may be just what matters, and only its reasons say so.
    """
    if stopped:
        return int(ExitCode.USAGE)
    if pending:
        return int(ExitCode.PENDING)
    return 0 if set(outcomes) <= {CAPTURED, _RECEIVED} else NOT_CAPTURED


def _tell_next_step(ordered: Sequence[Mapping[str, Any]]) -> None:
    """The command that gets the certificates; on standard error, since it is no part of the answer."""
    if not ordered:
        return
    name = plain(ordered[0]["id"])
    when = "the certificate"
    if any(item["status"] != CERTIFIED for item in ordered):
        click.echo(f"where it stands: evidence status {name}", err=True)
        when = "its certificate, once it is certified"
    more = ", and so for each id" if len(ordered) > 1 else ""
    click.echo(f"{when}: evidence certificate {name} --output {name}.pdf{more}", err=True)


def _wait_for(client: ServiceClient, evidence_ids: Sequence[str], *, show: bool) -> list[dict[str, Any]]:
    """Wait until everything is certified or refused; progress on standard error."""
    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            found = [client.call("GET", f"/v1/evidence/{item}").json() for item in evidence_ids]
            if show and console.is_terminal:
                live.update(_table(found), refresh=True)
            if all(item["status"] == CERTIFIED or refused(item) for item in found):
                return found
            time.sleep(_POLL)


def _table(found: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(whole("Evidence"), "Listing", "Outcome", "Status", "Now")
    for item in found:
        table.add_row(
            cell(item["id"]),
            cell(subject_of(item)),
            cell(item["outcome"] or ""),
            cell(standing_of(item), "green" if item["status"] == CERTIFIED else "yellow"),
            cell(now_of(item)),
        )
    return table
