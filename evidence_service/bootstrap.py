"""Wires the parts together from settings; the only place that does."""

from __future__ import annotations

import gc
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Engine as Database

from evidence_service import __version__
from evidence_service.anchor import contract
from evidence_service.anchor.fees import FeePolicy
from evidence_service.anchor.finality import Finality
from evidence_service.anchor.kms import KmsSigner
from evidence_service.anchor.node import Node
from evidence_service.anchor.signer import KeystoreSigner, Signer
from evidence_service.anchor.submission import Attempt, State, Submission
from evidence_service.anchor.web3signer import Web3Signer
from evidence_service.api.keys import KeyHolder
from evidence_service.api.oidc import Identities, Provider
from evidence_service.api.rates import Rate, Rates
from evidence_service.capture.browser import BrowserSettings
from evidence_service.capture.environment import Checks
from evidence_service.capture.recorder import RecorderLimits
from evidence_service.capture.session import CaptureLimits
from evidence_service.certificate.facts import Issuer
from evidence_service.certificate.sealing import SealKey
from evidence_service.certificate.sealing.pkcs11 import Pkcs11Key
from evidence_service.certificate.sealing.pkcs12 import Pkcs12Key
from evidence_service.certificate.sealing.remote import RemoteKey
from evidence_service.config import (
    AwsKmsSettings,
    ChainSettings,
    KeystoreSettings,
    SealSettings,
    Settings,
    SignerSettings,
)
from evidence_service.config.tracing import trace_exporter
from evidence_service.egress.http import guarded
from evidence_service.egress.policy import EgressPolicy, parse_exception, parse_networks
from evidence_service.egress.resolver import parse_nameserver
from evidence_service.errors import ConfigurationError
from evidence_service.service import login_state
from evidence_service.service.backups.make import Source
from evidence_service.service.backups.manifest import LOGIN_KEY, RECEIPT_KEY
from evidence_service.service.durable import WORKFLOW_VERSION, DbosDurable, Engine
from evidence_service.service.parts import Capturing, Chain, Issuing, Parts, Stamping
from evidence_service.service.permissions import scopes_of
from evidence_service.service.ports import Objects
from evidence_service.service.receipt_key import ReceiptKey, open_or_make
from evidence_service.service.tracing import NoTracing, Tracing
from evidence_service.service.validation_data import PublishedLists
from evidence_service.service.worker import Worker
from evidence_service.store.administration import Administration
from evidence_service.store.anchors import Anchors
from evidence_service.store.attestations import Attestations
from evidence_service.store.batches import Batches
from evidence_service.store.bucket import Bucket
from evidence_service.store.bucket import connect as connect_s3
from evidence_service.store.certificates import Certificates
from evidence_service.store.chain_status import ChainStatus
from evidence_service.store.closing import Due
from evidence_service.store.custody_log import CustodyLog
from evidence_service.store.deliveries import Deliveries
from evidence_service.store.events import Events
from evidence_service.store.exhibits import Exhibits
from evidence_service.store.holds import Holds
from evidence_service.store.journal import PostgresJournal
from evidence_service.store.lists import Lists
from evidence_service.store.logins import Logins
from evidence_service.store.members import Members
from evidence_service.store.objects import LocalObjects
from evidence_service.store.operations import Operations
from evidence_service.store.organisations import Organisations
from evidence_service.store.postgres import (
    EmbeddedPostgres,
    bring_up_to_date,
    connect,
    login,
    require_current,
)
from evidence_service.store.proofs import Proofs
from evidence_service.store.queue import CaptureQueue
from evidence_service.store.records import Records
from evidence_service.store.registrations import Registrations
from evidence_service.store.releases import Releases
from evidence_service.store.renewals import Renewals
from evidence_service.store.requests import Requests
from evidence_service.store.s3 import S3Objects
from evidence_service.store.searching import Searching
from evidence_service.store.tenancy import WORKER_ROLE
from evidence_service.store.trees import TreeFiles
from evidence_service.store.upload_sessions import UploadSessions
from evidence_service.store.webhooks import Webhooks
from evidence_service.store.workers import Start, Workers
from evidence_service.timestamp.calendar import Calendar, require_library
from evidence_service.timestamp.tsa import Authorities, Authority
from evidence_service.verify import policy

_TOOL = f"evidence-service {__version__}"
_PROMISE_MARGIN = 0.1
"""Share of the promised delay that is left when an entry closes its batch early."""


@contextmanager
def database(
    settings: Settings, *, role: str = WORKER_ROLE, make: bool = True
) -> Iterator[tuple[Database, str]]:
    """The record's database with its schema up to date, and its URL; embedded when no URL is set.

    Args:
        role: whose rights the engine has: the worker's, who sees every organisation, or the API's.
        make: bring the schema to this release where it is not; otherwise nothing is changed or made.

    Raises:
        ConfigurationError: nothing is to be made, and the database is of another release or not there.
    """
    with _server(settings, make=make) as url:
        owner = connect(url)
        try:
            if make:
                bring_up_to_date(owner)
            else:
                with owner.connect() as connection:
                    require_current(connection)
        finally:
            owner.dispose()
        with connected(settings, url, role) as engine:
            yield engine, url


@contextmanager
def _server(settings: Settings, *, make: bool) -> Iterator[str]:
    """URL of the configured database, or of the embedded one, which runs while the block lasts."""
    if settings.database_url:
        yield settings.database_url
        return
    directory = settings.data_directory / "postgres"
    if not make and not (directory / "PG_VERSION").exists():
        raise ConfigurationError(
            f"there is no database in {directory}",
            what_to_do="make it with “evidence migrate”, or correct data_directory",
        )
    embedded = EmbeddedPostgres(directory)
    try:
        yield embedded.url
    finally:
        embedded.stop()


@contextmanager
def connected(settings: Settings, url: str, role: str) -> Iterator[Database]:
    """The same database with the rights of a role."""
    engine = connect(url if settings.database_url else login(url, role), role=role)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def owner_database(settings: Settings, *, make: bool) -> Iterator[Database]:
    """The database as it is, with the rights of the configured login: nothing is brought up to date.

    Args:
        make: an embedded one that is not there, empty.

    Raises:
        ConfigurationError: it is not there, and is not to be made.
    """
    with _server(settings, make=make) as url:
        engine = connect(url)
        try:
            yield engine
        finally:
            engine.dispose()


def key_holders(settings: Settings) -> dict[bytes, KeyHolder]:
    """Whose the API keys of the settings are, by their SHA-256."""
    return {
        bytes.fromhex(item.sha256): KeyHolder(
            item.organisation, item.actor, scopes_of(item.roles), tuple(item.roles)
        )
        for item in settings.api_keys
    }


def identities(settings: Settings) -> Identities | None:
    """Whom tokens of the configured OpenID providers are about; None where there is none."""
    if not settings.oidc:
        return None
    providers = [
        Provider(
            item.issuer,
            item.audience,
            tuple(item.algorithms),
            item.jwks_url,
            frozenset(item.authorised_parties),
        )
        for item in settings.oidc
    ]
    return Identities(providers, guarded(egress_policy(settings)))


def rates(settings: Settings) -> Rates:
    """How often the API may be asked."""
    given = settings.rate_limits
    return Rates(
        caller=Rate(given.requests_per_second, given.burst),
        public=Rate(given.public_requests_per_second, given.public_burst),
        failures=Rate(given.failures_per_minute / 60, given.failures_burst),
    )


def parts(settings: Settings, engine: Database, *, make: bool = True) -> Parts:
    """Everything the use cases work with.

    Args:
        make: the object store and the service's own keys where they are not there, as on the first start.

    Raises:
        ConfigurationError: a setting names something that cannot be used, or is not there.
    """
    roots = _readable(settings.capture_tls_roots)
    stamping = _stamping(settings)
    return Parts(
        database=engine,
        organisations=Organisations(engine),
        members=Members(engine),
        administration=Administration(engine),
        records=Records(engine),
        batches=Batches(engine, TreeFiles(settings.data_directory / "trees")),
        certificates=Certificates(engine),
        exhibits=Exhibits(engine),
        holds=Holds(engine),
        requests=Requests(engine),
        releases=Releases(engine),
        upload_sessions=UploadSessions(engine, settings.data_directory / "uploads"),
        journal=PostgresJournal(engine, make_submission=Submission, make_attempt=Attempt, make_state=State),
        objects=objects(settings, make=make),
        capturing=Capturing(
            directory=settings.data_directory / "captures",
            browser=BrowserSettings(
                executable=settings.chromium, locale=settings.locale, timezone=settings.timezone
            ),
            policy=egress_policy(settings),
            limits=capture_limits(settings),
            at_once=_at_once(settings),
            profile=settings.capture_profile,
            roots=roots,
            websockets=settings.capture_websockets == "record",
            recipients=tuple(settings.originals_recipients),
            checks=_checks(settings, roots),
        ),
        attestations=Attestations(engine),
        renewals=Renewals(engine, TreeFiles(settings.data_directory / "renewals")),
        queue=CaptureQueue(engine),
        workers=Workers(engine),
        custody_log=CustodyLog(engine),
        lists=Lists(engine),
        registrations=Registrations(engine),
        proofs=Proofs(engine, TreeFiles(settings.data_directory / "trees")),
        searching=Searching(engine),
        logins=Logins(engine),
        operations=Operations(engine),
        events=Events(engine),
        webhooks=Webhooks(engine),
        deliveries=Deliveries(engine),
        stamping=stamping,
        chains=chains(settings.chains),
        anchors=Anchors(engine),
        chain_status=ChainStatus(engine),
        issuing=_issuing(settings, stamping),
        batching=Due(
            age=timedelta(seconds=settings.batch_seconds),
            size=settings.batch_size,
            margin=promised_delay(settings) * _PROMISE_MARGIN,
        ),
        promised_delay=promised_delay(settings),
        receipt_key=receipt_key(settings, make=make),
        sealing_key=_sealing_key(settings, make=make),
        purpose=settings.purpose,
        host=platform.node(),
        tool=_TOOL,
        now=_now,
        tracing=tracing(settings),
    )


def key_files(settings: Settings) -> dict[str, Path]:
    """The keys that the service makes for itself: name in a backup → file."""
    return {
        RECEIPT_KEY: settings.receipt_key or settings.data_directory / RECEIPT_KEY,
        LOGIN_KEY: settings.data_directory / LOGIN_KEY,
    }


def receipt_key(settings: Settings, *, make: bool) -> ReceiptKey:
    """The key that signs receipts; made on the first start unless the settings name one."""
    path = key_files(settings)[RECEIPT_KEY]
    if settings.receipt_key is not None:
        return ReceiptKey(path)
    return open_or_make(path) if make else ReceiptKey(_made(path))


def _sealing_key(settings: Settings, *, make: bool) -> login_state.SealingKey:
    path = key_files(settings)[LOGIN_KEY]
    return login_state.open_or_make(path) if make else login_state.SealingKey(_made(path))


def _made(path: Path) -> Path:
    """What the service makes on its first start, and has to be there now.

    Raises:
        ConfigurationError: it is not.
    """
    if not path.exists():
        raise ConfigurationError(
            f"{path} is not there",
            what_to_do="start the service, which makes it, put it back from a backup, or correct "
            "data_directory",
        )
    return path


def backup_source(settings: Settings, owner: Database) -> Source:
    """What a backup is made of.

    Raises:
        ConfigurationError: there is nothing to back up, or a key cannot be read.
    """
    return Source(
        owner=owner,
        objects=objects(settings, make=False),
        data_directory=settings.data_directory,
        key_files={name: path for name, path in key_files(settings).items() if path.exists()},
        receipt_key=receipt_key(settings, make=False),
        tool=_TOOL,
        now=_now,
    )


def tracing(settings: Settings) -> Tracing:
    """Where spans go: nowhere, unless ``OTEL_…`` names an exporter.

    Raises:
        ConfigurationError: it names one that there is not, or the optional group is not installed.
    """
    exporter = trace_exporter()
    if exporter == "none":
        return NoTracing()
    try:
        from evidence_service.service import opentelemetry  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise ConfigurationError(
            "an exporter of traces is configured, but OpenTelemetry is not installed",
            what_to_do="install the group: pip install 'evidence-service[otel]', or unset OTEL_…",
        ) from error
    return opentelemetry.OpenTelemetry(
        version=__version__,
        worker=settings.worker_name or platform.node(),
        processors=[opentelemetry.processor(exporter)],
    )


def objects(settings: Settings, *, make: bool = True) -> Objects:
    """The object store; one in a bucket is asked whether it locks what is put there.

    Args:
        make: a local directory where there is none.

    Raises:
        ConfigurationError: it does not, cannot be used, or is not there.
        StorageUnavailableError: it does not answer, or cannot be opened.
    """
    chosen = settings.objects
    if chosen.kind == "local":
        directory = settings.data_directory / "objects"
        return LocalObjects(directory if make else _made(directory))
    return S3Objects(
        Bucket(connect_s3(region=chosen.region, endpoint=chosen.endpoint_url), chosen.bucket),
        prefix=chosen.prefix,
        retention=None if chosen.retention_days is None else timedelta(days=chosen.retention_days),
        now=_now,
    )


def egress_policy(settings: Settings) -> EgressPolicy:
    """Where the service may connect to by itself.

    Raises:
        ConfigurationError: an exception, a nameserver or a network cannot be used.
    """
    for nameserver in settings.nameservers:
        parse_nameserver(nameserver)
    return EgressPolicy(
        exceptions=frozenset(parse_exception(item) for item in settings.egress_exceptions),
        nameservers=tuple(settings.nameservers),
        denied=parse_networks(settings.egress_denied),
    )


def _checks(settings: Settings, roots: Path | None) -> Checks:
    if settings.second_nameserver:
        parse_nameserver(settings.second_nameserver)
    return Checks(settings.second_nameserver, settings.control_url, settings.second_fetch, roots)


def _at_once(settings: Settings) -> int:
    """Captures of one organisation at once that a promise may reckon with: those of one worker."""
    limits = (settings.captures_at_once_in_all, settings.captures_at_once_per_organisation)
    return min([settings.captures_at_once, *(limit for limit in limits if limit is not None)])


def worker(
    settings: Settings,
    wired: Parts,
    url: str,
    *,
    durable: DbosDurable | None = None,
    workflow_version: str = WORKFLOW_VERSION,
) -> Worker:
    """A worker on a database, which takes its lease at once.

    Args:
        durable: stands in for the plain one; tests of crashes wrap it.
        workflow_version: of whose work it does; tests of upgrades have others.

    Raises:
        ConfigurationError: another worker runs under the same name.
    """
    lease = wired.workers.begin(
        Start(
            name=settings.worker_name,
            host=wired.host,
            process=os.getpid(),
            version=__version__,
            workflow_version=workflow_version,
            captures=settings.captures_at_once,
        )
    )
    return Worker(
        wired,
        Engine(url, executor=lease.name, version=workflow_version),
        durable or DbosDurable(wired.tracing),
        lease=lease,
        captures=settings.captures_at_once,
        lapse=settings.worker_lapse_seconds,
        in_all=settings.captures_at_once_in_all,
        per_organisation=settings.captures_at_once_per_organisation,
    )


def _stamping(settings: Settings) -> Stamping:
    if settings.opentimestamps:
        require_library()
    return Stamping(
        authorities=Authorities(
            [Authority(item.name, item.url, (_read(item.root),)) for item in settings.authorities],
            minimum=settings.authorities_minimum,
            publishers=guarded(egress_policy(settings)),
        ),
        calendars=tuple(Calendar(item.url, tuple(item.named)) for item in settings.opentimestamps),
        renewed_before=timedelta(days=settings.renewal_days),
        weak_digests=frozenset(settings.weak_digests),
    )


def _issuing(settings: Settings, stamping: Stamping) -> Issuing:
    trusted = policy.shipped() if settings.trust_file is None else policy.parse(_read(settings.trust_file))
    return Issuing(
        issuer=Issuer(**settings.issuer.model_dump()),
        key=None if settings.seal is None else seal_key(settings.seal),
        level="PAdES B-T" if settings.seal is None else settings.seal.level,
        revocation=PublishedLists(
            stamping.authorities.lists,
            seal_roots=[root for voucher in trusted.seal_issuers for root in voucher.roots],
            authority_roots=[root for item in stamping.authorities.members for root in item.roots],
            now=_now,
        ),
        policy=trusted,
        trust_file=settings.trust_file,
        prefix=settings.certificate_prefix,
        register=settings.register_url or None,
    )


def seal_key(settings: SealSettings) -> SealKey:
    """The seal key that settings describe. A file or a token is opened; a signing service is not asked yet.

    Raises:
        ConfigurationError: it cannot be opened or used; names the setting.
    """
    if settings.pkcs11 is not None:
        return Pkcs11Key(
            settings.pkcs11.module,
            token=settings.pkcs11.token,
            pin=_secret(settings.pkcs11.pin_file),
            key=settings.pkcs11.key_label,
            certificates=settings.pkcs11.certificates_file,
        )
    if settings.remote is not None:
        return RemoteKey(
            settings.remote.url,
            settings.remote.credential,
            token=partial(_secret, settings.remote.token_file),
            certificates=settings.remote.certificates_file,
        )
    if settings.pkcs12 is None or settings.password_file is None:
        raise ConfigurationError("seal names no key", what_to_do="set seal.pkcs12 and seal.password_file")
    return Pkcs12Key(settings.pkcs12, _secret(settings.password_file))


def signer(settings: SignerSettings) -> Signer:
    """The signer that settings describe. Asks nobody yet: a custodian that is down stops no start.

    Raises:
        ConfigurationError: a keystore cannot be opened, or a setting cannot be used.
    """
    if isinstance(settings, KeystoreSettings):
        return KeystoreSigner(settings.path, _secret(settings.password_file))
    if isinstance(settings, AwsKmsSettings):
        return KmsSigner(
            settings.key_id, region=settings.region, endpoint=settings.endpoint, address=settings.address
        )
    return Web3Signer(settings.url, settings.address)


def chains(settings: Sequence[ChainSettings]) -> tuple[Chain, ...]:
    """The chains that settings describe; no node is asked yet.

    Raises:
        ConfigurationError: they contradict each other, or a key cannot be opened.
    """
    found = tuple(_chain(item) for item in settings)
    if len({chain.chain_id for chain in found}) != len(found):
        raise ConfigurationError("a chain is configured twice", what_to_do="name each chain_id once")
    if found and not any(chain.required for chain in found):
        raise ConfigurationError(
            "no chain is required: a batch would never count as anchored",
            what_to_do="set required for at least one of the chains",
        )
    return found


def _chain(settings: ChainSettings) -> Chain:
    agreeing = settings.agreeing_nodes or min(2, len(settings.rpc_urls))
    if agreeing > len(settings.rpc_urls):
        raise ConfigurationError(
            f"chain {settings.chain_id} needs {agreeing} agreeing nodes and has {len(settings.rpc_urls)}",
            what_to_do="add RPC addresses, or lower agreeing_nodes",
        )
    return Chain(
        name=settings.name or f"chain {settings.chain_id}",
        node=Node(settings.rpc_urls, settings.chain_id),
        signers=tuple(signer(item) for item in settings.signers),
        # Logs of a chain are compared in lower case.
        contract=settings.contract.lower() or contract.expected_address(),
        rpc_urls=tuple(settings.rpc_urls),
        fees=FeePolicy(
            max_fee_cap=int(settings.max_fee_gwei * 10**9),
            max_tip=int(settings.max_tip_gwei * 10**9),
            bump_after=settings.bump_after_blocks,
            gas_cap=settings.gas_cap,
            max_in_flight=settings.max_in_flight,
            balance_alert=int(settings.balance_alert * 10**18),
        ),
        finality=Finality(depth=settings.finality_depth, agreeing=agreeing),
        required=settings.required,
    )


def promised_delay(settings: Settings) -> timedelta:
    """What receipts promise.

    Raises:
        ConfigurationError: it is less than a capture and the wait for its batch may take.
    """
    needed = settings.batch_seconds + settings.capture_limits.seconds
    if settings.promised_delay_seconds < needed:
        raise ConfigurationError(
            f"promised_delay_seconds is {settings.promised_delay_seconds:g}, but a capture and the wait for "
            f"its batch may take {needed:g} s",
            what_to_do=f"set promised_delay_seconds to {needed:g} or more, or batch_seconds lower",
        )
    return timedelta(seconds=settings.promised_delay_seconds)


def capture_limits(settings: Settings) -> CaptureLimits:
    """Where captures stop."""
    limits = settings.capture_limits
    return CaptureLimits(
        seconds=limits.seconds,
        height=limits.height,
        recorder=RecorderLimits(
            body=limits.body_bytes,
            total=limits.total_bytes,
            exchanges=limits.exchanges,
            # The recorder outlives the visit: what the browser still asks for at its end is recorded too.
            seconds=limits.seconds + 60,
        ),
    )


def settle() -> None:
    """Before a process begins to serve: what is loaded by now stays, so no collection looks at it again.

    Otherwise every request of thousands of rows goes through all of it, for a tenth of a second.
    """
    gc.collect()
    gc.freeze()


def _now() -> datetime:
    return datetime.now(UTC)


def _secret(path: Path) -> str:
    """What a file of one secret says."""
    try:
        return _read(path).decode().strip()
    except UnicodeDecodeError:
        # The original error quotes the file.
        raise ConfigurationError(f"{path} is not text in UTF-8") from None


def _readable(path: Path | None) -> Path | None:
    """A file that is read later, checked now."""
    if path is not None:
        _read(path)
    return path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
