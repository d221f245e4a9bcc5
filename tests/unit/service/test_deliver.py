"""Webhooks are told at least once, by a signature anybody can check, and nobody's endpoint holds up another's."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from evidence_service import bootstrap
from evidence_service.config import Settings
from evidence_service.egress.http import exchange
from evidence_service.egress.policy import EgressPolicy
from evidence_service.service import standard_webhooks
from evidence_service.service.deliver import DELAYS, Deliverer, deliver_next, sender
from evidence_service.service.parts import Parts
from evidence_service.store.administration import Change
from evidence_service.store.deliveries import Deliveries
from evidence_service.store.records import Matter
from evidence_service.store.schema import DEFAULT_ORGANISATION
from evidence_service.store.tenancy import WORKER_ROLE
from tests.running import answering, as_role, empty
from tests.unit.service.installation import Clock
from tests.writes import failing

GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "receive-webhooks.md"


class Receiver(ThreadingHTTPServer):
    """Notes what comes; answers as the path says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.hanging = 0
        self.most_hanging = 0
        self.release = threading.Event()
        self.lock = threading.Lock()

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.got]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.got.append(
                (self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            )
        kind = self.path.strip("/")
        if kind == "landed":
            self.close_connection = True
            return
        if kind.startswith("hang"):
            with self.server.lock:
                self.server.hanging += 1
                self.server.most_hanging = max(self.server.hanging, self.server.most_hanging)
            self.server.release.wait(60)
            return
        self.send_response(int(kind) if kind.isdecimal() else 200)
        if kind == "302":
            self.send_header("Location", "/inside")
        self.end_headers()
        try:
            while kind == "endless":
                self.wfile.write(b"x" * 65536)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    with answering(server):
        yield server
        server.release.set()


@pytest.fixture
def parts(engine: Engine, tmp_path: Path, receiver: Receiver) -> Iterator[Parts]:
    """The worker's, with the worker's rights; endpoints of the receiver are an exception of the policy."""
    empty(engine)
    worker = as_role(engine, WORKER_ROLE)
    settings = Settings(
        data_directory=tmp_path,
        purpose="demonstration",
        egress_exceptions=[f"127.0.0.1:{receiver.server_port}"],
    )
    clock = Clock(datetime.now(UTC))
    yield replace(bootstrap.parts(settings, worker), now=clock, random_bytes=lambda size: b"\x7f" * size)
    worker.dispose()


def clock_of(parts: Parts) -> Clock:
    assert isinstance(parts.now, Clock)
    return parts.now


def hook(
    parts: Parts,
    receiver: Receiver,
    engine: Engine,
    path: str,
    *,
    organisation: str = DEFAULT_ORGANISATION,
    name: str = "wh-1",
) -> bytes:
    """Register an endpoint as the API does; its secret."""
    secret = standard_webhooks.new_secret(lambda size: name.encode().ljust(size, b"."))
    sealed = parts.sealing_key.seal_secret(name, secret, bytes)
    url = f"http://127.0.0.1:{receiver.server_port}/{path}"
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO webhooks (id, url, types, sealed, created_at, organisation_id) "
                "VALUES (:id, :url, '[]', :sealed, :at, :organisation)"
            ),
            {"id": name, "url": url, "sealed": sealed, "at": parts.now(), "organisation": organisation},
        )
    return secret


def happen(parts: Parts, count: int = 1, *, organisation: str = DEFAULT_ORGANISATION) -> None:
    """So many events that are told."""
    bound = parts.within(organisation)
    matter = f"m-{organisation}"
    if not bound.records.matters(reference=f"R {organisation}"):
        bound.records.add_matter(Matter(matter, f"R {organisation}", "Test SA", (), parts.now()))
    for number in range(count):
        bound.records.add_evidence(
            evidence_id=f"ev-{organisation}-{time.monotonic_ns()}-{number}",
            matter_id=matter,
            kind="upload",
            url=None,
            operator="agent",
            certificate_wanted=False,
            created_at=parts.now(),
        )
    while parts.events.give_positions(parts.now()):
        pass


def deliver(parts: Parts) -> bool:
    return deliver_next(parts, sender(parts.capturing.policy))


def state(engine: Engine, name: str = "wh-1") -> list[tuple[Any, ...]]:
    query = "SELECT state, attempt, last_status FROM deliveries WHERE webhook_id = :name ORDER BY position"
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), {"name": name})]


def test_what_is_sent_is_a_standard_webhook(parts: Parts, engine: Engine, receiver: Receiver) -> None:
    secret = hook(parts, receiver, engine, "ok")
    happen(parts)
    assert deliver(parts) and not deliver(parts)
    [(_, headers, body)] = receiver.got
    found = standardwebhooks.Webhook(standard_webhooks.shown(secret)).verify(body, headers)
    assert found["type"] == "evidence.accepted" and found["position"] == 1
    assert found["data"]["status"] == "accepted" and found["timestamp"].endswith("Z")
    assert headers["webhook-id"] == "wh-1-1" and headers["content-type"] == "application/json"
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(standard_webhooks.shown(secret)).verify(body + b" ", headers)
    assert state(engine) == [("delivered", 1, 200)]


def test_a_receiver_written_by_the_guide_takes_ours_and_nothing_else(
    parts: Parts, engine: Engine, receiver: Receiver
) -> None:
    sources = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    [source] = [found for found in sources if "def verify" in found]
    written: dict[str, Any] = {}
    exec(source, written)  # the guide's own text
    verify = written["verify"]
    secret = hook(parts, receiver, engine, "ok")
    happen(parts)
    deliver(parts)
    [(_, headers, body)] = receiver.got
    assert verify(standard_webhooks.shown(secret), headers, body) == json.loads(body)
    old = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 3600)}
    resigned = standard_webhooks.headers("wh-1-1", datetime.now(UTC) - timedelta(hours=1), body, [secret])
    for wrong, content, key in (
        (headers, body + b" ", secret),
        ({**headers, "webhook-id": "wh-1-2"}, body, secret),
        (old, body, secret),
        (resigned, body, secret),
        (headers, body, bytes(32)),
    ):
        with pytest.raises(ValueError):
            verify(standard_webhooks.shown(key), wrong, content)


def test_two_secrets_sign_while_one_takes_the_place_of_the_other(
    parts: Parts, engine: Engine, receiver: Receiver
) -> None:
    old = hook(parts, receiver, engine, "ok")
    new = bytes(range(32))
    sealed = parts.sealing_key.seal_secret("wh-1", new, bytes)
    parts.within(DEFAULT_ORGANISATION).webhooks.rotate(
        "wh-1",
        sealed,
        until=parts.now() + timedelta(hours=1),
        now=parts.now(),
        noted=Change("rotate_webhook", "agent", "wh-1", parts.now()),
    )
    happen(parts)
    deliver(parts)
    _, headers, body = receiver.got[-1]
    for secret in (old, new):
        assert standardwebhooks.Webhook(standard_webhooks.shown(secret)).verify(body, headers)
    clock_of(parts).moment += timedelta(hours=2)
    happen(parts)
    deliver(parts)
    assert len(receiver.got[-1][1]["webhook-signature"].split(" ")) == 1


@pytest.mark.parametrize(("path", "status"), [("500", 500), ("302", 302), ("landed", None)])
def test_what_failed_or_landed_without_an_answer_is_sent_again_under_the_same_id(
    parts: Parts, engine: Engine, receiver: Receiver, path: str, status: int | None
) -> None:
    hook(parts, receiver, engine, path)
    happen(parts)
    assert deliver(parts) and not deliver(parts)
    assert state(engine) == [("pending", 1, status)]
    clock_of(parts).moment += timedelta(seconds=DELAYS[0] + 1)
    with engine.begin() as connection:
        connection.execute(text("UPDATE webhooks SET url = replace(url, :path, 'ok')"), {"path": path})
    assert deliver(parts)
    assert receiver.ids() == ["wh-1-1", "wh-1-1"] and receiver.got[0][2] == receiver.got[1][2]
    assert state(engine) == [("delivered", 2, 200)]


@pytest.mark.parametrize("landed", [False, True])
def test_an_attempt_that_could_not_be_recorded_is_made_again_unless_it_was(
    parts: Parts, engine: Engine, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, landed: bool
) -> None:
    hook(parts, receiver, engine, "ok")
    happen(parts)
    away = OperationalError("", None, Exception("away"))
    with (
        failing(monkeypatch, Deliveries, "delivered", away, landed=landed),
        pytest.raises(OperationalError),
    ):
        deliver(parts)
    assert not deliver(parts)
    clock_of(parts).moment += timedelta(minutes=2)
    assert deliver(parts) is not landed
    assert receiver.ids() == ["wh-1-1"] * (1 if landed else 2)
    assert state(engine)[0][0] == "delivered"


def test_a_worker_that_comes_back_late_changes_nothing(
    parts: Parts, engine: Engine, receiver: Receiver
) -> None:
    hook(parts, receiver, engine, "ok")
    happen(parts)
    slow = parts.deliveries.take(now=parts.now(), lease=timedelta(seconds=60))
    assert slow is not None and not deliver(parts)
    clock_of(parts).moment += timedelta(seconds=61)
    assert deliver(parts)
    parts.deliveries.put_off(slow, until=parts.now(), rest=parts.now(), status=500, problem="late")
    assert state(engine) == [("delivered", 2, 200)] and not deliver(parts)


def test_an_endpoint_that_is_gone_is_told_nothing_any_more(
    parts: Parts, engine: Engine, receiver: Receiver
) -> None:
    hook(parts, receiver, engine, "410")
    happen(parts, 2)
    assert deliver(parts) and not deliver(parts)
    assert state(engine) == [("gone", 1, 410), ("failed", 0, None)]
    [webhook] = parts.webhooks.all()
    assert (
        webhook.disabled_at is not None
        and webhook.reason == "the endpoint answered that it is gone (HTTP 410)"
    )
    happen(parts)
    assert len(state(engine)) == 2


def attempts_until_the_end(parts: Parts) -> timedelta:
    began, last = parts.now(), parts.now()
    while parts.webhooks.webhook("wh-1").disabled_at is None and parts.now() < began + timedelta(days=7):
        if deliver(parts):
            last = parts.now()
        clock_of(parts).moment += timedelta(hours=1)
    return last - began


def test_a_webhook_that_failed_for_three_days_is_disabled_and_says_so(
    parts: Parts, engine: Engine, receiver: Receiver
) -> None:
    hook(parts, receiver, engine, "500")
    happen(parts)
    lasted = attempts_until_the_end(parts)
    assert timedelta(days=2.5) < lasted < timedelta(days=3.5)
    assert state(engine) == [("failed", len(DELAYS) + 1, 500)] and len(receiver.got) == len(DELAYS) + 1
    [webhook] = parts.webhooks.all()
    assert webhook.disabled_at is not None
    assert webhook.reason.startswith("nothing could be delivered from ") and "HTTP 500" in webhook.reason


def test_one_event_that_is_never_taken_disables_nothing(
    parts: Parts, engine: Engine, receiver: Receiver
) -> None:
    hook(parts, receiver, engine, "500")
    happen(parts)
    for _ in range(len(DELAYS) + 1):
        clock_of(parts).moment += timedelta(days=1)
        assert deliver(parts)
        with engine.begin() as connection:  # others were taken meanwhile
            connection.execute(text("UPDATE webhooks SET delivered_at = :now"), {"now": parts.now()})
    assert state(engine) == [("failed", len(DELAYS) + 1, 500)]
    assert parts.webhooks.webhook("wh-1").disabled_at is None


def test_an_exception_that_is_gone_stops_what_it_allowed(
    parts: Parts, engine: Engine, receiver: Receiver
) -> None:
    hook(parts, receiver, engine, "ok")
    hook(parts, receiver, engine, "ok", name="wh-2")
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE webhooks SET url = replace(url, 'http:', 'https:') WHERE id = 'wh-2'")
        )
    happen(parts)
    narrow = replace(parts, capturing=replace(parts.capturing, policy=EgressPolicy()))
    assert deliver(narrow) and deliver(narrow)
    with engine.connect() as connection:
        problems = (
            connection.execute(text("SELECT problem FROM deliveries ORDER BY webhook_id")).scalars().all()
        )
    assert problems[0] == "events are sent by https only" and "not public" in problems[1]
    assert receiver.got == []


def test_an_endpoint_that_answers_without_end_has_answered(
    parts: Parts, engine: Engine, receiver: Receiver
) -> None:
    hook(parts, receiver, engine, "endless")
    happen(parts)
    assert deliver(parts)
    assert state(engine) == [("delivered", 1, 200)]


def test_endpoints_that_hang_hold_up_nobody_else(parts: Parts, engine: Engine, receiver: Receiver) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO organisations VALUES ('o-2', 'Other', NULL, now())"))
    for number in range(6):
        hook(parts, receiver, engine, f"hang{number}", name=f"wh-{number}")
    hook(parts, receiver, engine, "ok", organisation="o-2", name="wh-other")
    happen(parts, 2)
    real = replace(parts, now=lambda: datetime.now(UTC))
    deliverer = Deliverer(real, partial(exchange, policy=parts.capturing.policy, seconds=60))
    deliverer.start()
    try:
        until(lambda: receiver.hanging == 4)
        happen(parts, 2, organisation="o-2")
        until(lambda: state(engine, "wh-other") == [("delivered", 1, 200)] * 2)
        # One request at a time to each, and so many of one organisation.
        assert receiver.most_hanging == 4
        assert len({path for path, _, _ in receiver.got if path.startswith("/hang")}) == 4
    finally:
        receiver.release.set()
        deliverer.stop()


def until(done: Any) -> None:
    deadline = time.monotonic() + 120
    while not done():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def test_neither_database_nor_log_hold_a_secret(
    parts: Parts, engine: Engine, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = hook(parts, receiver, engine, "500")
    happen(parts)
    taken = parts.deliveries.take(now=parts.now(), lease=timedelta(0))
    assert deliver(parts)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT webhooks::text || deliveries::text FROM webhooks, deliveries"))
        words = "".join(rows.scalars()) + repr(taken) + "".join(capsys.readouterr())
    assert "127.0.0.1" not in repr(taken)
    for form in (secret.decode(), secret.hex(), base64.b64encode(secret).decode()):
        assert form not in words
