"""``evidence register``: files are hashed here, and only their digests are sent.

What became of each is in a table, which is written before anything is sent and after every answer: the same
command goes on where it was killed. A portion's idempotency key is made from what it says, so what landed
without an answer is answered the second time.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click

from evidence_service.cli.bars import bar
from evidence_service.cli.client import JSON_OPTION, ServiceClient
from evidence_service.cli.lists import decode
from evidence_service.cli.patience import patiently
from evidence_service.cli.results import problem_words, write_table
from evidence_service.cli.terminal import document, plain
from evidence_service.config import ClientSettings
from evidence_service.core import canonical, manifest
from evidence_service.core.digest import Digester
from evidence_service.errors import MalformedError, RefusedError
from evidence_service.verify.report import ExitCode

PORTION = 1_000
"""Rows of one request."""
_CHUNK = 1 << 20
_STATED = ("name", "size", "sha256", "sha3_512", "media_type")
_ADVICE = "name the columns name, size, sha256, sha3_512 and, where you like, media_type"


@dataclass(slots=True)
class Row:
    """A file and what became of it; its members are the columns.

    Attributes:
        result: empty before there is an answer, then ``accepted`` or ``refused``.
    """

    name: str
    size: str
    sha256: str
    sha3_512: str
    media_type: str = ""
    result: str = ""
    evidence_id: str = ""
    batch_by: str = ""
    list_id: str = ""
    problem: str = ""

    def stated(self) -> dict[str, Any]:
        """What is sent."""
        size: object = int(self.size) if self.size.isascii() and self.size.isdigit() else self.size
        given = {
            "name": self.name,
            "size": size,
            "sha256": self.sha256.lower(),
            "sha3_512": self.sha3_512.lower(),
        }
        return given | ({"media_type": self.media_type} if self.media_type else {})


COLUMNS = tuple(item.name for item in fields(Row))


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--list",
    "list_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Table of digests that are there already: name, size, sha256, sha3_512, media_type.",
)
@click.option("--matter", required=True, help="Id of the matter.")
@click.option(
    "--results",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Table of what became of each, and where the same command goes on; default: beside the list.",
)
@JSON_OPTION
def register(
    files: Sequence[Path], list_file: Path | None, matter: str, results: Path | None, as_json: bool
) -> None:
    """Register the digests of FILES as evidence; their content never leaves this machine.

    Exit codes: 0 everything is registered, 2 usage, or something was refused, 6 the service does not answer.
    """
    if bool(files) == (list_file is not None):
        raise RefusedError("name files, or a list", what_to_do="give FILES or --list, one of the two")
    client = ServiceClient(ClientSettings())
    rows = list(_hashed(files)) if list_file is None else _listed(list_file)
    path = results or Path("registered.csv" if list_file is None else f"{list_file}.results.csv")
    _take_over(rows, path)
    _register(client, matter, rows, path)
    refused = [row for row in rows if row.result != "accepted"]
    if as_json:
        shown = [{name: getattr(row, name) for name in COLUMNS} for row in rows]
        click.echo(document({"matter": matter, "results": str(path), "rows": shown}))
    else:
        for row in refused:
            click.echo(f"{plain(row.name)}: refused: {plain(row.problem)}", err=True)
        click.echo(f"{len(rows) - len(refused)} registered, {len(refused)} refused; see {plain(path)}")
    sys.exit(int(ExitCode.USAGE if refused else ExitCode.VERIFIED))


def _hashed(files: Sequence[Path]) -> Iterator[Row]:
    with bar() as progress:
        for path in progress.track(files, description="hashing"):
            digester = Digester()
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digester.update(chunk)
            found = digester.digest()
            yield Row(_name(path), str(found.size), found.sha256.hex(), found.sha3_512.hex())


def _name(path: Path) -> str:
    """The path as it was given where a manifest can say it; else the file's own name."""
    try:
        manifest.check_path(path.as_posix())
    except MalformedError:
        return path.name
    return path.as_posix()


def _listed(path: Path) -> list[Row]:
    text, notes = decode(path.read_bytes(), str(path), None)
    for note in notes:
        click.echo(plain(note), err=True)
    table = csv.DictReader(io.StringIO(text, newline=""))
    headings = [name.strip().lower() for name in table.fieldnames or ()]
    if not set(_STATED[:4]) <= set(headings):
        raise RefusedError(f"{path} is no table of digests", what_to_do=_ADVICE)
    table.fieldnames = headings
    rows = [Row(**{name: (cells.get(name) or "").strip() for name in _STATED}) for cells in table]
    if not rows:
        raise RefusedError(f"{path} names no digest", what_to_do=_ADVICE)
    return rows


def _take_over(rows: Sequence[Row], path: Path) -> None:
    """What an earlier run has been told; what was refused is tried again."""
    if path.exists():
        before = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
        if any(tuple(item) != COLUMNS for item in before):
            raise RefusedError(
                f"{path} is not a results file of “evidence register”",
                what_to_do="give another with --results",
            )
        known = {
            tuple(item[name] for name in _STATED): item for item in before if item["result"] == "accepted"
        }
        for row in rows:
            found = known.get(tuple(getattr(row, name) for name in _STATED))
            if found is not None:
                for name in COLUMNS[len(_STATED) :]:
                    setattr(row, name, found[name])
    _save(rows, path)


def _save(rows: Sequence[Row], path: Path) -> None:
    write_table(path, COLUMNS, ({name: getattr(row, name) for name in COLUMNS} for row in rows))


def _register(client: ServiceClient, matter: str, rows: Sequence[Row], path: Path) -> None:
    waiting = [row for row in rows if row.result != "accepted"]
    with bar() as progress:
        task = progress.add_task("registering", total=len(rows), completed=len(rows) - len(waiting))
        for start in range(0, len(waiting), PORTION):
            portion = waiting[start : start + PORTION]
            request = {"matter_id": matter, "rows": [row.stated() for row in portion]}
            body = json.dumps(request).encode()
            key = hashlib.sha256(body).hexdigest()

            def send(body: bytes = body, key: str = key) -> Any:
                headers = {"Content-Type": "application/json"}
                return client.create("/v1/registration-lists", key=key, content=body, headers=headers)

            _answered(portion, patiently(send), path)
            _save(rows, path)
            progress.advance(task, len(portion))


def _answered(portion: Sequence[Row], answer: dict[str, Any], path: Path) -> None:
    """Take over an answer; the receipt for the accepted rows is kept beside the results."""
    if answer["receipt"] is not None:
        beside = path.with_name(f"{path.name}.{answer['id']}.receipt.json")
        beside.write_bytes(canonical.encode(answer["receipt"]))
    for row, told in zip(portion, answer["rows"], strict=True):
        row.list_id = answer["id"]
        if told["problem"] is None:
            row.result, row.evidence_id, row.problem = "accepted", told["id"], ""
            row.batch_by = answer["batch_by"]
        else:
            row.result, row.problem = "refused", problem_words(told["problem"])
