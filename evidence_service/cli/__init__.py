"""``evidence …``: thin commands; each module is imported when one of its commands runs.

Standard output carries the answer alone; progress and problems go to standard error. Exit codes are those of
``docs/spec/verification.md`` section 11.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from evidence_service import __version__
from evidence_service.cli.exit_codes import exit_code_of, in_a_family
from evidence_service.cli.terminal import plain
from evidence_service.errors import EvidenceServiceError
from evidence_service.verify.report import ExitCode

_COMMANDS = {
    "serve": ("serving", "Run the API, and a worker beside it."),
    "worker": ("serving", "Run a worker."),
    "capture": ("capture", "Capture listings as evidence."),
    "add": ("ordering", "Preserve files of yours as uploaded evidence."),
    "register": ("register_digests", "Register digests of files that stay with you."),
    "examine": ("examination", "Examine captures of others, without preserving them."),
    "status": ("search", "Show where evidence stands."),
    "anchor": ("client", "Have evidence anchored without waiting for its batch to fill."),
    "receipt": ("receipt", "Check an intake receipt and whether its promise was kept."),
    "certificate": ("certificate", "Issue certificates and look after them."),
    "declaration": ("declaration", "Prepare declarations for people who took part, to be signed by them."),
    "exhibit": ("exhibit", "Make one package for court or opponent, with redaction."),
    "matter": ("matters", "Register matters and look at them."),
    "hold": ("holds", "Keep evidence, or a matter's, from being deleted."),
    "retention": ("holds", "Keep evidence until a time at least."),
    "deletion": ("deletions", "Have files of evidence deleted, by two persons."),
    "link": ("links", "Give something to somebody who has no key."),
    "search": ("search", "Find evidence by what it shows."),
    "anchors": ("anchors", "Show where batches stand on their chains."),
    "organisation": ("organisations", "Register organisations."),
    "member": ("organisations", "Look after the members of your organisation."),
    "key": ("organisations", "Make and revoke API keys of members."),
    "verify": ("verification", "Verify certificates or proof bundles."),
    "inspect": ("verification", "Show everything inside a certificate or bundle."),
    "config": ("configuration", "Look at the settings."),
    "doctor": ("operation", "Check that everything the service needs is there."),
    "chain": ("chain", "Check the configured chains, or deploy the contract on one."),
    "devchain": ("operation", "Run a local development chain with the contract."),
    "migrate": ("serving", "Bring the database to this release."),
    "backup": ("backup", "Back up database, objects, trees and keys, or check a backup."),
    "restore": ("backup", "Restore a backup into an empty installation."),
    "fsck": ("operation", "Derive every stored digest, proof and anchor again."),
}
"""Commands by name: module and one line of help."""


class _Commands(click.Group):
    """Loads commands when they are needed; turns the project's errors into a sentence and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"evidence_service.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return self._invoke(ctx)
        except EvidenceServiceError as error:
            click.secho(f"error: {plain(error.message)}", fg="red", err=True)
            if error.what_to_do:
                click.echo(f"what to do: {plain(error.what_to_do)}", err=True)
            ctx.exit(int(exit_code_of(error)))
        except (
            click.exceptions.ClickException,
            click.exceptions.Exit,
            click.exceptions.Abort,
            BrokenPipeError,
        ):
            raise
        except OSError as error:
            where = f"{plain(error.filename)}: " if error.filename else ""
            click.secho(f"error: {where}{plain(error.strerror or error)}", fg="red", err=True)
            click.echo("what to do: choose another file or folder, or free the space or port", err=True)
            ctx.exit(int(ExitCode.USAGE))
        except Exception as error:  # noqa: BLE001 - whatever it is, the reader gets a sentence, not a traceback
            words = plain(f"{type(error).__name__}: {error}")
            click.secho(f"error: a fault of this program ({words})", fg="red", err=True)
            click.echo(f"what to do: report it with the file {_write_traceback(error)}", err=True)
            ctx.exit(int(ExitCode.INTERNAL))

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            named = in_a_family(error)
            if named is error:
                raise
            raise named from error


def _write_traceback(error: Exception) -> str:
    """Where the details of a fault are, for those who mend it."""
    import tempfile  # noqa: PLC0415 - only after a fault
    import traceback  # noqa: PLC0415 - as above

    with tempfile.NamedTemporaryFile(
        "w",
        prefix="evidence-fault-",
        suffix=".txt",
        delete=False,
        encoding="utf-8",
        errors="backslashreplace",
    ) as file:
        file.writelines(traceback.format_exception(error))
    return file.name


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="evidence")
def main() -> None:
    """Preserve marketplace listings as evidence and verify certificates."""
