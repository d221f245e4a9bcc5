"""``evidence verify`` and ``evidence inspect``: they need neither the service nor a network."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evidence_service.errors import RefusedError
from evidence_service.verify.report import ExitCode

if TYPE_CHECKING:
    from evidence_service.verify.policy import Policy
    from evidence_service.verify.report import Report

_SYMBOLS = {
    "pass": ("✓", "green"),
    "fail": ("✗", "red"),
    "not_checked": ("–", "yellow"),
    "pending": ("…", "yellow"),
}


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--trust", type=click.Path(path_type=Path), help="Trust file instead of the shipped policy.")
@click.option("--offline", is_flag=True, help="Open no connection; headers are compared with checkpoints.")
@click.option("--rpc", "rpc_urls", multiple=True, metavar="URL", help="Node to compare block headers with.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.option("--quiet", is_flag=True, help="Print nothing; the exit code is the answer.")
def verify(
    paths: tuple[Path, ...],
    trust: Path | None,
    offline: bool,
    rpc_urls: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> None:
    """Verify certificates or proof bundles, with the evidence files given beside them."""
    from evidence_service.verify import inputs  # noqa: PLC0415 - only where something is verified
    from evidence_service.verify.verifier import verify as run  # noqa: PLC0415 - as above

    if offline and rpc_urls:
        raise click.UsageError("--offline and --rpc contradict each other")
    policy = _policy(trust)
    compare = inputs.compare_with(rpc_urls) if rpc_urls else None
    reports = [
        run(material, policy, now=datetime.now(UTC), compare_header=compare)
        for material in inputs.gather(paths)
    ]
    if as_json:
        click.echo(json.dumps([report.to_document() for report in reports], ensure_ascii=False, indent=2))
    elif not quiet:
        for report in reports:
            _show(report)
    if not reports:
        click.echo("No certificate or proof bundle in what was given.", err=True)
    sys.exit(int(_worst(reports)))


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
def inspect(path: Path) -> None:
    """Show everything inside a certificate or bundle, without judging it."""
    from evidence_service.core import bundle  # noqa: PLC0415 - only where something is inspected
    from evidence_service.verify import inputs  # noqa: PLC0415 - as above

    for material in inputs.gather([path]):
        if material.trouble is not None:
            raise material.trouble
        if material.certificate is not None:
            sizes = {name: len(data) for name, data in sorted(material.certificate.attachments.items())}
            click.echo(json.dumps({"attachments": sizes}, indent=2))
        click.echo(json.dumps(bundle.parse(material.bundle), ensure_ascii=False, indent=2))


def _policy(trust: Path | None) -> Policy:
    from evidence_service.verify import policy  # noqa: PLC0415 - only where something is verified

    if trust is None:
        return policy.shipped()
    try:
        return policy.parse(trust.read_bytes())
    except OSError as error:
        raise RefusedError(f"the trust file {trust} cannot be read: {error.strerror}") from error


def _show(report: Report) -> None:
    colour = {0: "green", 3: "red"}.get(int(report.exit_code), "yellow")
    click.secho(f"{report.subject}: {report.verdict.value.upper()}", fg=colour, bold=True)
    click.echo(f"  {report.sentence}")
    for check in report.checks:
        symbol, shade = _SYMBOLS[check.status.value]
        click.echo(f"  {click.style(symbol, fg=shade)} {check.id} {check.name}")
        click.echo(f"        {check.why}")
        if check.status.value != "pass" and check.what_to_do:
            click.echo(f"        what to do: {check.what_to_do}")
    for line in report.trusts:
        click.echo(f"  trusts {line}")


def _worst(reports: list[Report]) -> ExitCode:
    """One exit code for several subjects: the first of the specification's order that applies."""
    order = [
        ExitCode.INVALID,
        ExitCode.OVER_LIMIT,
        ExitCode.UNSUPPORTED,
        ExitCode.UNTRUSTED,
        ExitCode.PENDING,
        ExitCode.NOT_CHECKED,
    ]
    found = {report.exit_code for report in reports}
    for code in order:
        if code in found:
            return code
    return ExitCode.VERIFIED if reports else ExitCode.NOTHING_FOUND
