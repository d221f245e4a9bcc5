"""Every test of the contract runs on Ganache and on anvil."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evidence_service.anchor import contract
from evidence_service.anchor.node import Node
from evidence_service.anchor.signer import LocalSigner
from evidence_service.sandbox import devchain
from tests.anvil import CHAIN_ID, anvil
from tests.contracts.evm import Evm


@pytest.fixture(scope="session", params=["ganache", "anvil"])
def evm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evm]:
    """Ganache has the rules of Shanghai, anvil those of its newest hard fork."""
    if request.param == "ganache":
        chain = request.getfixturevalue("chain")
        yield deployed(Evm("ganache", chain.rpc_url, devchain.CHAIN_ID))
    else:
        with anvil(tmp_path_factory.mktemp("anvil"), "--steps-tracing") as url:
            yield deployed(Evm("anvil", url, CHAIN_ID))


def deployed(evm: Evm) -> Evm:
    """The chain with the contract on it."""
    node = Node([evm.url], evm.chain_id)
    assert contract.deploy_if_absent(node, LocalSigner(devchain.ACCOUNTS[0].private_key)) == evm.contract
    node.close()
    return evm
