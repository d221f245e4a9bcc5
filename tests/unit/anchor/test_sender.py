"""A commitment reaches a real chain once, whatever fails in between, and comes back as a proof."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import random
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from evidence_service.anchor import contract
from evidence_service.anchor.node import Node
from evidence_service.anchor.sender import Sender
from evidence_service.anchor.signer import LocalSigner
from evidence_service.anchor.submission import State, Submission
from evidence_service.errors import EvidenceError, MismatchError
from evidence_service.sandbox.devchain import CHAIN_ID, DevChain
from evidence_service.verify.chain import verify_anchor
from evidence_service.verify.rpc import compare_header
from tests.unit.anchor.conftest import MemoryJournal


def submission(signer: LocalSigner, name: str) -> Submission:
    return Submission(
        submission_id=name,
        chain_id=CHAIN_ID,
        submitter=signer.address,
        contract=contract.expected_address(),
        commitment=hashlib.sha256(name.encode()).digest(),
        leaf_count=3,
    )


def finish(sender: Sender, journal: MemoryJournal, name: str) -> Submission:
    for _ in range(20):
        done = sender.round()
        if journal.load(name).done:
            return journal.load(name)
    raise AssertionError(f"not sealed: {journal.load(name)}, {done and done.problems}")


def events(node: Node, commitment: bytes) -> list[Any]:
    query = {
        "fromBlock": "0x0",
        "address": contract.expected_address(),
        "topics": [None, None, "0x" + commitment.hex()],
    }
    return list(node.call("eth_getLogs", query))


def breaking(chain: DevChain, breaks: Callable[[str, int], bool], *, after: bool) -> Node:
    """A node whose answers get lost: before the request arrives, or after it took effect."""

    class Transport(httpx.HTTPTransport):
        seen = 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            method = json.loads(request.content)["method"]
            self.seen += method == "eth_sendRawTransaction"
            lost = breaks(method, self.seen)
            if lost and not after:
                raise httpx.ConnectTimeout("lost before")
            response = super().handle_request(request)
            response.read()
            if lost:
                raise httpx.ReadTimeout("lost after")
            return response

    return Node([chain.rpc_url], CHAIN_ID, transport=Transport())


@pytest.fixture(scope="module")
def anchored(node: Node, signer: LocalSigner) -> tuple[Submission, dict[str, Any]]:
    journal = MemoryJournal()
    wanted = submission(signer, "anchored")
    journal.save(wanted)
    done = finish(Sender(node, signer, journal), journal, wanted.submission_id)
    proof = journal.proof(done.submission_id)
    assert proof is not None
    return done, proof


def test_a_commitment_is_anchored_and_proved(
    anchored: tuple[Submission, dict[str, Any]], chain: DevChain
) -> None:
    done, proof = anchored
    facts = verify_anchor(proof, commitment=done.commitment, leaf_count=3)
    assert (facts.block_hash, facts.transaction_hash) == (done.block_hash, done.transaction_hash)
    assert facts.has_state_proof
    assert facts.code_hash == contract.code_hash()
    compared = compare_header(chain.rpc_url, facts.block_number, facts.block_hash, CHAIN_ID, 5.0)
    assert compared == "canonical"
    assert compare_header(chain.rpc_url, facts.block_number, "0x" + "00" * 32, CHAIN_ID, 5.0) == "different"


def test_the_contract_is_where_it_is_on_every_chain(node: Node, signer: LocalSigner) -> None:
    assert contract.deploy_if_absent(node, signer) == contract.expected_address()
    assert contract.check_code(node, contract.expected_address())


@pytest.mark.parametrize("after", [False, True], ids=["failed", "failed but landed"])
def test_a_lost_broadcast_is_sent_once(
    chain: DevChain, node: Node, signer: LocalSigner, journal: MemoryJournal, after: bool
) -> None:
    wanted = submission(signer, f"lost broadcast {after}")
    journal.save(wanted)
    flaky = breaking(chain, lambda method, n: method == "eth_sendRawTransaction" and n == 1, after=after)
    sender = Sender(flaky, signer, journal)
    lost = sender.round()
    assert lost is not None and "lost" in lost.problems[wanted.submission_id]
    assert journal.load(wanted.submission_id).state is State.SIGNED
    done = finish(sender, journal, wanted.submission_id)
    assert len(events(node, wanted.commitment)) == 1
    assert len(done.attempts) == 1


def test_a_commitment_that_is_there_already_is_not_sent_again(
    node: Node, signer: LocalSigner, anchored: tuple[Submission, dict[str, Any]], journal: MemoryJournal
) -> None:
    before = node.quantity("eth_getTransactionCount", signer.address, "latest")
    journal.save(submission(signer, "anchored"))
    found = finish(Sender(node, signer, journal), journal, "anchored")
    assert found.transaction_hash == anchored[0].transaction_hash
    assert node.quantity("eth_getTransactionCount", signer.address, "latest") == before


FORGERIES: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("another leaf count", lambda a: None, "log-data"),
    ("another submitter", lambda a: a.update(submitter="0x" + "11" * 20), "log-topics"),
    ("another contract", lambda a: a.update(contract="0x" + "11" * 20), "transaction-recipient"),
    ("another chain", lambda a: a.update(chain_id="1"), "transaction-chain"),
    ("another code", lambda a: a.update(code_hash="0x" + "11" * 32), "code-hash"),
    ("another index", lambda a: a["transaction"].update(index=1), "transaction-proof"),
    ("a log that is not there", lambda a: a["receipt"].update(log_index=1), "log:"),
    ("a surplus node", lambda a: a["receipt"]["proof"].append("AAAA"), "receipt-proof"),
    ("proofs exchanged", lambda a: a["receipt"].update(proof=a["transaction"]["proof"]), "receipt-proof"),
    ("a node missing", lambda a: a["state"]["account_proof"].pop(), "account-proof"),
]


@pytest.mark.parametrize(("name", "change", "words"), FORGERIES, ids=[case[0] for case in FORGERIES])
def test_a_forged_proof_is_refused(
    anchored: tuple[Submission, dict[str, Any]],
    name: str,
    change: Callable[[dict[str, Any]], Any],
    words: str,
) -> None:
    done, proof = anchored
    forged = copy.deepcopy(proof)
    change(forged)
    count = 4 if name == "another leaf count" else 3
    with pytest.raises(EvidenceError, match=words):
        verify_anchor(forged, commitment=done.commitment, leaf_count=count)


def test_another_commitment_is_refused(anchored: tuple[Submission, dict[str, Any]]) -> None:
    with pytest.raises(MismatchError, match="log-topics"):
        verify_anchor(anchored[1], commitment=bytes(32), leaf_count=3)


def test_any_changed_byte_of_a_proof_is_refused_or_changes_the_block(
    anchored: tuple[Submission, dict[str, Any]],
) -> None:
    done, proof = anchored
    places = [
        (proof, "header"),
        *[
            (holder, index)
            for holder in (
                proof["transaction"]["proof"],
                proof["receipt"]["proof"],
                proof["state"]["account_proof"],
                proof["state"]["storage_proof"],
            )
            for index in range(len(holder))
        ],
    ]
    chosen = random.Random(5)
    for holder, key in places:
        original = holder[key]
        data = base64.b64decode(original)
        for position in chosen.sample(range(len(data)), min(len(data), 60)):
            changed = bytearray(data)
            changed[position] ^= chosen.randrange(1, 256)
            holder[key] = base64.b64encode(changed).decode()
            try:
                facts = verify_anchor(proof, commitment=done.commitment, leaf_count=3)
            except EvidenceError:
                continue
            finally:
                holder[key] = original
            assert key == "header", f"byte {position} of {key} is not bound"
            assert facts.block_hash != done.block_hash
