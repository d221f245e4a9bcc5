"""The committed gas table is what is measured, on either EVM and with the newest rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import gas
from evidence_service.processes import free_port
from evidence_service.sandbox.devchain import CHAIN_ID, DevChain
from tests.contracts.evm import Evm
from tests.running import GANACHE


@pytest.fixture(scope="module")
def measured() -> gas.Gas:
    return gas.measured()


def test_the_committed_table_is_fresh(measured: gas.Gas) -> None:
    assert gas.TABLE.read_text() == gas.table(measured), "run: python -m bench.gas --write"


def test_the_bounds_hold(measured: gas.Gas) -> None:
    result = measured.result()
    assert {name: result[name] for name, bound in gas.BOUNDS.items() if result[name] > bound} == {}


def test_the_newest_rules_cost_the_same(measured: gas.Gas) -> None:
    assert gas.measured("osaka") == measured


def test_ganache_counts_the_same(measured: gas.Gas, tmp_path: Path) -> None:
    chain = DevChain(tmp_path, free_port(), ganache=GANACHE)
    try:
        assert gas.measure(Evm("ganache", chain.rpc_url, CHAIN_ID)) == measured
    finally:
        chain.stop()
