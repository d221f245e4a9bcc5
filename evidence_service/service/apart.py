"""Apart: what goes wrong in one part of a look keeps nothing from the other parts, or other organisations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

_log = structlog.get_logger(__name__)


@contextmanager
def apart(part: str) -> Iterator[None]:
    """Tell of an error and go on behind the block; a database that is away is away for everybody.

    Args:
        part: what the block does, for people.
    """
    try:
        yield
    except (OperationalError, PoolTimeout):
        raise
    except Exception:  # noqa: BLE001 - logged with its traceback
        _log.exception("look.part_broken", part=part)
