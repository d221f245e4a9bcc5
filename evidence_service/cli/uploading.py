"""How files of one's own get to the service: small ones at once, large ones in portions.

A large one goes on where it broke off: within a command when the service comes back, and after a command was
ended when the same file is added to the same matter again.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import click
import httpx

from evidence_service.cli.client import ServiceClient
from evidence_service.cli.patience import patiently
from evidence_service.cli.terminal import plain
from evidence_service.errors import RefusedError

PORTION = 8 * 1024 * 1024
"""Bytes of one request, and of the largest file that is sent at once."""
_SESSIONS = "/v1/uploads/sessions"


def send(client: ServiceClient, matter_id: str, path: Path) -> dict[str, Any]:
    """Upload a file; the evidence it became.

    Raises:
        ServiceUnavailableError, RefusedError: as ``ServiceClient.call``.
    """
    found: dict[str, Any]
    with path.open("rb") as content:
        size = path.stat().st_size
        if size <= PORTION:
            params = {"matter_id": matter_id, "name": path.name}
            found = client.create("/v1/uploads", params=params, content=content)
            return found
        upload = f"{_SESSIONS}/{_session(client, matter_id, path, size)}"
        with click.progressbar(length=size, label=plain(path.name), file=sys.stderr) as bar:
            at = 0
            while at < size:
                before, at = at, patiently(partial(_portion, client, upload, content))
                bar.update(at - before)
        found = patiently(partial(client.call, "POST", f"{upload}/complete")).json()
    return found


def _session(client: ServiceClient, matter_id: str, path: Path, size: int) -> str:
    """The upload of this file that was begun before, or a new one."""
    with path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    order = {"matter_id": matter_id, "name": path.name, "size": size, "sha256": sha256}
    for item in client.items(_SESSIONS):
        if all(item[name] == value for name, value in order.items()):
            click.echo(f"going on with the upload of {plain(path.name)}", err=True)
            return str(item["id"])
    key = secrets.token_hex(16)
    return str(patiently(partial(client.create, _SESSIONS, key=key, json=order))["id"])


def _portion(client: ServiceClient, upload: str, content: BinaryIO) -> int:
    """Send one portion from where the service has come to; where it has come to then."""
    answer = client.call("HEAD", upload)
    at = _offset(answer)
    content.seek(at)
    data = content.read(PORTION)
    if data:
        headers = {"Upload-Offset": str(at), "Content-Type": "application/partial-upload"}
        answer = client.call("PATCH", upload, content=data, headers=headers)
    return _offset(answer)


def _offset(answer: httpx.Response) -> int:
    try:
        return int(answer.headers["Upload-Offset"])
    except (KeyError, ValueError) as error:
        raise RefusedError("the service does not say where the upload has come to") from error
