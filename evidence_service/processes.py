"""Child processes: started, waited for until they answer, and never left behind."""

from __future__ import annotations

import ctypes
import os
import pwd
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from evidence_service.errors import UnavailableError

_FREE_USERS = range(61184, 65520)
"""Numbers without an entry in ``/etc/passwd`` by convention (systemd's dynamic users)."""
_PR_SET_PDEATHSIG = 1  # prctl(2): signal for the child when its parent thread dies


class ManagedProcess:
    """A child in its own process group that dies with its parent.

    The group gets SIGTERM, then SIGKILL after ``grace`` seconds; if this process is killed outright the
    kernel delivers SIGTERM to the child (Linux ``PR_SET_PDEATHSIG``).

    Args:
        talks: whether stdin and stdout are pipes to this process, for :meth:`tell` and :meth:`hear`;
            otherwise stdin is empty and stdout goes to the log, as stderr always does.
        user: number of the user and group it runs as, with no further groups; only root can choose one.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        talks: bool = False,
        user: int | None = None,
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with log.open("ab") as sink:
                self._child = subprocess.Popen(
                    list(argv),
                    stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                    stdout=subprocess.PIPE if talks else sink,
                    stderr=sink,
                    cwd=directory,
                    env=None if environment is None else dict(environment),
                    start_new_session=True,
                    user=user,
                    group=user,
                    extra_groups=None if user is None else [],
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

    def tell(self, data: bytes) -> None:
        """Write to the child's stdin, which stays open until :meth:`hang_up`."""
        if self._child.stdin is not None:
            try:
                self._child.stdin.write(data)
                self._child.stdin.flush()
            except BrokenPipeError as error:
                raise UnavailableError(f"{self.name} ended while starting: {self._log_tail()}") from error

    def hear(self, *, seconds: float) -> bytes:
        """The next line of the child's stdout.

        Raises:
            UnavailableError: the child ended, or the time is over; the message quotes the log's tail.
        """
        line, deadline = b"", time.monotonic() + seconds
        while self._child.stdout is not None and not line.endswith(b"\n"):
            left = max(deadline - time.monotonic(), 0)
            if not select.select([self._child.stdout], [], [], left)[0]:
                self.stop()
                raise UnavailableError(f"{self.name} did not answer within {seconds:g} s: {self._log_tail()}")
            data = os.read(self._child.stdout.fileno(), 4096)
            if not data:
                raise UnavailableError(f"{self.name} ended while starting: {self._log_tail()}")
            line += data
        return line

    def hang_up(self, *, seconds: float) -> None:
        """Close the pipes; a child that ends with its stdin is given some time to do so."""
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(seconds)

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


def unprivileged_user() -> int | None:
    """Number of a user that nobody is, for a child that must not run as root; None where this is not root.

    It is one that no account has and that runs nothing now: no file of another service, and no process of
    another child, is within its reach.
    """
    if os.geteuid() != 0:
        return None
    busy = _busy_users()
    return next(number for number in _FREE_USERS if number not in busy and not _is_account(number))


def _busy_users() -> set[int]:
    found = set()
    for entry in Path("/proc").iterdir():
        with suppress(FileNotFoundError):
            if entry.name.isdecimal():
                found.add(entry.stat().st_uid)
    return found


def _is_account(number: int) -> bool:
    try:
        pwd.getpwuid(number)
    except KeyError:
        return False
    return True


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
