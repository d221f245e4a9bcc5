"""``evidence chain``: the configured chains, their nodes, keys and the contract, asked directly."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field

import click
from rich.console import Console
from rich.table import Table

from evidence_service import bootstrap, config
from evidence_service.anchor import blocks, contract, state
from evidence_service.anchor.endpoint import Endpoint
from evidence_service.anchor.finality import View, look
from evidence_service.anchor.submission import Journal
from evidence_service.cli.client import JSON_OPTION
from evidence_service.cli.terminal import cell, plain
from evidence_service.config import Settings
from evidence_service.errors import EvidenceServiceError, NodeUnavailableError
from evidence_service.service.metrics import nonce_gap
from evidence_service.service.parts import Chain
from evidence_service.verify.policy import NEVER_EVIDENCE
from evidence_service.verify.report import ExitCode


@dataclass
class NodeCheck:
    """What one node showed; ``problem`` is empty when everything that is asked of it held."""

    name: str
    head: int | None = None
    final: int | None = None
    proves_state: bool = False
    problem: str = ""


@dataclass
class KeyCheck:
    """What one configured key has: its balance in wei, its transactions, and nonces that nobody holds."""

    address: str
    balance: str
    nonce: int
    nonce_gap: list[int]


@dataclass
class ChainCheck:
    """What one chain showed."""

    name: str
    chain_id: int
    contract: str
    nodes: list[NodeCheck] = field(default_factory=list)
    signer: str = ""
    keys: list[KeyCheck] = field(default_factory=list)
    never_evidence: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether anchors can be sent, and no node contradicts itself or another."""
        return not self.problems and not any(node.problem for node in self.nodes)


@click.group()
def chain() -> None:
    """Check the configured chains, or deploy the contract on one."""


@chain.command()
@JSON_OPTION
def check(as_json: bool) -> None:
    """Ask every node of every chain; prove what it says; compare."""
    settings = config.load()
    chains = bootstrap.chains(settings.chains)
    with ExitStack() as opened:
        journal = _journal(settings, opened) if chains else None
        found = [_check(item, journal) for item in chains]
    if as_json:
        click.echo(json.dumps([asdict(item) for item in found], indent=2))
    else:
        for item in found:
            _print(item)
        if not found:
            click.echo("no chain is configured; set chains, see docs/reference/settings.md", err=True)
    sys.exit(int(ExitCode.VERIFIED if found and all(item.sound for item in found) else ExitCode.NOT_CHECKED))


@chain.command()
@click.argument("chain_id", type=int)
def deploy(chain_id: int) -> None:
    """Deploy the anchor contract with the chain's current key; safe to repeat. Stop the workers first."""
    for item in bootstrap.chains(config.load().chains):
        if item.chain_id == chain_id:
            address = contract.deploy_if_absent(item.node, item.signer)
            click.echo(f"{address}  on chain {chain_id}")
            return
    raise click.UsageError(f"chain {chain_id} is not configured")


def _journal(settings: Settings, opened: ExitStack) -> Journal | None:
    """The record of nonces; None, and a line on standard error, where it cannot be read."""
    try:
        engine, _ = opened.enter_context(bootstrap.database(settings, make=False))
        return bootstrap.parts(settings, engine, make=False).journal
    except EvidenceServiceError as error:
        click.echo(f"nonces are not compared with the record: {plain(error.message)}", err=True)
        return None


def _check(item: Chain, journal: Journal | None) -> ChainCheck:
    found = ChainCheck(item.name, item.chain_id, item.contract)
    found.never_evidence = NEVER_EVIDENCE.get(item.chain_id, "")
    addresses = list(_addresses(item, found.problems))
    found.signer = addresses[0] if addresses else "0x" + "00" * 20
    found.nodes = [_node(item, endpoint, found.signer) for endpoint in item.node.endpoints]
    try:
        view = look(item.node, found.signer, item.finality)
        state.records(
            view.endpoint, view.head, item.contract, found.signer, [bytes(32)], contract.code_hash()
        )
        if view.final_number < 0:
            raise NodeUnavailableError(
                f"fewer than {item.finality.agreeing} nodes say which block is final",
                what_to_do="nothing is begun or sealed until they do; see the nodes' problems above",
            )
        item.finality.standing(item.node, view.final_number, _hash_at(view.endpoint, view.final_number))
        found.keys = [_key(item, view, address, journal) for address in addresses]
    except EvidenceServiceError as error:
        found.problems.append(error.told)
    for key in found.keys:
        if int(key.balance) < item.fees.balance_alert:
            found.problems.append(
                f"the balance of {key.address} is below the alert of {item.fees.balance_alert} wei"
            )
        if key.nonce_gap:
            numbers = ", ".join(map(str, key.nonce_gap))
            found.problems.append(
                f"nobody holds nonce {numbers} of {key.address}; later ones wait until a worker fills it"
            )
    return found


def _addresses(item: Chain, problems: list[str]) -> Iterator[str]:
    """Addresses of the keys whose custodian gives them, the sending one first."""
    for signer in item.signers:
        try:
            yield signer.address
        except EvidenceServiceError as error:
            problems.append(error.message)


def _key(item: Chain, view: View, address: str, journal: Journal | None) -> KeyCheck:
    account = item.node.first(
        "the key's account",
        lambda caller: state.account(caller, view.head, address),
        prefer=view.endpoint,
    )
    gap = [] if journal is None else nonce_gap(journal, item.chain_id, address, account.nonce)
    return KeyCheck(address, str(account.balance), account.nonce, gap)


def _node(item: Chain, endpoint: Endpoint, address: str) -> NodeCheck:
    found = NodeCheck(endpoint.name)
    try:
        head = blocks.header(endpoint, "latest")
        if head is None:
            raise NodeUnavailableError("it has no block")
        found.head = head.number
        found.final = item.finality.final_number(endpoint, head)
        state.account(endpoint, head, address)
        found.proves_state = True
    except EvidenceServiceError as error:
        found.problem = error.message
    return found


def _hash_at(endpoint: Endpoint, number: int) -> str:
    header = blocks.header(endpoint, hex(max(number, 0)))
    if header is None:
        raise NodeUnavailableError(f"{endpoint.name} does not show its final block {number}")
    return header.hash


def _print(found: ChainCheck) -> None:
    console = Console()
    title = cell(found.name)
    table = Table("Node", "Head", "Final", "Proves state", "Problem", title=title, title_justify="left")
    for node in found.nodes:
        table.add_row(
            cell(node.name),
            "" if node.head is None else str(node.head),
            "" if node.final is None else str(node.final),
            cell("yes", "green") if node.proves_state else cell("no", "red"),
            cell(node.problem),
        )
    console.print(table)
    if found.never_evidence:
        words = f"{found.never_evidence}: what is anchored here is a demonstration, never evidence"
        console.print(cell(words, "yellow"))
    for key in found.keys:
        holds = f"holds {int(key.balance) / 10**18:.6f}, {key.nonce} transactions"
        console.print(cell(f"{key.address} {holds}; contract {found.contract}"))
    for words in found.problems:
        console.print(cell(words, "red"))
