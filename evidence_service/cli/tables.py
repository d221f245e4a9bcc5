"""Tables of answers: drawn on a terminal, and rows for other programs elsewhere."""

from __future__ import annotations

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table

_NARROWEST = 8
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


def _needed(table: Table) -> int:
    """Characters in a line of a table of which nothing is cut."""
    needed = 1
    for column in table.columns:
        of_words = (cell_len(str(words)) for words in (column.header, *column.cells))
        needed += _AROUND + (max(of_words) if column.no_wrap else _NARROWEST)
    return needed
