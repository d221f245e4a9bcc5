"""Environments beside the project's own, for other people's software whose packages do not go with ours."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]


def programs(name: str, requirements: Path) -> Path:
    """Directory of an environment's programs; it is made when it is not there or its requirements changed.

    Args:
        requirements: file with every package and version; nothing else is installed.
    """
    environment = ROOT / ".setup" / name
    environment.parent.mkdir(exist_ok=True)
    installed = environment / "installed.txt"
    # Tests run in several processes; one of them installs.
    with environment.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists() or installed.read_text() != requirements.read_text():
            venv.create(environment, with_pip=True, clear=True)
            pip = [environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--no-deps", "--requirement", requirements], check=True, stdout=sys.stderr)
            installed.write_text(requirements.read_text())
    return environment / "bin"
