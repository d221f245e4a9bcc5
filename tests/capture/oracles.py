"""Other people's tools as judges of a package: ``warcio check`` and ``wacz validate``.

They live in an environment of their own, made on first use: wacz brings some fifty packages along, and
warcio fails at brotli-coded responses where Google's ``brotli`` is installed, as the service needs it.
"""

from __future__ import annotations

import fcntl
import subprocess
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
ENVIRONMENT = ROOT / ".setup" / "webarchive"


def tool(name: str) -> Path:
    """A program of the environment, which is made when it is not there or its requirements changed."""
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    installed = ENVIRONMENT / "installed.txt"
    # Tests run in two processes; one of them installs.
    with ENVIRONMENT.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists() or installed.read_text() != REQUIREMENTS.read_text():
            venv.create(ENVIRONMENT, with_pip=True, clear=True)
            pip = [ENVIRONMENT / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--no-deps", "--requirement", REQUIREMENTS], check=True)
            installed.write_text(REQUIREMENTS.read_text())
    return ENVIRONMENT / "bin" / name


def check_warc(warc: Path) -> None:
    """Fail unless warcio agrees with every digest of a WARC."""
    done = subprocess.run([tool("warcio"), "check", "-v", warc], capture_output=True, text=True, check=False)
    # Records without a digest, or one that is not compared, would pass in silence.
    assert done.returncode == 0, done.stdout + done.stderr
    assert "digest pass" in done.stdout, done.stdout
    assert "no digest" not in done.stdout, done.stdout
    assert "not checked" not in done.stdout, done.stdout


def check_wacz(wacz: Path, folder: Path) -> Path:
    """Fail unless wacz accepts a package and warcio the WARC in it; the WARC, extracted into a folder."""
    done = subprocess.run([tool("wacz"), "validate", "-f", wacz], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is valid" in done.stdout, done.stdout
    with zipfile.ZipFile(wacz) as package:
        assert package.testzip() is None
        warc = Path(package.extract("archive/data.warc.gz", folder))
    check_warc(warc)
    return warc
