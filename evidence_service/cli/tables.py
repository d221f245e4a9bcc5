"""Tables of answers: drawn on a terminal, and rows for other programs elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table

from evidence_service.cli.terminal import cell

_NARROWEST = 6
"""Characters a column that gives way keeps."""
_AROUND = 3
"""Characters of a line and of the space on both sides of a cell."""


def whole(name: str) -> Column:
    """A column of ids, codes or times: they are copied and compared, so other columns give way."""
    return Column(name, no_wrap=True)


def show_table(table: Table, console: Console | None = None) -> None:
    """Print a table: drawn on a terminal, and elsewhere its rows alone, with a tab between cells.

    On a terminal too narrow for its whole columns the lines are longer than the terminal is wide.
    """
    console = console or Console()
    if console.is_terminal:
        console.width = max(console.width, _needed(table))
        console.print(table)
        return
    for row in zip(*(column.cells for column in table.columns), strict=True):
        click.echo("\t".join(map(str, row)))


def facts(items: Sequence[Mapping[str, Any]], *columns: str) -> Table:
    """Answers of the service as a table of some of their members, by name."""
    table = Table()
    for name in columns:
        heading = name.removesuffix("_at").replace("_", " ")
        copied = name in ("id", "code", "state", "at") or name.endswith(("_at", "_id", "_until"))
        table.add_column(heading, no_wrap=copied)
    for item in items:
        table.add_row(*(cell(words_of(item[name])) for name in columns))
    return table


def details(item: Mapping[str, Any]) -> Table:
    """One answer, a line for each member that says something."""
    table = Table(whole(""), "", show_header=False)
    for name, value in item.items():
        if value not in (None, [], ""):
            table.add_row(cell(name.replace("_", " ")), cell(words_of(value)))
    return table


def words_of(value: Any) -> str:
    """A member of an answer in words."""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _needed(table: Table) -> int:
    """Characters in a line of a table of which nothing is cut."""
    needed = 1
    for column in table.columns:
        of_words = (cell_len(str(words)) for words in (column.header, *column.cells))
        needed += _AROUND + (max(of_words) if column.no_wrap else _NARROWEST)
    return needed
