"""The recorder as the capture's process sees it: started, watched, stopped, and its journal read.

The recorder itself is a process of its own (:mod:`evidence_service.capture.recording`).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import evidence_service
from evidence_service.capture.exchange import Exchange, read_journal, read_limits
from evidence_service.capture.recording.settings import Clock, RecorderLimits, Settings
from evidence_service.egress.policy import EgressPolicy
from evidence_service.errors import ConfigurationError, UnavailableError
from evidence_service.processes import ManagedProcess

__all__ = ["Recorder", "RecorderLimits"]

_START_SECONDS = 20.0
_STOP_SECONDS = 5.0
# All that the process needs of the environment; the rest may hold secrets and is none of its business.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR")


class Recorder:
    """A recording proxy on loopback while the ``with`` block lasts.

    The thread that calls :meth:`start` has to outlive the block: the process dies with it.

    Args:
        policy: one without a resolver of its own, which could not be handed to another process.
        directory: the wire directory, empty or absent: a file for each direction of each exchange, and the
            journal. It may get another owner. The caller removes it.
        mode: ``recording_proxy``, or ``tunnel``: TLS is passed through unseen and counted.
        websockets: whether WebSockets are recorded; otherwise they are refused.
        roots: PEM file of root certificates that are trusted beside the system's.

    Raises:
        ConfigurationError: the policy has no JSON form.
    """

    def __init__(
        self,
        directory: Path,
        policy: EgressPolicy,
        *,
        now: Callable[[], datetime],
        limits: RecorderLimits | None = None,
        mode: str = "recording_proxy",
        websockets: bool = True,
        roots: Path | None = None,
    ) -> None:
        if policy.resolver is not None:
            raise ConfigurationError(
                "the recorder is another process: a policy with a resolver of its own cannot be handed to it",
                what_to_do="name nameservers in the policy instead",
            )
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._log = directory / "recorder.log"
        self._settings = Settings(
            directory=str(directory),
            policy=policy,
            clock=Clock(now(), time.monotonic()),
            mode=mode,
            websockets=websockets,
            roots="" if roots is None else roots.read_text(encoding="ascii"),
            limits=limits or RecorderLimits(),
        )
        self._process: ManagedProcess | None = None
        self._ready: dict[str, Any] = {}

    def start(self) -> None:
        """Start the process without waiting for it."""
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        # The same code as here, wherever it was loaded from.
        environment["PYTHONPATH"] = str(Path(evidence_service.__file__).parents[1])
        self._process = ManagedProcess(
            "the recorder",
            [sys.executable, "-m", "evidence_service.capture.recording"],
            log=self._log,
            environment=environment,
            talks=True,
        )
        self._process.tell(self._settings.to_json())

    def wait(self) -> None:
        """Wait until it accepts connections; starts it first where that was not done.

        Raises:
            UnavailableError: it did not come up; the message quotes what it said.
        """
        if self._process is None:
            self.start()
        if self._process is not None and not self._ready:
            self._ready = json.loads(self._process.hear(seconds=_START_SECONDS))

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return int(self._ready["port"])

    @property
    def spki(self) -> str:
        """Base64 of the SHA-256 of the capture's key, as Chromium's switch wants it."""
        return str(self._ready["spki"])

    @property
    def user(self) -> str:
        """The unprivileged user it became; empty when it did not change."""
        return str(self._ready["user"])

    @property
    def roots(self) -> str:
        """Which roots it trusts, in words."""
        return str(self._ready["roots"])

    @property
    def pid(self) -> int:
        """Process id."""
        if self._process is None:
            raise UnavailableError("the recorder was not started")
        return self._process.pid

    @property
    def directory(self) -> Path:
        """Where it writes what it records."""
        return self._directory

    @property
    def exchanges(self) -> list[Exchange]:
        """What was recorded so far, in the order it began."""
        return read_journal(self._directory)

    @property
    def limits_fired(self) -> list[str]:
        """Limits that fired so far, in words."""
        return read_limits(self._directory)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.is_running()

    def kill(self) -> None:
        """End it at once; its journal tells how far it came."""
        if self._process is not None:
            self._process.kill()

    def __enter__(self) -> Self:
        self.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Let it end its journal, and end it."""
        if self._process is not None:
            self._process.hang_up(seconds=_STOP_SECONDS)
            self._process.stop()
