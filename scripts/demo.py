"""The main job, end to end, on a demonstration installation: a demonstration, not evidence."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.table import Table

from evidence_service.cli.client import ServiceClient
from evidence_service.config import ClientSettings
from evidence_service.core import bundle
from evidence_service.errors import EvidenceServiceError, UnavailableError
from evidence_service.processes import ManagedProcess, accepts_connections
from evidence_service.sandbox.contact_sheet import contact_sheet
from evidence_service.sandbox.installation import ChainKind, DemoInstallation
from evidence_service.sandbox.staying import invitation, stay, write_list

ROOT = Path(__file__).parents[1]
LISTINGS = ("100201", "200101", "100203")
DRAIN = 40
# Where the network cannot be taken away, every attempt to open a socket ends the process instead.
NO_SOCKETS = (
    "import sys,runpy;sys.addaudithook(lambda e,a:e.startswith('socket.') and sys.exit('socket refused'));"
    "sys.argv=sys.argv[1:];sys.argv[0]='evidence';"
    "runpy.run_module('evidence_service.cli',run_name='__main__')"
)
console = Console()


@dataclass
class Row:
    """What happened to one listing."""

    listing: str
    url: str
    evidence_id: str
    seconds: dict[str, float] = field(default_factory=dict)
    number: str = ""
    files: int = 0
    results: dict[str, tuple[bool, str]] = field(default_factory=dict)


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=ROOT / "demo-output", show_default=True)
@click.option(
    "--chain",
    "kinds",
    type=click.Choice(["ganache", "anvil"]),
    multiple=True,
    default=["ganache"],
    show_default=True,
    help="Chain to anchor on; given twice, every batch goes to both.",
)
@click.option(
    "--keep-running",
    is_flag=True,
    help="Leave everything up afterwards, until Ctrl-C, to try commands on it.",
)
@click.option(
    "--listener",
    "listeners",
    multiple=True,
    metavar="HOST:PORT",
    help="Where webhooks may be sent to, e.g. 127.0.0.1:9000; may be given several times.",
)
def main(output: Path, kinds: tuple[ChainKind, ...], keep_running: bool, listeners: tuple[str, ...]) -> None:
    """Run the main job and show the result."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    state = _state_directory(output)
    try:
        console.rule("Evidence service: demonstration, not evidence")
        console.print(f"Starting chain, authorities and marketplace (state in {state}) …")
        programs = {name: ROOT / "node_modules/.bin" / name for name in ("ganache", "anvil")}
        with (
            DemoInstallation(
                state, **programs, chains=tuple(dict.fromkeys(kinds)), listeners=listeners
            ) as demo,
            _service(demo) as service,
        ):
            rows = _run(demo, output)
            _summary(rows, output)
            if keep_running:
                _invite(demo, output)
                stay(service)
                console.print("Ending every process …")
    except KeyboardInterrupt:
        console.print("Interrupted; every process was ended.")
        sys.exit(130)
    except EvidenceServiceError as error:
        console.print(f"[red]error:[/] {error.message}")
        if error.what_to_do:
            console.print(f"what to do: {error.what_to_do}")
        sys.exit(1)
    if not keep_running:
        console.print(f"Done in {time.monotonic() - started:.0f} s.")
    sys.exit(0 if all(fine for row in rows for fine, _ in row.results.values()) else 1)


@contextmanager
def _service(demo: DemoInstallation) -> Iterator[ManagedProcess]:
    """The service while the block lasts."""
    service = ManagedProcess(
        "service",
        [sys.executable, "-m", "evidence_service.cli", "serve"],
        log=demo.directory / "service.log",
        environment={**os.environ, "EVIDENCE_CONFIG": str(demo.settings_file)},
    )
    try:
        service.wait_until(lambda: accepts_connections(demo.api_port), seconds=60)
        yield service
    finally:
        service.stop(grace=DRAIN)


def _run(demo: DemoInstallation, output: Path) -> list[Row]:
    names = " and ".join(f"chain {chain_id}" for chain_id in demo.chains)
    console.print(f"Contract at {demo.contract} on {names}; API on port {demo.api_port}")
    client = ServiceClient(ClientSettings(api_url=f"http://127.0.0.1:{demo.api_port}", api_key=demo.api_key))
    rows = _order(demo, client)
    _follow(client, rows)
    _collect(client, rows, output)
    _write_trust(demo, rows, output)
    for row in rows:
        _verify(row, demo, output)
    contact_sheet(sorted(output.glob("certificates/*.pdf"))).save(output / "contact-sheet.png")
    return rows


def _order(demo: DemoInstallation, client: ServiceClient) -> list[Row]:
    matter = client.create(
        "/v1/matters",
        json={
            "reference": "DEMO-2026-0417",
            "applicant": "Aurelle SA (invented)",
            "rights": ["Trade mark AURELLE, invented for this demonstration"],
        },
    )
    rows = []
    for listing in LISTINGS:
        url = demo.marketplace.listing_url(listing)
        ordered = client.create("/v1/captures", json={"matter_id": matter["id"], "url": url})
        rows.append(Row(listing, url, ordered["id"]))
    return rows


def _follow(client: ServiceClient, rows: list[Row]) -> None:
    """Show every stage until all certificates are there."""
    started, deadline = time.monotonic(), time.monotonic() + 300
    seen: dict[str, tuple[str, str]] = {}
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while time.monotonic() < deadline:
            views = [client.call("GET", f"/v1/evidence/{row.evidence_id}").json() for row in rows]
            for row, view in zip(rows, views, strict=True):
                row.seconds.setdefault(view["status"], time.monotonic() - started)
                now = (view["status"], view["waiting_for"] or view["progress"])
                if not console.is_terminal and seen.get(row.listing) != now:
                    console.print(f"  {time.monotonic() - started:5.1f} s  {row.listing}  {' · '.join(now)}")
                seen[row.listing] = now
            live.update(_progress(rows, views), refresh=True)
            refused = next((view for view in views if "refused" in view["progress"]), None)
            if refused is not None:
                raise UnavailableError(f"{refused['id']}: {refused['progress']}")
            if all(view["status"] == "certified" for view in views):
                return
            time.sleep(0.25)
    raise UnavailableError(
        "the certificates did not come within 300 s", what_to_do="see service.log in the state"
    )


def _progress(rows: list[Row], views: list[dict[str, Any]]) -> Table:
    table = Table("Listing", "Status", "Now")
    for row, view in zip(rows, views, strict=True):
        table.add_row(row.listing, view["status"], view["waiting_for"] or view["progress"])
    return table


def _collect(client: ServiceClient, rows: list[Row], output: Path) -> None:
    for name in ("certificates", "bundles", "captures", "receipts"):
        shutil.rmtree(output / name, ignore_errors=True)
        (output / name).mkdir(parents=True)
    key = client.call("GET", "/v1/receipt-key").content
    (output / "receipts" / "receipt-key.pem").write_bytes(key)
    for row in rows:
        base = f"/v1/evidence/{row.evidence_id}"
        row.number = client.call("GET", f"{base}/certificate").json()["number"]
        (output / "certificates" / f"certificate-{row.number}.pdf").write_bytes(
            client.call("GET", f"{base}/certificate.pdf").content
        )
        (output / "bundles" / f"{row.number}-bundle.json").write_bytes(
            client.call("GET", f"{base}/bundle").content
        )
        (output / "receipts" / f"{row.number}-receipt.json").write_bytes(
            client.call("GET", f"{base}/receipt").content
        )
        for item in client.call("GET", f"{base}/files").json():
            target = output / "captures" / row.number / item["path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(client.call("GET", f"{base}/files/{item['path']}").content)
            row.files += 1


def _write_trust(demo: DemoInstallation, rows: list[Row], output: Path) -> None:
    """Give the trust file the blocks' hashes, so that a verifier without network has what to compare with."""
    bundles = [bundle.parse((output / "bundles" / f"{row.number}-bundle.json").read_bytes()) for row in rows]
    demo.write_trust(anchor for value in bundles for anchor in value["anchors"])
    shutil.copy(demo.trust_file, output / "trust.json")


def _verify(row: Row, demo: DemoInstallation, output: Path) -> None:
    pdf = output / "certificates" / f"certificate-{row.number}.pdf"
    files = output / "captures" / row.number
    trust = ["--trust", str(output / "trust.json")]
    code, report = _evidence(["verify", "--offline", "--json", *trust, str(pdf), str(files)], network=False)
    row.results["verified, no network"] = (code == 0, report.get("verdict", f"exit {code}"))
    nodes = [part for url in demo.rpc_urls for part in ("--rpc", url)]
    code, report = _evidence(["verify", "--json", *trust, *nodes, str(pdf), str(files)])
    row.results["verified, chain online"] = (code == 0, report.get("verdict", f"exit {code}"))
    code, _ = _evidence(["verify", "--offline", "--json", str(pdf)], network=False)
    row.results["by the shipped policy"] = (code == 4, "untrusted" if code == 4 else f"exit {code}")
    receipts, proof = output / "receipts", output / "bundles" / f"{row.number}-bundle.json"
    given = [str(receipts / f"{row.number}-receipt.json"), "--key", str(receipts / "receipt-key.pem")]
    code, _ = _evidence(["receipt", *given, "--bundle", str(proof)], network=False)
    row.results["receipt"] = (code == 0, "genuine, promise kept" if code == 0 else f"exit {code}")
    forged = output / "changed"
    forged.mkdir(exist_ok=True)
    shot = files / "screenshot.png"
    for name, source, beside in (
        ("PDF changed", pdf, []),
        ("bundle changed", proof, []),
        ("file changed", shot, [str(pdf)]),
    ):
        copy = forged / f"{row.number}-{source.name}"
        data = bytearray(source.read_bytes())
        data[len(data) // 2] ^= 1
        copy.write_bytes(data)
        given = [str(copy), *beside]
        if source is shot:
            # Beside its certificate, under its own name, as an opponent would hand it over.
            copy = copy.with_name("screenshot.png")
            copy.write_bytes(data)
            given = [str(copy), *beside]
        code, report = _evidence(["verify", "--offline", "--json", *trust, *given], network=False)
        failed = [check["id"] for check in report.get("checks", []) if check["status"] == "fail"]
        row.results[name] = (
            code == 3 and bool(failed),
            f"refused: {', '.join(failed)}" if failed else f"exit {code}",
        )
    shutil.rmtree(forged)


def _evidence(arguments: list[str], *, network: bool = True) -> tuple[int, dict[str, Any]]:
    """Run the command line in a process of its own; exit code and first report."""
    command = [sys.executable, "-m", "evidence_service.cli", *arguments]
    if not network:
        command = (
            ["unshare", "--net", "--map-root-user", *command]
            if _can_unshare()
            else [sys.executable, "-c", NO_SOCKETS, "evidence", *arguments]
        )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        reports = json.loads(done.stdout)["reports"]
    except ValueError:
        reports = []
    return done.returncode, reports[0] if reports else {}


def _can_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run(
            ["unshare", "--net", "--map-root-user", "true"], capture_output=True, check=False
        ).returncode
        == 0
    )


def _summary(rows: list[Row], output: Path) -> None:
    table = Table("", *(row.listing for row in rows), title="Demonstration, not evidence")
    table.add_row("certificate", *(row.number for row in rows))
    table.add_row("files preserved", *(str(row.files) for row in rows))
    for status in ("registered", "anchored", "certified"):
        table.add_row(f"{status} after", *(f"{row.seconds.get(status, 0):.1f} s" for row in rows))
    table.add_section()
    for name in rows[0].results:
        results = [row.results[name] for row in rows]
        table.add_row(name, *(f"[{'green' if fine else 'red'}]{words}[/]" for fine, words in results))
    console.print(table)
    how = "a network namespace of its own" if _can_unshare() else "a process that ends at the first socket"
    console.print(f"Offline verification ran in {how}.")
    for name, words in (
        ("certificates", "the sealed PDFs"),
        ("bundles", "the proof bundles"),
        ("captures", "screenshots, DOM, WARC, logs"),
        ("receipts", "what was promised when each order was accepted, and the key to check it"),
        ("trust.json", "whom these demonstrations are vouched for by"),
        ("contact-sheet.png", "all pages at a glance"),
    ):
        console.print(f"  {output / name}  {words}", soft_wrap=True)
    pdf = next(iter(sorted((output / "certificates").glob("*.pdf"))))
    console.print(
        f"Try:  .venv/bin/evidence verify --offline --trust {_shown(output)}/trust.json {_shown(pdf)}",
        soft_wrap=True,
    )


def _invite(demo: DemoInstallation, output: Path) -> None:
    """Say how to go on; as plain lines, to be copied."""
    write_list(demo, output / "listings.csv")
    console.print("Everything stays up until Ctrl-C. In another terminal, in this folder:")
    for line in invitation(demo, _shown(output), Path(".venv/bin/evidence")):
        click.echo(f"  {line}")


def _shown(path: Path) -> Path:
    """As short as it can be given from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _state_directory(output: Path) -> Path:
    """Where keys, chain and database stay between runs.

    As root the embedded PostgreSQL runs as a user of its own, who has to be able to reach its directory.
    """
    wanted = ROOT / ".demo"
    if os.geteuid() == 0 and not all(
        parent.stat().st_mode & stat.S_IXOTH for parent in ROOT.resolve().parents
    ):
        wanted = Path("/var/tmp") / f"evidence-demo-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]}"  # noqa: S108 - a directory of ours, by name
    wanted.mkdir(mode=0o755, exist_ok=True)
    output.mkdir(parents=True, exist_ok=True)
    return wanted


if __name__ == "__main__":
    main()
