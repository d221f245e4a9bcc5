"""Child processes: started, waited for until they answer, and never left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from evidence_service.errors import UnavailableError

_PR_SET_PDEATHSIG = 1  # prctl(2): signal for the child when its parent thread dies


class ManagedProcess:
    """A child in its own process group that dies with its parent.

    The group gets SIGTERM, then SIGKILL after ``grace`` seconds; if this process is killed outright the
    kernel delivers SIGTERM to the child (Linux ``PR_SET_PDEATHSIG``).
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with log.open("ab") as sink:
                self._child = subprocess.Popen(
                    list(argv),
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    cwd=directory,
                    env=None if environment is None else dict(environment),
                    start_new_session=True,
                    preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prctl call, async-signal-safe
                )
        except FileNotFoundError as error:
            raise UnavailableError(
                f"{name} cannot start: {argv[0]} is not installed",
                what_to_do="run ./scripts/setup, which installs every part",
            ) from error

    @property
    def pid(self) -> int:
        """Process id of the child, which is also its group id."""
        return self._child.pid

    def is_running(self) -> bool:
        """Whether the child has not ended yet."""
        return self._child.poll() is None

    def wait_until(self, ready: Callable[[], bool], *, seconds: float = 30.0) -> None:
        """Poll ``ready`` until it is true.

        Raises:
            UnavailableError: the child ended, or the time is over; the message quotes the log's tail.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.is_running():
                raise UnavailableError(f"{self.name} ended while starting: {self._log_tail()}")
            if time.monotonic() > deadline:
                self.stop()
                raise UnavailableError(f"{self.name} did not answer within {seconds:g} s: {self._log_tail()}")
            time.sleep(0.05)

    def stop(self, *, grace: float = 5.0) -> None:
        """End the whole process group; returns when the child is gone."""
        for sig, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
            if not self.is_running():
                return
            try:
                os.killpg(self._child.pid, sig)
            except ProcessLookupError:
                return
            try:
                self._child.wait(seconds)
            except subprocess.TimeoutExpired:
                continue

    def kill(self) -> None:
        """SIGKILL the group at once, as a power cut would."""
        if self.is_running():
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait(10)

    def _log_tail(self) -> str:
        text = self.log.read_text(errors="replace").strip() if self.log.exists() else ""
        return text[-600:] or f"nothing in its log ({self.log})"


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    """A TCP port on loopback that was free a moment ago."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts_connections(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something listens on a port."""
    with closing(socket.socket()) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0
