"""Real parts for tests: a database, and the service as a process of its own with a client of it."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from socketserver import BaseServer
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, text

from evidence_service.api.keys import KeyHolder
from evidence_service.api.serving import Server
from evidence_service.cli.client import ServiceClient
from evidence_service.config import ClientSettings
from evidence_service.processes import ManagedProcess, accepts_connections, free_port
from evidence_service.sandbox.installation import DemoInstallation
from evidence_service.service.parts import Parts
from evidence_service.service.permissions import ROLES, SCOPES
from evidence_service.store import schema
from evidence_service.store.administration import Action, Change
from evidence_service.store.members import Key, Member
from evidence_service.store.organisations import Organisation
from evidence_service.store.postgres import EmbeddedPostgres, connect, login, migrate

ROOT = Path(__file__).parents[1]
GANACHE = ROOT / "node_modules" / ".bin" / "ganache"
ANVIL = ROOT / "node_modules" / ".bin" / "anvil"


def reachable(directory: Path) -> Path:
    """Open a scratch directory to others: as root the embedded server runs as a user of its own."""
    scratch = Path(os.environ.get("PYTEST_DEBUG_TEMPROOT") or tempfile.gettempdir()).resolve()
    for folder in (directory, *directory.parents):
        if folder != scratch and folder.is_relative_to(scratch):
            folder.chmod(folder.stat().st_mode | 0o055)
    return directory


@contextmanager
def database(directory: Path) -> Iterator[str]:
    """URL of an embedded PostgreSQL with an empty record while the block lasts."""
    server = EmbeddedPostgres(reachable(directory) / "postgres")
    engine = connect(server.url)
    try:
        migrate(engine)
        engine.dispose()
        yield server.url
    finally:
        server.stop()


def empty(engine: Engine) -> None:
    """Take everything out of a record, as its owner; the default organisation stays."""
    with engine.begin() as connection:
        names = [table.name for table in schema.metadata.sorted_tables if table.name != "organisations"]
        connection.execute(text(f"TRUNCATE {', '.join(names)} CASCADE"))
        connection.execute(text("DELETE FROM organisations WHERE id <> 'o-default'"))


def as_role(engine: Engine, role: str) -> Engine:
    """The database of an engine with the rights of one of the service's own roles."""
    url = engine.url.render_as_string(hide_password=False)
    return connect(login(url, role), role=role)


def operator_key(
    key: str, actor: str = "agent", *, organisation: str = schema.DEFAULT_ORGANISATION
) -> dict[bytes, KeyHolder]:
    """An API key as the settings name it: it may do everything."""
    return {
        hashlib.sha256(key.encode()).digest(): KeyHolder(organisation, actor, frozenset(SCOPES), tuple(ROLES))
    }


def enrol(parts: Parts, organisation_id: str, code: str, key: str) -> None:
    """Record an organisation with one operator, who has an API key."""
    within, now = parts.within(organisation_id), parts.now()

    def noted(action: Action, subject: str) -> Change:
        return Change(action, "test", subject, now)

    member = Member(f"mb-{code.lower()}", "agent", None, None, ["operator"], now, None)
    of_member = Key(f"k-{code.lower()}", member.id, "test", None, now, None, None)
    within.organisations.add(
        Organisation(organisation_id, code, code, now), noted("register_organisation", organisation_id)
    )
    within.members.add(member, noted("add_member", member.id))
    within.members.add_key(of_member, hashlib.sha256(key.encode()).digest(), noted("issue_key", of_member.id))


@contextmanager
def service(demo: DemoInstallation, environment: Mapping[str, str] | None = None) -> Iterator[ServiceClient]:
    """``evidence serve`` while the block lasts; a client that holds its key."""
    process = ManagedProcess(
        "service",
        [sys.executable, "-m", "evidence_service.cli", "serve"],
        log=demo.directory / "service.log",
        environment={**os.environ, "EVIDENCE_CONFIG": str(demo.settings_file), **(environment or {})},
    )
    try:
        process.wait_until(lambda: accepts_connections(demo.api_port), seconds=60)
        yield ServiceClient(ClientSettings(api_url=f"http://127.0.0.1:{demo.api_port}", api_key=demo.api_key))
    finally:
        process.stop(grace=40)


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The address of an API in this process while the block lasts."""
    port = free_port()
    server = Server(uvicorn.Config(app, port=port, log_level="warning"), app.state.streams)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def answering(server: BaseServer) -> Iterator[None]:
    """A server of the standard library answers, in a thread, while the block lasts."""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@contextmanager
def repeating(work: Callable[[], None]) -> Iterator[None]:
    """Do something again and again in a thread while the block lasts, as a worker does."""
    ending = threading.Event()

    def run() -> None:
        while not ending.wait(0.02):
            work()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def order(client: ServiceClient, url: str, **more: Any) -> str:
    """Register a matter and order a capture; the evidence's id."""
    matter = client.create("/v1/matters", json={"reference": "T-1", "applicant": "Test SA"})["id"]
    return str(client.create("/v1/captures", json={"matter_id": matter, "url": url, **more})["id"])


def wait(
    client: ServiceClient, evidence_id: str, done: Callable[[dict[str, Any]], bool], *, seconds: float = 150
) -> dict[str, Any]:
    """The evidence's view as soon as it is as wanted; the last one when the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        view: dict[str, Any] = client.call("GET", f"/v1/evidence/{evidence_id}").json()
        if done(view) or time.monotonic() > deadline:
            return view
        time.sleep(0.1)


def certified(view: dict[str, Any]) -> bool:
    """The end of the way."""
    return bool(view["status"] == "certified")
