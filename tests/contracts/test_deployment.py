"""The contract reaches the same address on every chain, whatever was left half done and whoever else tries."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from evidence_service.anchor import contract
from evidence_service.anchor.node import Node
from evidence_service.anchor.signer import LocalSigner
from evidence_service.errors import MismatchError, UnavailableError
from evidence_service.sandbox.anvil import CHAIN_ID
from evidence_service.sandbox.devchain import ACCOUNTS
from evidence_service.verify.trie import keccak256
from tests.contracts.evm import Evm, anvil, deployed
from tests.faults.anvil import AnvilControl

ADDRESS = "0x025ea96623dfc51d91a5182c62db5e283c4ed578"
"""On every chain; operators and verifiers configure it, so that it may not change unnoticed."""
SIGNER, OTHER = (LocalSigner(account.private_key) for account in ACCOUNTS)

Hook = Callable[[int, httpx.Request], None]


def node(url: str, *, before: Hook | None = None, after: Hook | None = None) -> Node:
    """A client; the hooks run around each raw transaction that is sent, counted from 1."""

    class Transport(httpx.HTTPTransport):
        sent = 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if json.loads(request.content)["method"] != "eth_sendRawTransaction":
                return super().handle_request(request)
            self.sent += 1
            if before:
                before(self.sent, request)
            response = super().handle_request(request)
            response.read()
            if after:
                after(self.sent, request)
            return response

    return Node([url], CHAIN_ID, transport=Transport())


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[AnvilControl]:
    """A chain without the factory, which anvil has from the start."""
    with anvil(tmp_path, hardfork="osaka") as evm:
        control = AnvilControl(evm.url)
        control.call("anvil_setCode", contract.FACTORY, "0x")
        yield control


def at_once(_: float) -> None:
    """Waits for nothing: a minute of polling passes in a moment."""


def transactions(control: AnvilControl, signer: LocalSigner = SIGNER) -> int:
    """How many a signer has sent."""
    return int(control.call("eth_getTransactionCount", signer.address, "latest"), 16)


def balance(control: AnvilControl, address: str) -> int:
    return int(control.call("eth_getBalance", address, "latest"), 16)


def assert_deployed(control: AnvilControl) -> None:
    code = bytes.fromhex(control.call("eth_getCode", ADDRESS, "latest")[2:])
    assert "0x" + keccak256(code).hex() == contract.code_hash()


def test_the_address_is_the_same_on_unrelated_chains(ganache: Evm, tmp_path: Path) -> None:
    assert deployed(ganache).contract == ADDRESS
    for chain_id in (CHAIN_ID, 4242):
        with anvil(tmp_path / str(chain_id), hardfork="shanghai", chain_id=chain_id) as evm:
            assert deployed(evm).contract == ADDRESS
            assert_deployed(AnvilControl(evm.url))


def fund(control: AnvilControl, wei: int) -> None:
    control.set_balance(contract.FACTORY_DEPLOYER, wei)


def build_factory(control: AnvilControl) -> None:
    fund(control, contract.FACTORY_COST)
    control.call("eth_sendRawTransaction", "0x" + contract.FACTORY_TRANSACTION.hex())
    control.mine()


def deploy(control: AnvilControl) -> None:
    contract.deploy_if_absent(node(control.rpc_url), OTHER)


STARTS: dict[str, tuple[Callable[[AnvilControl], None], int]] = {
    "nothing": (lambda control: None, 2),
    "the factory's account has too little": (lambda control: fund(control, contract.FACTORY_COST - 1), 2),
    "the factory's account has its money": (lambda control: fund(control, contract.FACTORY_COST), 1),
    "the factory": (build_factory, 1),
    "the contract": (deploy, 0),
}


@pytest.mark.parametrize("there", STARTS)
def test_what_is_there_already_is_not_done_again(empty: AnvilControl, there: str) -> None:
    prepare, expected = STARTS[there]
    prepare(empty)
    assert contract.deploy_if_absent(node(empty.rpc_url), SIGNER) == ADDRESS
    assert_deployed(empty)
    assert transactions(empty) == expected
    assert contract.deploy_if_absent(node(empty.rpc_url), SIGNER) == ADDRESS
    assert transactions(empty) == expected


def test_only_what_is_missing_is_paid_to_the_factorys_account(empty: AnvilControl) -> None:
    fund(empty, 7 * 10**15)
    held = []

    def look(number: int, _: httpx.Request) -> None:
        if number == 2:
            held.append(balance(empty, contract.FACTORY_DEPLOYER))

    contract.deploy_if_absent(node(empty.rpc_url, before=look), SIGNER)
    assert held == [contract.FACTORY_COST]


@pytest.mark.parametrize("landed", [False, True], ids=["failed", "failed but landed"])
@pytest.mark.parametrize("lost", [1, 2, 3], ids=["transfer", "factory", "contract"])
def test_a_lost_transaction_heals_by_repeating(empty: AnvilControl, lost: int, landed: bool) -> None:
    def lose(number: int, _: httpx.Request) -> None:
        if number == lost:
            raise httpx.ReadTimeout("lost")

    flaky = node(empty.rpc_url, after=lose) if landed else node(empty.rpc_url, before=lose)
    try:
        contract.deploy_if_absent(flaky, SIGNER)
    except UnavailableError:
        assert contract.deploy_if_absent(node(empty.rpc_url), SIGNER) == ADDRESS
    else:
        assert landed, "a transaction that was never sent cannot have been mined"
    assert_deployed(empty)
    assert transactions(empty) == 2, "something was done twice"


def test_transactions_that_wait_in_the_pool_are_not_doubled(empty: AnvilControl) -> None:
    """Each run ends while its transaction waits; the next one finds it and goes on from there."""
    empty.call("evm_setAutomine", False)
    for _ in range(3):
        with pytest.raises(UnavailableError, match="not mined within a minute") as caught:
            contract.deploy_if_absent(node(empty.rpc_url), SIGNER, sleep=at_once)
        assert caught.value.what_to_do == "run the deployment again"
        with pytest.raises(UnavailableError):
            contract.deploy_if_absent(node(empty.rpc_url), SIGNER, sleep=at_once)
        empty.mine()
    assert contract.deploy_if_absent(node(empty.rpc_url), SIGNER) == ADDRESS
    assert transactions(empty) == 2


def test_a_transaction_that_failed_on_the_chain_is_named_and_repeated(empty: AnvilControl) -> None:
    class Stingy(httpx.HTTPTransport):
        """Estimates so little gas that the creation runs out of it."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if json.loads(request.content)["method"] == "eth_estimateGas":
                return httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "result": hex(200_000)})
            return super().handle_request(request)

    with pytest.raises(UnavailableError, match="creates the contract failed on the chain: 0x") as caught:
        contract.deploy_if_absent(Node([empty.rpc_url], CHAIN_ID, transport=Stingy()), SIGNER)
    assert "run the deployment again" in caught.value.what_to_do
    assert contract.deploy_if_absent(node(empty.rpc_url), SIGNER) == ADDRESS
    assert_deployed(empty)


@pytest.mark.parametrize("moment", [1, 2, 3], ids=["transfer", "factory", "contract"])
def test_another_deployer_may_be_faster_at_any_moment(empty: AnvilControl, moment: int) -> None:
    """All of another's deployment happens between our decision and our transaction."""

    def overtake(number: int, _: httpx.Request) -> None:
        if number == moment:
            assert contract.deploy_if_absent(node(empty.rpc_url), OTHER) == ADDRESS

    assert contract.deploy_if_absent(node(empty.rpc_url, before=overtake), SIGNER) == ADDRESS
    assert_deployed(empty)


def test_a_factory_that_is_funded_twice_is_built_once(empty: AnvilControl) -> None:
    """Both decide to fund before either has, and the faster one's machine stops: the surplus is all it costs."""
    held = []

    def stop(_: int, __: httpx.Request) -> None:
        raise KeyboardInterrupt

    def overtake(number: int, _: httpx.Request) -> None:
        if number == 1:
            with pytest.raises(KeyboardInterrupt):
                contract.deploy_if_absent(node(empty.rpc_url, after=stop), OTHER)
        elif number == 2:
            held.append(balance(empty, contract.FACTORY_DEPLOYER))

    assert contract.deploy_if_absent(node(empty.rpc_url, before=overtake), SIGNER) == ADDRESS
    assert held == [2 * contract.FACTORY_COST]
    assert contract.deploy_if_absent(node(empty.rpc_url), OTHER) == ADDRESS
    assert_deployed(empty)
    assert (transactions(empty), transactions(empty, OTHER)) == (2, 1)


@pytest.mark.parametrize(
    "code", ["0x6001", contract.artefact()["bytecode"]], ids=["any", "the creation code"]
)
def test_other_code_at_the_address_is_refused(empty: AnvilControl, code: str) -> None:
    empty.call("anvil_setCode", ADDRESS, code)
    with pytest.raises(MismatchError, match="is not the evidence anchor's"):
        contract.deploy_if_absent(node(empty.rpc_url), SIGNER)
    assert transactions(empty) == 0


def test_a_signer_without_money_is_told_so(empty: AnvilControl) -> None:
    poor = LocalSigner(b"\x05" * 32)
    with pytest.raises(UnavailableError) as caught:
        contract.deploy_if_absent(node(empty.rpc_url), poor)
    assert caught.value.what_to_do == "fund the signer's address, then run the deployment again"
    empty.set_balance(poor.address, 10**18)
    assert contract.deploy_if_absent(node(empty.rpc_url), poor) == ADDRESS


def test_a_node_that_wants_a_chain_id_in_every_transaction_is_explained(empty: AnvilControl) -> None:
    words = "only replay-protected (EIP-155) transactions allowed over RPC"

    class Protective(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if contract.FACTORY_TRANSACTION.hex() in request.content.decode():
                refusal = {"code": -32000, "message": words}
                return httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "error": refusal})
            return super().handle_request(request)

    with pytest.raises(UnavailableError) as caught:
        contract.deploy_if_absent(Node([empty.rpc_url], CHAIN_ID, transport=Protective()), SIGNER)
    assert words in caught.value.message
    assert "EIP-155" in caught.value.what_to_do
