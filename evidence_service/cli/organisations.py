"""``evidence organisation``, ``member`` and ``key``: who may use the service, over its API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from evidence_service.cli.client import JSON_OPTION, ServiceClient, segment, show
from evidence_service.cli.tables import facts
from evidence_service.cli.terminal import document, plain
from evidence_service.config import ClientSettings

_MEMBERS = "/v1/organisation/members"


@click.group()
def organisation() -> None:
    """Register organisations; with a key of the installation."""


@organisation.command("add")
@click.argument("name")
@click.option("--code", help="Begins the numbers of its certificates: two to eight capital letters.")
@click.option("--administrator", help="Name of its first member, who gets a key.")
@JSON_OPTION
def add_organisation(name: str, code: str | None, administrator: str | None, as_json: bool) -> None:
    """Register an organisation."""
    first = None if administrator is None else {"name": administrator}
    body = {"name": name, "code": code, "administrator": first}
    _made(ServiceClient(ClientSettings()).create("/v1/organisations", json=body), as_json=as_json)


@organisation.command("list")
@JSON_OPTION
def list_organisations(as_json: bool) -> None:
    """Show the organisations of the installation."""
    found = list(ServiceClient(ClientSettings()).items("/v1/organisations"))
    show(found, lambda items: facts(items, "id", "name", "code", "created_at"), as_json=as_json)


@click.group()
def member() -> None:
    """Look after the members of your organisation."""


@member.command("add")
@click.argument("name")
@click.option("--role", "roles", multiple=True, required=True, help="What they may do; several are allowed.")
@click.option("--issuer", help="Address of the OpenID provider that knows them.")
@click.option("--subject", help="As whom it knows them.")
@JSON_OPTION
def add_member(
    name: str, roles: Sequence[str], issuer: str | None, subject: str | None, as_json: bool
) -> None:
    """Add somebody; the name is as custody logs will give it, and never given again."""
    if (issuer is None) != (subject is None):
        raise click.UsageError("--issuer and --subject belong together")
    identity = None if issuer is None else {"issuer": issuer, "subject": subject}
    body = {"name": name, "roles": list(roles), "identity": identity}
    _made(ServiceClient(ClientSettings()).create(_MEMBERS, json=body), as_json=as_json)


@member.command("list")
@JSON_OPTION
def list_members(as_json: bool) -> None:
    """Show the members, those who have left included."""
    found = list(ServiceClient(ClientSettings()).items(_MEMBERS))
    show(found, lambda items: facts(items, "id", "name", "roles", "ended_at"), as_json=as_json)


@member.command("roles")
@click.argument("member_id")
@click.argument("roles", nargs=-1, required=True)
@JSON_OPTION
def change_roles(member_id: str, roles: Sequence[str], as_json: bool) -> None:
    """Give somebody these roles, and no others."""
    client = ServiceClient(ClientSettings())
    found = client.call("PATCH", _path(member_id), json={"roles": list(roles)}).json()
    show([found], lambda items: facts(items, "id", "name", "roles", "ended_at"), as_json=as_json)


@member.command("end")
@click.argument("member_id")
def end_member(member_id: str) -> None:
    """End a membership: their keys and tokens open nothing any more."""
    ServiceClient(ClientSettings()).call("DELETE", _path(member_id))
    click.echo(f"{plain(member_id)} has left", err=True)


@click.group()
def key() -> None:
    """Make and revoke API keys of members."""


@key.command("add")
@click.argument("member_id")
@click.option("--label", required=True, help="What it is for.")
@click.option("--scope", "scopes", multiple=True, help="What it may do at most; none: all its member may.")
@click.option("--expires", type=click.DateTime(), help="When it ends, in UTC; none: when it is revoked.")
@JSON_OPTION
def add_key(
    member_id: str, label: str, scopes: Sequence[str], expires: datetime | None, as_json: bool
) -> None:
    """Make a key for a member; it is shown once."""
    body = {
        "label": label,
        "scopes": list(scopes) or None,
        "expires_at": None if expires is None else expires.replace(tzinfo=UTC).isoformat(),
    }
    made = ServiceClient(ClientSettings()).create(f"{_path(member_id)}/keys", json=body)
    _made(made, as_json=as_json)


@key.command("list")
@click.argument("member_id")
@JSON_OPTION
def list_keys(member_id: str, as_json: bool) -> None:
    """Show a member's keys, without the keys themselves."""
    found = list(ServiceClient(ClientSettings()).items(f"{_path(member_id)}/keys"))
    for item in found:
        item["state"] = "revoked" if item["revoked_at"] else "good"
    columns = ("id", "label", "state", "scopes", "expires_at")
    show(found, lambda items: facts(items, *columns), as_json=as_json)


@key.command("revoke")
@click.argument("member_id")
@click.argument("key_id")
def revoke_key(member_id: str, key_id: str) -> None:
    """Revoke a key."""
    ServiceClient(ClientSettings()).call("DELETE", f"{_path(member_id)}/keys/{segment(key_id)}")
    click.echo(f"{plain(key_id)} is revoked", err=True)


def _path(member_id: str) -> str:
    return f"{_MEMBERS}/{segment(member_id)}"


def _made(answer: dict[str, Any], *, as_json: bool) -> None:
    """Print what was made; its key alone on a line, so that it can be taken as it is."""
    if as_json:
        click.echo(document(answer))
        return
    click.echo(plain(answer["id"]))
    if answer.get("key"):
        click.echo("the key is shown once; keep it now:", err=True)
        click.echo(answer["key"])
