"""Kill the worker with SIGKILL at every boundary of a piece of evidence's way, restart it, and count.

A step is killed before its effect, and after its effect but before its end was recorded. Run as a module it is
``make campaign-resume``, ``RESULT boundaries=… lost=0 doubled=0``: one piece of evidence for each boundary. In the
test suite one piece of evidence meets them all, a process for each.
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from dbos import DBOS
from sqlalchemy import func, select

from evidence_service import bootstrap, config
from evidence_service.errors import NotFoundError
from evidence_service.sandbox.installation import DemoInstallation
from evidence_service.service.audit import audit
from evidence_service.service.durable import DbosDurable
from evidence_service.service.parts import Parts
from evidence_service.service.preserve import describe_upload
from evidence_service.service.register_digest import digest_evidence_id
from evidence_service.service.tracing import NoTracing
from evidence_service.store import schema
from evidence_service.store.records import Matter

ROOT = Path(__file__).parents[2]
CUSTODY = ["order", "receive", "store", "seal", "stamp", "anchor", "certify", "hash"]
DIGEST_CUSTODY = ["order", "hash", "seal", "stamp"]
_PATIENCE = 90.0
_forkserver = multiprocessing.get_context("forkserver")
_forkserver.set_forkserver_preload(["evidence_service.bootstrap"])


@dataclass(frozen=True)
class Boundary:
    """Where the worker dies: when a workflow runs a step, before or after its effect."""

    workflow: str
    step: str
    moment: str

    def __str__(self) -> str:
        return f"{self.moment} {self.workflow}: {self.step}"


_STEPS = (
    *(("preserve", step) for step in ("order", "capture", "seal", "stamp", "register")),
    *(("stamp", step) for step in ("stamp header", "finish")),
    *(("note", step) for step in ("record", "finish")),
    # After the release custody log and digest follow.
    *(("certify", step) for step in ("issue", "record")),
)
UPLOAD = tuple(Boundary(*step, moment) for step in _STEPS for moment in ("before", "after"))
"""Every boundary between two stages; those within a submission are killed in ``test_states``."""
CAPTURE = tuple(Boundary("preserve", "capture", moment) for moment in ("before", "after"))
"""Those that are others where a browser captures."""


class Dying(DbosDurable):
    """Durable steps in a process that kills itself at the first boundary it comes to.

    Args:
        boundaries: where it may die.
        told: is given the boundary, and only then the process dies.
    """

    def __init__(self, boundaries: Collection[Boundary], told: Connection) -> None:
        super().__init__(NoTracing())
        self._boundaries = boundaries
        self._told = told

    def step(self, name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        workflow = str(DBOS.workflow_id).partition("-")[0]

        def watched(*inner: Any, **named: Any) -> Any:
            self._die(Boundary(workflow, name, "before"))
            result = function(*inner, **named)
            self._die(Boundary(workflow, name, "after"))
            return result

        return super().step(name, watched, *args, **kwargs)

    def _die(self, here: Boundary) -> None:
        if here in self._boundaries:
            self._told.send(here)
            os.kill(os.getpid(), signal.SIGKILL)


def work(settings_file: str, log: str, boundaries: Collection[Boundary], told: Connection | None) -> None:
    """A worker process; without boundaries it works until it is stopped."""
    os.environ["EVIDENCE_CONFIG"] = settings_file
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    settings = config.load()
    with bootstrap.database(settings) as (engine, url):
        durable = None if told is None else Dying(boundaries, told)
        running = bootstrap.worker(settings, bootstrap.parts(settings, engine), url, durable=durable)
        running.start()
        stopping.wait()
        running.stop(drain=5)


class Campaign:
    """One installation whose worker is killed again and again."""

    def __init__(self, demo: DemoInstallation, parts: Parts) -> None:
        self.demo = demo
        self.parts = parts
        self._log = str(demo.directory / "worker.log")
        self._matter = "m-resume"
        self._numbers: list[str] = []
        parts.records.add_matter(Matter(self._matter, "resume", "Resume SA", (), parts.now()))

    def run(self, boundaries: Sequence[Boundary], *, capture: bool = False) -> tuple[list[str], list[str]]:
        """Die at each boundary of one piece of evidence's way, in the order in which they come, each time a new
        process; what was lost and what was doubled at the end of the way, in words.
        """
        evidence_id = self._order(capture)
        name = f"{evidence_id}, killed {', '.join(map(str, boundaries))}"
        left = set(boundaries)
        while left:
            died = self._die(left)
            if died is None:
                return [f"{name}: never came to {', '.join(map(str, left))}"], []
            left.remove(died)
        again = _forkserver.Process(target=work, args=(str(self.demo.settings_file), self._log, (), None))
        again.start()
        try:
            status = self._wait(evidence_id)
        finally:
            again.terminate()
            again.join(30)
        lost = [] if status == "certified" else [f"{name}: ended as {status}"]
        doubled = [*self._doubled(evidence_id, capture=capture), *self._doubled_certificates(evidence_id)]
        return lost + self._broken(evidence_id), [f"{name}: {words}" for words in doubled]

    def _die(self, boundaries: Collection[Boundary]) -> Boundary | None:
        """The boundary at which a new process killed itself."""
        told, ours = _forkserver.Pipe(duplex=False)
        dying = _forkserver.Process(
            target=work, args=(str(self.demo.settings_file), self._log, frozenset(boundaries), ours)
        )
        dying.start()
        ours.close()
        with told:
            found: Boundary | None = told.recv() if told.poll(_PATIENCE) else None
        if found is None:
            dying.kill()
        dying.join(_PATIENCE)
        return found if dying.exitcode == -signal.SIGKILL else None

    def _order(self, capture: bool) -> str:
        evidence_id = f"ev-{secrets.token_hex(8)}"
        uploaded = None
        if not capture:
            stored = self.parts.objects.put_bytes(evidence_id.encode())
            uploaded = describe_upload(self.parts, "note.txt", "text/plain", stored)
        self.parts.records.add_evidence(
            evidence_id=evidence_id,
            matter_id=self._matter,
            kind="platform_capture" if capture else "upload",
            url=self.demo.marketplace.listing_url("100204") if capture else None,
            operator="agent",
            certificate_wanted=True,
            created_at=self.parts.now(),
            capture=uploaded,
        )
        return evidence_id

    def _wait(self, evidence_id: str) -> str:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            status = self.parts.records.evidence(evidence_id).status
            # The next worker to be killed must find nothing left of this evidence.
            if status == "certified" and self._registered(evidence_id):
                break
            time.sleep(0.1)
        return status

    def _registered(self, evidence_id: str) -> bool:
        """Whether its certificate's digest waits for a next batch."""
        [pdf] = self.parts.certificates.pdfs(self.parts.certificates.of_evidence(evidence_id).number)
        try:
            status = self.parts.records.evidence(digest_evidence_id(pdf.sha256)).status
        except NotFoundError:
            return False
        return status in ("registered", "anchored")

    def _broken(self, evidence_id: str) -> list[str]:
        return [
            f"{evidence_id}: {words}"
            for item in audit(self.parts)
            if item.subject_id == evidence_id
            for words in item.problems
        ]

    def _doubled(self, evidence_id: str, *, capture: bool) -> list[str]:
        parts, problems = self.parts, []
        actions = [event["action"] for event in parts.records.custody(evidence_id)]
        wanted = [("capture" if action == "receive" and capture else action) for action in CUSTODY]
        if actions != wanted:
            problems.append(f"custody log is {actions}")
        batch_id = str(parts.records.evidence(evidence_id).batch_id)
        tokens = (
            len(parts.records.tokens("manifest", evidence_id)),
            len(parts.records.tokens("batch_header", batch_id)),
        )
        if tokens != (2, 2):
            problems.append(f"{tokens} tokens instead of two and two")
        anchored = self._events(parts.batches.batch(batch_id).commitment)
        if anchored != 1:
            problems.append(f"the commitment is in {anchored} events of the contract")
        if self._transactions() != self._batches():
            problems.append(f"{self._transactions()} transactions for {self._batches()} batches")
        return problems

    def _doubled_certificates(self, evidence_id: str) -> list[str]:
        register, problems = self.parts.certificates, []
        found = register.find(evidence_id=evidence_id)
        if len(found) != 1:
            return [f"certificates {[item.number for item in found]}"]
        statuses = [item.status for item in register.history(found[0].number)]
        if statuses != ["reserved", "released"]:
            problems.append(f"history of the certificate is {statuses}")
        for pdf in register.pdfs(found[0].number):
            digest_id = digest_evidence_id(pdf.sha256)
            actions = [event["action"] for event in self.parts.records.custody(digest_id)]
            if actions != DIGEST_CUSTODY:
                problems.append(f"custody log of the digest is {actions}")
        self._numbers.append(found[0].number)
        numbers = sorted(int(number.rsplit("-", 1)[1]) for number in self._numbers)
        if numbers != list(range(1, len(numbers) + 1)):
            problems.append(f"numbers are {self._numbers}")
        return problems

    def _events(self, commitment: bytes) -> int:
        chain = self.parts.chains[0]
        logs = chain.node.call(
            "eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest", "address": chain.contract}
        )
        return sum(commitment.hex() in "".join([*log["topics"], log["data"]]) for log in logs)

    def _transactions(self) -> int:
        chain = self.parts.chains[0]
        return chain.node.quantity("eth_getTransactionCount", chain.signer.address, "latest")

    def _batches(self) -> int:
        with self.parts.records._engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(schema.batches)).scalar_one())


@contextmanager
def campaign(directory: Path) -> Iterator[Campaign]:
    """A running installation to be killed."""
    # Started first, so that it inherits no connection.
    with DemoInstallation(directory, ganache=ROOT / "node_modules/.bin/ganache") as demo:
        os.environ["EVIDENCE_CONFIG"] = str(demo.settings_file)
        os.environ["EVIDENCE_BATCH_SECONDS"] = "0"
        try:
            settings = config.load()
            with bootstrap.database(settings) as (engine, _):
                yield Campaign(demo, bootstrap.parts(settings, engine))
        finally:
            del os.environ["EVIDENCE_CONFIG"], os.environ["EVIDENCE_BATCH_SECONDS"]


def main() -> int:
    """The campaign as a command."""
    lost: list[str] = []
    doubled: list[str] = []
    wanted = [(boundary, False) for boundary in UPLOAD] + [(boundary, True) for boundary in CAPTURE]
    with tempfile.TemporaryDirectory(prefix="evidence-resume-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        with campaign(Path(name)) as running:
            for boundary, capture in wanted:
                more_lost, more_doubled = running.run([boundary], capture=capture)
                lost += more_lost
                doubled += more_doubled
                print(f"{boundary}: {'; '.join(more_lost + more_doubled) or 'resumed'}", file=sys.stderr)
    print(f"RESULT boundaries={len(wanted)} lost={len(lost)} doubled={len(doubled)}")
    return 1 if lost or doubled else 0


if __name__ == "__main__":
    sys.exit(main())
