"""``evidence link``: release links, under which one thing is given out without a key."""

from __future__ import annotations

import click

from evidence_service.cli.client import JSON_OPTION, ServiceClient, segment, show
from evidence_service.cli.deciding import add_decisions
from evidence_service.cli.tables import facts
from evidence_service.cli.terminal import document, plain
from evidence_service.config import ClientSettings

_DAY = 86_400
_THINGS = ("bundle", "certificate", "exhibit", "file")


@click.group()
def link() -> None:
    """Give something to somebody who has no key."""


@link.command()
@click.argument("evidence_id", metavar="EVIDENCE")
@click.option("--what", type=click.Choice(_THINGS), required=True)
@click.option(
    "--name",
    default="",
    help="Number of the certificate (none: the newest), id of the exhibit, path of the file.",
)
@click.option("--recipient", required=True, help="Who is to get it; written into the custody log.")
@click.option("--purpose", required=True, help="What for; written into the custody log.")
@click.option("--days", type=click.IntRange(1, 90), default=7, show_default=True, help="How long it opens.")
@click.option("--downloads", type=click.IntRange(1, 100), default=1, show_default=True, help="How often.")
@JSON_OPTION
def make(
    evidence_id: str,
    what: str,
    name: str,
    recipient: str,
    purpose: str,
    days: int,
    downloads: int,
    as_json: bool,
) -> None:
    """Make a link; its address is shown once, and is the key to what it gives out."""
    settings = ClientSettings()
    order = {
        "what": what,
        "name": name,
        "recipient": recipient,
        "purpose": purpose,
        "expires_in": days * _DAY,
        "max_downloads": downloads,
    }
    made = ServiceClient(settings).create(_links(evidence_id), json=order)
    if as_json:
        click.echo(document(made))
        return
    click.echo(f"{plain(made['id'])}: the address is shown once; keep it now", err=True)
    click.echo(plain(f"{settings.api_url.rstrip('/')}{made['path']}"))
    if made["request_id"]:
        command = f"evidence link approve {plain(made['request_id'])} --reason …"
        click.echo(f"it opens when another person has approved it: {command}", err=True)


@link.command("list")
@click.argument("evidence_id", metavar="EVIDENCE")
@JSON_OPTION
def list_(evidence_id: str, as_json: bool) -> None:
    """Show the links of a piece of evidence, without their addresses."""
    found = list(ServiceClient(ClientSettings()).items(_links(evidence_id)))
    columns = ("id", "what", "name", "recipient", "expires_at", "downloads", "max_downloads")
    show(found, lambda items: facts(items, *columns, "request_id", "revoked_at"), as_json=as_json)


@link.command()
@click.argument("evidence_id", metavar="EVIDENCE")
@click.argument("link_id", metavar="LINK")
@JSON_OPTION
def revoke(evidence_id: str, link_id: str, as_json: bool) -> None:
    """Have a link open nothing any more."""
    path = f"{_links(evidence_id)}/{segment(link_id)}"
    revoked = ServiceClient(ClientSettings()).call("DELETE", path).json()
    if as_json:
        click.echo(document(revoked))
    else:
        words = f"{revoked['id']} was revoked by {revoked['revoked_by']} at {revoked['revoked_at']}"
        click.echo(plain(words), err=True)


add_decisions(link, "release")


def _links(evidence_id: str) -> str:
    return f"/v1/evidence/{segment(evidence_id)}/release-links"
