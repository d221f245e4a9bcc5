"""``evidence examine``: what files of others are, and what is wrong with them, without a service."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from evidence_service.cli import terminal
from evidence_service.cli.terminal import plain
from evidence_service.importing.confined import examine as examine_file
from evidence_service.importing.findings import Examination
from evidence_service.verify.report import ExitCode

_COLOURS = {"error": "red", "warning": "yellow", "note": None}
_WORST_FIRST = (
    ExitCode.INVALID,
    ExitCode.OVER_LIMIT,
    ExitCode.NOT_CHECKED,
    ExitCode.NOTHING_FOUND,
    ExitCode.VERIFIED,
)


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True),
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.option("--quiet", is_flag=True, help="Print nothing; the exit code is the answer.")
def examine(files: Sequence[Path], as_json: bool, quiet: bool) -> None:
    """Examine captures and recordings that others made: WARC, WACZ, HAR, PDF, images, video, email.

    FILES are any number of files, and "-" for standard input. Nothing is changed, sent or opened.

    Exit codes: 0 nothing is wrong as far as was looked (warnings and notes may be there), 2 usage, 3 a file
    is wrong, 6 an examination did not finish, 7 files of a kind that is not examined, 9 over a limit.
    """
    found = []
    for path in files:
        with _readable(path) as file:
            found.append((str(path), examine_file(file, "" if str(path) == "-" else path.name)))
    if as_json:
        click.echo(terminal.document([{"file": name, **item.to_json()} for name, item in found]))
    elif not quiet:
        for name, item in found:
            _show(name, item)
    codes = {exit_code(item) for _, item in found}
    sys.exit(int(next(code for code in _WORST_FIRST if code in codes)))


def exit_code(found: Examination) -> ExitCode:
    """The code of one examination."""
    errors = {item.code for item in found.findings if item.severity == "error"}
    if errors - {"limit", "unfinished"}:
        return ExitCode.INVALID
    if "limit" in errors:
        return ExitCode.OVER_LIMIT
    if "unfinished" in errors:
        return ExitCode.NOT_CHECKED
    return ExitCode.NOTHING_FOUND if found.kind == "unknown" else ExitCode.VERIFIED


@contextmanager
def _readable(path: Path) -> Iterator[Path]:
    """The file; standard input as one, since most formats have to be read back and forth."""
    if str(path) != "-":
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="evidence-examine-") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        yield Path(file.name)


def _show(name: str, found: Examination) -> None:
    click.secho(f"{plain(name)}: {plain(found.summary)}", bold=True)
    for key, value in found.facts.items():
        words = "; ".join(value) if isinstance(value, list) else value
        click.echo(f"  {plain(key)}: {plain(words)}")
    for item in found.findings:
        click.secho(f"  {plain(item.told)}", fg=_COLOURS[item.severity])
