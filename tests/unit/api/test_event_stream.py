"""Server-sent events: in order, resumed where they stopped, only one's own, and never for ever."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from starlette.types import Message

from evidence_service.api import streams
from evidence_service.api.app import create_app
from evidence_service.api.routes import events as route
from evidence_service.api.streams import Follower, Streams
from evidence_service.store.events import Event, Events
from tests.running import operator_key, serving
from tests.unit.api.conftest import KEY, Service

WAIT = httpx.Timeout(60)


@contextmanager
def following(service: Service, **query: Any) -> Iterator[Iterator[dict[str, str]]]:
    """Blocks of a stream as dictionaries; what has only an id is one too."""
    headers = query.pop("headers", {})
    with service.http.stream("GET", "/v1/events", params=query, headers=headers, timeout=WAIT) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield blocks(answer.iter_lines())


def blocks(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    block: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            block[name] = value
        else:
            yield block
            block = {}


def upload(service: Service, content: bytes = b"content", **more: Any) -> str:
    evidence_id = str(service.upload(content, **more)["id"])
    service.parts.events.give_positions(service.clock.now)
    return evidence_id


def test_events_come_as_they_happen_and_go_on_where_they_stopped(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody looks by himself: what comes was notified of.
    monkeypatch.setattr(route, "_HEARTBEAT_SECONDS", 1e6)
    first = upload(service)
    with following(service, after=0) as found:
        assert next(found) == {"retry": "2000", "id": "0"}
        one = next(found)
        assert (one["id"], one["event"]) == ("1", "evidence.accepted")
        document = json.loads(one["data"])
        assert document["data"]["id"] == first and document["type"] == "evidence.accepted"
        second = upload(service, b"second")
        assert json.loads(next(found)["data"])["data"]["id"] == second
    third = upload(service, b"third")
    # As a browser comes again: at the same address, with what it saw last.
    with following(service, after=0, headers={"Last-Event-ID": "2"}) as found:
        assert next(found)["id"] == "2"
        assert json.loads(next(found)["data"])["data"]["id"] == third
    with following(service) as found:
        assert next(found)["id"] == "3"  # without an id from now on


def test_a_stream_of_one_matter_or_piece_of_evidence(service: Service) -> None:
    other = service.http.post("/v1/matters", json={"reference": "R-2", "applicant": "Test SA"}).json()["id"]
    here, there = upload(service), upload(service, b"there", matter_id=other)
    for query, wanted in (
        ({"matter_id": other}, there),
        ({"evidence_id": here}, here),
        ({"evidence_id": there, "matter_id": other}, there),
    ):
        with following(service, after=0, **query) as found:
            next(found)
            assert json.loads(next(found)["data"])["data"]["id"] == wanted


def test_portions_follow_each_other_without_gap_or_repetition(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "_PORTION", 2)
    for number in range(5):
        service.upload(b"%d" % number)
    service.parts.events.give_positions(service.clock.now)
    with following(service, after=0) as found:
        assert [next(found)["id"] for _ in range(6)] == ["0", "1", "2", "3", "4", "5"]


def test_silence_is_filled_and_a_lost_notification_costs_only_time(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "_HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(streams, "CHANNEL", "nobody_speaks_here")
    with following(service) as found:
        next(found)
        assert next(found) == {"": "nothing new", "id": "0"}
        evidence_id = upload(service)
        event = next(block for block in found if "data" in block)
        assert json.loads(event["data"])["data"]["id"] == evidence_id


def test_a_stream_ends_after_its_time(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "_LIFE_SECONDS", 0.0)
    with following(service) as found:
        assert list(found) == [{"retry": "2000", "id": "0"}]


def test_an_id_that_cannot_be_is_refused(service: Service) -> None:
    answer = service.http.get("/v1/events", params={"after": 7})
    assert answer.status_code == 409
    assert answer.json()["title"] == "there is no event 7 yet, the newest is 0"
    assert service.http.get("/v1/events", headers={"Last-Event-ID": "x"}).status_code == 422


def test_streams_of_one_caller_are_counted_and_given_back(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MOST", 1)
    monkeypatch.setattr(route, "_HEARTBEAT_SECONDS", 0.2)
    with following(service) as found:
        next(found)
        answer = service.http.get("/v1/events")
        assert answer.status_code == 429
        assert answer.json()["type"] == "urn:evidence-service:problem:too-many-requests"
        assert "Retry-After" in answer.headers
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with service.http.stream("GET", "/v1/events", timeout=WAIT) as again:
            if again.status_code == 200:
                break
        time.sleep(0.1)
    assert again.status_code == 200


def test_streams_end_with_the_service_and_hold_it_up_for_nobody(service: Service) -> None:
    app = create_app(service.parts, operator_key(KEY))
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(headers=headers, trust_env=False) as http:
        with serving(app) as url:
            answer = http.send(http.build_request("GET", f"{url}/v1/events", timeout=WAIT), stream=True)
            found = blocks(answer.iter_lines())
            assert next(found)["id"] == "0"
        # Nothing sets an end to a response: without being told, the stream would go on for minutes.
        assert list(found) == []
        answer.close()


def test_another_organisation_hears_nothing(service: Service) -> None:
    upload(service)
    parts = service.parts
    app = create_app(parts, operator_key("other", organisation="o-other"))
    headers = {"Authorization": "Bearer other"}
    with serving(app) as url, httpx.Client(base_url=url, headers=headers, trust_env=False) as http:
        assert http.get("/v1/events", params={"after": 1}).status_code == 409  # it has no event 1


def test_who_reads_slowly_costs_one_portion(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "_PORTION", 2)
    for number in range(9):
        service.upload(b"%d" % number)
    service.parts.events.give_positions(service.clock.now)
    fetched: list[int] = []
    original = Events.after

    def counting(self: Events, organisation_id: str, position: int, *, limit: int) -> list[Event]:
        fetched.append(position)
        return original(self, organisation_id, position, limit=limit)

    monkeypatch.setattr(Events, "after", counting)
    app = create_app(service.parts, operator_key(KEY))

    async def read_three() -> None:
        taken, stuck = 0, asyncio.Event()

        async def send(message: Message) -> None:
            nonlocal taken
            taken += message["type"] == "http.response.body"
            if taken == 3:
                stuck.set()
                await asyncio.sleep(3600)  # the peer's window is full

        request_body = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> Message:
            for message in request_body:
                return message
            await asyncio.sleep(3600)
            raise AssertionError

        request = {"type": "http", "method": "GET", "path": "/v1/events", "query_string": b"after=0"}
        headers = [(b"authorization", f"Bearer {KEY}".encode())]
        task = asyncio.create_task(app({**request, "headers": headers}, receive, send))
        await asyncio.wait_for(stuck.wait(), 60)
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(read_three())
    # The id, and two events of nine: at most the next portion is on its way.
    assert fetched in ([0], [0, 2])


class Listening:
    """A connection on which nothing is heard; the last follower leaves while it is open, another comes as it ends."""

    driver_connection: Any

    def __init__(self, leave: Callable[[], None], come: Callable[[], None]) -> None:
        self.connection, self.driver_connection = self, self
        self._leave, self._come = leave, come

    def connect(self) -> Listening:
        return self

    def execution_options(self, **_: str) -> Listening:
        return self

    def exec_driver_sql(self, _: str) -> None: ...

    def detach(self) -> None: ...

    def notifies(self, **_: float) -> list[Any]:
        self._leave()
        return []

    def __enter__(self) -> Listening:
        return self

    def __exit__(self, *_: object) -> None:
        self._come()


def test_one_thread_listens_though_a_follower_comes_as_the_last_has_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[threading.Thread] = []

    class Noted(threading.Thread):
        def start(self) -> None:
            if self.name == "listen":
                threads.append(self)
            super().start()

    monkeypatch.setattr(streams.threading, "Thread", Noted)

    async def follow() -> None:
        loop, coming = asyncio.get_running_loop(), [True]
        here: list[Follower] = []

        async def enter() -> None:
            found = followed.enter("o-1", "agent")
            assert found is not None
            here.append(found)

        def come() -> None:
            if coming:
                coming.pop()
                asyncio.run_coroutine_threadsafe(enter(), loop).result(30)

        engine: Any = Listening(lambda: followed.leave(here[-1]), come)
        followed = Streams(engine)
        await enter()
        for thread in threads:
            await asyncio.to_thread(thread.join, 30)
        assert len(here) == 2 and not threads[0].is_alive()

    asyncio.run(follow())
    assert len(threads) == 1
