"""``evidence anchors``: where batches stand on their chains; talks to a running service."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from evidence_service.cli.client import JSON_OPTION, ServiceClient
from evidence_service.cli.client import show as show_answers
from evidence_service.cli.tables import whole
from evidence_service.cli.terminal import cell, plain
from evidence_service.config import ClientSettings
from evidence_service.verify.report import ExitCode

_POLL = 1.0
_LONGEST_LOOK = timedelta(minutes=2)
"""A worker looks every few seconds; after so long without a look nobody does, or it hangs."""
_SHADES = {"sealed": "green", "stuck": "red", "reverted": "red", "foreign_nonce": "red", "reorged": "red"}
_MOST = 200
"""Batches the API gives at once."""

_NOTHING_YET = "nothing of it is on its way to a chain yet"

Found = dict[str, list[dict[str, Any]]]
"""Id of a batch or of evidence → its anchors; none as long as nothing is on its way to a chain."""


@click.group()
def anchors() -> None:
    """Show where batches stand on their chains."""


@anchors.command("list")
@click.option("--open", "open_only", is_flag=True, help="Only those whose proof is not sealed yet.")
@click.option(
    "--limit", type=click.IntRange(1, _MOST), default=50, show_default=True, help="At most so many batches."
)
@JSON_OPTION
def list_anchors(open_only: bool, limit: int, as_json: bool) -> None:
    """The newest batches on their chains."""
    client = ServiceClient(ClientSettings())
    page = client.call("GET", "/v1/anchors", params={"open_only": open_only, "limit": limit}).json()
    show_answers(page["items"], _table, as_json=as_json)
    for words in _unwatched(page["items"], client.call("GET", "/v1/chains").json(), datetime.now(UTC)):
        click.echo(words, err=True)


@anchors.command()
@click.argument("ids", nargs=-1, required=True)
@JSON_OPTION
def show(ids: Sequence[str], as_json: bool) -> None:
    """Batches, or the batches of pieces of evidence, on their chains, with everything known."""
    found = _find(ServiceClient(ClientSettings()), ids)
    if as_json:
        show_answers(_all(found), _table, as_json=True)
        return
    console = Console()
    for item in _all(found):
        console.print(_details(item))
    for name in _not_begun(found):
        click.echo(f"{plain(name)}: {_NOTHING_YET}", err=True)


@anchors.command()
@click.argument("ids", nargs=-1)
@click.option("--timeout", type=float, default=0.0, help="Seconds after which to stop waiting; 0: never.")
@JSON_OPTION
def watch(ids: Sequence[str], timeout: float, as_json: bool) -> None:
    """Wait until batches (or those of evidence) are sealed on all chains; without an id all open ones."""
    client = ServiceClient(ClientSettings())
    console = Console(stderr=True)
    started = time.monotonic()
    watched = tuple(ids) or _open_batches(client)
    told: dict[str, str] = {}
    with Live(console=console, auto_refresh=False, transient=True) as live:
        found = _find(client, watched)
        while True:
            if console.is_terminal:
                live.update(_progress(found), refresh=True)
            else:
                told = _tell(found, told)
            waiting = [name for name in found if not _done(found[name])]
            if all(not found[name] and _refused(client, name) for name in waiting):
                break
            if timeout and time.monotonic() - started > timeout:
                break
            time.sleep(_POLL)
            found |= _find(client, waiting)
    show_answers(_all(found), _table, as_json=as_json)
    if waiting:
        sys.exit(int(ExitCode.PENDING))


def _open_batches(client: ServiceClient) -> tuple[str, ...]:
    names: dict[str, None] = {}
    before: dict[str, int] = {}
    while True:
        query = {"open_only": True, "limit": _MOST, **before}
        page = client.call("GET", "/v1/anchors", params=query).json()
        names |= dict.fromkeys(item["batch"] for item in page["items"])
        if page["next"] is None:
            return tuple(names)
        before = {"before": page["next"]}


def _find(client: ServiceClient, ids: Sequence[str]) -> Found:
    return {name: client.call("GET", _path(name)).json() for name in ids}


def _path(name: str) -> str:
    return f"/v1/anchors/{name}" if name.startswith("batch-") else f"/v1/evidence/{name}/anchors"


def _all(found: Found) -> list[dict[str, Any]]:
    """Every anchor once: pieces of evidence may share a batch."""
    return list(
        {(item["batch"], item["chain_id"]): item for of_name in found.values() for item in of_name}.values()
    )


def _not_begun(found: Found) -> list[str]:
    return [name for name, of_name in found.items() if not of_name]


def _done(of_name: Sequence[Mapping[str, Any]]) -> bool:
    return bool(of_name) and all(item["state"] == "sealed" for item in of_name)


def _refused(client: ServiceClient, name: str) -> bool:
    """Whether it is evidence that will never be in a batch."""
    return not name.startswith("batch-") and bool(
        client.call("GET", f"/v1/evidence/{name}").json()["stopped"]
    )


def _progress(found: Found) -> Group:
    """What a terminal shows meanwhile."""
    return Group(_table(_all(found)), *(cell(f"{name}: {_NOTHING_YET}") for name in _not_begun(found)))


def _tell(found: Found, told: Mapping[str, str]) -> dict[str, str]:
    """A line on standard error for whatever changed; what is told by now."""
    now = dict(_lines(found))
    for subject, words in now.items():
        if told.get(subject) != words:
            click.echo(f"{subject}: {words}", err=True)
    return now


def _lines(found: Found) -> Iterator[tuple[str, str]]:
    for name in _not_begun(found):
        yield plain(name), _NOTHING_YET
    for item in _all(found):
        reason = f" ({item['reason']})" if item["reason"] else ""
        yield plain(f"{item['batch']} on chain {item['chain_id']}"), plain(f"{item['state']}{reason}")


def _unwatched(
    found: Sequence[Mapping[str, Any]], chains: Sequence[Mapping[str, Any]], now: datetime
) -> Iterator[str]:
    """Chains with open anchors that no worker has looked at for long."""
    for chain_id in sorted({item["chain_id"] for item in found if item["state"] != "sealed"}):
        looks = [datetime.fromisoformat(item["at"]) for item in chains if item["chain_id"] == chain_id]
        # A look is due only once there is something to look for.
        oldest = min(
            datetime.fromisoformat(item["closed_at"])
            for item in found
            if item["chain_id"] == chain_id and item["state"] != "sealed"
        )
        if now - max([oldest, *looks]) > _LONGEST_LOOK:
            since = f"since {max(looks):%Y-%m-%d %H:%M:%S %Z}" if looks else "yet"
            yield f"no worker has looked at chain {chain_id} {since}; is one running?"


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table(whole("Batch"), "Entries", "Chain", "State", "Block", "Expected", "What holds it up")
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
