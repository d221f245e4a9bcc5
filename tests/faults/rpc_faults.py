"""The table of faults: name → what it does."""

from __future__ import annotations

from tests.faults import lying_answers, spoiled_answers
from tests.faults.rpc_exchange import Fault

FAULTS: dict[str, Fault] = {
    fault.name: fault for fault in (*spoiled_answers.faults(), *lying_answers.faults())
}
"""``…_before`` and ``…_after`` faults are those of the way, the others those of the node."""
