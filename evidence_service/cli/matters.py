"""``evidence matter``: the disputes that evidence is collected for."""

from __future__ import annotations

from collections.abc import Sequence

import click

from evidence_service.cli.client import JSON_OPTION, ServiceClient, segment, show
from evidence_service.cli.tables import details, facts, show_table
from evidence_service.cli.terminal import document, plain
from evidence_service.config import ClientSettings

_MATTERS = "/v1/matters"


@click.group()
def matter() -> None:
    """Register matters and look at them."""


@matter.command()
@click.option("--reference", required=True, help="The applicant's own reference.")
@click.option("--applicant", required=True, help="Name, as certificates print it.")
@click.option("--right", "rights", multiple=True, help="A right asserted, in words; several are allowed.")
@click.option("--respondent", help="Against whom; not in manifests.")
@click.option("--court", help="Where it is pending; not in manifests.")
@click.option("--case-number", help="The court's; not in manifests.")
@JSON_OPTION
def add(
    reference: str,
    applicant: str,
    rights: Sequence[str],
    respondent: str | None,
    court: str | None,
    case_number: str | None,
    as_json: bool,
) -> None:
    """Register a matter; its id is what --matter of other commands takes."""
    order = {
        "reference": reference,
        "applicant": applicant,
        "rights": list(rights),
        "respondent": respondent,
        "court": court,
        "case_number": case_number,
    }
    made = ServiceClient(ClientSettings()).create(_MATTERS, json=order)
    click.echo(document(made) if as_json else plain(made["id"]))


@matter.command("list")
@click.option("--reference", help="Only those with this reference.")
@JSON_OPTION
def list_(reference: str | None, as_json: bool) -> None:
    """Show matters, by id."""
    query = {} if reference is None else {"reference": reference}
    found = list(ServiceClient(ClientSettings()).items(_MATTERS, **query))
    show(found, lambda items: facts(items, "id", "reference", "applicant", "created_at"), as_json=as_json)


@matter.command("show")
@click.argument("matter_id", metavar="MATTER")
@JSON_OPTION
def show_(matter_id: str, as_json: bool) -> None:
    """Show everything about a matter."""
    found = ServiceClient(ClientSettings()).call("GET", f"{_MATTERS}/{segment(matter_id)}").json()
    if as_json:
        click.echo(document(found))
    else:
        # Rights in their members are among the rights in words.
        show_table(details({name: found[name] for name in found if name != "structured_rights"}))
