"""Whether a block is still on the chain, and whether it can still leave it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from evidence_service.anchor.node import Node, number
from evidence_service.errors import ConfigurationError, NodeUnavailableError


class Standing(Enum):
    """What a node says about a block it was asked about by number and hash."""

    GONE = "gone"
    PENDING = "pending"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class Finality:
    """When a block of a chain counts as final.

    Attributes:
        depth: None for a chain with the ``finalized`` tag: only the tag counts, never ``safe`` and never a
            number of blocks. For a chain without the tag, a block is final when this many blocks are on top
            of it; that is a rule of the operator, not a promise of the chain.
    """

    depth: int | None = None

    def final_number(self, node: Node) -> int:
        """Number of the newest final block; -1 when there is none.

        Raises:
            NodeUnavailableError: no answer.
            ConfigurationError: the chain has no such tag and no depth is set.
        """
        if self.depth is not None:
            return max(node.quantity("eth_blockNumber") - self.depth, -1)
        answer = node.ask("eth_getBlockByNumber", "finalized", False)
        if answer.refusal is not None:
            raise ConfigurationError(
                f"chain {node.chain_id} has no finalized tag: {answer.refusal}",
                what_to_do="set the depth at which a block of this chain counts as final",
            )
        if not isinstance(answer.result, dict):
            raise NodeUnavailableError(f"the node knows no finalized block of chain {node.chain_id}")
        return number(answer.result.get("number"), "the finalized block")

    def standing(self, node: Node, block_number: int, block_hash: str) -> Standing:
        """Standing of a block.

        The hash is read after the final number: a block that is replaced in between is not called final.
        """
        final = self.final_number(node)
        block = node.record("eth_getBlockByNumber", hex(block_number), False)
        if block is None or block.get("hash") != block_hash:
            return Standing.GONE
        return Standing.FINAL if block_number <= final else Standing.PENDING
