"""Progress on standard error where a terminal shows it; elsewhere nothing at all."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def bar() -> Progress:
    """A bar that goes when it is done; standard output stays as it is."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # What a command prints meanwhile is its answer, and not for the console of the bar.
        redirect_stdout=False,
        redirect_stderr=False,
    )
