"""Alembic migrations of the record, and which of them this release knows."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from alembic.script import ScriptDirectory

DIRECTORY = Path(__file__).parent


def head() -> str:
    """The version of the schema that this release works with."""
    found = _scripts().get_current_head()
    if found is None:
        raise LookupError("this installation has lost its migrations")
    return found


@cache
def known() -> frozenset[str]:
    """Every version up to this release's."""
    return frozenset(script.revision for script in _scripts().walk_revisions())


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(DIRECTORY))
