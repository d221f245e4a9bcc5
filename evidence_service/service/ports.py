"""What the use cases need from the outside, with what each promises about durability."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from evidence_service.core.digest import Digest

P = ParamSpec("P")
T = TypeVar("T")


class Durable(Protocol):
    """Runs the steps of a workflow so that a killed process resumes where it was."""

    def step(self, name: str, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a step and return its result.

        When it returns, the result is durable and the step is never run again in this workflow. A process
        that dies inside a step runs it once more after the restart: steps have to be idempotent.
        """

    def sleep(self, seconds: float) -> None:
        """Wait; a restart waits only for what is left."""


class Objects(Protocol):
    """Bytes under their SHA-256."""

    def put(self, source: Path) -> Digest:
        """Store a file. When this returns, the bytes are fully persisted; repeating it changes nothing."""

    def put_bytes(self, data: bytes) -> Digest:
        """Store bytes; durability as for ``put``."""

    def read(self, sha256: bytes) -> bytes:
        """Whole content, hashed again on the way.

        Raises:
            NotFoundError: never stored.
            MismatchError: no longer what was stored.
        """

    def check(self, sha256: bytes) -> Digest:
        """Digest of the content, hashed again, whatever its size; errors as for ``read``."""

    def probe(self) -> None:
        """Try whether bytes can be stored now, without leaving any behind.

        Raises:
            StorageUnavailableError: they cannot.
        """

    def path(self, sha256: bytes) -> Path:
        """Local file with the content, for streaming."""
