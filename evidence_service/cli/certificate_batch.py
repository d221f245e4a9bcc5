"""``evidence certificate batch``: a certificate of each piece of evidence of a list or a matter.

The results file is the memory: what it calls issued is not asked for again, everything else is. The service
itself issues nothing twice, so a command that was killed is simply given once more.
"""

from __future__ import annotations

import csv
import io
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from evidence_service.certificate.edition import DEFAULT
from evidence_service.cli.client import JSON_OPTION, ServiceClient
from evidence_service.cli.lists import decode
from evidence_service.cli.patience import patiently
from evidence_service.cli.results import problem_words, write_table
from evidence_service.cli.terminal import document, plain
from evidence_service.config import ClientSettings
from evidence_service.errors import EvidenceServiceError, RefusedError
from evidence_service.verify.report import ExitCode

_PORTION = 200
"""Rows of one request."""
_POLL = 1.0
_LINE_EVERY = 5.0
_NAMES = ("evidence_id", "evidence", "id")
"""Columns that hold ids of evidence; the first is the one of ``evidence capture --list``'s results."""


@dataclass(slots=True)
class Row:
    """One piece of evidence; its members are the columns.

    Attributes:
        state: empty before there is an answer, then ``open``, ``issued`` or ``refused``.
    """

    evidence_id: str
    edition: str
    state: str = ""
    number: str = ""
    problem: str = ""
    order_id: str = ""


_COLUMNS = tuple(item.name for item in fields(Row))


@click.command()
@click.option(
    "--list",
    "list_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with one id of evidence a line, or a table with a column evidence_id.",
)
@click.option("--matter", help="Id of a matter: all evidence of it.")
@click.option("--reference", help="Reference of a matter: all evidence of it.")
@click.option("--edition", default=DEFAULT, show_default=True, help="Jurisdiction and languages.")
@click.option(
    "--results",
    "results_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Table of what became of each row, and where the same command goes on.",
)
@click.option("--wait/--no-wait", default=True, help="Wait until they are issued.")
@JSON_OPTION
def batch(
    list_file: Path | None,
    matter: str | None,
    reference: str | None,
    edition: str,
    results_path: Path | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Issue a certificate of each piece of evidence of a list or of a matter."""
    if sum(item is not None for item in (list_file, matter, reference)) != 1:
        raise click.UsageError("give one of --list, --matter and --reference")
    client = ServiceClient(ClientSettings())
    ids = _read_ids(list_file) if list_file is not None else _of_matter(client, matter, reference)
    beside = (
        Path(f"{list_file}.certificates.csv")
        if list_file
        else Path(f"certificates-{matter or reference}.csv")
    )
    path = results_path or beside.with_name(beside.name.replace("/", "_"))
    rows = _resumed(path, ids, edition)
    click.echo(f"results: {plain(path)}", err=True)
    try:
        with _progress(rows) as draw:

            def moved() -> None:
                write_table(path, _COLUMNS, map(asdict, rows))
                draw()

            _place(client, rows, edition, moved)
            if wait:
                _follow(client, rows, moved)
    except (EvidenceServiceError, KeyboardInterrupt):
        click.echo("the same command goes on from here", err=True)
        raise
    _conclude(rows, wait=wait, as_json=as_json)


def _conclude(rows: Sequence[Row], *, wait: bool, as_json: bool) -> None:
    counts = {state: sum(row.state == state for row in rows) for state in ("issued", "refused", "open")}
    for row in rows:
        if row.problem:
            click.echo(f"{plain(row.evidence_id)}: {plain(row.problem)}", err=True)
    if as_json:
        click.echo(document({"rows": len(rows), **counts, "items": [asdict(row) for row in rows]}))
    else:
        words = ", ".join(f"{count} {state}" for state, count in counts.items())
        click.echo(f"{len(rows)} rows: {words}")
    if counts["refused"]:
        sys.exit(int(ExitCode.USAGE))
    if wait and counts["open"]:
        sys.exit(int(ExitCode.PENDING))


def _place(client: ServiceClient, rows: Sequence[Row], edition: str, moved: Callable[[], None]) -> None:
    """Order what is not issued yet, a portion at a time."""
    wanted = [row for row in rows if row.state != "issued"]
    for start in range(0, len(wanted), _PORTION):
        portion = wanted[start : start + _PORTION]
        request = {"evidence": [row.evidence_id for row in portion], "edition": edition}
        answer = patiently(partial(client.call, "POST", "/v1/certificates", json=request)).json()
        for row, given in zip(portion, answer["rows"], strict=True):
            if given["problem"] is not None:
                row.state, row.problem = "refused", problem_words(given["problem"])
            else:
                _take(row, given["order"])
        moved()


def _follow(client: ServiceClient, rows: Sequence[Row], moved: Callable[[], None]) -> None:
    """Wait until every order is issued or refused."""
    while waiting := [row for row in rows if row.state == "open"]:
        before = [row.state for row in rows]
        for start in range(0, len(waiting), _PORTION):
            by_order = {row.order_id: row for row in waiting[start : start + _PORTION]}
            call = partial(client.call, "GET", "/v1/certificate-orders", params={"id": list(by_order)})
            for order in patiently(call).json():
                _take(by_order[order["id"]], order)
        if before == [row.state for row in rows]:
            time.sleep(_POLL)
        else:
            moved()


def _take(row: Row, order: dict[str, Any]) -> None:
    row.order_id, row.state = order["id"], order["state"]
    row.number, row.problem = order["number"] or "", order["problem"]


def _read_ids(path: Path) -> list[str]:
    text, notes = decode(path.read_bytes(), str(path), None)
    for note in notes:
        click.echo(f"note: {plain(note)}", err=True)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    first = next(csv.reader(lines[:1], delimiter=_separator(lines)), [])
    names = [cell.strip().lower() for cell in first]
    column = next((names.index(name) for name in _NAMES if name in names), None)
    if column is None:
        found = [line.strip() for line in lines]
        if any(character in line for line in found for character in ",;\t"):
            raise RefusedError(
                f"{path}: several columns, but the first line names no column “evidence_id”",
                what_to_do="add a first line such as evidence_id,label",
            )
    else:
        table = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(lines))
        found = [cells[column].strip() for cells in table if len(cells) > column][1:]
    found = list(dict.fromkeys(item for item in found if item))
    if not found:
        raise RefusedError(f"{path} names no evidence", what_to_do="write one id a line")
    return found


def _separator(lines: Sequence[str]) -> str:
    first = lines[0] if lines else ""
    return next((item for item in (";", "\t") if item in first), ",")


def _of_matter(client: ServiceClient, matter: str | None, reference: str | None) -> list[str]:
    if matter is not None:
        matters = [matter]
    else:
        matters = [item["id"] for item in client.items("/v1/matters", reference=reference)]
    # Registered digests are of certificates, and get none.
    found = [
        item["id"]
        for name in matters
        for item in client.items("/v1/evidence", matter_id=name)
        if item["kind"] != "digest"
    ]
    if not found:
        raise RefusedError(
            f"there is no evidence of the matter {matter or reference}", what_to_do="look at evidence status"
        )
    return found


def _resumed(path: Path, ids: Sequence[str], edition: str) -> list[Row]:
    """A row for each id, with what the results file knows of it."""
    before: dict[tuple[str, str], Row] = {}
    if path.exists():
        table = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
        if not table or tuple(table[0]) != _COLUMNS or any(len(row) != len(_COLUMNS) for row in table):
            raise RefusedError(
                f"{path} is not a results file of “evidence certificate batch”",
                what_to_do="give another file with --results",
            )
        before = {(row[0], row[1]): Row(*row) for row in table[1:]}
    return [before.get((item, edition), Row(item, edition)) for item in ids]


@contextmanager
def _progress(rows: Sequence[Row]) -> Iterator[Callable[[], None]]:
    """Something to call whenever rows have moved: a bar in a terminal, a line now and then elsewhere."""
    console = Console(stderr=True)
    last = 0.0

    def done() -> int:
        return sum(row.state in ("issued", "refused") for row in rows)

    def line() -> None:
        nonlocal last
        if time.monotonic() - last >= _LINE_EVERY or done() == len(rows):
            click.echo(f"{len(rows)} rows: {done()} done", err=True)
            last = time.monotonic()

    if not console.is_terminal:
        yield line
        return
    columns = (TextColumn("certificates"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("certificates", total=len(rows), completed=done())
        yield lambda: bar.update(task, completed=done())
