"""anvil: a second, unrelated EVM beside Ganache, for tests and benches; up in a tenth of a second."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evidence_service.errors import NodeUnavailableError
from evidence_service.processes import ManagedProcess, free_port
from evidence_service.verify import rpc

ROOT = Path(__file__).parents[1]
CHAIN_ID = 31337


@contextmanager
def anvil(directory: Path, *options: str, chain_id: int = CHAIN_ID) -> Iterator[str]:
    """An anvil while the block lasts; its RPC address.

    Its funded, unlocked accounts begin with those of the development chain (``sandbox.devchain.ACCOUNTS``).

    Args:
        directory: keeps the log.
        options: of the command line, for instance ``--no-mining``.
        chain_id: reported and demanded in signatures.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [ROOT / "node_modules" / ".bin" / "anvil", "--port", port, "--chain-id", chain_id, *options]
    process = ManagedProcess("anvil", [str(part) for part in command], log=directory / f"anvil-{port}.log")

    def answers() -> bool:
        try:
            return rpc.serves_chain(url, chain_id, timeout=2.0)
        except NodeUnavailableError:
            return False

    try:
        process.wait_until(answers)
        yield url
    finally:
        process.stop()
