"""Secret values this process's settings lead to, for the log to mask wherever they turn up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel

_FILES = ("password_file", "pin_file", "token_file", "secret_file")
_KEY = 16
"""Letters from which a part of an address's path counts as a key, as providers of nodes give them."""


def known_secrets(settings: BaseModel) -> set[str]:
    """Values that must never be told. A file that cannot be read is left to whoever needs it."""
    return {found for found in _secrets(settings) if found}


def _secrets(model: BaseModel) -> Iterator[str]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, BaseModel):
                yield from _secrets(item)
            elif isinstance(item, Path) and name.endswith(_FILES):
                yield from _content(item)
            elif isinstance(item, str) and "://" in item:
                yield from _in_address(item)


def _content(path: Path) -> Iterator[str]:
    try:
        yield path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return


def _in_address(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        password = parts.password or ""
    except ValueError:
        return
    # As it is written and as it is meant.
    yield from {password, unquote(password)}
    yield from (segment for segment in parts.path.split("/") if len(segment) >= _KEY)
