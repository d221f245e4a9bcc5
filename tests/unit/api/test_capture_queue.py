"""In which order a worker takes captures, and how many at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert, text

from evidence_service import bootstrap
from evidence_service.config import Settings
from evidence_service.errors import PolicyRefusedError
from evidence_service.service import preserve
from evidence_service.service.promise import pace
from evidence_service.service.worker import Worker
from evidence_service.store import schema
from evidence_service.store.records import Matter
from tests.unit.api.conftest import Service
from tests.unit.api.test_login_secrets import captured

HOST = "https://93.184.215.14"


class Browser:
    """Stands in for the capture; holds everybody until it is opened."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.at_once = self.most = 0
        self._lock = threading.Lock()
        self._open = threading.Event()

    def capture(self, url: str, *_: Any, **__: Any) -> Any:
        with self._lock:
            self.begun.append(url.removeprefix(f"{HOST}/"))
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        assert self._open.wait(30)
        with self._lock:
            self.at_once -= 1
        if "refused" in url:
            raise PolicyRefusedError("not public any more")
        return captured()

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    browser = Browser()
    monkeypatch.setattr(preserve, "capture_listing", browser.capture)
    monkeypatch.setattr(preserve, "request_stamps", lambda *_: None)
    yield browser
    browser.open()


@pytest.fixture
def start(service: Service, engine: Engine, tmp_path: Path) -> Iterator[Callable[[int], None]]:
    running: list[Worker] = []

    def start(at_once: int) -> None:
        settings = Settings(data_directory=tmp_path, captures_at_once=at_once)
        # Batches are another matter; here their clock would have to move.
        parts = replace(service.parts, batching=replace(service.parts.batching, size=1_000))
        url = engine.url.render_as_string(hide_password=False)
        running.append(bootstrap.worker(settings, parts, url))
        running[0].start()

    yield start
    for worker in running:
        worker.stop(drain=5)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA IF EXISTS dbos CASCADE"))


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert done()


def order(service: Service, name: str, **more: Any) -> None:
    body = {"matter_id": service.matter, "url": f"{HOST}/{name}", "certificate": False, **more}
    assert service.http.post("/v1/captures", json=body).status_code == 202


def order_list(service: Service, *names: str) -> None:
    rows = [{"url": f"{HOST}/{name}"} for name in names]
    body = {"matter_id": service.matter, "rows": rows, "certificate": False}
    assert service.http.post("/v1/capture-lists", json=body).status_code == 202


def enqueued(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM dbos.workflow_status")).scalar_one())


def test_single_and_urgent_orders_go_before_a_list_that_was_asked_for_before(
    service: Service, engine: Engine, browser: Browser, start: Callable[[int], None]
) -> None:
    order_list(service, "1", "2", "refused", "3")
    start(1)
    until(lambda: browser.begun == ["1"] and enqueued(engine) == 3)
    order(service, "single")
    order(service, "urgent", urgent=True)
    until(lambda: enqueued(engine) == 5)
    browser.open()
    until(lambda: len(browser.begun) == 6)
    assert browser.begun == ["1", "urgent", "single", "2", "refused", "3"]
    assert browser.most == 1
    until(lambda: service.parts.queue.next(9) == [])
    [refused] = [item for item in service.parts.records.list_evidence() if item.refused]
    assert refused.progress == "preserve refused: not public any more"


def test_another_organisation_does_not_wait_for_a_list(
    service: Service, engine: Engine, browser: Browser, start: Callable[[int], None]
) -> None:
    order_list(service, *(str(number) for number in range(30)))
    start(1)
    until(lambda: browser.begun == ["0"] and enqueued(engine) == 3)
    with engine.begin() as connection:
        new = {"id": "o-other", "name": "Other", "created_at": service.parts.now()}
        connection.execute(insert(schema.organisations).values(**new))
    other = service.parts.within("o-other")
    other.records.add_matter(Matter("m-other", "O", "Other", (), other.now()))
    for name in ("x", "y", "z"):
        other.records.add_evidence(
            evidence_id=f"evidence-{name}",
            matter_id="m-other",
            kind="platform_capture",
            url=f"{HOST}/{name}",
            operator="agent",
            certificate_wanted=False,
            created_at=other.now(),
            # Promised later than everything of the list: it is its turn all the same.
            batch_by=other.now() + timedelta(days=9),
        )
    browser.open()
    until(lambda: len(browser.begun) == 33)
    # Three were handed over before; from then on they take turns.
    assert max(browser.begun.index(name) for name in "xyz") <= 9


def test_what_waits_singly_is_promised_more_slowly_when_it_is_much(service: Service) -> None:
    for number in range(25):
        order(service, str(number))
    times = [item.batch_by for item in service.parts.queue.next(99) if item.batch_by is not None]
    each = pace(service.parts)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == [each] * 19 + [3 * each] + [2 * each] * 4


def test_no_more_browsers_than_configured_and_not_everything_is_asked_for(
    service: Service, engine: Engine, browser: Browser, start: Callable[[int], None]
) -> None:
    order_list(service, *(str(number) for number in range(120)))
    start(2)
    until(lambda: len(browser.begun) == 2)
    time.sleep(0.6)  # time for a third one to begin, and for more to be asked for
    assert (sorted(browser.begun), enqueued(engine)) == (["0", "1"], 6)
    browser.open()
    until(lambda: len(browser.begun) > 4)
    assert browser.most == 2
