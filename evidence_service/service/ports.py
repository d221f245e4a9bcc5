"""What the use cases need from the outside, with what each promises about durability."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

from evidence_service.core.digest import Digest
from evidence_service.store.protection import Protection

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
    """Bytes under their SHA-256, for all organisations.

    Every method raises StorageUnavailableError when the store does not answer or does not take what it gets.
    Repeating a method, after an error or without one, is harmless.
    """

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

    def open(self, sha256: bytes) -> AbstractContextManager[Path]:
        """A local file with the content, hashed again before it is given out; gone after the block or not.

        The file is to be read only. Errors as for ``read``, when the block is entered.
        """

    def protection(self, sha256: bytes) -> Protection:
        """What keeps an object from being removed, and which version of it was put.

        Raises:
            NotFoundError, MismatchError: as ``read``.
        """

    def remove(self, sha256: bytes) -> bool:
        """Remove an object for good; whether it was there. When this returns, the removal is durable.

        Who removes has to know that nobody else needs it: organisations that put the same bytes share one
        object, and a put that finds it while it is being removed is acknowledged.

        Raises:
            RefusedError: the store itself protects it; says how long.
        """

    def inspect(self) -> str:
        """What the store is, for people; tried, but nothing is left in it.

        Raises:
            ConfigurationError: it does not keep what the settings promise.
        """
