"""Events: none is left out, none comes late, and what is told of them is nobody's secret."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine, insert, text

from evidence_service.store import schema
from evidence_service.store.certificate_orders import NewOrder
from evidence_service.store.certificates import Certificates
from evidence_service.store.events import CHANNEL, Events
from evidence_service.store.exhibits import Exhibit, Exhibits
from evidence_service.store.records import Matter, Records
from evidence_service.store.tenancy import WORKER_ROLE, scoped
from tests.running import as_role
from tests.unit.store.conftest import NOW, add

ORGANISATION = schema.DEFAULT_ORGANISATION


@pytest.fixture
def events(engine: Engine, records: Records) -> Events:
    return Events(engine)


def told(events: Events, after: int = 0, organisation: str = ORGANISATION) -> list[tuple[int, str, str]]:
    events.give_positions(NOW)
    return [
        (item.position, item.type, item.subject_id) for item in events.after(organisation, after, limit=100)
    ]


def test_every_change_of_what_is_told_of_is_an_event(
    engine: Engine, records: Records, events: Events
) -> None:
    add(records, "ev-1")
    records.captured("ev-1", {"outcome": {"status": "removed", "reasons": []}})
    records.advance("ev-1", "sealed", manifest=b"m")
    records.note_progress("ev-1", "waits", waiting_for="something")
    records.refuse("ev-1", "no way")
    records.refuse("ev-1", "no way")
    exhibit = Exhibit("ex-1", ["ev-1"], "agent", "court", "Court", "", {}, "ordered", *[None] * 5, NOW)
    Exhibits(engine).order(exhibit)
    Exhibits(engine).refuse("ex-1", "cannot")
    with engine.begin() as connection:
        connection.execute(
            insert(schema.certificates).values(
                number="C-1",
                evidence_id="ev-1",
                edition="us-en",
                status="reserved",
                reserved_at=NOW,
                since=NOW,
            )
        )
        connection.execute(text("UPDATE certificates SET status = 'released', level = 'x'"))
        connection.execute(text("UPDATE certificates SET status = 'withdrawn'"))
    certificates = Certificates(engine)
    certificates.place(NewOrder("co-1", "ev-1", "cn:zh", "agent", NOW))
    certificates.note_order("co-1", "an authority is away")
    certificates.refuse_order("co-1", "no fonts")
    certificates.refuse_order("co-1", "no fonts")
    kinds = [(kind, subject) for _, kind, subject in told(events)]
    assert kinds == [
        ("evidence.accepted", "ev-1"),
        ("evidence.captured", "ev-1"),
        ("evidence.sealed", "ev-1"),
        ("evidence.stopped", "ev-1"),
        ("exhibit.refused", "ex-1"),
        ("certificate.released", "C-1"),
        ("certificate.withdrawn", "C-1"),
        ("certificate.refused", "co-1"),
    ]
    found = events.after(ORGANISATION, 0, limit=100)
    stopped = {"kind": "platform_capture", "status": "sealed", "outcome": "removed", "stopped": True}
    assert found[3].data == {"id": "ev-1", "matter_id": "m-1", **stopped}
    assert found[4].data == {
        "id": "ex-1",
        "status": "refused",
        "evidence_ids": ["ev-1"],
        "matter_ids": ["m-1"],
    }
    assert found[5].data["matter_id"] == "m-1" and found[5].data["evidence_id"] == "ev-1"
    about = {"evidence_id": "ev-1", "matter_id": "m-1"}
    assert found[7].data == {"id": "co-1", **about, "edition": "cn:zh", "status": "refused"}
    # The address was given by whoever ordered; it is told nobody by this.
    assert "shop.example" not in "".join(item.told for item in found)
    assert json.loads(found[0].told)["position"] == 1


def test_digests_are_not_told_one_by_one(records: Records, events: Events) -> None:
    records.add_evidence(
        evidence_id="ev-d",
        matter_id="m-1",
        kind="digest",
        url=None,
        operator="agent",
        certificate_wanted=False,
        created_at=NOW,
    )
    records.advance("ev-d", "sealed", manifest=b"m")
    assert told(events) == []


def test_what_is_rolled_back_has_not_happened(engine: Engine, records: Records, events: Events) -> None:
    add(records, "ev-1")
    with engine.connect() as connection:
        connection.execute(text("UPDATE evidence SET status = 'sealed'"))
        connection.rollback()
    assert told(events) == [(1, "evidence.accepted", "ev-1")]


@pytest.mark.parametrize("first", ["slow", "fast"])
def test_who_commits_late_is_told_late_and_not_left_out(
    engine: Engine, records: Records, events: Events, first: str
) -> None:
    add(records, "ev-1")
    add(records, "ev-2")
    assert len(told(events)) == 2
    with engine.connect() as slow, engine.connect() as fast:
        # Whoever is first here has the lower transaction id; the slow one has the lower identity value.
        {"slow": slow, "fast": fast}[first].execute(text("SELECT pg_current_xact_id()"))
        slow.execute(text("UPDATE evidence SET status = 'sealed' WHERE id = 'ev-1'"))
        fast.execute(text("UPDATE evidence SET status = 'sealed' WHERE id = 'ev-2'"))
        fast.commit()
        assert told(events, 2) == [(3, "evidence.sealed", "ev-2")]
        assert told(events, 3) == []
        slow.commit()
    assert told(events, 3) == [(4, "evidence.sealed", "ev-1")]
    with engine.connect() as connection:
        order = connection.execute(text("SELECT position FROM events ORDER BY id")).scalars().all()
    # Whoever read in the order of the identity values would have skipped it.
    assert order == [1, 2, 4, 3]


def test_two_who_give_positions_do_not_meet(engine: Engine, records: Records, events: Events) -> None:
    add(records, "ev-1")
    with engine.connect() as other:
        other.execute(text(f"SELECT pg_advisory_xact_lock({0x65767473})"))
        assert events.give_positions(NOW) == 0
        other.rollback()
    assert events.give_positions(NOW) == 1


def test_the_worker_counts_each_organisation_for_itself_and_says_whose(
    engine: Engine, records: Records
) -> None:
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO organisations VALUES ('o-2', 'Other', NULL, now())"))
    other = Records(scoped(engine, "o-2"))
    other.add_matter(Matter("m-2", "R", "Other SA", (), NOW))
    worker = as_role(engine, WORKER_ROLE)
    events = Events(worker)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as listening:
        listening.exec_driver_sql(f"LISTEN {CHANNEL}")
        add(records, "ev-1")
        other.add_evidence(
            evidence_id="ev-2",
            matter_id="m-2",
            kind="upload",
            url=None,
            operator="agent",
            certificate_wanted=False,
            created_at=NOW,
        )
        add(records, "ev-3")
        assert events.give_positions(NOW) == 3
        driver = listening.connection.driver_connection
        assert driver is not None
        heard = {item.payload for item in driver.notifies(timeout=20, stop_after=2)}
        listening.detach()
    assert heard == {ORGANISATION, "o-2"}
    assert told(events, organisation="o-2") == [(1, "evidence.accepted", "ev-2")]
    assert [subject for _, _, subject in told(events)] == ["ev-1", "ev-3"]
    assert events.newest(ORGANISATION) == 2 and events.newest("o-nobody") == 0
    worker.dispose()
