"""anvil: a second, unrelated EVM beside Ganache, for tests and benches; up in a tenth of a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def mined(receipt: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
    """The receipt as soon as there is one: anvil answers with a hash before it has mined."""
    for _ in range(200):
        if found := receipt():
            return found
        time.sleep(0.02)
    raise AssertionError("not mined within 4 s")
