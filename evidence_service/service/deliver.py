"""Events are told: positions are given to them, and webhooks get them, at least once each.

An endpoint's answer is its status; nothing of what follows is read. What fails is tried again for three days,
more and more seldom. The endpoint is somebody else's word: every request goes out under the egress policy.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from urllib.parse import urlsplit

import structlog
from sqlalchemy.exc import SQLAlchemyError

from evidence_service.egress.http import Exchange, exchange
from evidence_service.egress.policy import EgressPolicy, check_url
from evidence_service.errors import EvidenceServiceError, PolicyRefusedError, RefusedError
from evidence_service.service import standard_webhooks
from evidence_service.service.parts import Parts
from evidence_service.store.deliveries import Taken

DELAYS = (5, 30, 120, 900, 3600, 6 * 3600, 12 * 3600, 24 * 3600, 24 * 3600)
"""Seconds from one attempt to the next, a tenth more or less: ten attempts in about three days."""
_REST_SECONDS, _LONGEST_REST = 5, 300
"""How long an endpoint that failed is told nothing at all: doubled with each failure in a row, up to …"""
_SECONDS = 10.0
"""An endpoint has to answer within."""
_LEASE = timedelta(seconds=120)
"""Far more than an attempt takes, a resolver that does not answer included: after it, whoever had taken a
delivery is dead."""
_AT_ONCE = 8
_TICK = 0.25
_GONE = 410
_ANY_STATUS = tuple(range(200, 600))

_log = structlog.get_logger(__name__)


def check_endpoint(url: str, policy: EgressPolicy) -> None:
    """Refuse where events must not be sent. Blocks while a name is looked up.

    Raises:
        RefusedError: not an https URL, or one with credentials; http is for exceptions of the policy.
        PolicyRefusedError: it leads where the service does not connect to.
    """
    _check_scheme(url, policy)
    check_url(url, policy)


def deliver_next(parts: Parts, send: Exchange) -> bool:
    """Make the attempt whose turn it is; whether there was one."""
    taken = parts.deliveries.take(now=parts.now(), lease=_LEASE)
    if taken is not None:
        _attempt(parts, send, taken)
    return taken is not None


def sender(policy: EgressPolicy) -> Exchange:
    """How requests go out."""
    return partial(exchange, policy=policy, seconds=_SECONDS)


class Deliverer:
    """Tells events until it is stopped: one thread that looks, and some that wait for endpoints."""

    def __init__(self, parts: Parts, send: Exchange | None = None) -> None:
        self._parts = parts
        self._send = send or sender(parts.capturing.policy)
        self._stopping = threading.Event()
        self._free = threading.Semaphore(_AT_ONCE)
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="deliver")
        self._thread = threading.Thread(target=self._run, name="deliverer", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def halt(self) -> None:
        """Begin nothing any more."""
        self._stopping.set()

    def stop(self) -> None:
        """Halt, and wait for what is on its way: seconds, whatever an endpoint does."""
        self.halt()
        if self._thread.is_alive():
            self._thread.join(5)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self) -> None:
        while not self._stopping.wait(_TICK):
            try:
                while self._parts.events.give_positions(self._parts.now()):
                    pass
                while not self._stopping.is_set() and self._begin():
                    pass
            except SQLAlchemyError as error:
                # The database may be away for a while; the next look starts over.
                _log.warning("tell.failed", reason=str(error)[:300])
            except Exception:  # noqa: BLE001 - logged with its traceback
                # Whatever it is: without this thread nobody is told anything any more.
                _log.exception("tell.broken")

    def _begin(self) -> bool:
        """Hand the attempt whose turn it is to a free thread; whether there was one."""
        if not self._free.acquire(blocking=False):
            return False
        taken = None
        try:
            taken = self._parts.deliveries.take(now=self._parts.now(), lease=_LEASE)
        finally:
            if taken is None:
                self._free.release()
        if taken is None:
            return False
        self._pool.submit(self._work, taken)
        return True

    def _work(self, taken: Taken) -> None:
        try:
            _attempt(self._parts, self._send, taken)
        except Exception:  # noqa: BLE001 - logged with its traceback; the lease ends, and it is tried again
            _log.exception("webhook.broken", webhook=taken.webhook_id)
        finally:
            self._free.release()


def _attempt(parts: Parts, send: Exchange, taken: Taken) -> None:
    status: int | None = None
    problem = ""
    try:
        status = _post(parts, send, taken)
        if not 200 <= status < 300:
            problem = f"the endpoint answered HTTP {status}"
    except EvidenceServiceError as error:
        problem = error.message
    now = parts.now()
    if not problem and status is not None:
        parts.deliveries.delivered(taken, status, now)
        return
    _log.info("webhook.failed", webhook=taken.webhook_id, attempt=taken.attempt, status=status)
    if status == _GONE:
        parts.deliveries.gone(taken, status, now)
    elif taken.attempt > len(DELAYS):
        if parts.deliveries.give_up(taken, status=status, problem=problem, now=now):
            _log.warning("webhook.disabled", webhook=taken.webhook_id)
    else:
        tenth = int.from_bytes(parts.random_bytes(2)) / 0xFFFF * 0.2 - 0.1
        delay = DELAYS[taken.attempt - 1] * (1 + tenth)
        rest = min(_REST_SECONDS * 2 ** min(taken.failures, 10), _LONGEST_REST) * (1 + tenth)
        parts.deliveries.put_off(
            taken,
            until=now + timedelta(seconds=delay),
            rest=now + timedelta(seconds=rest),
            status=status,
            problem=problem,
        )


def _post(parts: Parts, send: Exchange, taken: Taken) -> int:
    # Asked again: an exception that was there when the webhook was made may be gone.
    _check_scheme(taken.url, parts.capturing.policy)
    body = taken.event.told.encode()
    secrets = [parts.sealing_key.open_secret(taken.webhook_id, item) for item in taken.sealed]
    message = standard_webhooks.message_id(taken.webhook_id, taken.event.position)
    answer = send(
        taken.url,
        limit=None,
        content=body,
        headers={
            "Content-Type": "application/json",
            "User-Agent": parts.tool.replace(" ", "/"),
            **standard_webhooks.headers(message, parts.now(), body, secrets),
        },
        accept=_ANY_STATUS,
    )
    return answer.status


def _check_scheme(url: str, policy: EgressPolicy) -> None:
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise RefusedError(f"this is not a URL: {error}", what_to_do="write https://host/path") from error
    if scheme not in ("http", "https") or not host:
        raise RefusedError("a webhook's address begins with https://", what_to_do="write https://host/path")
    if scheme == "http" and not policy.excepts(host, port or 80):
        raise PolicyRefusedError(
            "events are sent by https only",
            what_to_do="write https://, or make this host and port an egress exception",
        )
