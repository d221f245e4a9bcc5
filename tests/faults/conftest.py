"""A real anvil behind the fault proxy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evidence_service.anchor import contract
from evidence_service.processes import free_port
from evidence_service.sandbox.anvil import AnvilChain
from tests.faults.anvil import AnvilControl
from tests.faults.rpc_proxy import RpcProxy
from tests.faults.world import CONTRACT, World, anchoring
from tests.running import ANVIL


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    chain = AnvilChain(
        tmp_path_factory.mktemp("anvil"), free_port(), anvil=ANVIL, mining="manual", slots_in_an_epoch=2
    )
    anvil = AnvilControl(chain.rpc_url)
    anvil.call("anvil_setCode", CONTRACT, contract.artefact()["deployedBytecode"])
    anvil.mine(5)
    anchored = anvil.call("eth_sendRawTransaction", "0x" + anchoring(0).hex())
    anvil.mine(10)
    receipt = anvil.receipt(anchored)
    assert receipt is not None
    assert receipt["status"] == "0x1"
    with RpcProxy(chain.rpc_url) as proxy:
        yield World(anvil, proxy, anchored, receipt["blockHash"], int(receipt["blockNumber"], 16))
    chain.stop()


@pytest.fixture
def world(running: World) -> Iterator[World]:
    with running.anvil.undone():
        yield running
    running.proxy.clear()
    running.proxy.log.clear()
