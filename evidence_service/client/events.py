"""Server-sent events (HTML standard, section 9.2), as far as the service sends them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel


class Event(BaseModel):
    """Something that happened.

    Attributes:
        position: counts from 1 in each organisation; what is followed goes on after it.
        data: id and state of what it is about.
    """

    position: int
    type: str
    timestamp: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """A block of a stream: its id, None where it names none, and its data, empty where it is no event."""

    id: str | None
    data: str


def messages(lines: Iterable[str]) -> Iterator[Message]:
    """The blocks of a stream; what has no empty line behind it did not arrive whole."""
    name: str | None = None
    data: list[str] = []
    for line in lines:
        field, _, value = line.partition(":")
        if not line:
            yield Message(name, "\n".join(data))
            name, data = None, []
        elif field == "id":
            name = value.removeprefix(" ")
        elif field == "data":
            data.append(value.removeprefix(" "))
