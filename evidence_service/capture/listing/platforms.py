"""What is known of each platform's pages: data, one file a platform, and how a platform is recognised."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from urllib.parse import urlsplit

_MAX_SEARCHED = 2_000_000


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform's rules (``platforms/*.json``).

    Attributes:
        name: as people call it.
        software: whether it is shop software, which runs on hosts of anybody's.
        hosts: host names; ``*.`` stands for any sub-domain.
        markers: texts in the page's HTML, each of which tells its layout.
        listing_id: patterns of the address; the first group is the listing's id there.
        states: variable or script id → fact → paths; ``response`` for responses of JSON.
        selectors: fact → CSS selectors, the likeliest first; ``@name`` at the end takes an attribute.
    """

    name: str
    software: bool
    hosts: tuple[str, ...]
    markers: tuple[str, ...]
    listing_id: tuple[re.Pattern[str], ...]
    states: Mapping[str, Mapping[str, tuple[str, ...]]]
    selectors: Mapping[str, tuple[str, ...]]

    def owns(self, host: str) -> bool:
        """Whether a host is the platform's."""
        return any(
            host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
            for pattern in self.hosts
        )

    def id_in(self, url: str) -> str:
        """The listing's id in an address of the platform's; empty when it has none."""
        parts = urlsplit(url)
        address = parts.path + (f"?{parts.query}" if parts.query else "")
        return next((found.group(1) for rule in self.listing_id if (found := rule.search(address))), "")


@cache
def platforms() -> tuple[Platform, ...]:
    """Every platform, in the order of their files' names."""
    directory = resources.files(__package__) / "platforms"
    files = sorted(
        (item for item in directory.iterdir() if item.name.endswith(".json")), key=lambda f: f.name
    )
    return tuple(_load(json.loads(item.read_text(encoding="utf-8"))) for item in files)


def _load(value: Mapping[str, object]) -> Platform:
    def table(found: object) -> dict[str, tuple[str, ...]]:
        assert isinstance(found, dict)  # noqa: S101 - our own data, checked by a test
        return {name: tuple(items) for name, items in found.items()}

    states = value["states"]
    assert isinstance(states, dict)  # noqa: S101
    lists = table({name: value[name] for name in ("hosts", "markers", "listing_id")})
    return Platform(
        name=str(value["name"]),
        software=value["kind"] == "software",
        hosts=lists["hosts"],
        markers=lists["markers"],
        listing_id=tuple(re.compile(pattern) for pattern in lists["listing_id"]),
        states={name: table(paths) for name, paths in states.items()},
        selectors=table(value["selectors"]),
    )


def host_of(url: str) -> str:
    """Lower-case host name of an address; empty when it has none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def owner(host: str) -> Platform | None:
    """The platform a host belongs to."""
    return next((item for item in platforms() if item.owns(host)), None)


def layout(document: str) -> tuple[Platform, str] | None:
    """The platform whose layout a page has, and the marker that tells: no statement about who runs it."""
    for item in platforms():
        for marker in item.markers:
            if document.find(marker, 0, _MAX_SEARCHED) >= 0:
                return item, marker
    return None


@cache
def variables() -> frozenset[str]:
    """Names of all states that rules know."""
    return frozenset(name for item in platforms() for name in item.states)
