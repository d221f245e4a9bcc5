"""``evidence capture``: listings by their addresses, or lists of thousands."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from evidence_service.capture.options import ACTIONS, MODES, PROFILES, parse_options
from evidence_service.cli.client import ServiceClient
from evidence_service.cli.following import follow, order_rows, progress, summary, words
from evidence_service.cli.lists import read_list, results_beside
from evidence_service.cli.ordering import end_code, finish, matter_of, naming, order_options
from evidence_service.cli.results import Results
from evidence_service.cli.terminal import document, plain
from evidence_service.config import ClientSettings
from evidence_service.errors import EvidenceServiceError, RefusedError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("urls", nargs=-1)
@click.option(
    "--list",
    "list_name",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="File with one URL a line, or a table with a column url; - reads standard input.",
)
@click.option("--encoding", help="Of the list; default: found out.")
@click.option(
    "--results",
    "results_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Table of what became of each row, and where the same command goes on; default: beside the list.",
)
@click.option("--profile", type=click.Choice(PROFILES), help="Viewport, touch and user agent.")
@click.option("--locale", help="Locale the page is told, e.g. zh-CN.")
@click.option("--timezone", help="Time zone the page is told, e.g. Asia/Shanghai.")
@click.option("--mode", type=click.Choice(MODES), help="tunnel for sites that refuse the recorder's TLS.")
@click.option(
    "--steps",
    "steps_file",
    type=_FILE,
    help=f'JSON file with the steps to carry out on each page: [{{"action": …}}] with {", ".join(ACTIONS)}.',
)
@click.option(
    "--login-state",
    "login_file",
    type=_FILE,
    help="JSON file with cookies and storage of a signed-in session, as Playwright saves them; a secret.",
)
@order_options
def capture(
    urls: Sequence[str],
    list_name: str | None,
    encoding: str | None,
    results_path: Path | None,
    profile: str | None,
    locale: str | None,
    timezone: str | None,
    mode: str | None,
    steps_file: Path | None,
    login_file: Path | None,
    matter: str | None,
    reference: str | None,
    applicant: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Capture listings as evidence.

    Exit codes: 0 every outcome is “captured” (with --no-wait: everything is ordered), 2 usage, or something
    was refused or its work stopped: so it is with auth_wall, challenge and blocked, which are preserved and
    anchored, but get no certificate; 5 not everything is certified, 6 the service does not answer, 10 all is
    certified, but an outcome is another one: partial, removed, http_error.
    """
    if urls and list_name is not None:
        raise click.UsageError("give URLs, or --list, not both")
    if not urls and list_name is None:
        raise click.UsageError("give URLs, or --list with a file of them")
    named = {"profile": profile, "locale": locale, "timezone": timezone, "mode": mode}
    options: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if steps_file is not None:
        options["steps"] = _json(steps_file)
    parse_options(options)
    order: dict[str, Any] = {"options": options} if options else {}
    if login_file is not None:
        order["login_state"] = _login_state(login_file)
    client = ServiceClient(ClientSettings())
    if list_name is None:
        order["matter_id"] = matter_of(client, matter, reference, applicant)
        with naming(matter):
            ordered = [client.create("/v1/captures", json={**order, "url": url}) for url in urls]
        finish(client, ordered, wait=wait, as_json=as_json)
        return
    results = _open(list_name, encoding, results_path)
    order["matter_id"] = matter_of(client, matter, reference, applicant, key=f"{results.run} matter")
    _carry_out(client, results, order, naming(matter), wait=wait, as_json=as_json)


def _open(list_name: str, encoding: str | None, results_path: Path | None) -> Results:
    data = sys.stdin.buffer.read() if list_name == "-" else Path(list_name).read_bytes()
    name = "standard input" if list_name == "-" else list_name
    found = read_list(data, name, encoding=encoding)
    for note in found.notes:
        click.echo(f"note: {plain(note)}", err=True)
    path = results_path or results_beside(list_name)
    results = Results(path, found.rows)
    click.echo(f"results: {plain(path)}", err=True)
    return results


def _carry_out(
    client: ServiceClient,
    results: Results,
    order: dict[str, Any],
    named: AbstractContextManager[None],
    *,
    wait: bool,
    as_json: bool,
) -> None:
    try:
        with progress(results, wait=wait) as show:
            with named:
                order_rows(client, results, order, show)
            if wait:
                follow(client, results, show)
    except (EvidenceServiceError, KeyboardInterrupt):
        click.echo("the same command goes on from here", err=True)
        raise
    counts = summary(results)
    refused = [item for item in results if item.problem]
    for item in refused:
        click.echo(f"line {item.line}: {plain(item.problem)}", err=True)
    if as_json:
        click.echo(document({**counts, "items": [asdict(item) for item in results]}))
        click.echo(words(counts), err=True)
    else:
        click.echo(words(counts))
        if counts["accepted"]:
            click.echo(
                "a certificate, once its row is certified: evidence certificate ID --output ID.pdf; the ids "
                f"are in the column evidence_id of {plain(results.path)}",
                err=True,
            )
    if wait or refused:
        sys.exit(
            end_code(
                stopped=bool(refused),
                pending=counts["certified"] < counts["rows"],
                outcomes=counts["outcomes"],
            )
        )


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        # Without the parser's words: they may quote what is in the file.
        raise RefusedError(
            f"{path} is not JSON",
            what_to_do="write texts in double quotes and no comma after the last of a list; "
            f"“python3 -m json.tool {path}” names the line",
        ) from None


def _login_state(path: Path) -> Any:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        click.echo(f"note: others can read {plain(path)}, which signs in; chmod 600 keeps it yours", err=True)
    state = _json(path)
    if not isinstance(state, dict):
        raise RefusedError(
            f"{path} holds no login state", what_to_do="save it with Playwright: storage_state(path=…)"
        )
    return state
