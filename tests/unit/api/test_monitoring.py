"""What monitoring reads: readiness by name, figures that dashboard and alerts ask for, and no data of anybody."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml
from sqlalchemy import text

from evidence_service.anchor.node import Node
from evidence_service.anchor.submission import State
from evidence_service.api.app import create_app, create_monitoring
from evidence_service.api.rates import Rate, Rates
from evidence_service.service.metrics import metrics
from evidence_service.service.parts import Chain
from evidence_service.service.readiness import KEPT, Examiner
from evidence_service.store.operations import FsckRun
from tests.running import ROOT, operator_key, serving
from tests.unit.api.anchoring import add_batch, submit
from tests.unit.api.conftest import KEY, Service
from tests.unit.api.test_metrics import CURRENT, SEEN

DASHBOARD = ROOT / "deploy" / "grafana" / "evidence-service.json"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
RUNBOOKS = ROOT / "docs" / "how-to" / "operate.md"
# Of Prometheus itself: whether a target answered.
SCRAPED = {"up": {"instance", "job"}}
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")


def samples(exposition: str) -> dict[str, set[str]]:
    """Metric → names of its labels, as Prometheus reads them."""
    found: dict[str, set[str]] = {}
    for line in exposition.splitlines():
        match = SAMPLE.match(line)
        if match is not None:
            found.setdefault(match[1], set()).update(re.findall(r'(\w+)="', match[2] or ""))
    return found


@pytest.fixture
def full(service: Service) -> Iterator[dict[str, set[str]]]:
    """Every figure of an installation on which something of everything has happened."""
    parts = service.parts
    chain = Chain(
        "test", Node(["http://127.0.0.1:9"], 1), (SimpleNamespace(address=CURRENT),), "0x" + "22" * 20, ()
    )
    parts.chain_status.record(1, CURRENT, at=service.clock.now, seen=SEEN, events={"sealed": 1})
    submit(service, add_batch(service, 1), 1, State.BROADCAST, submitter=CURRENT)
    service.upload()
    parts.records.add_tokens("batch_header", "batch-1", [], refusals=[("First", "away")])
    parts.operations.note_fsck(FsckRun(service.clock.now, 2.5, 3, 1))
    service.http.get("/v1/matters")
    figures = service.http.get("/metrics").text
    yield samples(metrics(replace(parts, chains=(chain,))).decode() + figures)


def asked(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Metric → labels that an expression selects by."""
    for name, selector in re.findall(r"\b(evidence_\w+|up)\b(?:\{([^}]*)\})?", expression):
        yield name, set(re.findall(r"(\w+)\s*=~?", selector))


def expressions() -> Iterator[tuple[str, str]]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def unknown(expression: str, known: dict[str, set[str]]) -> list[str]:
    """What an expression names that there is not."""
    names = list(asked(expression))
    labels = {label for name, _ in names for label in known.get(name, ())} | {"le"}
    grouped = {
        label.strip() for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(",")
    }
    return [
        *(name for name, _ in names if name not in known),
        *(f"{name}{{{label}}}" for name, chosen in names for label in chosen - known.get(name, set())),
        *sorted(grouped - labels),
    ]


def test_every_query_names_what_is_really_there(full: dict[str, set[str]]) -> None:
    known = full | SCRAPED
    queries = list(expressions())
    assert len(queries) >= 30
    assert [(title, words) for title, query in queries for words in unknown(query, known)] == []
    assert unknown("max by (chain, nobody) (evidence_anchor_lag{chane='1'})", known) == [
        "evidence_anchor_lag",
        "evidence_anchor_lag{chane}",
        "chain",
        "nobody",
    ], "the test can fail"


def test_labels_in_words_are_labels_of_the_query(full: dict[str, set[str]]) -> None:
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        for rule in group["rules"]:
            used = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
            there = {label for name, _ in asked(rule["expr"]) for label in (full | SCRAPED)[name]}
            assert used <= there, rule["alert"]


def test_every_alert_has_a_runbook_and_no_runbook_is_left_over() -> None:
    alerts = [
        rule["alert"] for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
    ]
    assert re.findall(r"^### (\w+)$", RUNBOOKS.read_text(), re.MULTILINE) == alerts


def test_figures_hold_nothing_of_an_organisation(service: Service) -> None:
    ordered = service.upload(b"secret content")
    service.http.get("/v1/evidence/" + ordered["id"], params={"token": "of-a-caller"})
    service.http.get("/nowhere/of-a-caller")
    service.http.request("BREW", "/v1/matters")
    found = service.http.get("/metrics").text
    for word in (
        ordered["id"],
        service.matter,
        "note.txt",
        "Test SA",
        "R-1",
        "o-default",
        "agent",
        "of-a-caller",
    ):
        assert word not in found
    assert 'evidence_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in found
    assert 'method="OTHER"' in found
    assert 'evidence_queue_depth{queue="evidence",state="captured"} 1.0' in found


def test_figures_are_for_who_runs_the_installation(service: Service) -> None:
    [holder] = operator_key("applicant").values()
    narrow = {next(iter(operator_key("applicant"))): replace(holder, scopes=frozenset({"evidence:read"}))}
    keys = operator_key(KEY) | narrow
    app = create_app(service.parts, keys)
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as http:

        def get(key: str) -> httpx.Response:
            return http.get("/metrics", headers={"Authorization": f"Bearer {key}"})

        assert http.get("/metrics").status_code == 401
        assert get("applicant").status_code == 403
        assert "evidence_http_requests_total" in get(KEY).text
        assert "evidence_queue_depth" not in get(KEY).text, "it has no worker"


def test_a_worker_answers_for_the_installation_and_for_nothing_else(service: Service) -> None:
    app = create_monitoring(service.parts, operator_key(KEY))
    headers = {"Authorization": f"Bearer {KEY}"}
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as http:
        assert http.get("/livez").json() == {"status": "alive"}
        assert http.get("/readyz").json()["status"] == "ready"
        assert http.get("/metrics").status_code == 401
        assert http.get("/v1/matters", headers=headers).status_code == 404
        assert "evidence_promises_broken 0.0" in http.get("/metrics", headers=headers).text


def ready(service: Service) -> tuple[int, dict[str, Any]]:
    """Asked without a key, when what was found before is not told again."""
    service.clock.forward(KEPT.total_seconds())
    with httpx.Client(base_url=service.http.base_url, trust_env=False) as http:
        answer = http.get("/readyz")
    return answer.status_code, answer.json()


def view(
    status: str, *, failing: list[str] | None = None, degraded: list[str] | None = None
) -> dict[str, Any]:
    return {
        "status": status,
        "failing": failing or [],
        "degraded": degraded or [],
        "database_schema": "current",
    }


def test_readiness_names_what_fails(service: Service, tmp_path: Path) -> None:
    assert ready(service) == (200, view("ready"))
    key = tmp_path / "receipt-key.pem"
    kept = key.read_bytes()
    key.unlink()
    (tmp_path / "objects").rename(tmp_path / "gone")
    assert ready(service) == (503, view("not ready", failing=["objects", "receipt_key"]))
    key.write_bytes(kept)
    (tmp_path / "gone").rename(tmp_path / "objects")
    assert ready(service) == (200, view("ready"))
    assert list((tmp_path / "objects").iterdir()) == [], "trying leaves nothing behind"


class Counting:
    """Objects that count how often they are looked at, and do not answer before they may."""

    def __init__(self, objects: Any) -> None:
        self._objects = objects
        self.looked_at = 0
        self.proceed = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def inspect(self) -> str:
        self.looked_at += 1
        assert self.proceed.wait(60)
        return str(self._objects.inspect())


def test_a_store_that_hangs_is_looked_at_once_and_holds_nobody_up(service: Service) -> None:
    objects = Counting(service.parts.objects)
    parts = replace(service.parts, objects=objects)
    app = create_app(parts, {}, rates=Rates(public=Rate(1e6, 1_000_000)))
    app.state.examiner = Examiner(parts, deadline=0.2)
    # More than there are threads that serve requests.
    with serving(app) as url, ThreadPoolExecutor(60) as asking:

        def answered() -> dict[str, Any]:
            return dict(httpx.get(f"{url}/readyz", trust_env=False).json())

        try:
            while answered()["failing"] != ["objects"]:  # the database is looked at before
                time.sleep(0.05)
            found = list(asking.map(lambda _: httpx.get(f"{url}/readyz", trust_env=False), range(60)))
            assert httpx.get(f"{url}/livez", trust_env=False).json() == {"status": "alive"}
        finally:
            objects.proceed.set()
        assert {(item.status_code, *item.json()["failing"]) for item in found} == {(503, "objects")}
        assert objects.looked_at == 1
        while answered()["failing"]:  # the one that hung comes to its end
            time.sleep(0.05)
        assert answered() == view("ready")
        assert objects.looked_at == 1, "what was found is told again"
        service.clock.forward(KEPT.total_seconds())
        assert (answered(), objects.looked_at) == (view("ready"), 2)


@pytest.mark.parametrize(("revision", "words"), [("0003", "older"), ("9999", "newer")])
def test_readiness_says_which_way_the_schema_differs(service: Service, revision: str, words: str) -> None:
    def set_to(value: str) -> str:
        with service.parts.database.begin() as connection:
            before = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
            connection.execute(text("UPDATE alembic_version SET version_num = :value"), {"value": value})
        return str(before)

    before = set_to(revision)
    try:
        code, found = ready(service)
    finally:
        set_to(before)
    assert (code, found["failing"], found["database_schema"]) == (503, ["schema"], words)


def test_a_database_that_is_away_is_named_and_nothing_else_is_told(service: Service) -> None:
    from sqlalchemy import create_engine

    from evidence_service.store.operations import Operations

    away = create_engine("postgresql+psycopg://user:hunter2hunter2@127.0.0.1:9/record")
    with serving(create_app(replace(service.parts, operations=Operations(away)), {})) as url:
        answer = httpx.get(f"{url}/readyz", trust_env=False)
    assert (answer.status_code, answer.json()["failing"], answer.json()["degraded"]) == (
        503,
        ["database"],
        [],
    )
    assert "hunter2" not in answer.text and "127.0.0.1" not in answer.text


def test_chains_and_authorities_that_are_away_leave_orders_accepted(service: Service) -> None:
    ordered = service.upload()
    service.parts.records.advance(ordered["id"], "sealed", manifest=b"{}", salt=bytes(32))
    service.parts.records.note_progress(ordered["id"], "sealed", waiting_for="First is away")
    chain = Chain("test", Node(["http://127.0.0.1:9"], 1), (SimpleNamespace(address=CURRENT),), "", ())
    parts = replace(service.parts, chains=(chain,))
    with serving(create_app(parts, {})) as url:

        def degraded() -> list[str]:
            service.clock.forward(KEPT.total_seconds())
            answer = httpx.get(f"{url}/readyz", trust_env=False)
            assert answer.status_code == 200
            return list(answer.json()["degraded"])

        assert degraded() == ["time_stamps", "chain 1"], "nobody has looked at it"
        parts.chain_status.record(1, CURRENT, at=service.clock.now, seen=SEEN, events={})
        assert degraded() == ["time_stamps"]
        service.clock.forward(301)
        assert degraded() == ["time_stamps", "chain 1"]
        parts.chain_status.record(1, CURRENT, at=service.clock.now, seen={"problem": "away"}, events={})
        assert degraded() == ["time_stamps", "chain 1"]
    assert ready(service) == (200, view("degraded", degraded=["time_stamps"])), "seen with the API's rights"
