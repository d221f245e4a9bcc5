"""``evidence anchors``: where batches stand on their chains; talks to a running service."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from evidence_service.cli.client import JSON_OPTION, ServiceClient
from evidence_service.cli.client import show as show_answers
from evidence_service.cli.terminal import cell
from evidence_service.config import ClientSettings
from evidence_service.verify.report import ExitCode

_POLL = 1.0
_SHADES = {"sealed": "green", "stuck": "red", "reverted": "red", "foreign_nonce": "red", "reorged": "red"}


@click.group()
def anchors() -> None:
    """Show where batches stand on their chains."""


@anchors.command("list")
@click.option("--open", "open_only", is_flag=True, help="Only those whose proof is not sealed yet.")
@click.option("--limit", default=50, show_default=True, help="At most so many.")
@JSON_OPTION
def list_anchors(open_only: bool, limit: int, as_json: bool) -> None:
    """The newest batches on their chains."""
    client = ServiceClient(ClientSettings())
    page = client.call("GET", "/v1/anchors", params={"open_only": open_only, "limit": limit}).json()
    show_answers(page["items"], _table, as_json=as_json)


@anchors.command()
@click.argument("ids", nargs=-1, required=True)
@JSON_OPTION
def show(ids: Sequence[str], as_json: bool) -> None:
    """Batches, or the batches of pieces of evidence, on their chains, with everything known."""
    found = _find(ServiceClient(ClientSettings()), ids)
    if as_json:
        show_answers(found, _table, as_json=True)
        return
    console = Console()
    for item in found:
        console.print(_details(item))


@anchors.command()
@click.argument("ids", nargs=-1)
@click.option("--timeout", type=float, default=0.0, help="Seconds after which to stop waiting; 0: never.")
@JSON_OPTION
def watch(ids: Sequence[str], timeout: float, as_json: bool) -> None:
    """Wait until batches (or those of evidence) are sealed on all chains; without an id all open ones."""
    client = ServiceClient(ClientSettings())
    console = Console(stderr=True)
    started = time.monotonic()
    ids = tuple(ids) or tuple(
        dict.fromkeys(
            item["batch"]
            for item in client.call("GET", "/v1/anchors?open_only=true&limit=200").json()["items"]
        )
    )
    found: list[dict[str, Any]] = []
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while ids:
            found = _find(client, ids)
            if console.is_terminal:
                live.update(_table(found), refresh=True)
            waiting = any(item["state"] != "sealed" for item in found)
            if not waiting or (timeout and time.monotonic() - started > timeout):
                break
            time.sleep(_POLL)
    show_answers(found, _table, as_json=as_json)
    if any(item["state"] != "sealed" for item in found):
        sys.exit(int(ExitCode.PENDING))


def _find(client: ServiceClient, ids: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in ids:
        of_batch = name.startswith("batch-")
        path = f"/v1/anchors/{name}" if of_batch else f"/v1/evidence/{name}/anchors"
        found += client.call("GET", path).json()
    return found


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("Batch", "Entries", "Chain", "State", "Block", "Expected", "What holds it up")
    for item in found:
        table.add_row(
            cell(item["batch"]),
            str(item["size"]),
            str(item["chain_id"]),
            cell(item["state"], _SHADES.get(item["state"], "yellow")),
            "" if item["block_number"] is None else str(item["block_number"]),
            _until(item["expected_at"]),
            cell(item["reason"]),
        )
    return table


def _details(item: dict[str, Any]) -> Table:
    title = cell(f"{item['batch']} on chain {item['chain_id']}")
    table = Table(show_header=False, title=title, title_justify="left")
    for name, value in item.items():
        table.add_row(cell(name.replace("_", " ")), cell("" if value is None else value))
    return table


def _until(expected: str | None) -> str:
    """An estimate in words."""
    if expected is None:
        return ""
    left = (datetime.fromisoformat(expected) - datetime.now(UTC)).total_seconds()
    if left < 60:
        return "within a minute"
    return f"in about {round(left / 60)} min"
