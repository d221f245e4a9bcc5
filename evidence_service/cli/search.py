"""``evidence search`` and ``status``: evidence by what it shows, and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from evidence_service.cli.client import JSON_OPTION, ServiceClient, show_evidence
from evidence_service.config import ClientSettings

_DAY = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])
_PAGE = 200
"""The most that the API gives at once."""
_EVERYTHING = click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Also what the service registers by itself: digests of certificates, checkpoints of custody logs.",
)


def _limit(default: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    kind = click.IntRange(1, 10_000)
    return click.option("--limit", type=kind, default=default, show_default=True, help="At most so many.")


@click.command()
@click.option("--url", help="Address, or a beginning of one.")
@click.option("--seller", help="Name, id or address of the seller or shop.")
@click.option("--listing", "listing_id", help="Id of the listing on its platform.")
@click.option("--sha256", help="Digest of one of the files; those that the service registers included.")
@click.option("--outcome", help="How the capture ended, e.g. captured, removed.")
@click.option("--status", help="Where it stands, e.g. anchored.")
@click.option("--kind", type=click.Choice(("platform_capture", "upload", "digest")))
@click.option("--matter", "matter_id", help="Id of its matter.")
@click.option("--since", type=_DAY, help="Ordered on that day (UTC) or later.")
@click.option("--before", type=_DAY, help="Ordered before that day (UTC).")
@_EVERYTHING
@_limit(100)
@JSON_OPTION
def search(limit: int, everything: bool, as_json: bool, **wanted: Any) -> None:
    """Evidence that fits everything that is asked for, newest first."""
    query = {
        name: f"{value.isoformat()}Z" if name in ("since", "before") else value
        for name, value in wanted.items()
        if value is not None
    }
    # Whoever holds a certificate and asks for its digest means the service's own record of it.
    query["service_records"] = everything or "sha256" in query
    found, more = _newest(ServiceClient(ClientSettings()), query, limit)
    show_evidence(found, as_json=as_json)
    _tell_rest(more)
    if not found and not as_json:
        click.echo("nothing fits", err=True)


@click.command()
@click.argument("evidence_ids", nargs=-1)
@_EVERYTHING
@_limit(50)
@JSON_OPTION
def status(evidence_ids: Sequence[str], everything: bool, limit: int, as_json: bool) -> None:
    """Show where evidence stands: of the ids in their order, or the newest, what came last at the end."""
    client = ServiceClient(ClientSettings())
    if evidence_ids:
        found, more = [client.call("GET", f"/v1/evidence/{item}").json() for item in evidence_ids], ""
    else:
        newest, more = _newest(client, {"service_records": everything}, limit)
        found = newest[::-1]
    show_evidence(found, as_json=as_json)
    _tell_rest(more)


def _newest(client: ServiceClient, query: Mapping[str, Any], limit: int) -> tuple[list[dict[str, Any]], str]:
    """What fits, newest first, and how much more there is, in words; empty when that is all.

    The rest is counted on one page: a record may hold millions.
    """
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        wanted = min(_PAGE, limit - len(found)) or _PAGE
        page = client.call("GET", "/v1/search", params={**query, **after, "limit": wanted}).json()
        if len(found) == limit:
            return found, f"{len(page['items'])} more{'' if page['next'] is None else ' at least'}"
        found += page["items"]
        if page["next"] is None:
            return found, ""
        after = {"after": page["next"]}


def _tell_rest(more: str) -> None:
    if more:
        click.echo(f"and {more}; --limit shows more, “evidence search” finds some of them", err=True)
