"""A chain that can be reorganised and has real finality: Foundry's anvil. For tests, never evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from evidence_service.errors import ConfigurationError, NodeUnavailableError
from evidence_service.processes import ManagedProcess
from evidence_service.sandbox.devchain import ACCOUNTS, HARDFORK, MNEMONIC
from evidence_service.verify import rpc

CHAIN_ID = 31337

Mining = Literal["auto", "interval", "manual"]

_LOOPBACK = "127.0.0.1"


class AnvilChain:
    """A running anvil.

    Its ``finalized`` block is two epochs behind the head, as on Ethereum: 64 blocks at 32 slots an epoch.

    Args:
        directory: keeps the log; created when absent.
        port: TCP port on loopback.
        anvil: path of the ``anvil`` executable.
        chain_id: EIP-155 id.
        mining: a block for each transaction, one every ``block_time`` seconds, or only when asked
            (``anvil_mine``).
        block_time: seconds between blocks; given exactly when ``mining`` is ``interval``.
        slots_in_an_epoch: half the distance between head and finalized block.
        hardfork: rules of the chain.
        state: file the chain, its old states included, is loaded from and written to by :meth:`stop`;
            :meth:`kill` writes nothing. Without one the chain lasts as long as the process.

    Raises:
        ConfigurationError: ``block_time`` and ``mining`` do not go together.
        UnavailableError: it did not start; the message quotes its log.
    """

    accounts = ACCOUNTS

    def __init__(
        self,
        directory: Path,
        port: int,
        *,
        anvil: Path,
        chain_id: int = CHAIN_ID,
        mining: Mining = "auto",
        block_time: float | None = None,
        slots_in_an_epoch: int = 32,
        hardfork: str = HARDFORK,
        state: Path | None = None,
    ) -> None:
        if (mining == "interval") != (block_time is not None):
            raise ConfigurationError(
                f"{mining} mining and a block time of {block_time} do not go together",
                what_to_do="give block_time with mining='interval', and only then",
            )
        self.rpc_url = f"http://{_LOOPBACK}:{port}"
        self.chain_id = chain_id
        directory.mkdir(parents=True, exist_ok=True)
        options = [
            "--host", _LOOPBACK,
            "--port", str(port),
            "--chain-id", str(chain_id),
            "--hardfork", hardfork,
            "--mnemonic", MNEMONIC,
            "--accounts", str(len(ACCOUNTS)),
            "--balance", "1000000",
            "--slots-in-an-epoch", str(slots_in_an_epoch),
            "--quiet",
        ]  # fmt: skip
        if mining == "manual":
            options.append("--no-mining")
        if block_time is not None:
            options += ["--block-time", str(block_time)]
        if state is not None:
            # Without the old states a reloaded chain cannot prove anything about earlier blocks.
            options += ["--state", str(state), "--preserve-historical-states"]
        self._process = ManagedProcess("anvil", [str(anvil), *options], log=directory / "anvil.log")
        self._process.wait_until(self._answers)

    @property
    def pid(self) -> int:
        """Process id of anvil."""
        return self._process.pid

    def is_running(self) -> bool:
        """Whether anvil has not ended."""
        return self._process.is_running()

    def stop(self) -> None:
        """End anvil and wait until its state is written."""
        self._process.stop(grace=30)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()

    def _answers(self) -> bool:
        try:
            return rpc.serves_chain(self.rpc_url, self.chain_id, timeout=2.0)
        except NodeUnavailableError:
            return False
