"""``evidence receipt``: is a receipt genuine, and was what it promises kept."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from evidence_service.cli import terminal
from evidence_service.core import bundle
from evidence_service.core import receipt as intake
from evidence_service.errors import MismatchError, RefusedError, ServiceUnavailableError
from evidence_service.verify.receipt import Judgement, check_signature, judge_promise, read_public_key
from evidence_service.verify.report import ExitCode, Status

_ID = re.compile(r"[a-z0-9-]{8,64}")
_CODES = {
    Status.PASS: ExitCode.VERIFIED,
    Status.FAIL: ExitCode.INVALID,
    Status.PENDING: ExitCode.PENDING,
    Status.NOT_CHECKED: ExitCode.NOT_CHECKED,
}


@click.command()
@click.argument("what")
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Public key of the service (PEM); without it, the service is asked for its key.",
)
@click.option(
    "--bundle",
    "bundle_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Proof bundle of the evidence; without it, the service is asked for the bundle.",
)
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Also write the receipt to this file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def receipt(
    what: str, key: Path | None, bundle_file: Path | None, output: Path | None, as_json: bool
) -> None:
    """Check a receipt's signature, and whether its promise was kept.

    WHAT is the file of a receipt, "-" for standard input, or the id of evidence whose receipt the service is
    asked for.

    Exit codes: 0 genuine and kept, 3 not genuine or not kept, 4 signed with another key, 5 not due yet, 6 not
    checked.
    """
    data = _receipt(what)
    value = intake.parse(data)
    if output is not None:
        output.write_bytes(data)
    signature, meaning = _judge_signature(value, key)
    promise = _judge_promise(value, bundle_file)
    code = _code(meaning, promise.status)
    if as_json:
        checks = {
            name: {"status": item.status.value, "why": item.why, "what_to_do": item.what_to_do}
            for name, item in (("signature", signature), ("promise", promise))
        }
        document = {"receipt": value, **checks, "exit_code": int(code)}
        click.echo(terminal.document(document))
    else:
        click.echo(f"{value['evidence_id']}: {_subject(value)}, accepted at {value['accepted_at']}")
        for name, item in (("signature", signature), ("promise", promise)):
            click.echo(f"  {name}: {item.status.value}: {terminal.plain(item.why)}")
            if item.what_to_do:
                click.echo(f"        {terminal.plain(item.what_to_do)}")
    sys.exit(int(code))


def _subject(value: dict[str, Any]) -> str:
    """What was accepted, in a few words."""
    accepted = value["accepted"]
    if value["kind"] == intake.LIST:
        return f"{accepted['digests']} digests"
    return terminal.plain(json.dumps(accepted.get("url") or accepted["name"], ensure_ascii=False))


def _receipt(what: str) -> bytes:
    if what == "-":
        return sys.stdin.buffer.read(intake.LIMIT + 1)
    if Path(what).is_file():
        return _read(Path(what), intake.LIMIT)
    if _ID.fullmatch(what) is None:
        raise RefusedError(f"{what!r} is neither a file nor the id of evidence")
    return _ask(f"evidence/{what}/receipt")


def _read(path: Path, limit: int) -> bytes:
    """A file, or so much of it that the parser refuses it as too large."""
    with path.open("rb") as reader:
        return reader.read(limit + 1)


def _judge_signature(value: dict[str, Any], key: Path | None) -> tuple[Judgement, ExitCode]:
    try:
        pem = _ask("receipt-key") if key is None else _read(key, intake.LIMIT)
    except ServiceUnavailableError as error:
        words = "give the service's public key with --key"
        return Judgement(Status.NOT_CHECKED, error.message, words), ExitCode.NOT_CHECKED
    public_key = read_public_key(pem)
    if intake.key_id(public_key) != value["key_id"]:
        return Judgement(
            Status.NOT_CHECKED,
            f"the receipt names the key {value['key_id'][:16]}…; this is {intake.key_id(public_key)[:16]}…",
            "give the key the service had then with --key; if it never had that key, the receipt is forged",
        ), ExitCode.UNTRUSTED
    try:
        check_signature(value, public_key)
    except MismatchError as error:
        return Judgement(Status.FAIL, error.message, error.what_to_do), ExitCode.INVALID
    whose = "the key the service names itself" if key is None else "the given key"
    return Judgement(Status.PASS, f"holds with {whose}, {value['key_id'][:16]}…"), ExitCode.VERIFIED


def _judge_promise(value: dict[str, Any], file: Path | None) -> Judgement:
    now = datetime.now(UTC)
    try:
        if value["kind"] == intake.LIST:
            return judge_promise(value, None, now=now, current=False)
        if file is not None:
            return judge_promise(value, _read(file, bundle.LIMIT), now=now, current=False)
        try:
            data = _ask(f"evidence/{value['evidence_id']}/bundle")
        except RefusedError:
            # Evidence that is not sealed yet has no bundle; unknown evidence has no view either.
            _ask(f"evidence/{value['evidence_id']}")
            data = None
        return judge_promise(value, data, now=now, current=True)
    except MismatchError as error:
        return Judgement(Status.FAIL, error.message, error.what_to_do)
    except ServiceUnavailableError:
        return judge_promise(value, None, now=now, current=False)
    except RefusedError as error:
        return Judgement(Status.NOT_CHECKED, f"the service says: {error.message}", error.what_to_do)


def _code(signature: ExitCode, promise: Status) -> ExitCode:
    """What fails counts first, then the signature, then the promise."""
    if promise is Status.FAIL:
        return ExitCode.INVALID
    return _CODES[promise] if signature is ExitCode.VERIFIED else signature


def _ask(path: str) -> bytes:
    from evidence_service.cli.client import ServiceClient  # noqa: PLC0415 - not needed with files at hand
    from evidence_service.config import ClientSettings  # noqa: PLC0415 - as above

    return ServiceClient(ClientSettings()).call("GET", f"/v1/{path}").content
