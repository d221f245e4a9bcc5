"""What a transaction may cost (EIP-1559). Amounts in wei per gas; nothing a node says passes a cap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from evidence_service.anchor.blocks import Header
from evidence_service.anchor.endpoint import Caller, number
from evidence_service.errors import NodeUnavailableError

_USUAL_TIP = 10**9
"""Offered when a node names none."""


class Fee(NamedTuple):
    """A transaction's fee fields."""

    max_fee: int
    tip: int

    def raised(self) -> Fee:
        """Both fields times 1.125, rounded up, and by one wei at least.

        Nodes refuse a replacement that raises one of them by below 10 %, or not at all.
        """
        return Fee(_raised(self.max_fee), _raised(self.tip))


def _raised(amount: int) -> int:
    return max(-(-amount * 9 // 8), amount + 1)


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """What a transaction may cost.

    Attributes:
        max_fee_cap: never exceeded; at the cap a submission is held and reported.
        max_tip: most that a block's producer is offered at first; replacements raise it.
        bump_after: blocks without the transaction after which its fees are raised.
        gas_margin: percent added to the node's gas estimate.
        gas_cap: most gas a transaction may use, whatever a node estimates.
        max_in_flight: transactions of one key that wait in the nodes' pools at once. geth guarantees a
            sender 16 places; more may be dropped when the pool is full.
        balance_alert: balance in wei below which the operator is told.
    """

    max_fee_cap: int = 500 * 10**9
    max_tip: int = 50 * 10**9
    bump_after: int = 5
    gas_margin: int = 25
    gas_cap: int = 1_000_000
    max_in_flight: int = 16
    balance_alert: int = 5 * 10**16

    def wanted(self, caller: Caller, head: Header) -> Fee:
        """Fee of a transaction that is to be mined soon: room for a base fee that doubles, within the cap."""
        try:
            offered = number(caller.ask("eth_maxPriorityFeePerGas").result, "eth_maxPriorityFeePerGas")
        except NodeUnavailableError:
            offered = _USUAL_TIP
        tip = min(offered, self.max_tip)
        max_fee = min(2 * head.base_fee + tip, self.max_fee_cap)
        return Fee(max_fee, min(tip, max_fee))
