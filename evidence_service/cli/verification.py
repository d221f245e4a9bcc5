"""``evidence verify`` and ``evidence inspect``: they need neither the service nor a network."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evidence_service.cli import terminal
from evidence_service.cli.exit_codes import exit_code_of
from evidence_service.cli.terminal import plain
from evidence_service.errors import EvidenceServiceError, RefusedError
from evidence_service.verify.report import (
    ExitCode,
    Report,
    error_document,
    overall,
    verification_document,
)

if TYPE_CHECKING:
    from evidence_service.verify.policy import Policy

_SYMBOLS = {
    "pass": ("✓", "green"),
    "fail": ("✗", "red"),
    "not_checked": ("–", "yellow"),
    "pending": ("…", "yellow"),
}
_DIGEST = re.compile(r"(?:[0-9a-f]{64}|[0-9a-f]{128})", re.IGNORECASE)


@click.command()
@click.argument("what", nargs=-1, required=True)
@click.option("--trust", type=click.Path(path_type=Path), help="Trust file instead of the shipped policy.")
@click.option("--offline", is_flag=True, help="Open no connection; headers are compared with checkpoints.")
@click.option(
    "--rpc", "rpc_urls", multiple=True, metavar="URL", help="Node to compare block headers with; repeatable."
)
@click.option(
    "--register",
    metavar="URL",
    help="Also ask the issuer's register, at the address the certificate names, what became of it.",
)
@click.option("--at", metavar="TIME", help="Judge as of this time (2026-11-24T08:30:00Z) instead of now.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
@click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write a report for the expert's file: a name ending in .html or .pdf.",
)
@click.option("--quiet", is_flag=True, help="Print nothing; the exit code is the answer.")
def verify(
    what: tuple[str, ...],
    trust: Path | None,
    offline: bool,
    rpc_urls: tuple[str, ...],
    register: str | None,
    at: str | None,
    as_json: bool,
    report_file: Path | None,
    quiet: bool,
) -> None:
    """Verify certificates or proof bundles, with the evidence given beside them.

    WHAT is any number of certificates (PDF), proof bundles, evidence files, folders, ZIP or WACZ archives,
    "-" for standard input, and bare digests (SHA-256 or SHA3-512, hexadecimal), in any order. Evidence finds
    the certificate that lists it.

    Exit codes: 0 verified, 2 usage, 3 invalid, 4 untrusted, 5 pending, 6 not checked, 7 nothing to verify,
    8 unknown version, 9 over a limit, 10 verified, but not what the register that was asked calls current.
    """
    if offline and (rpc_urls or register):
        raise click.UsageError("--offline contradicts --rpc and --register")
    if report_file is not None and report_file.suffix.lower() not in (".html", ".pdf"):
        raise click.UsageError("--report writes .html or .pdf, by the name's ending")
    try:
        moment = datetime.now(UTC) if at is None else _moment(at)
        reports = _verified(what, _policy(trust), moment, rpc_urls, register)
    except EvidenceServiceError as error:
        if not as_json:
            raise
        code = exit_code_of(error)
        click.echo(terminal.document(error_document(code, error.message, error.what_to_do)))
        sys.exit(int(code))
    document = verification_document(reports)
    if report_file is not None:
        _write_report(document, report_file)
    if as_json:
        click.echo(terminal.document(document))
    elif not quiet:
        for report in reports:
            _show(report)
        for line in reports[0].trusts if reports else ():
            click.echo(f"trusts {plain(line)}")
        if report_file is not None:
            click.echo(f"report written to {report_file}")
    if not reports:
        click.echo(
            "There is no certificate or proof bundle in what was given; files and digests alone prove "
            "nothing.\nwhat to do: give the certificate (PDF) or the bundle as well",
            err=True,
        )
    sys.exit(int(overall(reports)))


def _verified(
    what: tuple[str, ...],
    policy: Policy,
    moment: datetime,
    rpc_urls: tuple[str, ...],
    register: str | None,
) -> list[Report]:
    from evidence_service.verify import inputs  # noqa: PLC0415 - only where something is verified
    from evidence_service.verify.verifier import verify as run  # noqa: PLC0415 - as above

    compare = None
    if rpc_urls:
        from evidence_service.verify.nodes import compare_with  # noqa: PLC0415 - only when online

        compare = compare_with(rpc_urls)
    digests = [item for item in what if _DIGEST.fullmatch(item) and not Path(item).exists()]
    paths = [Path(item) for item in what if item not in digests]
    materials = inputs.gather(paths, [bytes.fromhex(item) for item in digests])
    reports = [run(material, policy, now=moment, compare_header=compare) for material in materials]
    if register is None:
        return reports
    from evidence_service.cli.register import with_register  # noqa: PLC0415 - only when online

    return [
        report if material.file is None else with_register(report, material.file, register)
        for report, material in zip(reports, materials, strict=True)
    ]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise RefusedError(
            f"{text!r} is not a time", what_to_do="write it like 2026-11-24T08:30:00Z"
        ) from error
    if moment.tzinfo is None:
        raise RefusedError(f"{text!r} has no time zone", what_to_do="add Z for UTC, or +08:00")
    return moment.astimezone(UTC)


def _policy(trust: Path | None) -> Policy:
    from evidence_service.verify import policy  # noqa: PLC0415 - only where something is verified

    if trust is None:
        return policy.shipped()
    try:
        return policy.parse(trust.read_bytes())
    except OSError as error:
        raise RefusedError(f"the trust file {trust} cannot be read: {error.strerror}") from error


def _write_report(document: dict[str, Any], path: Path) -> None:
    from evidence_service.certificate import expert_report  # noqa: PLC0415 - only when asked for

    made = expert_report.as_pdf if path.suffix.lower() == ".pdf" else expert_report.as_html
    try:
        path.write_bytes(made(document))
    except OSError as error:
        raise RefusedError(f"the report {path} cannot be written: {error.strerror}") from error


def _show(report: Report) -> None:
    colour = {0: "green", 3: "red", 10: "red"}.get(int(report.exit_code), "yellow")
    click.secho(f"{plain(report.subject)}: {report.verdict.value.upper()}", fg=colour, bold=True)
    warned = report.registered is not None and bool(report.registered.warning)
    click.secho(f"  {plain(report.sentence)}", fg=colour if warned else None, bold=warned)
    for check in report.checks:
        symbol, shade = _SYMBOLS[check.status.value]
        click.echo(f"  {click.style(symbol, fg=shade)} {check.id} {plain(check.name)}")
        click.echo(f"        {plain(check.why)}")
        if check.status.value != "pass" and check.what_to_do:
            click.echo(f"        what to do: {plain(check.what_to_do)}")
    for item in report.findings.files:
        if item.status in ("changed", "foreign"):
            click.secho(f"  {item.status}: {plain(item.name)}", fg="red")
    if report.findings.files and report.findings.missing:
        click.echo(f"  not given: {plain(', '.join(report.findings.missing))}")


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
def inspect(path: Path) -> None:
    """Show everything inside a certificate or bundle as JSON, without judging it."""
    from evidence_service.verify import inputs, inspection  # noqa: PLC0415 - only where something is inspected

    found = [inspection.describe(material) for material in inputs.gather([path])]
    if not found:
        raise RefusedError(
            f"there is no certificate or proof bundle in {path}",
            what_to_do="give a certificate (PDF) or a bundle",
        )
    click.echo(terminal.document(found))
    sys.exit(int(ExitCode.VERIFIED))
