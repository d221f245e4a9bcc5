"""Other people's tools as judges of a package: ``warcio check`` and ``wacz validate``.

They live in an environment of their own, made on first use: wacz brings some fifty packages along, and
warcio fails at brotli-coded responses where Google's ``brotli`` is installed, as the service needs it.
"""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

from tests.environments import programs

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def tool(name: str) -> Path:
    """A program of the environment."""
    return programs("webarchive", REQUIREMENTS) / name


def check_warc(warc: Path) -> None:
    """Fail unless warcio agrees with every digest of a WARC."""
    done = subprocess.run([tool("warcio"), "check", "-v", warc], capture_output=True, text=True, check=False)
    # Records without a digest, or one that is not compared, would pass in silence.
    assert done.returncode == 0, done.stdout + done.stderr
    assert "digest pass" in done.stdout, done.stdout
    assert "no digest" not in done.stdout, done.stdout
    assert "not checked" not in done.stdout, done.stdout


def validate_wacz(wacz: Path) -> None:
    """Fail unless wacz accepts a package; the WARC in it is for :func:`check_warc`."""
    done = subprocess.run([tool("wacz"), "validate", "-f", wacz], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is valid" in done.stdout, done.stdout
    with zipfile.ZipFile(wacz) as package:
        assert package.testzip() is None


def check_wacz(wacz: Path, folder: Path) -> Path:
    """Fail unless wacz accepts a package and warcio the WARC in it; the WARC, extracted into a folder."""
    validate_wacz(wacz)
    with zipfile.ZipFile(wacz) as package:
        warc = Path(package.extract("archive/data.warc.gz", folder))
    check_warc(warc)
    return warc
