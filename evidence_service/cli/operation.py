"""Commands of the one who runs the service."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from evidence_service import bootstrap, config
from evidence_service.anchor import contract, state
from evidence_service.anchor.finality import look
from evidence_service.anchor.node import Node
from evidence_service.anchor.signer import LocalSigner
from evidence_service.capture.browser import find_browser, identify
from evidence_service.certificate.fonts import font_directory
from evidence_service.cli.bars import bar
from evidence_service.cli.terminal import cell, document, plain
from evidence_service.cli.workers import workers_outlook
from evidence_service.config import Settings
from evidence_service.errors import ConfigurationError, EvidenceServiceError
from evidence_service.sandbox.devchain import CHAIN_ID, DevChain
from evidence_service.service import extend
from evidence_service.service.audit import Audited, audit, audit_exhibits, audit_trees
from evidence_service.service.audit_custody import audit_custody
from evidence_service.service.parts import Chain, Parts
from evidence_service.service.renew import outlook
from evidence_service.store.operations import FsckRun
from evidence_service.verify.report import ExitCode


@click.command()
@click.option("--directory", type=click.Path(path_type=Path), default=Path("evidence-devchain"))
@click.option("--port", default=8545, show_default=True)
@click.option(
    "--ganache",
    type=click.Path(path_type=Path),
    default=Path("node_modules/.bin/ganache"),
    help="The ganache program.",
)
def devchain(directory: Path, port: int, ganache: Path) -> None:
    """Run a local development chain with the contract; it can never carry evidence."""
    chain = DevChain(directory, port, ganache=ganache)
    try:
        node = Node([chain.rpc_url], CHAIN_ID)
        address = contract.deploy_if_absent(node, LocalSigner(chain.accounts[0].private_key))
        click.echo(f"{chain.rpc_url}  chain {CHAIN_ID}  contract {address}  (a demonstration, not evidence)")
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        threading.Event().wait()
    finally:
        chain.stop()


@click.command()
def fsck() -> None:
    """Derive every stored digest, proof and anchor again."""
    settings = config.load()
    with bootstrap.database(settings, make=False) as (engine, _):
        parts = bootstrap.parts(settings, engine, make=False)
        code = report_audit(parts)
    sys.exit(int(code))


def report_audit(parts: Parts) -> ExitCode:
    """Derive everything again, print what does not hold, and note how much of it for monitoring.

    Raises:
        UnavailableError, ConfigurationError: it cannot be derived to the end; nothing is noted.
    """
    started = time.monotonic()
    counted: dict[str, int] = {}
    bad = 0
    with bar() as shown:
        for name, found, total in _audits(parts, counting=not shown.disable):
            task = shown.add_task(name, total=total)
            counted[name] = 0
            for item in found:  # one at a time: there may be millions
                counted[name] += 1
                shown.advance(task)
                bad += bool(item.problems)
                _tell_problems(shown, item)
    examined = sum(counted.values())
    parts.operations.note_fsck(FsckRun(parts.now(), time.monotonic() - started, examined, bad))
    evidence = counted.pop("pieces of evidence")
    beside = ", ".join(f"{count} {name}" for name, count in counted.items())
    click.echo(f"{evidence} pieces of evidence, {beside} derived again, {bad} with problems")
    return ExitCode.INVALID if bad else ExitCode.VERIFIED


def _audits(parts: Parts, *, counting: bool) -> Iterator[tuple[str, Iterator[Audited], int | None]]:
    """What is derived again, under its name, and how much of it there is; None where that is not counted."""
    # Trees first: a proof asked of a damaged file makes it again.
    yield "batches", audit_trees(parts), None
    yield "pieces of evidence", audit(parts), parts.records.count_evidence() if counting else None
    yield "exhibits", audit_exhibits(parts), None
    yield "custody logs", audit_custody(parts), None


def _tell_problems(shown: Progress, item: Audited) -> None:
    if not item.problems:
        return
    shown.stop()  # the bar gives the line free
    for words in item.problems:
        click.secho(plain(f"{item.subject_id} ({item.status}): {words}"), fg="red")
    shown.start()


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def doctor(as_json: bool) -> None:
    """Check that everything the service needs is there; nothing is made."""
    settings = config.load()
    found: list[dict[str, str]] = []
    with ExitStack() as opened:
        for name, examine in _examinations(settings, opened):
            try:
                found.append({"part": name, "state": "ok", "says": examine(), "what_to_do": ""})
            except EvidenceServiceError as error:
                told = {"says": error.message, "what_to_do": error.what_to_do}
                found.append({"part": name, "state": "missing", **told})
    sound = all(item["state"] == "ok" for item in found)
    if as_json:
        click.echo(document({"sound": sound, "parts": found}))
    else:
        Console().print(_diagnosis(found))
    sys.exit(int(ExitCode.VERIFIED if sound else ExitCode.NOT_CHECKED))


def _diagnosis(found: list[dict[str, str]]) -> Table:
    table = Table("Part", "State", "What it says")
    for item in found:
        words = cell(item["says"])
        if item["what_to_do"]:
            words = Text("\n").join((words, cell(item["what_to_do"], "dim")))
        table.add_row(item["part"], cell(item["state"], "green" if item["state"] == "ok" else "red"), words)
    return table


def _examinations(settings: Settings, opened: ExitStack) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "settings", lambda: _origin(settings)
    yield "browser", lambda: identify(find_browser(settings.chromium)).version
    yield "fonts", lambda: str(font_directory())
    tried = _without_traces(settings, opened)
    trying = tried is not settings
    yield "objects", lambda: bootstrap.objects(tried, make=trying).inspect()

    def database() -> str:
        # One at an address is somebody's also where there is no data directory yet.
        embedded = trying and not settings.database_url
        engine, _ = opened.enter_context(bootstrap.database(tried, make=embedded))
        wired.append(bootstrap.parts(tried, engine, make=trying))
        if embedded:
            return f"answers in a folder for trying; “evidence serve” will make {settings.data_directory}"
        return "answers; schema up to date"

    wired: list[Parts] = []
    yield "database", database
    yield "time stamps", lambda: _authorities(wired)
    yield "renewals", lambda: outlook(_wired(wired))
    yield "seals", lambda: extend.outlook(_wired(wired))
    yield "chains", lambda: _chains(wired)
    yield "seal", lambda: _seal(wired)
    yield "workers", lambda: workers_outlook(_wired(wired).workers.all())


def _origin(settings: Settings) -> str:
    if not settings.model_fields_set:
        raise ConfigurationError(
            "EVIDENCE_CONFIG is not set and no settings are found: judging the defaults",
            what_to_do="name the settings file in EVIDENCE_CONFIG; a demonstration prints the line",
        )
    file = config.settings_file()
    return "of variables alone; EVIDENCE_CONFIG is not set" if file is None else f"{file} and variables"


def _without_traces(settings: Settings, opened: ExitStack) -> Settings:
    """The same with a data directory that goes again, where there is none yet, or nothing in it."""
    if settings.data_directory.is_dir() and any(settings.data_directory.iterdir()):
        return settings
    scratch = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="evidence-doctor-")))
    # As root the embedded PostgreSQL runs as a user of its own, who has to reach its directory.
    scratch.chmod(0o755)
    return settings.model_copy(update={"data_directory": scratch})


def _authorities(wired: list[Parts]) -> str:
    parts = _wired(wired)
    authorities = parts.stamping.authorities
    if not authorities.members:
        raise ConfigurationError("no authority is configured", what_to_do="set authorities")
    tokens = [authorities.request(item, bytes(64), nonce=1, now=parts.now) for item in authorities.members]
    return "; ".join(
        f"{token.authority} gave a token of {len(token.der)} bytes, good until {token.ends_at:%Y-%m-%d}, "
        f"revocation data {token.revocation['status']}"
        for token in tokens
    )


def _chains(wired: list[Parts]) -> str:
    parts = _wired(wired)
    parts.rpc_urls()  # refuses when there is none
    return "; ".join(_one_chain(chain) for chain in parts.chains)


def _one_chain(chain: Chain) -> str:
    view = look(chain.node, chain.signer.address, chain.finality)
    state.records(
        view.endpoint, view.head, chain.contract, chain.signer.address, [bytes(32)], contract.code_hash()
    )
    balance = view.account.balance / 10**18
    return f"{chain.name}: contract found, {chain.signer.address} holds {balance:.4f}"


def _seal(wired: list[Parts]) -> str:
    if _wired(wired).issuing.key is None:
        raise ConfigurationError("no seal key is configured", what_to_do="set seal.pkcs12")
    return "key opened"


def _wired(wired: list[Parts]) -> Parts:
    if not wired:
        raise ConfigurationError("not examined: the parts could not be wired")
    return wired[0]
