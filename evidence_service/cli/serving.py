"""Commands that run the service: the API, a worker, or both in one process."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click
import uvicorn
from fastapi import FastAPI

from evidence_service import bootstrap, config
from evidence_service.api.app import create_app, create_monitoring
from evidence_service.api.serving import Server
from evidence_service.cli import logs
from evidence_service.config import Settings
from evidence_service.config.secrets import known_secrets
from evidence_service.errors import ConfigurationError
from evidence_service.service.worker import Worker
from evidence_service.store.tenancy import API_ROLE, WORKER_ROLE
from evidence_service.verify.report import ExitCode

_API_DRAIN = 8
"""Seconds requests under way may take to finish after a signal."""
_DRAIN = 20
"""Seconds steps under way may take to finish after it; the rest is another worker's, or the next start's."""


@click.command()
@click.option("--worker/--no-worker", "with_worker", default=True, help="Run a worker in the same process.")
def serve(with_worker: bool) -> None:
    """Run the API, and a worker beside it."""
    settings = config.load()
    logs.configure(known_secrets(settings))
    if not settings.api_keys:
        raise ConfigurationError(
            "no API key is configured", what_to_do="set api_keys; see docs/reference/settings.md"
        )
    # Before anything is started: a second service on the same port must not run a second worker.
    with socket.create_server((settings.api_host, settings.api_port), reuse_port=False):
        pass
    with ExitStack() as opened:
        narrow, url = opened.enter_context(bootstrap.database(settings, role=API_ROLE))
        narrowed, overall = bootstrap.parts(settings, narrow), None
        opened.callback(narrowed.tracing.close)
        if with_worker:
            # An API alone needs no login that sees every organisation.
            wide = opened.enter_context(bootstrap.connected(settings, url, WORKER_ROLE))
            overall = bootstrap.parts(settings, wide)
            opened.callback(overall.tracing.close)
        app = create_app(
            narrowed,
            bootstrap.key_holders(settings),
            overall=overall,
            identities=bootstrap.identities(settings),
            rates=bootstrap.rates(settings),
        )
        server = Server(_http(app, settings), app.state.streams)
        running = None if overall is None else bootstrap.worker(settings, overall, url)
        if running is not None:
            running.start(lost=lambda: setattr(server, "should_exit", True))
        click.echo(f"API on http://{settings.api_host}:{settings.api_port}", err=True)
        bootstrap.settle()
        # uvicorn raises the signal that ended it once more; by then it has to be harmless, or nothing below
        # would run.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        try:
            server.run()
        finally:
            if running is not None:
                running.stop(drain=_DRAIN)
    _leave(running)


def _http(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How requests are received. How many at once is limited by the application, which spares ``/livez``."""
    return uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=_API_DRAIN,
    )


@click.command()
@click.option(
    "--monitor",
    metavar="HOST:PORT",
    callback=lambda _, __, value: value and _address(value),
    help="Answer /livez, /readyz and /metrics there.",
)
def worker(monitor: tuple[str, int] | None) -> None:
    """Run a worker."""
    settings = config.load()
    logs.configure(known_secrets(settings))
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with bootstrap.database(settings) as (engine, url):
        parts = bootstrap.parts(settings, engine)
        running = bootstrap.worker(settings, parts, url)
        with _monitoring(monitor, create_monitoring(parts, bootstrap.key_holders(settings))):
            running.start(lost=stopping.set)
            click.echo(f"worker {running.name} runs", err=True)
            stopping.wait()
            running.stop(drain=_DRAIN)
        parts.tracing.close()
    _leave(running)


@contextmanager
def _monitoring(address: tuple[str, int] | None, app: FastAPI) -> Iterator[None]:
    """Answers in a thread while the block lasts; nothing without an address."""
    if address is None:
        yield
        return
    host, port = address
    # Bound here, so that a port that is taken ends the start and not a thread.
    with socket.create_server((host, port), reuse_port=False) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, args=([listening],), name="monitoring", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(_DRAIN)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter("write HOST:PORT, e.g. 127.0.0.1:9100")
    return host.strip("[]"), int(port)


def _leave(running: Worker | None) -> None:
    """End the process now, whatever a step that was handed over still does."""
    lost = running is not None and running.lost
    if running is not None and lost:
        click.echo(
            f"worker {running.name} was not heard of for too long: other workers have taken over its work. "
            "Nothing is lost; start it again.",
            err=True,
        )
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(ExitCode.INTERNAL if lost else ExitCode.VERIFIED))


@click.command()
def migrate() -> None:
    """Bring the database's schema to this release; with the URL of its owner."""
    logs.configure()
    with bootstrap.database(config.load()):
        click.echo("the schema is up to date", err=True)
