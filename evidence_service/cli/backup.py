"""Back the record up while the service runs, check a backup, and restore one into an empty installation."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from evidence_service import bootstrap, config
from evidence_service.cli.operation import report_audit
from evidence_service.cli.terminal import plain
from evidence_service.errors import ConfigurationError
from evidence_service.service.backups import check, manifest
from evidence_service.service.backups import restore as restoring
from evidence_service.service.backups.make import Made, make
from evidence_service.service.backups.manifest import Backup
from evidence_service.verify.receipt import read_public_key
from evidence_service.verify.report import ExitCode

_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_KEY = click.option("--key", type=_FILE, help="Public receipt key (PEM) that has to have signed the backup.")
_NAME = click.option("--name", help="Which backup of the directory; the newest when it is not given.")


@click.command()
@click.argument("directory", type=_DIRECTORY)
@click.option("--recipient", "recipients", multiple=True, help="Age public key that private keys go in for.")
@click.option("--without-keys", is_flag=True, help="Leave private keys out: they are kept elsewhere.")
@click.option("--verify", "verifying", is_flag=True, help="Make nothing: hash all of a backup again.")
@_NAME
@_KEY
def backup(
    directory: Path,
    recipients: tuple[str, ...],
    without_keys: bool,
    verifying: bool,
    name: str | None,
    key: Path | None,
) -> None:
    """Back up database, objects, trees and keys to DIRECTORY, or check a backup there.

    What an earlier backup in DIRECTORY holds already is hashed again, not copied again. Settings are not in
    it: they name where secrets are.
    """
    if verifying:
        if recipients or without_keys:
            raise click.UsageError("--verify makes no backup: leave --recipient and --without-keys out")
        found = _read(directory, name, key)
        _demand_whole(found)
        click.echo(_words(found))
        return
    if name is not None or key is not None:
        raise click.UsageError("--name and --key are for --verify")
    if bool(recipients) == without_keys:
        raise click.UsageError("say --recipient age1… for the private keys, or --without-keys")
    settings = config.load()
    if not settings.data_directory.is_dir():
        raise ConfigurationError(
            f"there is no data directory {settings.data_directory}", what_to_do="correct data_directory"
        )
    with bootstrap.owner_database(settings, make=False) as owner:
        made = make(bootstrap.backup_source(settings, owner), directory, recipients=recipients)
    _tell(made, without_keys=without_keys)


@click.command()
@click.argument("directory", type=_DIRECTORY)
@click.option("--identity", type=_FILE, help="Age identity that opens the private keys.")
@click.option("--without-keys", is_flag=True, help="Leave private keys out: they are put back by hand.")
@_NAME
@_KEY
def restore(
    directory: Path, identity: Path | None, without_keys: bool, name: str | None, key: Path | None
) -> None:
    """Restore a backup in DIRECTORY into an empty installation, and derive everything in it again."""
    started = time.monotonic()
    found = _read(directory, name, key)
    if found.value["keys"] and (identity is None) != without_keys:
        raise click.UsageError("give --identity FILE for the private keys, or --without-keys")
    _demand_whole(found)
    settings = config.load()
    settings.data_directory.mkdir(parents=True, exist_ok=True)
    with bootstrap.owner_database(settings, make=True) as owner:
        restoring.begin(found, owner, settings.data_directory)
        if identity is not None:
            for kept in restoring.put_keys(found, identity, bootstrap.key_files(settings)):
                click.secho(f"{kept}: another key is there already and stays", fg="yellow", err=True)
        objects = restoring.put_files(found, bootstrap.objects(settings), settings.data_directory)
        rows = restoring.put_record(found, owner)
        restoring.finish(settings.data_directory)
        click.echo(f"restored {plain(_words(found))}: {rows} rows and {objects} objects put back", err=True)
        # Within the block: an embedded server that was stopped is not started again by the same process.
        with bootstrap.database(settings) as (engine, _):
            code = report_audit(bootstrap.parts(settings, engine))
    click.echo(f"{time.monotonic() - started:.1f} s")
    sys.exit(int(code))


def _read(directory: Path, name: str | None, key: Path | None) -> Backup:
    return manifest.read(
        directory, name, public_key=None if key is None else read_public_key(key.read_bytes())
    )


def _demand_whole(found: Backup) -> None:
    """End with every damaged file by name; whole, this returns."""
    damaged = 0
    for words in check.problems(found):
        damaged += 1
        click.secho(plain(words), fg="red")
    if damaged:
        click.echo(f"{found.value['name']} cannot be restored: {damaged} of its files are damaged")
        sys.exit(int(ExitCode.INVALID))


def _words(found: Backup) -> str:
    value, objects = found.value, found.value["objects"]
    return (
        f"{value['name']}, made {value['made_at']} by {value['software']}: {objects['count']} objects "
        f"({objects['bytes']} bytes), {sum(item['rows'] for item in value['tables'])} rows, "
        f"every byte as it was backed up; signed with the receipt key {found.key_id}"
    )


def _tell(made: Made, *, without_keys: bool) -> None:
    click.echo(
        f"{made.name}: {made.rows} rows and {made.objects} objects, {made.new} files new ({made.added} bytes)"
    )
    if made.remade:
        click.echo(f"{len(made.remade)} tree files are not there; the service makes them again", err=True)
    if without_keys:
        click.echo(
            "private keys are not in it: without login-state.key, stored login states cannot be opened; "
            "without receipt-key.pem, receipts are signed with a new key from then on",
            err=True,
        )
    click.echo("settings are not in it: they name where secrets are; keep them with those", err=True)
