"""``evidence search``: evidence by what it shows; talks to a running service."""

from __future__ import annotations

from typing import Any

import click

from evidence_service.cli.client import JSON_OPTION, ServiceClient, show_evidence
from evidence_service.config import ClientSettings

_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.command()
@click.option("--url", help="Address, or a beginning of one.")
@click.option("--seller", help="Name, id or address of the seller or shop.")
@click.option("--listing", "listing_id", help="Id of the listing on its platform.")
@click.option("--sha256", help="Digest of one of the files.")
@click.option("--outcome", help="How the capture ended, e.g. captured, removed.")
@click.option("--status", help="Where it stands, e.g. anchored.")
@click.option("--matter", "matter_id", help="Id of its matter.")
@click.option("--since", type=_DAY, help="Ordered on that day (UTC) or later.")
@click.option("--before", type=_DAY, help="Ordered before that day (UTC).")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@JSON_OPTION
def search(limit: int, as_json: bool, **wanted: Any) -> None:
    """Evidence that fits everything that is asked for, newest first."""
    query = {
        name: f"{value.isoformat()}Z" if name in ("since", "before") else value
        for name, value in wanted.items()
        if value is not None
    }
    client = ServiceClient(ClientSettings())
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while len(found) < limit:
        page = client.call(
            "GET", "/v1/search", params={**query, **after, "limit": min(200, limit - len(found))}
        ).json()
        found += page["items"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    show_evidence(found, as_json=as_json)
    if not found and not as_json:
        click.echo("nothing fits", err=True)
