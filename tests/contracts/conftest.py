"""Every test of the contract runs on Ganache and on anvil."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evidence_service.sandbox.devchain import CHAIN_ID, DevChain
from tests.contracts.evm import Evm, anvil, deployed


@pytest.fixture(scope="session")
def ganache(chain: DevChain) -> Evm:
    """Rules of Shanghai."""
    return deployed(Evm("ganache", chain.rpc_url, CHAIN_ID))


@pytest.fixture(scope="session", params=["ganache", "anvil"])
def evm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evm]:
    """The one, or anvil with the newest rules."""
    if request.param == "ganache":
        yield request.getfixturevalue("ganache")
    else:
        with anvil(tmp_path_factory.mktemp("anvil"), hardfork="osaka") as found:
            yield deployed(found)
