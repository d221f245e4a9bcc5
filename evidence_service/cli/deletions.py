"""``evidence deletion``: one person asks for it, another one decides."""

from __future__ import annotations

import click

from evidence_service.cli.client import JSON_OPTION, ServiceClient, segment
from evidence_service.cli.deciding import REASON, add_decisions, show_requests
from evidence_service.cli.terminal import document, plain
from evidence_service.config import ClientSettings

_STATES = ("requested", "approved", "refused", "stopped", "executed")


@click.group()
def deletion() -> None:
    """Have the files of evidence deleted; two persons are needed."""


@deletion.command()
@click.argument("evidence_id", metavar="EVIDENCE")
@REASON
@JSON_OPTION
def ask(evidence_id: str, reason: str, as_json: bool) -> None:
    """Ask for the deletion of a piece of evidence's files; prints the id that another person approves."""
    path = f"/v1/evidence/{segment(evidence_id)}/deletion"
    made = ServiceClient(ClientSettings()).create(path, json={"reason": reason})
    if as_json:
        click.echo(document(made))
        return
    name = plain(made["id"])
    click.echo(name)
    click.echo(f"another person approves it: evidence deletion approve {name} --reason …", err=True)


@deletion.command("list")
@click.option("--state", type=click.Choice(_STATES), help="Only those in this state.")
@click.option("--evidence", "evidence_id", help="Only those about this evidence.")
@JSON_OPTION
def list_(state: str | None, evidence_id: str | None, as_json: bool) -> None:
    """Show what was asked for, and what became of it."""
    wanted = {"state": state, "evidence_id": evidence_id}
    query = {name: value for name, value in wanted.items() if value is not None}
    found = ServiceClient(ClientSettings()).items("/v1/requests", **query)
    show_requests([item for item in found if item["kind"] == "delete"], as_json=as_json)


add_decisions(deletion, "delete")
