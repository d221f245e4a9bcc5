"""``certificates.pem``: every certificate chain a capture met, each once, with the hosts that sent it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from evidence_service.capture.exchange import Exchange


def chains_pem(wire: Path, exchanges: Sequence[Exchange]) -> bytes:
    """The chains in the order they were met, leaf first; empty where there was no TLS.

    Text before a certificate is a comment (RFC 7468, 5.2): it names the hosts and the verification's result.

    Args:
        wire: the recorder's directory, with the certificates it kept.
    """
    met: dict[tuple[str, ...], dict[str, str]] = {}
    for exchange in exchanges:
        if exchange.chain:
            host = urlsplit(exchange.url).netloc.rpartition("@")[2]
            met.setdefault(exchange.chain, {})[host] = exchange.tls.get("verified", "")
    return b"".join(_chain(wire, chain, hosts) for chain, hosts in met.items())


def _chain(wire: Path, chain: Sequence[str], hosts: dict[str, str]) -> bytes:
    lines = [f"# {host}, verified: {verified}\n" for host, verified in hosts.items()]
    parts = ["".join(lines).encode("utf-8", "replace")]
    for name in chain:
        der = (wire / "certificates" / f"{name}.der").read_bytes()
        parts.append(f"# SHA-256 {name}\n".encode() + _pem(der))
    return b"".join(parts) + b"\n"


def _pem(der: bytes) -> bytes:
    # Not parsed: a server may have sent what no parser accepts.
    text = base64.b64encode(der)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"-----BEGIN CERTIFICATE-----\n" + b"\n".join(lines) + b"\n-----END CERTIFICATE-----\n"
