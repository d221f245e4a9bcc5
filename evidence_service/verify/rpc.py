"""The only input and output of verification: asking a node whether it knows a header (step 6).

Standard library only, no redirects, bounded answers. A node that is down never looks like tampering.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any, Literal

from evidence_service.core.canonical import check_nesting
from evidence_service.errors import EvidenceError, NodeUnavailableError

Comparison = Literal["canonical", "different", "not_finalized"]

MAX_ANSWER = 4 * 1024 * 1024
"""Most bytes of a node's answer; a block without transaction bodies of a busy chain is below 1 MiB."""


def compare_header(
    rpc_url: str, block_number: int, block_hash: str, chain_id: int, timeout: float
) -> Comparison:
    """Compare a header's hash with the block a node has at that number.

    ``canonical``: the same hash, at or below the node's finalized block. ``not_finalized``: the same hash,
    but the node may still replace it, or it has not reached that number. ``different``: another block.

    Args:
        block_hash: 0x and lower-case hexadecimal, from :class:`AnchorFacts`.
        timeout: seconds for each of the three requests.

    Raises:
        NodeUnavailableError: no usable answer, or the node serves another chain.
    """
    if not serves_chain(rpc_url, chain_id, timeout):
        raise NodeUnavailableError(
            f"the node does not serve chain {chain_id}", what_to_do="give a node of the anchor's chain"
        )
    finalized = _call(rpc_url, "eth_getBlockByNumber", ["finalized", False], timeout)
    if not isinstance(finalized, dict):
        raise NodeUnavailableError("the node knows no finalized block")
    block = _call(rpc_url, "eth_getBlockByNumber", [hex(block_number), False], timeout)
    if block is None:
        return "not_finalized"
    if not isinstance(block, dict) or not isinstance(block.get("hash"), str):
        raise NodeUnavailableError("the node answered a block without a hash")
    if block["hash"].lower() != block_hash:
        return "different"
    return "canonical" if block_number <= _quantity(finalized.get("number"), "number") else "not_finalized"


def serves_chain(rpc_url: str, chain_id: int, timeout: float) -> bool:
    """Whether a node answers, and for this chain.

    Raises:
        NodeUnavailableError: no usable answer.
    """
    return _quantity(_call(rpc_url, "eth_chainId", [], timeout), "eth_chainId") == chain_id


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Refuse: a redirect could lead the verifier's machine to an address nobody gave."""


_OPENER = urllib.request.build_opener(_NoRedirects)


def _call(rpc_url: str, method: str, parameters: list[Any], timeout: float) -> Any:
    if not rpc_url.startswith(("http://", "https://")):
        raise NodeUnavailableError(f"{rpc_url[:80]} is not an http or https address")
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
        rpc_url, data=body, headers={"Content-Type": "application/json", "Accept": "application/json"}
    )
    try:
        with _OPENER.open(request, timeout=timeout) as response:
            answer = response.read(MAX_ANSWER + 1)
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise NodeUnavailableError(
            f"the node did not answer {method}: {error}", what_to_do="try again later or give another node"
        ) from error
    if len(answer) > MAX_ANSWER:
        raise NodeUnavailableError(f"the node's answer to {method} is larger than {MAX_ANSWER} bytes")
    try:
        check_nesting(answer, what="node's answer")
        value = json.loads(answer)
    except (ValueError, EvidenceError) as error:
        raise NodeUnavailableError(f"the node's answer to {method} is not JSON") from error
    if not isinstance(value, dict) or "result" not in value:
        raise NodeUnavailableError(f"the node answered {method} with an error")
    return value["result"]


def _quantity(value: Any, name: str) -> int:
    try:
        return int(value, 16)
    except (TypeError, ValueError) as error:
        raise NodeUnavailableError(f"the node's {name} is not a number") from error
