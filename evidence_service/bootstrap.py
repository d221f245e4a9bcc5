"""Wires the parts together from settings; the only place that does."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine as Database

from evidence_service import __version__
from evidence_service.anchor import contract
from evidence_service.anchor.node import Node
from evidence_service.anchor.signer import KeystoreSigner
from evidence_service.anchor.submission import Attempt, State, Submission
from evidence_service.capture.browser import BrowserSettings
from evidence_service.capture.egress import EgressPolicy
from evidence_service.certificate.facts import Issuer
from evidence_service.certificate.seal import SealKey
from evidence_service.config import ChainSettings, Settings
from evidence_service.errors import ConfigurationError
from evidence_service.service.durable import DbosDurable, Engine
from evidence_service.service.parts import Anchoring, Batching, Capturing, Issuing, Parts, Stamping
from evidence_service.service.ports import Durable
from evidence_service.service.worker import Worker
from evidence_service.store.attestations import Attestations
from evidence_service.store.batches import Batches
from evidence_service.store.certificates import Certificates
from evidence_service.store.journal import PostgresJournal
from evidence_service.store.objects import LocalObjects
from evidence_service.store.postgres import EmbeddedPostgres, connect, migrate
from evidence_service.store.records import Records
from evidence_service.store.renewals import Renewals
from evidence_service.store.trees import TreeFiles
from evidence_service.timestamp.calendar import Calendar, require_library
from evidence_service.timestamp.tsa import Authorities, Authority
from evidence_service.verify import policy


@contextmanager
def database(settings: Settings) -> Iterator[tuple[Database, str]]:
    """The record's database with its schema up to date, and its URL; embedded when no URL is set."""
    embedded = None if settings.database_url else EmbeddedPostgres(settings.data_directory / "postgres")
    url = settings.database_url or (embedded.url if embedded else "")
    engine = connect(url)
    try:
        migrate(engine)
        yield engine, url
    finally:
        engine.dispose()
        if embedded is not None:
            embedded.stop()


def parts(settings: Settings, engine: Database) -> Parts:
    """Everything the use cases work with.

    Raises:
        ConfigurationError: a setting names something that cannot be used.
    """
    return Parts(
        records=Records(engine),
        batches=Batches(engine),
        certificates=Certificates(engine),
        journal=PostgresJournal(engine, make_submission=Submission, make_attempt=Attempt, make_state=State),
        objects=LocalObjects(settings.data_directory / "objects"),
        capturing=Capturing(
            directory=settings.data_directory / "captures",
            browser=BrowserSettings(
                executable=settings.chromium, locale=settings.locale, timezone=settings.timezone
            ),
            policy=EgressPolicy(frozenset(_host_and_port(item) for item in settings.egress_exceptions)),
        ),
        attestations=Attestations(engine),
        renewals=Renewals(engine, TreeFiles(settings.data_directory / "renewals")),
        stamping=_stamping(settings),
        anchoring=None if settings.chain is None else _anchoring(settings.chain),
        issuing=Issuing(
            issuer=Issuer(**settings.issuer.model_dump()),
            key=None
            if settings.seal is None
            else SealKey(settings.seal.pkcs12, _read(settings.seal.password_file).decode().strip()),
            policy=policy.shipped()
            if settings.trust_file is None
            else policy.parse(_read(settings.trust_file)),
            trust_file=settings.trust_file,
            prefix=settings.certificate_prefix,
        ),
        batching=Batching(timedelta(seconds=settings.batch_seconds), settings.batch_size),
        purpose=settings.purpose,
        host=platform.node(),
        tool=f"evidence-service {__version__}",
        now=lambda: datetime.now(UTC),
    )


def worker(settings: Settings, wired: Parts, url: str, *, durable: Durable | None = None) -> Worker:
    """A worker on a database.

    Args:
        durable: stands in for the one on DBOS's steps; tests of crashes wrap it.
    """
    engine = Engine(url, executor=settings.worker_name)
    return Worker(wired, engine, durable or DbosDurable(), captures=settings.captures_at_once)


def _stamping(settings: Settings) -> Stamping:
    if settings.opentimestamps:
        require_library()
    return Stamping(
        authorities=Authorities(
            [Authority(item.name, item.url, (_read(item.root),)) for item in settings.authorities],
            minimum=settings.authorities_minimum,
        ),
        calendars=tuple(Calendar(item.url, tuple(item.named)) for item in settings.opentimestamps),
        renewed_before=timedelta(days=settings.renewal_days),
        weak_digests=frozenset(settings.weak_digests),
    )


def _anchoring(settings: ChainSettings) -> Anchoring:
    if settings.keystore is None or settings.keystore_password_file is None:
        raise ConfigurationError(
            "the chain has no key", what_to_do="set chain.keystore and chain.keystore_password_file"
        )
    return Anchoring(
        node=Node(settings.rpc_urls, settings.chain_id),
        signer=KeystoreSigner(settings.keystore, _read(settings.keystore_password_file).decode().strip()),
        contract=settings.contract or contract.expected_address(),
        rpc_urls=tuple(settings.rpc_urls),
    )


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigurationError(f"the egress exception {text!r} is not host:port")
    return host.lower(), int(port)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
