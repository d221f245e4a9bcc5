"""``evidence certificate …``: issue certificates and look after them."""

from __future__ import annotations

import hashlib
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from evidence_service.certificate.edition import DEFAULT
from evidence_service.cli.certificate_batch import batch
from evidence_service.cli.client import JSON_OPTION, ServiceClient, show
from evidence_service.cli.exit_codes import exit_code_of
from evidence_service.cli.tables import whole
from evidence_service.cli.terminal import cell, document, plain
from evidence_service.config import ClientSettings
from evidence_service.errors import (
    EvidenceServiceError,
    ForbiddenError,
    MismatchError,
    NotFoundError,
    RefusedError,
)
from evidence_service.verify.report import ExitCode

_POLL = 0.5
_NUMBER = re.compile(r"[A-Z]{1,8}-\d{4}-\d{6,}")
_WHOLE = ("Number", "Evidence", "Status", "Since", "Order", "Certificate", "In the place of")
_EDITION = click.option(
    "--edition",
    default=DEFAULT,
    show_default=True,
    help="Jurisdiction and languages, e.g. cn:en+zh, us-vt:en, eu:en.",
)
_REASON = click.option(
    "--reason", required=True, help="Why, in a sentence; the public register shows it, so no names."
)
_WAIT = click.option("--wait/--no-wait", default=True, help="Wait until it is issued.")
_OUTPUT = click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="File to write; default: its own name."
)


class _Certificate(click.Group):
    """A group whose first word may also be the evidence whose certificate is wanted."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["get", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Certificate)
def certificate() -> None:
    """Issue certificates and look after them.

    Without a command, "evidence certificate EVIDENCE --output FILE" gets the certificate of the default
    edition.
    """


certificate.add_command(batch)


@certificate.command(hidden=True)
@click.argument("evidence_id")
@_OUTPUT
def get(evidence_id: str, output: Path | None) -> None:
    """Get the certificate of a piece of evidence in the default edition; order it where there is none."""
    client = ServiceClient(ClientSettings())
    path = f"/v1/evidence/{evidence_id}/certificate"
    try:
        found = client.call("GET", path).json()
    except NotFoundError as none:
        found = _order_or_look(client, evidence_id, none)
    _download(client, found, output)


def _order_or_look(client: ServiceClient, evidence_id: str, none: NotFoundError) -> dict[str, Any]:
    """The certificate of evidence that had none a moment ago: ordered, or ordered by somebody else."""
    path = f"/v1/evidence/{evidence_id}"
    try:
        view = client.call("POST", f"{path}/certificate").json()
    except ForbiddenError as forbidden:
        view = client.call("GET", path).json()
        if view["stopped"]:
            raise forbidden from none
        click.echo(f"none is ordered: {plain(forbidden.told)}", err=True)
    try:
        found: dict[str, Any] = client.call("GET", f"{path}/certificate").json()
    except NotFoundError as error:
        sys.exit(_not_ready(view, error))
    return found


def _not_ready(view: Mapping[str, Any], error: NotFoundError) -> int:
    """Say why there is no certificate; the exit code."""
    name, now = plain(view["id"]), plain(view["waiting_for"] or view["progress"])
    click.echo(
        f"the certificate of {name} is not ready: the evidence is {plain(view['status'])} ({now}); "
        f"{plain(error.message)}\n"
        f"what to do: “evidence status {name}” shows when it is certified; then give this command again",
        err=True,
    )
    return int(ExitCode.PENDING)


@certificate.command()
@click.argument("evidence_ids", nargs=-1, required=True)
@_EDITION
@_WAIT
@JSON_OPTION
def issue(evidence_ids: Sequence[str], edition: str, wait: bool, as_json: bool) -> None:
    """Issue a certificate of each piece of evidence; where one is current, that is the answer."""
    client = ServiceClient(ClientSettings())
    _finish(client, [_order(client, item, edition) for item in evidence_ids], wait=wait, as_json=as_json)


@certificate.command()
@click.argument("name", metavar="EVIDENCE|NUMBER")
@click.option("--edition", required=True, help="Jurisdiction and languages of the new one, e.g. us-vt:en.")
@_WAIT
@JSON_OPTION
def reissue(name: str, edition: str, wait: bool, as_json: bool) -> None:
    """Issue a certificate of the same evidence for another court; those there are stay current."""
    client = ServiceClient(ClientSettings())
    evidence_id = _show_number(client, name)["evidence_id"] if _NUMBER.fullmatch(name) else name
    _finish(client, [_order(client, evidence_id, edition)], wait=wait, as_json=as_json)


@certificate.command()
@click.argument("number")
@_REASON
@click.option("--edition", help="Jurisdiction and languages of the new one; default: the same.")
@_WAIT
@JSON_OPTION
def supersede(number: str, reason: str, edition: str | None, wait: bool, as_json: bool) -> None:
    """Put a new certificate of the same evidence in the place of one.

    The old PDF goes on verifying; the register says by which number it was superseded.
    """
    client = ServiceClient(ClientSettings())
    order = {"reason": reason, **({} if edition is None else {"edition": edition})}
    placed = client.create(f"/v1/certificates/{number}/supersede", json=order)
    _finish(client, [placed], wait=wait, as_json=as_json)


@certificate.command()
@click.argument("number")
@_REASON
@JSON_OPTION
def withdraw(number: str, reason: str, as_json: bool) -> None:
    """Withdraw a certificate. Its PDF goes on verifying; the register says that it is withdrawn."""
    client = ServiceClient(ClientSettings())
    _show_detail(
        client.call("POST", f"/v1/certificates/{number}/withdraw", json={"reason": reason}).json(), as_json
    )


@certificate.command("list")
@click.option("--evidence", "evidence_id", help="Only those of this evidence.")
@click.option("--matter", "matter_id", help="Only those of this matter, by its id.")
@click.option("--status", type=click.Choice(("reserved", "released", "superseded", "withdrawn")))
@JSON_OPTION
def list_(evidence_id: str | None, matter_id: str | None, status: str | None, as_json: bool) -> None:
    """List certificates by number, and where each stands."""
    client = ServiceClient(ClientSettings())
    wanted = {"evidence_id": evidence_id, "matter_id": matter_id, "status": status}
    query = {name: value for name, value in wanted.items() if value is not None}
    show(list(client.items("/v1/certificates", **query)), _certificates, as_json=as_json)


@certificate.command("show")
@click.argument("number")
@JSON_OPTION
def show_(number: str, as_json: bool) -> None:
    """Show a certificate with its history and all its PDFs."""
    _show_detail(_show_number(ServiceClient(ClientSettings()), number), as_json)


@certificate.command()
@click.argument("name", metavar="EVIDENCE|NUMBER")
@_EDITION
@_OUTPUT
@click.option("--sha256", help="Of an older PDF of this number; see evidence certificate show.")
def download(name: str, edition: str, output: Path | None, sha256: str | None) -> None:
    """Download a certificate by its number, or the current one of a piece of evidence.

    A number is downloaded whatever became of it; superseded and withdrawn certificates stay.
    """
    client = ServiceClient(ClientSettings())
    _download(client, _named(client, name, edition), output, sha256)


@certificate.command()
@click.argument("numbers", nargs=-1)
@click.option("--due", is_flag=True, help="All whose newest time stamp ends soon.")
@JSON_OPTION
def extend(numbers: Sequence[str], due: bool, as_json: bool) -> None:
    """Extend seals with a new archive time stamp, now; the worker does it by itself when it is due."""
    if bool(numbers) == due:
        raise click.UsageError("give numbers, or --due")
    client = ServiceClient(ClientSettings())
    if due:
        found = client.call("GET", "/v1/certificates-due").json()
        wanted = [(item["number"], item["sequence"]) for item in found]
    else:
        wanted = [(number, len(_show_number(client, number)["pdfs"]) or None) for number in numbers]
    extended, failed = [], []
    for number, sequence in wanted:
        try:
            path = f"/v1/certificates/{number}/extend"
            extended.append(client.call("POST", path, json={"sequence": sequence}).json())
        except EvidenceServiceError as error:
            failed.append(error)
            click.echo(f"{number}: {plain(error.told)}", err=True)
    show(extended, _certificates, as_json=as_json)
    if failed:
        sys.exit(int(exit_code_of(failed[0])))


def _named(client: ServiceClient, name: str, edition: str) -> dict[str, Any]:
    if _NUMBER.fullmatch(name):
        return _show_number(client, name)
    found = client.call("GET", f"/v1/evidence/{name}/certificates").json()
    current = [item for item in found if item["status"] == "released"]
    for item in current:
        if item["edition"] == edition:
            return dict(item)
    others = ", ".join(f"{item['number']} ({item['edition']})" for item in current)
    raise RefusedError(
        f"evidence {name} has no current certificate of the edition {edition}",
        what_to_do=f"download one of {others}, or issue this edition" if others else "issue it first",
    )


def _order(client: ServiceClient, evidence_id: str, edition: str) -> dict[str, Any]:
    placed: dict[str, Any] = client.call(
        "POST", f"/v1/evidence/{evidence_id}/certificates", json={"edition": edition}
    ).json()
    return placed


def _finish(client: ServiceClient, orders: list[dict[str, Any]], *, wait: bool, as_json: bool) -> None:
    """Show orders, at the end of their way when that is waited for."""
    said: dict[str, str] = {}
    while wait and any(item["state"] == "open" for item in orders):
        time.sleep(_POLL)
        ids = [item["id"] for item in orders]
        orders = client.call("GET", "/v1/certificate-orders", params={"id": ids}).json()
        for item in orders:
            words = item["waiting_for"] or ""
            if words and said.get(item["id"]) != words:
                click.echo(f"{item['evidence_id']} waits: {plain(words)}", err=True)
            said[item["id"]] = words
    show(orders, _orders, as_json=as_json)
    refused = [item for item in orders if item["state"] == "refused"]
    for item in refused:
        click.echo(f"{item['evidence_id']}: {plain(item['problem'])}", err=True)
    if refused:
        sys.exit(int(ExitCode.USAGE))


def _download(
    client: ServiceClient, facts: dict[str, Any], output: Path | None, sha256: str | None = None
) -> None:
    number, wanted = facts["number"], sha256 or facts["sha256"]
    if not wanted:
        raise RefusedError(f"under {number} no certificate was released", what_to_do="wait until it is")
    data = client.call("GET", f"/v1/certificates/{number}/pdf", params={"sha256": wanted}).content
    if hashlib.sha256(data).hexdigest() != wanted:
        raise MismatchError(
            f"what came for {number} is not the PDF the service names", what_to_do="download it again"
        )
    target = output or Path(f"certificate-{number}.pdf")
    target.write_bytes(data)
    click.echo(plain(f"{target}  {number}  {facts['level']}"))
    if facts["status"] != "released":
        click.secho(f"{number} is {_status(facts)}", fg="yellow", err=True)


def _show_number(client: ServiceClient, number: str) -> dict[str, Any]:
    found: dict[str, Any] = client.call("GET", f"/v1/certificates/{number}").json()
    return found


def _show_detail(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(document(found))
        return
    colour = "green" if found["status"] == "released" else "yellow"
    click.secho(f"{found['number']}: {_status(found)}", fg=colour, bold=True)
    click.echo(plain(f"  {found['edition']}, of evidence {found['evidence_id']}"))
    for words in found["qualifications"]:
        click.echo(f"  qualified: {plain(words)}")
    if found["waiting_for"]:
        click.echo(f"  its seal waits to be extended: {plain(found['waiting_for'])}")
    for item in found["history"]:
        words = f"{item['at']}  {item['status']} by {item['actor']}"
        click.echo(plain(f"  {words}: {_why(item)}" if _why(item) else f"  {words}"))
    for item in found["pdfs"]:
        click.echo(plain(f"  PDF {item['sequence']}, {item['level']}, released {item['at']}"))
        click.echo(plain(f"    SHA-256 {item['sha256']}"))
        click.echo(plain(f"    registered as {item['evidence_id']}"))


def _why(item: dict[str, Any]) -> str:
    by = f"superseded by {item['superseded_by']}: " if item["superseded_by"] else ""
    return f"{by}{item['reason']}"


def _status(item: dict[str, Any]) -> str:
    why = f": {_why(item)}" if _why(item) else ""
    return plain(f"{item['status'].upper()} since {item['since']}{why}")


def _table(
    names: Sequence[str],
    rows: Sequence[dict[str, Any]],
    row: Callable[[dict[str, Any]], Sequence[str]],
    shade: Callable[[dict[str, Any]], str] = lambda _: "",
) -> Table:
    table = Table(*(whole(name) if name in _WHOLE else name for name in names))
    for item in rows:
        table.add_row(*(cell(words, shade(item)) for words in row(item)))
    return table


def _certificates(found: list[dict[str, Any]]) -> Table:
    return _table(
        ("Number", "Evidence", "Edition", "Status", "Since"),
        found,
        lambda item: (
            *(item[name] for name in ("number", "evidence_id", "edition", "status")),
            item["since"][:10],
        ),
        lambda item: "" if item["status"] == "released" else "yellow",
    )


def _orders(found: list[dict[str, Any]]) -> Table:
    return _table(
        ("Evidence", "Edition", "Order", "Certificate", "In the place of"),
        found,
        lambda item: (
            item["evidence_id"],
            item["edition"],
            item["state"],
            item["number"] or "",
            item["supersedes"] or "",
        ),
        lambda item: {"issued": "green", "refused": "red"}.get(item["state"], "yellow"),
    )
