"""Ask every given node about a header (check 6.1); what they say, not what it means."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from evidence_service.errors import NodeUnavailableError
from evidence_service.verify import rpc
from evidence_service.verify.chain import AnchorFacts
from evidence_service.verify.steps.anchors import CompareHeader, NodeAnswer

_SECONDS = 10.0
"""For each request to a node."""


def compare_with(rpc_urls: Sequence[str]) -> CompareHeader:
    """A comparison that asks every one of these nodes."""

    def compare(facts: AnchorFacts) -> list[NodeAnswer]:
        return [_ask(url, facts) for url in rpc_urls]

    return compare


def _ask(url: str, facts: AnchorFacts) -> NodeAnswer:
    try:
        answer = rpc.compare_header(url, facts.block_number, facts.block_hash, facts.chain_id, _SECONDS)
    except NodeUnavailableError as error:
        return NodeAnswer(_shown(url), "unavailable", error.message)
    return NodeAnswer(_shown(url), answer)


def _shown(url: str) -> str:
    """Host and port only: paths and queries of node addresses are often access keys."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or "the node"
