"""Many submissions, several workers, random faults, kills and reorganisations on one chain; then everything is
counted. Run as a module it is ``make campaign-chain``:
``RESULT submitted=… lost=0 doubled=0 gaps=0 unverified=0``; the test suite runs a short form.

Workers share one key and one PostgreSQL. Each has three addresses of the chain: one through a proxy that spoils
a share of its answers, two straight. The chain mines by itself here and now and then loses blocks.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from evidence_service.anchor import contract, endpoint
from evidence_service.anchor.fees import FeePolicy
from evidence_service.anchor.finality import Finality
from evidence_service.anchor.node import Node
from evidence_service.anchor.sender import Sender
from evidence_service.anchor.signer import LocalSigner
from evidence_service.anchor.submission import Submission
from evidence_service.errors import EvidenceError, UnavailableError
from evidence_service.processes import free_port
from evidence_service.sandbox.anvil import CHAIN_ID, AnvilChain
from evidence_service.store import schema
from evidence_service.store.postgres import EmbeddedPostgres, connect, migrate
from evidence_service.verify.chain import verify_anchor
from tests.faults.anvil import AnvilControl
from tests.faults.rpc_faults import FAULTS
from tests.faults.rpc_proxy import RpcProxy
from tests.faults.sending import LEAVES, SIGNER, submission_of
from tests.faults.states import forkserver, journal
from tests.faults.world import CONTRACT
from tests.running import ANVIL

# Each would hold a round up for the client's whole time limit and shows nothing that the others do not.
_SLOW = ("timeout", "slow_drip", "too_large")
FAST = tuple(name for name in FAULTS if not name.startswith(_SLOW))


@dataclass(frozen=True)
class Plan:
    """How much, and how rough.

    Attributes:
        probability: share of the answers through the proxy that are spoiled.
        deepest: blocks that a reorganisation replaces at most; never more than are not final.
        block: seconds between blocks.
        kill: average seconds between two kills of a worker.
        window: transactions in the pool at once.
    """

    submissions: int
    workers: int
    epoch: int
    deepest: int
    probability: float = 0.02
    block: float = 0.25
    reorganise: float = 12.0
    kill: float = 6.0
    window: int = 64
    seed: int = 4
    patience: float = 3600.0


SHORT = Plan(
    submissions=150,
    workers=3,
    epoch=3,
    deepest=6,
    block=0.15,
    reorganise=1.0,
    kill=1.0,
    window=4,
    patience=200,
)


def work(url: str, rpc_url: str, seed: int, plan: Plan, log: str) -> None:
    """A worker: one round after the other, until it is killed."""
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    endpoint.LIE_PAUSE = endpoint.LONGEST_PAUSE = 0.5  # otherwise the first lie would end all others
    with RpcProxy(rpc_url) as proxy:
        proxy.randomly(plan.probability, seed=seed, among=FAST)
        straight = [rpc_url, rpc_url.replace("127.0.0.1", "localhost")]
        sender = Sender(
            Node([proxy.url, *straight], CHAIN_ID, timeout=2.0),
            SIGNER,
            journal(url),
            fees=FeePolicy(bump_after=4, max_in_flight=plan.window),
            finality=Finality(agreeing=2),
        )
        while True:
            try:
                done = sender.round()
            except UnavailableError as error:
                print(f"round: {error.message}", flush=True)
                continue
            if done is not None:
                proxy.log.clear()
                print(dict(done.events), list(done.problems.values())[:2], flush=True)
            if done is None or not done.progressed:
                time.sleep(0.05)


class Campaign:
    """Chain, database and workers while the ``with`` block lasts."""

    def __init__(self, directory: Path, plan: Plan) -> None:
        self.plan = plan
        self.counts: Counter[str] = Counter()
        self._dice = random.Random(plan.seed)
        self._log = str(directory / "workers.log")
        self._chain = AnvilChain(
            directory / "anvil", free_port(), anvil=ANVIL, mining="manual", slots_in_an_epoch=plan.epoch
        )
        self.anvil = AnvilControl(self._chain.rpc_url)
        self._server = EmbeddedPostgres(directory / "postgres")
        self._url = self._server.url
        migrate(connect(self._url))
        self.journal = journal(self._url)
        self._workers: list[Any] = []
        self._seed = plan.seed

    def close(self) -> None:
        """End everything."""
        for worker in self._workers:
            worker.kill()
            worker.join(10)
        self.journal._engine.dispose()
        self._server.stop()
        self._chain.stop()

    def run(self) -> dict[str, int]:
        """Everything; the counts of what must not be."""
        anvil, plan = self.anvil, self.plan
        deployer = LocalSigner(AnvilChain.accounts[0].private_key)
        # Deployed as on any chain: code that only was set is gone after a reorganisation.
        contract.deploy_if_absent(
            Node([self._chain.rpc_url], CHAIN_ID), deployer, sleep=lambda _: anvil.mine()
        )
        anvil.mine(2 * plan.epoch + 2)
        wanted = [self._submit(f"campaign {number}") for number in range(plan.submissions)]
        self._workers = [self._start() for _ in range(plan.workers)]
        started = time.monotonic()
        kill_at, reorganise_at, told = plan.kill, plan.reorganise, 0.0
        while (left := self._left()) and (now := time.monotonic() - started) < plan.patience:
            anvil.mine()
            if now > reorganise_at:
                self._reorganise()
                reorganise_at = now + self._dice.uniform(0.5, 1.5) * plan.reorganise
            if now > kill_at:
                self._kill()
                kill_at = now + self._dice.uniform(0.5, 1.5) * plan.kill
            if now > told + 15:
                told = now
                print(f"{now:.0f} s: {left} left, {dict(self.counts)}", file=sys.stderr, flush=True)
            time.sleep(plan.block)
        self.counts["seconds"] = round(time.monotonic() - started)
        for worker in self._workers:
            worker.kill()
            worker.join(10)
        return self._count(wanted)

    def _submit(self, name: str) -> Submission:
        submission = submission_of(name)
        self.journal.create(submission)
        return submission

    def _start(self) -> Any:
        self._seed += 1
        arguments = (self._url, self._chain.rpc_url, self._seed, self.plan, self._log)
        worker = forkserver.Process(target=work, args=arguments, daemon=True)
        worker.start()
        return worker

    def _kill(self) -> None:
        index = self._dice.randrange(len(self._workers))
        killed = self._workers[index]
        os.kill(killed.pid, signal.SIGKILL)
        killed.join(10)
        self.counts["kills"] += 1
        self._workers[index] = self._start()

    def _reorganise(self) -> None:
        """Blocks leave the chain; of their transactions some come back, in other blocks, the rest is forgotten."""
        depth = self._dice.randint(1, self.plan.deepest)
        head, back = self.anvil.head(), []
        if self._dice.random() < 0.5:
            for number in range(head - depth + 1, head + 1):
                for transaction in self.anvil.block(number)["transactions"]:
                    back.append(self.anvil.call("eth_getRawTransactionByHash", transaction))
        self.anvil.reorg(depth)
        # anvil 1.7 goes back to a state that has forgotten all code, although its hash is right.
        self.anvil.call("anvil_setCode", CONTRACT, contract.artefact()["deployedBytecode"])
        for raw in back[: self._dice.randrange(len(back) + 1)]:
            with suppress(AssertionError):  # some worker was faster
                self.anvil.call("eth_sendRawTransaction", raw)
        self.counts["reorgs"] += 1
        self.counts["deepest"] = max(self.counts["deepest"], depth)

    def _left(self) -> int:
        table = schema.submissions
        done = (table.c.state == "sealed") | (
            (table.c.state == "finalized") & (table.c.contract == table.c.submitter)
        )
        with self.journal._engine.connect() as connection:
            return int(connection.execute(select(func.count()).where(~done)).scalar_one())

    def _count(self, wanted: list[Submission]) -> dict[str, int]:
        anvil, lost, unverified = self.anvil, 0, 0
        data = {contract.anchor_call(item.commitment, LEAVES): item.submission_id for item in wanted}
        carried: Counter[str] = Counter()
        for number in range(anvil.head() + 1):
            for transaction in anvil.call("eth_getBlockByNumber", hex(number), True)["transactions"]:
                name = data.get(bytes.fromhex(transaction["input"][2:]))
                if name is not None:
                    carried[name] += 1
        for item in wanted:
            stored = self.journal.load(item.submission_id)
            lost += not stored.done
            proof = self.journal.proof(item.submission_id)
            if proof is None:
                continue
            try:
                facts = verify_anchor(proof, commitment=item.commitment, leaf_count=LEAVES)
            except EvidenceError:
                unverified += 1
                continue
            block = anvil.block(facts.block_number)
            unverified += block["hash"] != facts.block_hash or not facts.has_state_proof
        used = int(anvil.call("eth_getTransactionCount", SIGNER.address, "latest"), 16)
        owners = self.journal.nonces(CHAIN_ID, SIGNER.address, 0)
        return {
            "submitted": len(wanted),
            "lost": lost,
            "doubled": sum(count - 1 for count in carried.values() if count > 1),
            "gaps": len(set(owners) ^ set(range(used))),
            "unverified": unverified,
        }


def main() -> int:
    """The campaign as a command."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--submissions", type=int, default=10_000)
    options.add_argument("--workers", type=int, default=4)
    options.add_argument("--seed", type=int, default=4)
    chosen = options.parse_args()
    plan = Plan(
        submissions=chosen.submissions, workers=chosen.workers, epoch=32, deepest=64, seed=chosen.seed
    )
    with tempfile.TemporaryDirectory(prefix="evidence-chain-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        campaign = Campaign(Path(name), plan)
        try:
            found = campaign.run()
        finally:
            campaign.close()
    words = " ".join(f"{key}={value}" for key, value in {**found, **campaign.counts}.items())
    print(f"RESULT {words}")
    return 1 if any(found[key] for key in ("lost", "doubled", "gaps", "unverified")) else 0


if __name__ == "__main__":
    sys.exit(main())
