"""Which blocks are final, and whether enough nodes say the same of one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from evidence_service.anchor import blocks, state
from evidence_service.anchor.blocks import Header
from evidence_service.anchor.endpoint import Caller, Endpoint, number
from evidence_service.anchor.node import Node
from evidence_service.anchor.state import Account
from evidence_service.errors import NodeLiedError, NodeUnavailableError


class Standing(Enum):
    """What the nodes say about a block at or below the final number."""

    GONE = "gone"
    CANONICAL = "canonical"


@dataclass(frozen=True, slots=True)
class Finality:
    """When a block of a chain counts as final.

    Attributes:
        depth: None for a chain with the ``finalized`` tag: only the tag counts, never ``safe`` and never a
            number of blocks. For a chain without the tag, a block is final when this many blocks are on top
            of it; that is a rule of the operator, not a promise of the chain.
        agreeing: how many addresses have to call a block final, each by itself, before it counts. With one,
            that address is believed about which chain it is on.
    """

    depth: int | None = None
    agreeing: int = 1

    def final_number(self, caller: Caller, head: Header) -> int:
        """Number of the newest block a node calls final; -1 when there is none.

        Raises:
            NodeLiedError: it is above the node's own head.
            NodeUnavailableError: no answer, or the chain has no such tag and no depth is set.
        """
        if self.depth is not None:
            return max(head.number - self.depth, -1)
        answer = caller.ask("eth_getBlockByNumber", "finalized", False)
        if answer.refusal is not None or not isinstance(answer.result, dict):
            raise NodeUnavailableError(
                f"it knows no finalized block ({answer.refusal or 'none yet'}); for a chain without the tag, "
                "set finality_depth"
            )
        final = number(answer.result.get("number"), "the finalized block")
        if final > head.number:
            # The head may have moved between the two questions.
            newer = blocks.header(caller, "latest")
            if newer is None or final > newer.number:
                raise NodeLiedError(f"it calls block {final} final, its head is {head.number}")
        return final

    def standing(self, node: Node, block_number: int, block_hash: str) -> Standing:
        """Whether a block is the one the nodes have at its number.

        A minority that contradicts a majority of at least two is named as lying. One against one cannot be
        decided here.

        Raises:
            NodeUnavailableError: too few confirm it, or the nodes contradict each other.
        """
        answers = node.each(lambda caller: _hash_at(caller, block_number), at_least=self.agreeing)
        same = [endpoint for endpoint, value in answers if value == block_hash]
        other = [endpoint for endpoint, value in answers if value not in (None, block_hash)]
        if same and other:
            self._name_minority(same, other, block_number)
        if len(other) > len(same):
            return Standing.GONE
        if len(same) < self.agreeing:
            raise NodeUnavailableError(
                f"{len(same)} of the {self.agreeing} nodes needed confirm block {block_number}",
                what_to_do="it is tried again; see “evidence chain check” for the nodes' health",
            )
        return Standing.CANONICAL

    def _name_minority(self, same: list[Endpoint], other: list[Endpoint], block_number: int) -> None:
        fewer, more = sorted((same, other), key=len)
        if len(more) < 2 or len(more) == len(fewer):
            names = (", ".join(item.name for item in group) for group in (same, other))
            raise NodeUnavailableError(
                "nodes contradict each other about final block {}: {} against {}".format(
                    block_number, *names
                ),
                what_to_do="nothing is sealed until they agree; add an RPC address of another provider",
            )
        for endpoint in fewer:
            endpoint.caught(f"its block {block_number} is another than that of {len(more)} other nodes")


def _hash_at(caller: Caller, block_number: int) -> str | None:
    block = caller.record("eth_getBlockByNumber", hex(block_number), False)
    return None if block is None else str(block.get("hash")).lower()


@dataclass(frozen=True, slots=True)
class View:
    """What one look at the chain showed; everything in it is proved under ``head``.

    Attributes:
        endpoint: the address with the highest head whose state proof held.
        final_number: final for as many addresses as have to agree.
        account: the signer's, after ``head``.
    """

    endpoint: Endpoint
    head: Header
    final_number: int
    account: Account


def look(node: Node, address: str, finality: Finality) -> View:
    """Ask every address for its head and its final block, and the best of them for the signer's account.

    Raises:
        NodeUnavailableError: none answered with something that its proofs bear out.
    """

    def read(endpoint: Endpoint) -> tuple[Header, int]:
        head = blocks.header(endpoint, "latest")
        if head is None:
            raise NodeUnavailableError("it has no block")
        endpoint.head = head.number
        return head, finality.final_number(endpoint, head)

    answers = sorted(node.each(read, at_least=finality.agreeing), key=lambda answer: -answer[1][0].number)
    finals = sorted((final for _, (_, final) in answers), reverse=True)
    # With too few answers nothing counts as final; what does not need finality goes on.
    final_number = finals[finality.agreeing - 1] if len(finals) >= finality.agreeing else -1
    failures = []
    for endpoint, (head, _) in answers:
        try:
            account = state.account(endpoint, head, address)
        except NodeLiedError as error:
            endpoint.caught(error.message)
            failures.append(f"{endpoint.name} contradicts itself: {error.message}")
        except NodeUnavailableError as error:
            failures.append(f"{endpoint.name}: {error.message}")
        else:
            return View(endpoint, head, min(final_number, head.number), account)
    raise NodeUnavailableError(f"no node of chain {node.chain_id} proves its state: {'; '.join(failures)}")
