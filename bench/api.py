"""``make bench-api``: registering digests over HTTP, beside a bare FastAPI handler in the same run.

Two servers of one process each on one PostgreSQL, the same client, alternating rounds; rates are medians of
rounds. The bare one inserts and commits for each request and asks nobody who calls; see
:mod:`bench.api_servers`.

* ``single_ratio``: our registrations a second beside the bare inserts, at 32 and 64 connections; at least 1;
* ``batch_ratio``: our lists of 1,000 a second beside bare ones that COPY; at least 0.6;
* ``single_p99_ms``, ``bare_p99_ms``, ``batch_p99_ms``: answers within that time, 99 of 100;
* ``stored``, ``acknowledged``: our rows in the database, and those the clients were told of; the same;
* ``rss_growth_mb``: memory of our server after the last round beside that after the first;
* ``lookup_p99_ms``: a proof by digest among a million entries, at the store with the rights of the API; at
  most 5. ``lookup_http_p99_ms``: the same over HTTP.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from bench import api_servers
from bench.api_lookup import fill, lookups, lookups_over_http
from evidence_service import bootstrap
from evidence_service.config import Settings
from evidence_service.processes import ManagedProcess, accepts_connections, free_port
from evidence_service.service.parts import Parts
from evidence_service.store.postgres import connect
from evidence_service.store.records import Matter
from evidence_service.store.tenancy import API_ROLE
from tests.running import as_role, database, enrol

ORGANISATION, MATTER, KEY = "o-bench", "m-bench", "bench key"
SINGLE_RATIO, BATCH_RATIO, LOOKUP_MS, GROWTH_MB = 1.0, 0.6, 5.0, 32.0
ROWS = 1_000
_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes")


@dataclass(frozen=True, slots=True)
class Server:
    """One of the two, while it runs."""

    name: str
    port: int
    process: ManagedProcess

    def seconds(self) -> float:
        """Processor time it has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextmanager
def serving(name: str, directory: Path, environment: dict[str, str]) -> Iterator[Server]:
    """A server in a process of its own while the block lasts."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"bench.api_servers:{name}", "--factory"]
    process = ManagedProcess(
        name,
        [*command, "--port", str(port), "--no-access-log", "--log-level", "warning"],
        log=directory / f"{name}.log",
        environment={**os.environ, **environment},
    )
    try:
        process.wait_until(lambda: accepts_connections(port), seconds=120)
        yield Server(name, port, process)
    finally:
        process.stop(grace=30)


def prepare(engine: Engine, directory: Path) -> Parts:
    """An organisation with a member and a matter, and the table of the bare server; parts of a worker."""
    with engine.begin() as connection:
        connection.execute(text(api_servers.TABLE))
        for name in _SETTINGS:
            assert connection.execute(text(f"SHOW {name}")).scalar_one() == "on", name
    parts = bootstrap.parts(Settings(data_directory=directory, purpose="demonstration"), engine)
    enrol(parts, ORGANISATION, "BE", KEY)
    parts.within(ORGANISATION).records.add_matter(Matter(MATTER, "bench", "Bench SA", (), parts.now()))
    return parts


def press(server: Server, path: str, *, connections: int, seconds: float, rows: int = 0) -> dict[str, Any]:
    """One round on a server, by a process of its own."""
    wanted = {
        "port": server.port,
        "path": path,
        "key": KEY,
        "matter": MATTER,
        "connections": connections,
        "seconds": seconds,
        "rows": rows,
    }
    before = server.seconds()
    done = subprocess.run(
        [sys.executable, "-m", "bench.api_load", json.dumps(wanted)], capture_output=True, check=True
    )
    seen: dict[str, Any] = json.loads(done.stdout)
    assert seen["refused"] == 0, f"{server.name}: {seen['refused']} refused"
    seen["rate"] = seen["acknowledged"] / seen["elapsed"]
    seen["cpu"] = (server.seconds() - before) / max(seen["acknowledged"], 1) * 1e6
    return seen


def alternate(servers: tuple[Server, Server], options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Rounds of each kind on each server, the one that begins changing from round to round."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for number in range(options.rounds):
        order = servers if number % 2 == 0 else servers[::-1]
        for connections in options.connections:
            for server in order:
                seen = press(server, "/v1/registrations", connections=connections, seconds=options.seconds)
                found[f"{server.name} single {connections}"].append(seen)
        for server in order:
            seen = press(server, "/v1/registration-lists", connections=4, seconds=options.seconds, rows=ROWS)
            found[f"{server.name} batch"].append(seen)
        print(_words(found), file=sys.stderr)
        found["memory"].append({server.name: server.memory() for server in servers})
    return found


def _words(found: dict[str, list[dict[str, Any]]]) -> str:
    return ", ".join(
        f"{name} {seen[-1]['rate']:.0f}/s {seen[-1]['cpu']:.0f} us"
        for name, seen in found.items()
        if "rate" in seen[-1]
    )


def ratio(found: dict[str, list[dict[str, Any]]], what: str) -> float:
    """Our rate beside the bare one: median of the rounds' own ratios, for the machine changes meanwhile."""
    pairs = zip(found[f"ours {what}"], found[f"bare {what}"], strict=True)
    return statistics.median(ours["rate"] / bare["rate"] for ours, bare in pairs)


def p99(samples: list[float]) -> float:
    """In milliseconds."""
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * 0.99))] * 1e3


def together(found: dict[str, list[dict[str, Any]]], beginning: str) -> list[float]:
    """Seconds of all answers of rounds whose name begins so."""
    return [
        each
        for name, seen in found.items()
        if name.startswith(beginning)
        for item in seen
        for each in item["seconds"]
    ]


def stored(engine: Engine) -> int:
    """Our rows."""
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM registrations")).scalar_one())


def acknowledged(found: dict[str, list[dict[str, Any]]]) -> int:
    """Rows of ours that the clients were told of."""
    return sum(
        item["acknowledged"] * (ROWS if name.endswith("batch") else 1)
        for name, seen in found.items()
        if name.startswith("ours")
        for item in seen
    )


def measure(directory: Path, options: argparse.Namespace) -> dict[str, float]:
    """Everything, on a database of its own."""
    with ExitStack() as stack:
        url = stack.enter_context(database(directory))
        engine = connect(url)
        stack.callback(engine.dispose)
        data = directory / "data"
        parts = prepare(engine, data)
        plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
        environment = {api_servers.DATA: str(data)}
        bare = stack.enter_context(serving("bare", directory, {**environment, api_servers.URL: plain}))
        ours = stack.enter_context(serving("ours", directory, {**environment, api_servers.URL: url}))
        for server in (bare, ours):  # imports, pools and prepared statements
            press(server, "/v1/registrations", connections=8, seconds=options.warm)
            press(server, "/v1/registration-lists", connections=2, seconds=options.warm, rows=ROWS)
        warm = stored(engine)
        found = alternate((bare, ours), options)
        figures = {
            **{
                f"single_ratio_{connections}": ratio(found, f"single {connections}")
                for connections in options.connections
            },
            "batch_ratio": ratio(found, "batch"),
            "single_per_s": statistics.median(
                item["rate"] for item in found[f"ours single {options.connections[0]}"]
            ),
            "single_p99_ms": p99(together(found, "ours single")),
            "bare_p99_ms": p99(together(found, "bare single")),
            "batch_p99_ms": p99(together(found, "ours batch")),
            "bare_batch_p99_ms": p99(together(found, "bare batch")),
            "stored": stored(engine) - warm,
            "acknowledged": acknowledged(found),
            "rss_growth_mb": found["memory"][-1]["ours"] - found["memory"][0]["ours"],
        }
        figures["single_ratio"] = min(
            value for name, value in figures.items() if name.startswith("single_ratio_")
        )
        digests = fill(engine, parts, options.entries, organisation=ORGANISATION, matter=MATTER)
        narrow = as_role(engine, API_ROLE)
        stack.callback(narrow.dispose)
        asking = bootstrap.parts(Settings(data_directory=data, purpose="demonstration"), narrow)
        figures["lookup_p99_ms"] = p99(lookups(asking, ORGANISATION, digests))
        figures["lookup_http_p99_ms"] = p99(lookups_over_http(ours.port, KEY, digests))
        return figures


def broken(figures: dict[str, float], options: argparse.Namespace) -> list[str]:
    """Promises that are not kept; what depends on time is left out where times mean nothing."""
    found = [] if figures["stored"] == figures["acknowledged"] else ["stored is not acknowledged"]
    if options.untimed:
        return found
    bounds = {
        "single_ratio": figures["single_ratio"] >= SINGLE_RATIO,
        "batch_ratio": figures["batch_ratio"] >= BATCH_RATIO,
        "lookup_p99_ms": figures["lookup_p99_ms"] <= LOOKUP_MS,
        "rss_growth_mb": figures["rss_growth_mb"] <= GROWTH_MB,
    }
    return found + [name for name, kept in bounds.items() if not kept]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each round on each server")
    parser.add_argument("--warm", type=float, default=2.0)
    parser.add_argument("--connections", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--untimed", action="store_true", help="judge counts alone")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="evidence-api-", dir="/var/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)
        figures = measure(directory, options)
    shown = " ".join(
        f"{name}={value:.2f}" if isinstance(value, float) else f"{name}={value}"
        for name, value in figures.items()
    )
    wrong = broken(figures, options)
    print(f"RESULT {shown}" + (f" broken={','.join(wrong)}" if wrong else ""))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
