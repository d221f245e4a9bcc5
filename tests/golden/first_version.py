"""What the first released version left behind, unpacked; see ``v1-database/README.md``."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import psycopg

GOLDEN = Path(__file__).with_name("v1-database")
EXPECTED: dict[str, Any] = json.loads((GOLDEN / "expected.json").read_text())


def unpack(target: Path) -> Path:
    """The installation's folder, without a running database."""
    with tarfile.open(GOLDEN / "installation.tar.xz") as archive:
        archive.extractall(target)
    return target / "installation"


def load(installation: Path, url: str) -> None:
    """Bring its dump into an empty database, which then stands at migration 0001."""
    with (installation / "database.sql").open(encoding="utf-8") as lines:
        # Lines for psql alone begin with a backslash.
        dump = "".join(line for line in lines if not line.startswith("\\"))
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute(dump.encode())
