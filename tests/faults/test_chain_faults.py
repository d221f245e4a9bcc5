"""Every fault of nodes and networks by name: the commitment is anchored once, proved, and no nonce is lost.

Each fault meets the sender twice: for a while on its only node, and for ever on one of three.
"""

from __future__ import annotations

import pytest

from evidence_service.anchor.submission import State
from tests.faults.rpc_faults import FAULTS
from tests.faults.sending import Sending
from tests.faults.world import World

LIES = {
    "header_other_time": "does not have the hash",
    "header_other_hash": "does not have the hash",
    "header_other_receipts_root": "does not have the hash",
    "header_other_state_root": "does not have the hash",
    "proof_other_value": "does not hold",
    "proof_account_absent": "does not hold",
    "proof_junk_node": "does not hold",
    "proof_truncated": "does not hold",
    "nonce_low": "does not hold",
    "nonce_high": "does not hold",
    "receipt_other_block_hash": "",
    "receipt_failed": "are not those of its header",
    "receipt_missing_log": "are not those of its header",
    "receipt_foreign_log": "are not those of its header",
    "body_without_transaction": "are not those of its header",
    "finalized_ahead": "its head is",
}
"""Faults that are lies about what a proof covers, with what the node is named for."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_passes_loses_and_doubles_nothing(world: World, fault: str) -> None:
    sending = Sending(world.anvil, [world.proxy.url])
    sending.submit("one")
    sending.submit("two")
    world.proxy.inject(fault, times=4)
    sending.finish()
    sending.check()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_stays_is_outvoted(world: World, fault: str) -> None:
    honest = world.anvil.rpc_url
    sending = Sending(
        world.anvil, [world.proxy.url, honest, honest.replace("127.0.0.1", "localhost")], agreeing=2
    )
    sending.submit("one")
    world.proxy.inject(fault, times=None)
    sending.finish()
    sending.check()
    assert all(endpoint.lies == 0 for endpoint in sending.node.endpoints[1:]), "an honest node was accused"


@pytest.mark.parametrize("fault", LIES)
def test_a_lie_never_gets_through_alone_and_its_teller_is_named(world: World, fault: str) -> None:
    sending = Sending(world.anvil, [world.proxy.url])
    wanted = sending.submit("one")
    world.proxy.inject(fault, times=None)
    for _ in range(12):
        sending.round()
        world.anvil.mine()
    (liar,) = sending.node.endpoints
    if world.proxy.fired(fault) and liar.lies:
        assert LIES[fault] in liar.last_lie
    else:
        # It concerned nothing the sender asks for; then it must have done no harm.
        assert sending.journal.load("one").state is State.SEALED
    world.proxy.clear()
    sending.finish()
    sending.check()
    assert len(sending.events(wanted)) == 1
