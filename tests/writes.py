"""External writes that fail, or land without their answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def failing(
    monkeypatch: pytest.MonkeyPatch, kind: type, write: str, error: Exception, *, landed: bool
) -> Iterator[None]:
    """While the block lasts a method raises; ``landed``: after it has done its work."""
    original = getattr(kind, write)

    def fail(*args: Any, **kwargs: Any) -> Any:
        if landed:
            original(*args, **kwargs)
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(kind, write, fail)
        yield
