"""The embedded development chain: Ganache with a database on disk. For demonstration, never evidence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evidence_service.errors import NodeUnavailableError
from evidence_service.processes import ManagedProcess
from evidence_service.verify import rpc

CHAIN_ID = 1337
HARDFORK = "shanghai"
MNEMONIC = "test test test test test test test test test test test junk"
"""The mnemonic every Ethereum tool uses for tests. Public: whoever uses these keys elsewhere loses them."""

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """A funded account of the development chain; the key is derived from the public mnemonic."""

    address: str
    """0x and lower-case hexadecimal."""
    private_key: bytes


ACCOUNTS = (
    DemoAccount(
        "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266",
        bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    ),
    DemoAccount(
        "0x70997970c51812dc3a010c7d01b50e0d17dc79c8",
        bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
    ),
)
"""The first two accounts of the mnemonic at m/44'/60'/0'/0."""


class DevChain:
    """A running Ganache whose chain survives restarts.

    Args:
        directory: keeps the database and the log; created when absent.
        port: TCP port on loopback.
        ganache: path of the ``ganache`` executable.

    Raises:
        UnavailableError: it did not start; the message quotes its log.
    """

    accounts = ACCOUNTS
    chain_id = CHAIN_ID

    def __init__(self, directory: Path, port: int, *, ganache: Path) -> None:
        self.rpc_url = f"http://{_LOOPBACK}:{port}"
        directory.mkdir(parents=True, exist_ok=True)
        self._process = ManagedProcess(
            "ganache",
            [
                str(ganache),
                "--server.host", _LOOPBACK,
                "--server.port", str(port),
                "--database.dbPath", str(directory / "chain"),
                "--chain.chainId", str(CHAIN_ID),
                "--chain.networkId", str(CHAIN_ID),
                "--chain.hardfork", HARDFORK,
                "--wallet.mnemonic", MNEMONIC,
                "--wallet.totalAccounts", "2",
                "--wallet.defaultBalance", "1000000",
                "--miner.blockTime", "0",
                "--logging.quiet",
            ],
            log=directory / "ganache.log",
        )  # fmt: skip
        self._process.wait_until(self._answers)

    @property
    def pid(self) -> int:
        """Process id of Ganache."""
        return self._process.pid

    def is_running(self) -> bool:
        """Whether Ganache has not ended."""
        return self._process.is_running()

    def stop(self) -> None:
        """End Ganache and wait until its database is closed."""
        self._process.stop()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()

    def _answers(self) -> bool:
        try:
            return rpc.serves_chain(self.rpc_url, CHAIN_ID, timeout=2.0)
        except NodeUnavailableError:
            return False
