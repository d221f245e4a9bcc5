"""Kill the worker with SIGKILL at every boundary of a piece of evidence's way, restart it, and count.

Run as a module it is ``make campaign-resume``: ``RESULT boundaries=… lost=0 doubled=0``. The test suite runs
the same boundaries. A step is killed before its effect, and after its effect but before its end was recorded.
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
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    """Where the worker dies: the n-th time a step of this name runs, before or after its effect."""

    step: str
    occurrence: int
    moment: str
    capture: bool = False

    def __str__(self) -> str:
        kind = "capture" if self.capture else "upload"
        return f"{kind}-{self.moment}-{self.step.replace(' ', '_')}-{self.occurrence}"


def boundaries() -> list[Boundary]:
    """Every boundary between two stages; those within a submission are killed in ``test_states``."""
    steps = [("order", 1), ("capture", 1), ("seal", 1), ("stamp", 1), ("register", 1)]
    # "record" ends two workflows: the noting of the anchor first, then the certificate, after whose release
    # custody log and digest follow.
    steps += [("stamp header", 1), ("finish", 1), ("record", 1), ("finish", 2), ("issue", 1), ("record", 2)]
    found = [Boundary(step, number, moment) for step, number in steps for moment in ("before", "after")]
    return found + [Boundary("capture", 1, moment, capture=True) for moment in ("before", "after")]


class Dying(DbosDurable):
    """Durable steps in a process that kills itself at one boundary."""

    def __init__(self, boundary: Boundary) -> None:
        super().__init__(NoTracing())
        self._boundary = boundary
        self._seen: Counter[str] = Counter()

    def step(self, name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        def watched(*inner: Any, **named: Any) -> Any:
            self._seen[name] += 1
            here = (name, self._seen[name]) == (self._boundary.step, self._boundary.occurrence)
            if here and self._boundary.moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*inner, **named)
            if here and self._boundary.moment == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return super().step(name, watched, *args, **kwargs)


def work(settings_file: str, log: str, boundary: Boundary | None) -> None:
    """A worker process; without a boundary it works until it is stopped."""
    os.environ["EVIDENCE_CONFIG"] = settings_file
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    settings = config.load()
    with bootstrap.database(settings) as (engine, url):
        durable = None if boundary is None else Dying(boundary)
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

    def run(self, boundary: Boundary) -> tuple[list[str], list[str]]:
        """Die at a boundary, start again; what was lost and what was doubled, in words."""
        evidence_id = self._order(boundary)
        dying = _forkserver.Process(target=work, args=(str(self.demo.settings_file), self._log, boundary))
        dying.start()
        dying.join(_PATIENCE)
        if dying.exitcode != -signal.SIGKILL:
            dying.kill()
            return [f"{boundary}: the boundary was never reached (exit {dying.exitcode})"], []
        again = _forkserver.Process(target=work, args=(str(self.demo.settings_file), self._log, None))
        again.start()
        try:
            status = self._wait(evidence_id)
        finally:
            again.terminate()
            again.join(30)
        lost = [] if status == "certified" else [f"{boundary}: ended as {status}"]
        return lost + self._broken(evidence_id), [
            *self._doubled(evidence_id, boundary),
            *self._doubled_certificates(evidence_id, boundary),
        ]

    def _order(self, boundary: Boundary) -> str:
        evidence_id = f"ev-{secrets.token_hex(8)}"
        capture = None
        if not boundary.capture:
            stored = self.parts.objects.put_bytes(evidence_id.encode())
            capture = describe_upload(self.parts, "note.txt", "text/plain", stored)
        self.parts.records.add_evidence(
            evidence_id=evidence_id,
            matter_id=self._matter,
            kind="platform_capture" if boundary.capture else "upload",
            url=self.demo.marketplace.listing_url("100204") if boundary.capture else None,
            operator="agent",
            certificate_wanted=True,
            created_at=self.parts.now(),
            capture=capture,
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

    def _doubled(self, evidence_id: str, boundary: Boundary) -> list[str]:
        parts, problems = self.parts, []
        actions = [event["action"] for event in parts.records.custody(evidence_id)]
        wanted = [("capture" if action == "receive" and boundary.capture else action) for action in CUSTODY]
        if actions != wanted:
            problems.append(f"{boundary}: custody log is {actions}")
        batch_id = str(parts.records.evidence(evidence_id).batch_id)
        tokens = (
            len(parts.records.tokens("manifest", evidence_id)),
            len(parts.records.tokens("batch_header", batch_id)),
        )
        if tokens != (2, 2):
            problems.append(f"{boundary}: {tokens} tokens instead of two and two")
        anchored = self._events(parts.batches.batch(batch_id).commitment)
        if anchored != 1:
            problems.append(f"{boundary}: the commitment is in {anchored} events of the contract")
        if self._transactions() != self._batches():
            problems.append(f"{boundary}: {self._transactions()} transactions for {self._batches()} batches")
        return problems

    def _doubled_certificates(self, evidence_id: str, boundary: Boundary) -> list[str]:
        register, problems = self.parts.certificates, []
        found = register.find(evidence_id=evidence_id)
        if len(found) != 1:
            return [f"{boundary}: certificates {[item.number for item in found]}"]
        statuses = [item.status for item in register.history(found[0].number)]
        if statuses != ["reserved", "released"]:
            problems.append(f"{boundary}: history of the certificate is {statuses}")
        for pdf in register.pdfs(found[0].number):
            digest_id = digest_evidence_id(pdf.sha256)
            actions = [event["action"] for event in self.parts.records.custody(digest_id)]
            if actions != DIGEST_CUSTODY:
                problems.append(f"{boundary}: custody log of the digest is {actions}")
        self._numbers.append(found[0].number)
        numbers = sorted(int(number.rsplit("-", 1)[1]) for number in self._numbers)
        if numbers != list(range(1, len(numbers) + 1)):
            problems.append(f"{boundary}: numbers are {self._numbers}")
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
    found = boundaries()
    with tempfile.TemporaryDirectory(prefix="evidence-resume-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        with campaign(Path(name)) as running:
            for boundary in found:
                more_lost, more_doubled = running.run(boundary)
                lost += more_lost
                doubled += more_doubled
                print(f"{boundary}: {'; '.join(more_lost + more_doubled) or 'resumed'}", file=sys.stderr)
    print(f"RESULT boundaries={len(found)} lost={len(lost)} doubled={len(doubled)}")
    return 1 if lost or doubled else 0


if __name__ == "__main__":
    sys.exit(main())
