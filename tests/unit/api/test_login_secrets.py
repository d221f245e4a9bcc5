"""Nothing of a login state is in the database, the logs or an answer; sealed at first, then gone."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from evidence_service import bootstrap
from evidence_service.config import Settings
from evidence_service.errors import BrowserUnavailableError, RefusedError
from evidence_service.service import login_state, preserve, waiting
from evidence_service.service.worker import Worker
from evidence_service.store import schema
from tests.unit.api.conftest import Service
from tests.unit.service.installation import Immediate
from tests.unit.service.test_login_state import RECIPIENTS, SECRET, STATE

URL = "https://93.184.215.14/item/"


@pytest.fixture
def signed_in(service: Service) -> Service:
    object.__setattr__(service.parts.capturing, "recipients", RECIPIENTS)
    return service


def order(service: Service, **more: Any) -> Any:
    return service.http.post(
        "/v1/captures",
        json={"matter_id": service.matter, "url": URL, "login_state": STATE, **more},
        headers={"Idempotency-Key": "k"},
    )


def dump(engine: Engine) -> str:
    """Every table of every schema, as PostgreSQL writes it out."""
    found = []
    with engine.connect() as connection:
        tables = connection.execute(
            text(
                "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables "
                "WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
            )
        ).scalars()
        raw = connection.connection.cursor()
        for name in tables:
            with raw.copy(f"COPY {name} TO STDOUT") as copy:  # type: ignore[attr-defined]
                found.append(name + "\n" + b"".join(bytes(part) for part in copy).decode())
    return "\n".join(found)


def told(words: str) -> bool:
    """Whether the secret is in it, plainly or in a notation of bytes."""
    raw = SECRET.encode()
    inner = base64.b64encode(raw)[:-4].decode()
    return any(item in words for item in (SECRET, raw.hex(), inner))


def kept(engine: Engine) -> tuple[int, int]:
    with engine.connect() as connection:
        return (
            connection.execute(text("SELECT count(*) FROM login_states")).scalar_one(),
            connection.execute(text("SELECT count(*) FROM login_uses")).scalar_one(),
        )


def captured(*_: Any, **__: Any) -> Any:
    """What a capture gives, without a browser."""
    return SimpleNamespace(
        files=(),
        outcome=SimpleNamespace(status="captured", reasons=()),
        requested_url=URL,
        final_url=URL,
        redirects=(),
        status=200,
        peer="93.184.215.14",
        listing={},
        browser=SimpleNamespace(version="test", sha256="00"),
        started_at="2026-01-02T03:04:05.000Z",
        finished_at="2026-01-02T03:04:07.000Z",
        exceptions=(),
        mode="tunnel",
        tool={"profile": "mobile"},
    )


@pytest.fixture
def worker(signed_in: Service, engine: Engine, tmp_path: Path) -> Iterator[Worker]:
    """A real one, workflows and all."""
    settings = Settings(data_directory=tmp_path)
    url = engine.url.render_as_string(hide_password=False)
    running = bootstrap.worker(settings, signed_in.parts, url)
    yield running
    running.stop(drain=1)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA dbos CASCADE"))


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert done()


def test_sealed_while_it_waits_and_gone_when_the_capture_has_ended(
    signed_in: Service,
    worker: Worker,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    seen: list[Any] = []

    def unavailable(*_: Any, **more: Any) -> Any:
        seen.append(more["options"].login_state)
        assert (more["recipients"], more["clocks"]) == (RECIPIENTS, {})
        assert (more["roots"], more["websockets"]) == (None, True)
        if len(seen) < 3:
            raise BrowserUnavailableError("the browser is missing")
        return captured()

    monkeypatch.setattr(preserve, "capture_listing", unavailable)
    monkeypatch.setattr(waiting, "FIRST_DELAY", 0.1)
    answer = order(signed_in)
    assert answer.status_code == 202, answer.text
    assert order(signed_in).json() == answer.json()
    before = dump(engine)
    assert kept(engine) == (1, 1)
    worker.start()
    until(lambda: signed_in.parts.records.evidence(answer.json()["id"]).outcome == "captured")
    after = dump(engine)
    assert kept(engine) == (0, 0)
    assert seen == [STATE] * 3
    assert "workflow_status" in after and "idempotency_keys" in before
    printed = capfd.readouterr()
    for words in (before, after, answer.text, printed.out, printed.err):
        assert not told(words)
    events = signed_in.parts.records.custody(answer.json()["id"])
    assert events[0]["detail"]["login_state"] == "supplied"
    described = signed_in.parts.records.evidence(answer.json()["id"]).capture
    assert described is not None
    assert (described["tool"]["profile"], described["egress"]["mode"]) == ("mobile", "tunnel")


def attempt(service: Service, evidence_id: str) -> None:
    preserve.preserve(service.parts, Immediate(), evidence_id)


def test_a_refusal_ends_it_too(signed_in: Service, engine: Engine) -> None:
    evidence_id = order(signed_in).json()["id"]
    signed_in.parts.records.refuse(evidence_id, "preserve refused: test")
    assert kept(engine) == (0, 0)


def test_after_many_captures_without_an_end_it_is_given_up(
    signed_in: Service, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(preserve, "capture_listing", killed)
    evidence_id = order(signed_in).json()["id"]
    for _ in range(login_state.ATTEMPTS):
        with pytest.raises(KeyboardInterrupt):
            attempt(signed_in, evidence_id)
    with pytest.raises(RefusedError, match=r"deleted after 20 captures") as caught:
        attempt(signed_in, evidence_id)
    signed_in.parts.records.refuse(evidence_id, caught.value.message)
    assert kept(engine) == (0, 0)


def test_the_state_of_a_list_goes_with_its_last_capture(signed_in: Service, engine: Engine) -> None:
    rows = [{"url": f"{URL}{number}"} for number in range(3)]
    body = signed_in.http.post(
        "/v1/capture-lists", json={"matter_id": signed_in.matter, "rows": rows, "login_state": STATE}
    ).json()
    assert kept(engine) == (1, 3)
    assert not told(dump(engine))
    records = signed_in.parts.records
    described = {
        "outcome": {"status": "captured", "reasons": []},
        "started_at": "2026-01-02T03:04:05.000Z",
        "finished_at": "2026-01-02T03:04:07.000Z",
    }
    for left, row in zip((2, 1, 0), body["rows"], strict=True):
        records.captured(row["id"], described)
        assert kept(engine) == (min(left, 1), left)


def test_a_repeated_order_brings_nothing_back(signed_in: Service, engine: Engine) -> None:
    """A row that was captured already is ordered again with its state, in another list."""
    rows = [{"url": URL, "key": "row"}]
    body = {"matter_id": signed_in.matter, "rows": rows, "login_state": STATE}
    [row] = signed_in.http.post("/v1/capture-lists", json=body).json()["rows"]
    again = signed_in.http.post("/v1/capture-lists", json=body).json()["rows"]
    assert again[0]["id"] == row["id"]
    assert kept(engine) == (1, 1)
    signed_in.parts.records.refuse(row["id"], "preserve refused: test")
    signed_in.http.post("/v1/capture-lists", json=body)
    assert kept(engine) == (0, 0)


def test_another_state_under_the_same_key_is_another_request(signed_in: Service) -> None:
    assert order(signed_in).status_code == 202
    answer = order(signed_in, login_state={"cookies": []})
    assert answer.status_code == 409


def test_without_recipients_nothing_is_taken(service: Service, engine: Engine) -> None:
    answer = order(service)
    assert answer.status_code == 422
    assert "originals_recipients" in answer.json()["what_to_do"]
    assert kept(engine) == (0, 0)


@pytest.mark.parametrize(
    "state", [SECRET, [SECRET], {"cookies": SECRET}, {SECRET: SECRET}, {"cookies": [{SECRET: SECRET}]}]
)
def test_no_error_repeats_it(signed_in: Service, state: Any) -> None:
    answer = order(signed_in, login_state=state)
    assert answer.status_code == 422
    assert not told(answer.text)


def test_no_representation_of_an_order_shows_it() -> None:
    from evidence_service.api.orders import NewCapture, NewCaptureList
    from evidence_service.service.accept import Order
    from evidence_service.service.accept_list import ListOrder

    for shown in (
        NewCapture(matter_id="m", url=URL, login_state=STATE),
        NewCaptureList(matter_id="m", rows=[{"url": URL}], login_state=STATE),  # type: ignore[list-item]
        Order("e", "m", "platform_capture", "a", {}, True, False, login_state=STATE),
        ListOrder("l", "m", "a", True, (), login_state=STATE),
    ):
        assert not told(repr(shown))


def test_every_table_is_looked_through(signed_in: Service, engine: Engine) -> None:
    words = dump(engine)
    assert all(f"public.{table.name}\n" in words for table in schema.metadata.sorted_tables)
