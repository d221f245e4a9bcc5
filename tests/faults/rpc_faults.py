"""The table of faults: name → what it does."""

from __future__ import annotations

from tests.faults import lies_of_blocks, lies_of_heads, spoiled_answers
from tests.faults.rpc_exchange import Fault

FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (*spoiled_answers.faults(), *lies_of_heads.TABLE.faults, *lies_of_blocks.TABLE.faults)
}
"""``…_before`` and ``…_after`` faults are those of the way, the others those of the node."""
