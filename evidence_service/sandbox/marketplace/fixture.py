"""One page of the fixture set, and what a capture of it has to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from evidence_service.sandbox.marketplace.answer import Answer, Asked


@dataclass(frozen=True, slots=True)
class Fixture:
    """A page with a known outcome.

    Attributes:
        path: path and query.
        language: ``en`` or ``zh-CN``.
        outcome: as the manifest names it.
        rule: one that the reasons have to cite; empty for ``captured``.
        facts: values that have to be read, by the fact's name.
        browser: whether its outcome or facts need scripts, pictures or a connection to show.
        refused: asked at a port where nobody listens.
    """

    name: str
    path: str
    language: str
    outcome: str
    answer: Callable[[Asked], Answer]
    rule: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    browser: bool = False
    refused: bool = False
