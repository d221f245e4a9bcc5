"""Two APIs and two workers on one PostgreSQL, killed with SIGKILL at random under load; everything is counted.

Run as a module it is ``make campaign-service``; the test suite runs it short. A client sends every order under
an idempotency key to whichever API answers until it is acknowledged. At the end each acknowledged id has to be
found with its receipt and its bytes, certified, and its certificate has to verify offline.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from evidence_service import bootstrap, config
from evidence_service.cli.client import ServiceClient
from evidence_service.config import ClientSettings
from evidence_service.core import bundle
from evidence_service.errors import EvidenceServiceError, ServiceUnavailableError
from evidence_service.processes import free_port
from evidence_service.sandbox.installation import DemoInstallation
from evidence_service.service.audit import audit, audit_trees
from evidence_service.service.parts import Parts
from evidence_service.store import postgres, schema
from tests.faults.fleet import Fleet, Killing
from tests.running import GANACHE

_PATIENCE = 900.0


@dataclass(frozen=True)
class Form:
    """How much is done.

    Attributes:
        pause: seconds between two orders of one client.
        kills: at least so many.
    """

    uploads: int
    captures: int
    clients: int
    pause: float
    kills: int
    pauses: tuple[float, float]
    lapse: float = 3.0


SHORT = Form(uploads=4, captures=0, clients=2, pause=0.5, kills=3, pauses=(0.6, 1.5), lapse=2.0)
LONG = Form(uploads=240, captures=16, clients=6, pause=4.0, kills=40, pauses=(2.0, 6.0))


@dataclass(frozen=True)
class Acknowledged:
    """An order that was answered with 202.

    Attributes:
        sha256: of the content of an upload, hexadecimal; empty for a capture.
    """

    id: str
    receipt: dict[str, Any] = field(repr=False)
    sha256: str


class Clients:
    """Orders under idempotency keys, each repeated until an API acknowledges it."""

    def __init__(self, form: Form, api_key: str, ports: Sequence[int], listings: Sequence[str]) -> None:
        self._form = form
        self._apis = [ServiceClient(ClientSettings(api_url=_url(port), api_key=api_key)) for port in ports]
        self._listings = listings
        self._lock = threading.Lock()
        self.acknowledged: list[Acknowledged] = []
        self.repeated = 0
        self.matter = self._insist("/v1/matters", json={"reference": "C-1", "applicant": "Campaign SA"})["id"]

    def run(self) -> None:
        """Place all orders; returns when the last one is acknowledged."""
        orders = [self._upload] * self._form.uploads + [self._capture] * self._form.captures
        random.Random(1).shuffle(orders)
        with ThreadPoolExecutor(self._form.clients) as pool:
            for done in [pool.submit(order, number) for number, order in enumerate(orders)]:
                done.result()

    def any(self) -> ServiceClient:
        """One of the APIs."""
        return random.choice(self._apis)

    def _upload(self, number: int) -> None:
        content = f"order {number} {secrets.token_hex(500)}".encode()
        query = {"matter_id": self.matter, "name": "note.txt", "certificate": True}
        self._keep(self._insist("/v1/uploads", params=query, content=content), sha256(content).hexdigest())

    def _capture(self, number: int) -> None:
        body = {"matter_id": self.matter, "url": self._listings[number % len(self._listings)]}
        self._keep(self._insist("/v1/captures", json=body), "")

    def _keep(self, answer: dict[str, Any], digest: str) -> None:
        with self._lock:
            self.acknowledged.append(Acknowledged(answer["id"], answer["receipt"], digest))
        time.sleep(self._form.pause)

    def _insist(self, path: str, **request: Any) -> dict[str, Any]:
        """The same request under the same key, to whichever API answers."""
        key, deadline = secrets.token_hex(16), time.monotonic() + _PATIENCE
        while True:
            try:
                return dict(self.any().create(path, key=key, **request))
            except ServiceUnavailableError:
                if time.monotonic() > deadline:
                    raise
                self.repeated += 1
                time.sleep(0.1)


@dataclass
class Tally:
    """What was found at the end, in words where it is not as it should be."""

    certified: int = 0
    lost: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class Campaign:
    """An installation with its fleet."""

    def __init__(self, demo: DemoInstallation, form: Form, parts: Parts, url: str, seed: int) -> None:
        self._demo = demo
        self._form = form
        self.parts = parts
        self._engine = postgres.connect(url)
        self._numbers = random.Random(seed)
        self._ports = [free_port(), free_port()]
        self.fleet = Fleet(
            {
                "EVIDENCE_CONFIG": str(demo.settings_file),
                "EVIDENCE_WORKER_LAPSE_SECONDS": str(form.lapse),
                "EVIDENCE_BATCH_SECONDS": "1",
            },
            ports=self._ports,
            workers=2,
            log=demo.directory / "fleet.log",
            numbers=self._numbers,
        )

    def run(self) -> Clients:
        """Load and kills, then peace until everything is certified or the patience ends."""
        self.fleet.wait()
        listings = [self._demo.marketplace.listing_url(item) for item in ("100204", "200102")]
        clients = Clients(self._form, self._demo.api_key, self._ports, listings)
        killing = Killing(self.fleet, self._engine, pauses=self._form.pauses, numbers=self._numbers)
        try:
            clients.run()
            deadline = time.monotonic() + _PATIENCE
            while self.fleet.kills < self._form.kills and time.monotonic() < deadline:
                time.sleep(0.1)
        finally:
            killing.stop()
        self._settle([item.id for item in clients.acknowledged])
        self.fleet.wait()
        return clients

    def _settle(self, ids: Sequence[str]) -> None:
        deadline, table = time.monotonic() + _PATIENCE, schema.evidence
        query = select(func.count()).where(
            table.c.id.in_(ids), table.c.status != "certified", ~table.c.refused
        )
        while time.monotonic() < deadline:
            with self._engine.connect() as connection:
                if connection.execute(query).scalar_one() == 0:
                    return
            self.fleet.revive()
            time.sleep(0.2)

    def examine(self, client: ServiceClient, acknowledged: Iterable[Acknowledged], directory: Path) -> Tally:
        """Look every acknowledged order up, with its bytes, and have its certificate verified offline."""
        tally, anchors, pdfs = Tally(), [], []
        for item in acknowledged:
            try:
                problems = list(_differences(client, item))
                view = client.call("GET", f"/v1/evidence/{item.id}").json()
                if view["status"] != "certified":
                    tally.problems.append(f"{item.id}: ended as {view['status']}: {view['progress']}")
                else:
                    anchors += bundle.parse(_get(client, item.id, "bundle"))["anchors"]
                    pdfs.append(directory / f"{item.id}.pdf")
                    pdfs[-1].write_bytes(_get(client, item.id, "certificate.pdf"))
            except EvidenceServiceError as error:
                problems = [error.message]
            if problems:
                tally.lost.append(f"{item.id}: {'; '.join(problems)}")
        self._demo.write_trust(anchors)
        for start in range(0, len(pdfs), 50):
            verified, problem = self._verify(pdfs[start : start + 50])
            tally.certified += verified
            tally.problems += problem
        tally.problems += self._doubled() + self._fsck()
        return tally

    def _verify(self, pdfs: Sequence[Path]) -> tuple[int, list[str]]:
        done = _evidence("verify", "--offline", "--json", "--trust", self._demo.trust_file, *pdfs)
        reports = json.loads(done.stdout or '{"reports": []}')["reports"]
        good = sum(report["verdict"] == "demonstration" for report in reports)
        return good, [] if done.returncode == 0 else [
            f"evidence verify: exit {done.returncode} {done.stderr[-500:]}"
        ]

    def _fsck(self) -> list[str]:
        """What ``evidence fsck`` says."""
        found = [*audit_trees(self.parts), *audit(self.parts)]
        return [f"{item.subject_id}: {words}" for item in found for words in item.problems]

    def _doubled(self) -> list[str]:
        """An order that was repeated under its key is one order."""
        table = schema.evidence
        query = select(func.count()).where(table.c.kind != "digest")
        with self._engine.connect() as connection:
            found = int(connection.execute(query).scalar_one())
        wanted = self._form.uploads + self._form.captures
        return [] if found == wanted else [f"{found} pieces of evidence for {wanted} orders"]


def _differences(client: ServiceClient, item: Acknowledged) -> Iterator[str]:
    if json.loads(_get(client, item.id, "receipt")) != item.receipt:
        yield "the receipt is another one"
    files = client.call("GET", f"/v1/evidence/{item.id}/files").json()
    if item.sha256 and item.sha256 not in {file["sha256"] for file in files}:
        yield "the uploaded bytes are not among its files"
    for file in files:
        content = _get(client, item.id, f"files/{file['path']}")
        if sha256(content).hexdigest() != file["sha256"]:
            yield f"{file['path']} is not what was stored"


def _get(client: ServiceClient, evidence_id: str, what: str) -> bytes:
    return client.call("GET", f"/v1/evidence/{evidence_id}/{what}").content


def _evidence(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "evidence_service.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


@contextmanager
def campaign(directory: Path, form: Form, *, seed: int = 1) -> Iterator[Campaign]:
    """A running installation with its fleet."""
    with DemoInstallation(directory, ganache=GANACHE) as demo:
        settings = config.Settings(**json.loads(demo.settings_file.read_text()))
        # Holds the embedded PostgreSQL while everybody else dies.
        with bootstrap.database(settings) as (engine, url):
            running = Campaign(demo, form, bootstrap.parts(settings, engine), url, seed)
            try:
                yield running
            finally:
                running.fleet.stop()
                running._engine.dispose()


def result(found: Tally, clients: Clients, running: Campaign, seconds: float) -> str:
    """The figures in one line."""
    return (
        f"acknowledged={len(clients.acknowledged)} lost={len(found.lost)} certified={found.certified} "
        f"takeovers={running.parts.workers.taken_over()} kills={running.fleet.kills} "
        f"never_back={running.fleet.never_back} repeated={clients.repeated} seconds={seconds:.0f}"
    )


def main() -> int:
    """The campaign as a command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    for name in ("uploads", "captures", "kills"):
        parser.add_argument(f"--{name}", type=int, default=getattr(LONG, name))
    given = vars(parser.parse_args())
    seed = given.pop("seed")
    form = replace(LONG, **given)
    print(f"seed {seed}", file=sys.stderr)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="evidence-service-", dir="/var/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)
        with campaign(directory, form, seed=seed) as running:
            clients = running.run()
            found = running.examine(clients.any(), clients.acknowledged, directory)
            for words in (*found.lost, *found.problems):
                print(words, file=sys.stderr)
            print(f"RESULT {result(found, clients, running, time.monotonic() - started)}")
            complete = found.certified == len(clients.acknowledged) == form.uploads + form.captures
            taken_over = running.parts.workers.taken_over() > 0
    return 0 if complete and taken_over and not (found.lost or found.problems) else 1


if __name__ == "__main__":
    sys.exit(main())
