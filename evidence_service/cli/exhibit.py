"""``evidence exhibit``: one package for court or opponent, with what is masked in it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from evidence_service.cli.client import JSON_OPTION, ServiceClient
from evidence_service.cli.tables import show_table, whole
from evidence_service.cli.terminal import cell, document, plain
from evidence_service.config import ClientSettings
from evidence_service.errors import MismatchError, RefusedError

_POLL = 0.3
_SHADES = {"original": "green", "withheld": "red"}
_AREA = "FILE:x,y,width,height"


@click.command()
@click.argument("evidence_ids", nargs=-1, required=True)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), default=Path("exhibit.zip"),
    show_default=True, help="File to write.",
)  # fmt: skip
@click.option("--for", "audience", type=click.Choice(["court", "opponent"]), required=True)
@click.option("--recipient", required=True, help="Who is to get it; written into the custody log.")
@click.option("--purpose", default="", help="What for; written into the custody log.")
@click.option(
    "--redact", "plan_file", type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Redaction plan (JSON); the options below add to it.",
)  # fmt: skip
@click.option("--mask", "texts", multiple=True, metavar="TEXT", help="Text to mask wherever it stands.")
@click.option("--mask-pattern", "patterns", multiple=True, metavar="REGEX", help="Texts to mask.")
@click.option("--mask-area", "areas", multiple=True, metavar=_AREA, help="Rectangle of a PNG picture.")
@click.option("--withhold", multiple=True, metavar="PATH", help="File to leave out; a folder ends in /.")
@click.option(
    "--accept", "accepted", multiple=True, metavar="NAME",
    help="File, “certificate” or “bundle.json” to hand over although it may show what is masked.",
)  # fmt: skip
@click.option("--without-certificate", is_flag=True, help="Leave the certificate out.")
@click.option("--approved-by", default="", help="Who approved the redaction; default: you.")
@click.option("--reason", default="personal data", show_default=True, help="Why; for the options above.")
@JSON_OPTION
def exhibit(
    evidence_ids: Sequence[str],
    output: Path,
    audience: str,
    recipient: str,
    purpose: str,
    plan_file: Path | None,
    texts: Sequence[str],
    patterns: Sequence[str],
    areas: Sequence[str],
    withhold: Sequence[str],
    accepted: Sequence[str],
    without_certificate: bool,
    approved_by: str,
    reason: str,
    as_json: bool,
) -> None:
    """Make one package of evidence for court or opponent: certificate, files, proofs, instructions.

    What is masked is replaced in copies; originals are never changed. A text given as an option stays in the
    history of your shell: a plan file does not.
    """
    plan = _plan(plan_file)
    _add(plan, "texts", [{"text": text, "reason": reason} for text in texts])
    _add(plan, "patterns", [{"pattern": pattern, "reason": reason} for pattern in patterns])
    _add(plan, "areas", [{**_area(words), "reason": reason} for words in areas])
    _add(plan, "withheld", [{"path": path, "reason": reason} for path in withhold])
    _add(plan, "accepted", list(accepted))
    if without_certificate:
        plan["without_certificate"] = True
    if approved_by:
        plan["approved_by"] = approved_by
    client = ServiceClient(ClientSettings())
    order = {
        "evidence": list(evidence_ids),
        "for": audience,
        "recipient": recipient,
        "purpose": purpose,
        "redact": plan,
    }
    made = _wait(client, client.create("/v1/exhibits", json=order)["id"], show=not as_json)
    _fetch(client, made, output)
    if as_json:
        click.echo(document(made))
        return
    show_table(_table(made))
    click.echo(plain(f"{output}  {made['size']} bytes  SHA-256 {made['sha256']}"))


def _plan(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RefusedError(f"{path} is not JSON", what_to_do="see docs/spec/exhibit.md") from error
    if not isinstance(found, dict):
        raise RefusedError(f"{path} is no redaction plan", what_to_do="see docs/spec/exhibit.md")
    return found


def _add(plan: dict[str, Any], name: str, items: list[Any]) -> None:
    if items and isinstance(plan.setdefault(name, []), list):
        plan[name] = [*plan[name], *items]


def _area(words: str) -> dict[str, Any]:
    path, _, numbers = words.rpartition(":")
    parts = numbers.split(",")
    if not path or len(parts) != 4 or not all(part.isdecimal() and len(part) < 8 for part in parts):
        raise click.UsageError(f"--mask-area takes {_AREA}, in pixels")
    x, y, width, height = map(int, parts)
    return {"path": path, "x": x, "y": y, "width": width, "height": height}


def _wait(client: ServiceClient, exhibit_id: str, *, show: bool) -> dict[str, Any]:
    """Wait until it is made.

    Raises:
        RefusedError: it was refused, in the service's words.
    """
    console = Console(stderr=True)
    with console.status("making the exhibit") as status:
        while True:
            found: dict[str, Any] = client.call("GET", f"/v1/exhibits/{exhibit_id}").json()
            if found["status"] == "refused":
                raise RefusedError(str(found["problem"]), what_to_do=str(found["what_to_do"] or ""))
            if found["status"] == "made":
                return found
            if show and found["waiting_for"]:
                status.update(cell(f"waiting: {found['waiting_for']}"))
            time.sleep(_POLL)


def _fetch(client: ServiceClient, made: Mapping[str, Any], output: Path) -> None:
    """Write the package under its name when all of it has come.

    Raises:
        MismatchError: what came is not what was made.
    """
    partial = output.with_name(output.name + ".part")
    try:
        if client.download(f"/v1/exhibits/{made['id']}/exhibit.zip", partial) != made["sha256"]:
            raise MismatchError("the exhibit did not arrive as it was made", what_to_do="get it once more")
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)


def _table(made: Mapping[str, Any]) -> Table:
    table = Table(whole("Evidence"), "File", "In the exhibit", "Places", "Why")
    for item in made["files"]:
        treatment = item["treatment"]
        table.add_row(
            cell(item["evidence"]),
            cell(item["path"]),
            cell(treatment.replace("_", " "), _SHADES.get(treatment, "yellow")),
            cell(item["count"] or ""),
            cell(item["reason"]),
        )
    return table
