"""Pages of the sample marketplace as plain files, for a web server of somebody else."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from evidence_service.sandbox.marketplace import Marketplace

_LOCAL = re.compile(r'(?:src|href)="(/(?:picture/[^"]+|style\.css))"')


def write_listing(listing_id: str, root: Path, *, origin: str) -> str:
    """Write a listing with its pictures below ``root``; its path.

    Args:
        origin: scheme, host and port that the page gives as its own.
    """
    with Marketplace() as shop, httpx.Client(base_url=shop.url, trust_env=False) as client:
        path = f"/item/{listing_id}"
        page = client.get(path).raise_for_status().text.replace(shop.url, origin)
        _write(root, f"{path}.html", page.encode())
        for local in set(_LOCAL.findall(page)):
            _write(root, local, client.get(local).raise_for_status().content)
    return path


def _write(root: Path, path: str, data: bytes) -> None:
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
