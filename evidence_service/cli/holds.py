"""``evidence hold`` and ``retention``: what keeps evidence from being deleted."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from evidence_service.cli.client import JSON_OPTION, ServiceClient, segment, show
from evidence_service.cli.deciding import REASON
from evidence_service.cli.tables import facts
from evidence_service.cli.terminal import document, plain
from evidence_service.config import ClientSettings

_SUBJECT = click.argument("subject", metavar="EVIDENCE|MATTER")


@click.group()
def hold() -> None:
    """Keep evidence, or all evidence of a matter, from being deleted."""


@hold.command()
@_SUBJECT
@REASON
@JSON_OPTION
def place(subject: str, reason: str, as_json: bool) -> None:
    """Place a hold; the one on a matter also holds what comes later. Its id is needed to lift it."""
    made = ServiceClient(ClientSettings()).create(_holds(subject), json={"reason": reason})
    click.echo(document(made) if as_json else plain(made["id"]))


@hold.command()
@_SUBJECT
@click.argument("hold_id", metavar="HOLD")
@REASON
@JSON_OPTION
def lift(subject: str, hold_id: str, reason: str, as_json: bool) -> None:
    """Lift a hold, from what it was placed on; others still stand."""
    path = f"{_holds(subject)}/{segment(hold_id)}"
    lifted = ServiceClient(ClientSettings()).call("DELETE", path, params={"reason": reason}).json()
    if as_json:
        click.echo(document(lifted))
    else:
        words = f"{lifted['id']} was lifted by {lifted['lifted_by']} at {lifted['lifted_at']}"
        click.echo(plain(words), err=True)


@hold.command("list")
@_SUBJECT
@JSON_OPTION
def list_(subject: str, as_json: bool) -> None:
    """Show the holds on evidence and its matter, or on a matter, lifted ones included."""
    found = list(ServiceClient(ClientSettings()).items(_holds(subject)))
    for item in found:
        item["state"] = "lifted" if item["lifted_at"] else "stands"
        item["held_id"] = item["evidence_id"] or item["matter_id"]
    columns = ("id", "state", "held_id", "placed_by", "at", "lifted_at", "reason")
    show(found, lambda items: facts(items, *columns), as_json=as_json)


@click.command()
@click.argument("evidence_id", metavar="EVIDENCE")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Keep it until then at least, in UTC; without it: show until when it is kept.",
)
@JSON_OPTION
def retention(evidence_id: str, until: datetime | None, as_json: bool) -> None:
    """Keep evidence until a time at least, or show until when it is kept."""
    client, path = ServiceClient(ClientSettings()), f"/v1/evidence/{segment(evidence_id)}/retention"
    if until is None:
        found = client.call("GET", path).json()
    else:
        order = {"keep_until": until.replace(tzinfo=UTC).isoformat()}
        found = client.call("PUT", path, json=order).json()
    show([found], lambda items: facts(items, "evidence_id", "keep_until", "set_by", "at"), as_json=as_json)


def _holds(subject: str) -> str:
    kind = "matters" if subject.startswith("m-") else "evidence"
    return f"/v1/{kind}/{segment(subject)}/holds"
