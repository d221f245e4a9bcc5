"""``evidence declaration``: drafts for people to sign who took part; talks to a running service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from evidence_service.certificate.forms import forms as known_forms
from evidence_service.cli.client import JSON_OPTION, ServiceClient
from evidence_service.cli.tables import show_table, whole
from evidence_service.cli.terminal import cell, document, plain
from evidence_service.config import ClientSettings


@click.group()
def declaration() -> None:
    """Prepare declarations for people who took part, to be read, corrected and signed by them."""


@declaration.command()
@JSON_OPTION
def forms(as_json: bool) -> None:
    """Which declarations there are, for which rule, and whose part fits them."""
    found = [form.described() for form in known_forms()]
    if as_json:
        click.echo(document(found))
        return
    table = Table(whole("Form"), "What it is", "Rule", "Languages", "Signed by")
    for item in found:
        table.add_row(*(cell(", ".join(it) if isinstance(it, list) else it) for it in item.values()))
    show_table(table)


@declaration.command()
@click.argument("evidence_id")
@JSON_OPTION
def people(evidence_id: str, as_json: bool) -> None:
    """Who took part in a piece of evidence, in what, and which declarations each may sign."""
    found = ServiceClient(ClientSettings()).call("GET", f"/v1/evidence/{evidence_id}/declarations").json()
    if as_json:
        click.echo(document(found["people"]))
    elif found["people"]:
        show_table(_people_table(found["people"]))
    else:
        click.echo("nobody took part beside the service itself", err=True)


@declaration.command()
@click.argument("evidence_id")
@click.option(
    "--form", "form_name", required=True, help="One of “evidence declaration forms”, e.g. us-902-14."
)
@click.option("--person", required=True, help="Who signs, as the custody log names this person.")
@click.option("--name", required=True, help="Full name of this person; printed as given by you.")
@click.option("--language", help="en, zh or en+zh; default: the form's usual one.")
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="PDF file to write.")
def make(
    evidence_id: str, form_name: str, person: str, name: str, language: str | None, output: Path
) -> None:
    """Write a draft for one person; it is not signed, and the custody log notes that it was made."""
    query: dict[str, Any] = {"person": person, "name": name}
    if language is not None:
        query["language"] = language
    path = f"/v1/evidence/{evidence_id}/declarations/{form_name}.pdf"
    output.write_bytes(ServiceClient(ClientSettings()).call("GET", path, params=query).content)
    click.echo(plain(f"{output}  {form_name}  for {person}; not signed"))


def _people_table(people: list[dict[str, Any]]) -> Table:
    table = Table("Person", "Took part in", "May sign")
    for item in people:
        events = ", ".join(f"{event['sequence']} {event['action']}" for event in item["events"])
        table.add_row(cell(item["person"]), cell(events), cell(", ".join(item["may_sign"]) or "nothing"))
    return table
