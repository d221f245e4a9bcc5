"""The recorder gives up what it does not need: it parses what strangers send."""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
import signal

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_FILES = 4096


def limit_resources() -> None:
    """No core dumps: memory holds keys and what people typed. Descriptors for all connections."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))


def unprivileged() -> tuple[str, int, int] | None:
    """Name, user and group to become; None where this process is nobody special already."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return None
    return entry.pw_name, entry.pw_uid, entry.pw_gid


def become(user: int, group: int) -> bool:
    """Give up root for good; whether the machine allows it."""
    try:
        os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    except OSError:
        return False
    return True


def seal(parent: int) -> bool:
    """No debugger, no new privileges, and death with the parent; False when the parent is gone already.

    Changing the user forgets the signal for the parent's death (prctl(2)): this comes last.
    """
    library = ctypes.CDLL(None)
    library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    return os.getppid() == parent
