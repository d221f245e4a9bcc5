"""Back up under load, lose everything, restore, and count what was acknowledged and is not there.

Run as a module it is ``make campaign-restore``: ``RESULT records=… lost=0 seconds=…``; seconds are those of
``evidence restore``, everything derived again included. Chain, authorities and marketplace are the world
outside: they go on, and keep what was sent to them after the backup.
"""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyrage

from evidence_service import cli
from evidence_service.cli.client import ServiceClient
from evidence_service.config import ClientSettings
from evidence_service.core import bundle
from evidence_service.errors import EvidenceServiceError, RefusedError
from evidence_service.processes import accepts_connections
from evidence_service.sandbox.installation import DemoInstallation
from evidence_service.service.backups import manifest
from evidence_service.store.postgres import EmbeddedPostgres
from evidence_service.verify.report import Verdict
from tests.forgeries.run import report_of
from tests.forgeries.world import Case
from tests.running import GANACHE, certified, reachable

_PATIENCE = 300.0
_CLIENTS = 3
_NOTE = "note.txt"
# The programs are loaded once, not again for each process.
_forkserver = multiprocessing.get_context("forkserver")
_forkserver.set_forkserver_preload(["evidence_service.cli.operation", "evidence_service.cli.backup"])


def command(arguments: Sequence[str], log: str, environment: Mapping[str, str]) -> None:
    """The command line, in a process of its own."""
    os.environ.update(environment)
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    cli.main(list(arguments))


@dataclass(frozen=True)
class Accepted:
    """What a client was told, and when.

    Attributes:
        sha256: of the uploaded file, hexadecimal; None for captures.
    """

    id: str
    at: datetime
    sha256: str | None
    receipt: dict[str, Any]
    certificate: bool


@dataclass
class Counted:
    """The end of a campaign.

    Attributes:
        records: acknowledged before the backup's point; waiting: of these, still on their way in the backup.
        later: acknowledged after it, and lost with the machine, as has to be expected.
        lost: what is not as it was, in words.
        seconds: that the restore took.
    """

    records: int = 0
    waiting: int = 0
    later: int = 0
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)


class Campaign:
    """One installation that is lost and restored.

    Args:
        pieces: orders before the backup begins, at least; as many again come until it has ended. Every tenth
            wants a certificate.
        captures: how many of them are listings; all others are uploads.
        pause: seconds between two orders of a client.
    """

    def __init__(self, demo: DemoInstallation, *, pieces: int, captures: int, pause: float) -> None:
        self._demo = demo
        self._pieces, self._captures, self._pause = pieces, captures, pause
        self._backed_up = threading.Event()
        self._data = demo.directory / "data"
        self._backups = demo.directory / "backups"
        self._accepted: list[Accepted] = []
        self._counted = Counted()
        identity = pyrage.x25519.Identity.generate()
        self._recipient, self._identity = str(identity.to_public()), demo.directory / "identity.txt"
        self._identity.write_text(f"{identity}\n")

    def run(self) -> Counted:
        """Load, backup, loss, restore, count."""
        before = self._lose()
        point = manifest.read(self._backups).value["made_at"]
        kept = [item for item in self._accepted if item.at < datetime.fromisoformat(point)]
        self._counted.records, self._counted.later = len(kept), len(self._accepted) - len(kept)
        self._restore()
        if self._counted.lost:
            return self._counted
        with self._service() as client:
            for item in kept:
                self._look(client, item)
            self._end_of_all(client, kept)
            for item in kept:
                self._read(client, item)
            self._verify(client, kept, before)
        return self._counted

    def _lose(self) -> dict[str, bytes]:
        """Work until the backup is there and everything is accepted, then lose it; certificates of before."""
        process = self._start()
        client = self._client()
        matter = client.create("/v1/matters", json={"reference": "R-1", "applicant": "Restore SA"})["id"]
        # Shared by the threads: count() gives each number once, under the interpreter's lock.
        numbers = itertools.count()
        loading = [threading.Thread(target=self._load, args=(matter, numbers)) for _ in range(_CLIENTS)]
        try:
            for thread in loading:
                thread.start()
            self._until("enough orders", lambda: len(self._accepted) >= self._pieces)
            self._until("a certificate", lambda: bool(self._certificates(client)))
            self._evidence("backup", str(self._backups), "--recipient", self._recipient)
            before = self._certificates(client)
        finally:
            self._backed_up.set()
            for thread in loading:
                thread.join()
            process.kill()
            process.join()
        EmbeddedPostgres(self._data / "postgres").stop()
        shutil.rmtree(self._data)
        return before

    def _load(self, matter: str, numbers: Iterator[int]) -> None:
        client = self._client()
        while not self._backed_up.wait(self._pause) and (number := next(numbers)) < 2 * self._pieces:
            if number >= self._captures:
                self._upload(client, matter, number)
            else:
                url = self._demo.marketplace.listing_url("200102")
                self._accept(
                    client,
                    None,
                    certificate=True,
                    path="/v1/captures",
                    json={"matter_id": matter, "url": url},
                )

    def _upload(self, client: ServiceClient, matter: str, number: int) -> None:
        data = f"Note {number}\n".encode() * (1 + number % 50) * 20
        wanted = number % 10 == self._captures
        self._accept(
            client,
            hashlib.sha256(data).hexdigest(),
            certificate=wanted,
            path="/v1/uploads",
            params={"matter_id": matter, "name": _NOTE, "certificate": wanted},
            content=data,
            headers={"Content-Type": "text/plain"},
        )

    def _accept(
        self, client: ServiceClient, sha256: str | None, *, certificate: bool, path: str, **request: Any
    ) -> None:
        answer = client.create(path, **request)
        self._accepted.append(
            Accepted(answer["id"], datetime.now(UTC), sha256, answer["receipt"], certificate)
        )

    def _wanted(self) -> list[Accepted]:
        return [item for item in list(self._accepted) if item.certificate]

    def _certificates(self, client: ServiceClient) -> dict[str, bytes]:
        """Evidence → the PDF that was handed out for it before everything was lost."""
        return {
            item.id: client.call("GET", f"/v1/evidence/{item.id}/certificate.pdf").content
            for item in self._wanted()
            if certified(self._view(client, item.id))
        }

    def _restore(self) -> None:
        started = time.monotonic()
        said = self._evidence("restore", str(self._backups), "--identity", str(self._identity))
        self._counted.seconds = time.monotonic() - started
        if " 0 with problems" not in said:
            self._counted.lost.append(said)

    def _look(self, client: ServiceClient, item: Accepted) -> None:
        """One piece is there, with the receipt that was given for it."""
        try:
            self._counted.waiting += self._view(client, item.id)["status"] not in ("anchored", "certified")
            if client.call("GET", f"/v1/evidence/{item.id}/receipt").json() != item.receipt:
                self._counted.lost.append(f"{item.id} has another receipt")
        except RefusedError as error:
            self._counted.lost.append(f"{item.id}: {error.message}")

    def _read(self, client: ServiceClient, item: Accepted) -> None:
        """Its files are there, byte for byte; an upload's is the one that was sent."""
        base = f"/v1/evidence/{item.id}/files"
        try:
            for file in client.call("GET", base).json():
                sent = item.sha256 if file["path"] == _NOTE else None
                found = hashlib.sha256(client.call("GET", f"{base}/{file['path']}").content).hexdigest()
                if found != file["sha256"] or (sent is not None and found != sent):
                    self._counted.lost.append(f"{item.id} holds another file {file['path']}")
        except RefusedError as error:
            self._counted.lost.append(f"{item.id}: {error.message}")

    def _end_of_all(self, client: ServiceClient, kept: list[Accepted]) -> None:
        """What was in flight goes on to its end."""
        open_ones = {item.id: ("certified" if item.certificate else "anchored") for item in kept}

        def ended() -> bool:
            for evidence_id, end in list(open_ones.items()):
                if self._view(client, evidence_id)["status"] in (end, "certified"):
                    del open_ones[evidence_id]
            return not open_ones

        try:
            self._until("the end of all work", ended)
        except EvidenceServiceError:
            self._counted.lost += [f"{item} does not come to its end" for item in open_ones]

    def _verify(self, client: ServiceClient, kept: list[Accepted], before: dict[str, bytes]) -> None:
        """Certificates of then and of now verify, without a network; what was handed out is still the same."""
        wanted = [item.id for item in kept if item.certificate]
        anchors = [
            anchor
            for item in wanted
            for anchor in bundle.parse(client.call("GET", f"/v1/evidence/{item}/bundle").content)["anchors"]
        ]
        self._demo.write_trust(anchors)
        trusted = self._demo.trust_file.read_bytes()
        for item in wanted:
            pdf = client.call("GET", f"/v1/evidence/{item}/certificate.pdf").content
            report = report_of(Case(item, trusted, certificate=pdf, now=datetime.now(UTC)))
            if report.verdict is not Verdict.DEMONSTRATION:
                self._counted.lost.append(f"the certificate of {item}: {report.failures()}")
        if not any(
            before.get(item) == client.call("GET", f"/v1/evidence/{item}/certificate.pdf").content
            for item in wanted
        ):
            self._counted.lost.append("no certificate of before the loss is there unchanged")

    def _view(self, client: ServiceClient, evidence_id: str) -> dict[str, Any]:
        found: dict[str, Any] = client.call("GET", f"/v1/evidence/{evidence_id}").json()
        return found

    def _until(self, what: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not done():
            if time.monotonic() > deadline:
                raise RefusedError(f"{what} did not come within {_PATIENCE:g} s")
            time.sleep(0.2)

    def _begin(self, log: Path, *arguments: str) -> Any:
        environment = {"EVIDENCE_CONFIG": str(self._demo.settings_file), "EVIDENCE_BATCH_SECONDS": "0.5"}
        process = _forkserver.Process(target=command, args=(arguments, str(log), environment), daemon=True)
        process.start()
        return process

    def _evidence(self, *arguments: str) -> str:
        """A command of the service; what it says."""
        log = self._demo.directory / f"{arguments[0]}.log"
        process = self._begin(log, *arguments)
        process.join()
        said = log.read_text()
        if process.exitcode:
            self._counted.lost.append(f"{arguments[0]} ended with {process.exitcode}: {said}")
        return said

    def _start(self) -> Any:
        process = self._begin(self._demo.directory / "service.log", "serve")
        self._until("the service", lambda: accepts_connections(self._demo.api_port) or not process.is_alive())
        return process

    @contextmanager
    def _service(self) -> Iterator[ServiceClient]:
        process = self._start()
        try:
            yield self._client()
        finally:
            process.terminate()
            process.join()

    def _client(self) -> ServiceClient:
        address = f"http://127.0.0.1:{self._demo.api_port}"
        return ServiceClient(ClientSettings(api_url=address, api_key=self._demo.api_key))


def main() -> None:
    """The long form."""
    with tempfile.TemporaryDirectory(prefix="evidence-restore-") as scratch:
        directory = reachable(Path(scratch))
        directory.chmod(0o755)
        with DemoInstallation(directory / "demo", ganache=GANACHE) as demo:
            counted = Campaign(demo, pieces=300, captures=3, pause=0.05).run()
    for words in counted.lost:
        print(words, file=sys.stderr)
    print(
        f"in flight at the backup: {counted.waiting}; acknowledged after it: {counted.later}", file=sys.stderr
    )
    print(f"RESULT records={counted.records} lost={len(counted.lost)} seconds={counted.seconds:.1f}")
    sys.exit(bool(counted.lost) or not counted.records or not counted.waiting)


if __name__ == "__main__":
    main()
