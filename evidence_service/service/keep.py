"""Keep: bytes are stored and referred to, even where a deletion removes the same bytes in between. Let go.

Bytes are stored once for everybody. Between the moment they are found stored and the moment the record refers
to them, the deletion of the only other evidence with the same bytes may remove them: then they are stored
again. What is referred to is never removed; see ``Requests.removing``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from evidence_service.core.digest import Digest
from evidence_service.service.parts import Parts

T = TypeVar("T")


def keep(parts: Parts, put: Callable[[], Sequence[Digest]], record: Callable[[Sequence[Digest]], T]) -> T:
    """Put bytes and record what refers to them; what the recording gave.

    Args:
        put: stores the bytes; called once more where they were removed before they were referred to.
        record: when it returns, the record refers to them.
    """
    before = parts.requests.removals()
    stored = put()
    result = record(stored)
    if parts.requests.removed_since(before, [item.sha256 for item in stored]):
        put()
    return result


def let_go(parts: Parts, sha256: Iterable[bytes], *, besides: str = "") -> None:
    """Remove stored bytes that nothing refers to; what is gone already stays gone.

    Args:
        besides: evidence whose own references do not count.

    Raises:
        RefusedError: the object store keeps some.
    """
    for item in sha256:
        with parts.requests.removing(item, besides=besides) as free:
            if free:
                parts.objects.remove(item)
