"""``evidence config``: what the settings say, before anything is started with them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict

import click

from evidence_service import bootstrap
from evidence_service.cli.terminal import document, plain
from evidence_service.config import Settings
from evidence_service.config.checking import Finding, findings
from evidence_service.config.tracing import trace_exporter
from evidence_service.errors import ConfigurationError
from evidence_service.verify.report import ExitCode


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def check(as_json: bool) -> None:
    """Say everything that is wrong with the settings; nothing is made, nobody is asked."""
    found, settings = findings()
    if settings is not None:
        # What a part of a setting is to blame for is said there already.
        named = {part.setting.split(".", maxsplit=1)[0] for part in found if part.severity == "problem"}
        found += [item for item in _refused(settings) if item.setting not in named]
    problems = [item for item in found if item.severity == "problem"]
    if as_json:
        click.echo(document({"usable": not problems, "findings": [asdict(item) for item in found]}))
    else:
        for item in found:
            click.secho(
                f"{item.severity}: {plain(item.setting)}: {plain(item.message)}",
                fg="red" if item.severity == "problem" else "yellow",
            )
            click.echo(f"  {plain(item.what_to_do)}")
        click.echo(f"{len(problems)} problems, {len(found) - len(problems)} warnings")
    sys.exit(int(ExitCode.USAGE if problems else ExitCode.VERIFIED))


def _refused(settings: Settings) -> Iterator[Finding]:
    """What contradicts itself, or cannot be opened, as the start of the service would find it."""
    for setting, examine in _examinations(settings):
        try:
            examine()
        except ConfigurationError as error:
            advice = error.what_to_do or "see docs/reference/settings.md"
            yield Finding(setting, "problem", error.message, advice)


def _examinations(settings: Settings) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "promised_delay_seconds", lambda: bootstrap.promised_delay(settings)
    yield "egress_denied", lambda: bootstrap.egress_policy(settings)
    yield "chains", lambda: bootstrap.chains(settings.chains)
    yield "OTEL_TRACES_EXPORTER", trace_exporter
    seal = settings.seal
    # A token and a signing service are asked by “evidence doctor”.
    if seal is not None and seal.pkcs12 is not None:
        yield "seal", lambda: bootstrap.seal_key(seal)
