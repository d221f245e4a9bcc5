"""What one person asks for and another one decides about: shared by deletions and release links."""

from __future__ import annotations

from typing import Any

import click

from evidence_service.cli.client import JSON_OPTION, ServiceClient, segment, show
from evidence_service.cli.tables import facts
from evidence_service.config import ClientSettings
from evidence_service.errors import RefusedError

REASON = click.option("--reason", required=True, help="Why, in a sentence; written into the custody log.")
_KINDS = {"delete": "a deletion", "release": "a release"}
_COMMANDS = {"delete": "evidence deletion", "release": "evidence link"}


def add_decisions(group: click.Group, kind: str) -> None:
    """Give a group the commands ``approve`` and ``reject`` for requests of one kind."""

    def add(name: str, act: str, words: str) -> None:
        @group.command(name, help=words)
        @click.argument("request_id", metavar="REQUEST")
        @REASON
        @JSON_OPTION
        def decide(request_id: str, reason: str, as_json: bool) -> None:
            _decide(request_id, act, kind, reason, as_json=as_json)

    add("approve", "approve", "Approve what another person asked for.")
    add("reject", "refuse", "Reject what another person asked for.")


def show_requests(found: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print requests, and what they wait for."""
    columns = ("id", "state", "evidence_id", "requested_by", "at", "reason", "decided_by", "waiting_for")
    show(found, lambda items: facts(items, *columns), as_json=as_json)


def _decide(request_id: str, act: str, kind: str, reason: str, *, as_json: bool) -> None:
    client, path = ServiceClient(ClientSettings()), f"/v1/requests/{segment(request_id)}"
    asked = client.call("GET", path).json()["kind"]
    if asked != kind:
        # Nobody approves a deletion with a command that gives something out.
        raise RefusedError(
            f"{request_id} asks for {_KINDS[asked]}, not for {_KINDS[kind]}",
            what_to_do=f"decide about it with “{_COMMANDS[asked]} approve” or “reject”",
        )
    show_requests([client.call("POST", f"{path}/{act}", json={"reason": reason}).json()], as_json=as_json)
