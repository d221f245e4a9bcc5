"""``make bench-sending``: what it takes to bring batches to a chain, on a real anvil and a real PostgreSQL.

* ``anchors_s``: submissions from created to sealed a second, one worker, one key, 64 in the pool at once;
* ``requests``: JSON-RPC requests for each of them; ``bytes_kb``: what the journal and its proof take;
* ``signatures_s``: signed and checked transactions a second; ``vs_pure``: against the curve in pure Python.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path

from eth_keys import KeyAPI
from eth_keys.backends import NativeECCBackend
from sqlalchemy import text

from evidence_service.anchor import contract
from evidence_service.anchor.fees import FeePolicy
from evidence_service.anchor.node import Node
from evidence_service.anchor.sender import Sender
from evidence_service.anchor.signer import LocalSigner
from evidence_service.anchor.submission import Submission
from evidence_service.processes import free_port
from evidence_service.sandbox.anvil import CHAIN_ID, AnvilChain
from evidence_service.store.postgres import EmbeddedPostgres, connect, migrate
from evidence_service.verify.trie import keccak256
from tests.faults.anvil import AnvilControl
from tests.faults.rpc_proxy import RpcProxy
from tests.faults.sending import SIGNER
from tests.faults.states import journal
from tests.running import ANVIL

DEPLOYMENT = {
    "chainId": 1,
    "nonce": 0,
    "to": bytes(20),
    "value": 0,
    "data": bytes(68),
    "gas": 100_000,
    "maxFeePerGas": 10**10,
    "maxPriorityFeePerGas": 10**9,
}


def sent(count: int, directory: Path) -> tuple[float, float, float]:
    """Seconds, requests and bytes of so many submissions."""
    chain = AnvilChain(directory / "anvil", free_port(), anvil=ANVIL, mining="manual", slots_in_an_epoch=1)
    server = EmbeddedPostgres(directory / "postgres")
    engine = connect(server.url)
    migrate(engine)
    kept = journal(server.url)
    anvil = AnvilControl(chain.rpc_url)
    anvil.call("anvil_setCode", contract.expected_address(), contract.artefact()["deployedBytecode"])
    anvil.mine(5)
    for number in range(count):
        kept.create(
            Submission(
                submission_id=f"bench {number}",
                chain_id=CHAIN_ID,
                submitter=SIGNER.address,
                contract=contract.expected_address(),
                commitment=hashlib.sha256(str(number).encode()).digest(),
                leaf_count=4096,
            )
        )
    with RpcProxy(chain.rpc_url) as proxy:
        sender = Sender(Node([proxy.url], CHAIN_ID), SIGNER, kept, fees=FeePolicy(max_in_flight=64))
        started = time.perf_counter()
        while kept.submitters(CHAIN_ID):
            sender.round()
            anvil.mine()
        seconds = time.perf_counter() - started
        requests = len(proxy.log)
    with engine.connect() as connection:
        size = connection.execute(text("SELECT pg_total_relation_size('submissions')")).scalar_one()
    for held in (engine, kept._engine):
        held.dispose()
    server.stop()
    chain.stop()
    return seconds, requests, size


def signed(count: int) -> tuple[float, float]:
    """Signatures a second: ours, and with the curve in pure Python."""
    signer = LocalSigner(AnvilChain.accounts[0].private_key)
    started = time.perf_counter()
    for nonce in range(count):
        signer.sign_transaction({**DEPLOYMENT, "nonce": nonce})
    ours = count / (time.perf_counter() - started)
    keys = KeyAPI(NativeECCBackend())
    key = keys.PrivateKey(AnvilChain.accounts[0].private_key)
    few = count // 20
    started = time.perf_counter()
    for nonce in range(few):
        digest = keccak256(json.dumps(nonce).encode())
        signature = keys.ecdsa_sign(digest, key)
        assert keys.ecdsa_recover(digest, signature) == key.public_key
    return ours, few / (time.perf_counter() - started)


def main() -> int:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--submissions", type=int, default=1_000)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="evidence-sending-", dir="/var/tmp") as name:
        Path(name).chmod(0o755)
        seconds, requests, size = sent(chosen.submissions, Path(name))
    ours, pure = signed(2_000)
    print(
        f"RESULT anchors_s={chosen.submissions / seconds:.0f} requests={requests / chosen.submissions:.1f} "
        f"bytes_kb={size / chosen.submissions / 1024:.1f} signatures_s={ours:.0f} vs_pure={ours / pure:.1f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
