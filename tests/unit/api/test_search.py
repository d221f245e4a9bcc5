"""Search: evidence is found by what it shows, and by nobody else."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text

from evidence_service.cli import main
from evidence_service.core.manifest import KINDS, OUTCOMES
from evidence_service.service import delete
from evidence_service.service.enter_registrations import enter_registrations
from evidence_service.store.records import STATUSES
from tests.unit.api.certificates import anchored, issued, pdf
from tests.unit.api.conftest import Service

SHOP = "https://shop.example/item/"


def captured(service: Service, number: int, *, seller: str, outcome: str = "captured") -> str:
    """Evidence of a listing as a capture describes it."""
    evidence_id = f"ev-search-{number}"
    facts = {"listing_id": f"L{number}", "seller_name": seller, "shop": f"Shop {number}"}
    service.clock.forward(60)
    service.parts.records.add_evidence(
        evidence_id=evidence_id,
        matter_id=service.matter,
        kind="platform_capture",
        url=f"{SHOP}{number}?ref=1",
        operator="agent",
        certificate_wanted=False,
        created_at=service.clock.now,
    )
    service.parts.records.captured(
        evidence_id,
        {
            "subject": {
                "final_url": f"https://www.shop.example/Item_{number}%20x",
                "listing": {name: {"value": value, "read_from": "test"} for name, value in facts.items()},
            },
            "outcome": {"status": outcome, "reasons": []},
            "files": [{"path": "a.png", "sha256": f"{number:064x}"}, {"path": "b.png", "sha256": "ab" * 32}],
        },
    )
    return evidence_id


@pytest.fixture
def listings(service: Service) -> list[str]:
    """Three, oldest first."""
    return [
        captured(service, 1, seller="Aurelle Outlet"),
        captured(service, 2, seller="aurelle outlet", outcome="removed"),
        captured(service, 3, seller="Somebody % else"),
    ]


def found(service: Service, **query: Any) -> list[str]:
    answer = service.http.get("/v1/search", params=query)
    assert answer.status_code == 200, answer.text
    return [item["id"].removeprefix("ev-search-") for item in answer.json()["items"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["3", "2", "1"]),
        ({"seller": "AURELLE outlet"}, ["2", "1"]),
        ({"seller": "shop 3"}, ["3"]),
        ({"seller": "Somebody % else"}, ["3"]),
        ({"seller": "Somebody"}, []),
        ({"listing_id": "l2"}, ["2"]),
        ({"url": f"{SHOP}2"}, ["2"]),
        ({"url": "HTTPS://shop.example/"}, ["3", "2", "1"]),
        ({"url": "https://www.shop.example/Item_1%20"}, ["1"]),
        ({"url": "https://www.shop.example/item%"}, []),
        ({"url": "shop.example"}, []),
        ({"sha256": f"{1:064X}"}, ["1"]),
        ({"sha256": "AB" * 32}, ["3", "2", "1"]),
        ({"outcome": "removed"}, ["2"]),
        ({"outcome": "captured", "seller": "aurelle outlet"}, ["1"]),
        ({"status": "anchored"}, []),
        ({"kind": "upload"}, []),
        ({"matter_id": "m-nothing"}, []),
        ({"since": "2026-01-02T03:06:00Z"}, ["3", "2"]),
        ({"before": "2026-01-02T03:06:05.678Z"}, ["1"]),
        ({"since": "2026-01-02T04:06:00+01:00", "before": "2026-01-02T03:07:00Z"}, ["2"]),
    ],
)
def test_what_fits_is_found_newest_first(
    service: Service, listings: list[str], query: dict[str, str], expected: list[str]
) -> None:
    assert found(service, **query) == expected


def test_pages_lead_to_the_last(service: Service, listings: list[str]) -> None:
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 1}
    while True:
        page = service.http.get("/v1/search", params=query).json()
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert seen == listings[::-1]


@pytest.mark.parametrize(
    "query",
    [
        {"after": "nonsense"},
        {"after": "w6Q="},
        {"after": "MjAyNi0wMS0wMiBldi14"},  # a day without a time zone
        {"since": "2026-01-02T03:06:00"},
        {"since": "0"},
        {"sha256": "ab"},
        {"seller": "a\x00b"},
        {"limit": 0},
        {"status": "done"},
        {"outcome": "nonsense"},
        {"kind": "capture"},
    ],
)
def test_what_cannot_be_asked_is_refused(service: Service, query: dict[str, Any]) -> None:
    answer = service.http.get("/v1/search", params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    known = {"status": STATUSES, "outcome": OUTCOMES, "kind": KINDS}
    for name in query.keys() & known.keys():
        assert all(f"'{value}'" in answer.json()["title"] for value in known[name])


def test_an_upload_is_found_by_its_digest_as_soon_as_it_is_accepted(service: Service) -> None:
    view = service.upload(b"a picture")
    digest = view["receipt"]["accepted"]["sha256"]
    assert [
        item["id"] for item in service.http.get("/v1/search", params={"sha256": digest}).json()["items"]
    ] == [view["id"]]


def test_what_was_recorded_before_is_found_too(service: Service, listings: list[str], engine: Engine) -> None:
    """The migration and the trigger take the terms by the same function."""
    query = (
        "SELECT e.id, t.kind, t.term FROM evidence e, LATERAL evidence_terms_of(e) t "
        "EXCEPT SELECT evidence_id, kind, term FROM evidence_terms"
    )
    with engine.connect() as connection:
        assert connection.execute(text(query)).all() == []
        assert connection.execute(text("SELECT count(*) FROM evidence_terms")).scalar_one() == 21


def test_the_command_prints_what_fits(service: Service, listings: list[str]) -> None:
    result = CliRunner().invoke(
        main, ["search", "--seller", "Aurelle Outlet", "--since", "2026-01-02"], env=service.environment
    )
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines() if line.startswith("ev-")] == [
        "ev-search-2",
        "ev-search-1",
    ]
    nothing = CliRunner().invoke(main, ["search", "--listing", "L9"], env=service.environment)
    assert nothing.exit_code == 0
    assert "nothing fits" in nothing.stderr


# --- digests, the service's own records, and what was deleted ---


def shown(service: Service, *arguments: str) -> list[str]:
    """Lines of a command."""
    done = CliRunner().invoke(main, [*arguments], env=service.environment)
    assert done.exit_code == 0, done.stderr
    return done.stdout.splitlines()


def test_digests_are_shown_by_name_and_the_services_own_on_demand(service: Service) -> None:
    row = {"name": "photo.jpg", "size": 0, "sha256": "ab" * 32, "sha3_512": "cd" * 64}
    order = {"matter_id": service.matter, **row}
    mine = service.http.post("/v1/registrations", json=order).json()["id"]
    enter_registrations(service.parts)
    evidence_id = anchored(service)
    issued(service, evidence_id)
    by_name = {item["id"]: item for item in service.http.get("/v1/evidence").json()["items"]}
    [own] = [item for item in by_name if item not in (mine, evidence_id)]
    assert [by_name[item]["name"] for item in (mine, own)] == ["photo.jpg", "certificate-EP-2026-000001.pdf"]
    for command in ("search", "status"):
        lines = shown(service, command)
        assert f"{mine}  registered" in lines and "  digest: photo.jpg" in lines
        assert "  registered" not in lines
        assert own not in " ".join(lines)
        assert f"{own}  received" in shown(service, command, "--all")
    [first, _] = shown(service, "search", "--kind", "digest")
    assert first == f"{mine}  registered"
    sha256 = hashlib.sha256(pdf("EP-2026-000001")).hexdigest()
    assert own in shown(service, "search", "--sha256", sha256)[0]
    few = service.http.get("/v1/evidence", params={"service_records": False}).json()["items"]
    assert {item["id"] for item in few} == {mine, evidence_id}


def test_what_was_deleted_is_called_deleted(service: Service) -> None:
    evidence_id = anchored(service)
    delete.ask(service.parts, "rq-1", evidence_id, actor="agent", reason="settled")
    delete.decide(service.parts, "rq-1", approve=True, actor="second", reason="checked")
    assert delete.begin(service.parts, "rq-1")
    delete.finish(service.parts, "rq-1")
    for command in ("search", "status"):
        first, name = shown(service, command)
        assert first == f"{evidence_id}  deleted on 2026-01-02 (was anchored, received)"
        assert name == "  upload: note.txt"
