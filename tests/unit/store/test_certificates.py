"""The register on a real PostgreSQL: one current certificate of each edition, and a history nobody changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from evidence_service.errors import ConflictError, NotFoundError
from evidence_service.store.certificate_orders import CertificateOrder, NewOrder
from evidence_service.store.certificates import Certificates, ReleasedPdf
from evidence_service.store.records import Records
from tests.unit.store.conftest import MINUTE, NOW, add

GENERIC, CHINA = "generic:en+zh", "cn:en+zh"


@pytest.fixture
def register(engine: Engine, records: Records) -> Certificates:
    for number in range(3):
        add(records, f"evidence-{number}", registered=NOW)
        records.advance(f"evidence-{number}", "anchored")
    return Certificates(engine)


def new(order_id: str, evidence_id: str = "evidence-0", edition: str = GENERIC, **more: Any) -> NewOrder:
    return NewOrder(order_id, evidence_id, edition, "agent", NOW, **more)


def released(register: Certificates, order: NewOrder, sha256: bytes | None = None, **more: Any) -> str:
    """Place an order and carry it out; the number."""
    register.place(order)
    number = register.reserve(order.id, prefix="EP", now=NOW).number
    register.release(
        order.id,
        sha256=sha256 or number.encode(),
        level="PAdES B-T",
        ends_at=None,
        qualifications=["a demonstration"],
        now=NOW + MINUTE,
        **more,
    )
    return number


def statuses(register: Certificates, number: str) -> list[str]:
    return [item.status for item in register.history(number)]


def at_once(*works: Callable[[], object]) -> list[object]:
    """Results of works that begin together; an error is one as well."""
    begin = threading.Barrier(len(works))
    results: list[object] = [None] * len(works)

    def run(place: int) -> None:
        begin.wait()
        try:
            results[place] = works[place]()
        except Exception as error:  # noqa: BLE001 - it is the result
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_numbers_are_consecutive_and_each_order_has_one(register: Certificates) -> None:
    assert released(register, new("co-1")) == "EP-2026-000001"
    register.place(new("co-2", "evidence-1"))
    second = register.reserve("co-2", prefix="EP", now=NOW)
    assert (second.number, second.status) == ("EP-2026-000002", "reserved")
    assert register.reserve("co-2", prefix="EP", now=NOW + MINUTE) == second
    register.place(new("co-3", "evidence-2"))
    assert register.reserve("co-3", prefix="DE", now=NOW).number == "DE-2026-000001"
    later = register.place(new("co-4", "evidence-2", CHINA))
    assert register.reserve(later.id, prefix="EP", now=NOW + timedelta(days=365)).number == "EP-2027-000001"


def test_many_orders_at_once_get_different_numbers_without_a_gap(register: Certificates) -> None:
    for number in range(12):
        register.place(new(f"co-{number}", f"evidence-{number % 3}", f"edition-{number}"))
    found = at_once(
        *(lambda n=n: register.reserve(f"co-{n}", prefix="EP", now=NOW).number for n in range(12))
    )
    assert sorted(map(str, found)) == [f"EP-2026-{number:06d}" for number in range(1, 13)]


def test_one_certificate_of_each_edition_is_current(register: Certificates) -> None:
    first = register.place(new("co-1"))
    assert register.place(new("co-2")).id == first.id, "an open order is what a second one asks for"
    number = released(register, new("co-1"))
    again = register.place(new("co-3"))
    assert (again.id, again.state, again.number) == ("co-1", "issued", number)
    other = released(register, new("co-4", edition=CHINA))
    assert {item.number: item.edition for item in register.find(evidence_id="evidence-0")} == {
        number: GENERIC,
        other: CHINA,
    }
    assert register.of_evidence("evidence-0", GENERIC).number == number
    assert register.of_evidence("evidence-0").number == other, "the last one where no edition is named"
    with pytest.raises(NotFoundError, match="no current certificate in the edition eu:en"):
        register.of_evidence("evidence-0", "eu:en")


def test_a_release_that_landed_is_not_made_again(register: Certificates) -> None:
    number = released(register, new("co-1"), sha256=b"1" * 32)
    register.release(
        "co-1", sha256=b"2" * 32, level="other", ends_at=None, qualifications=[], now=NOW + 2 * MINUTE
    )
    found = register.certificate(number)
    assert (found.sha256, found.level, found.released_at) == (b"1" * 32, "PAdES B-T", NOW + MINUTE)
    assert statuses(register, number) == ["reserved", "released"]
    assert [item.sha256 for item in register.pdfs(number)] == [b"1" * 32]
    assert register.order("co-1").state == "issued"


def test_a_release_that_failed_leaves_nothing(register: Certificates, engine: Engine) -> None:
    released(register, new("co-1"), sha256=b"1" * 32)
    register.place(new("co-2", "evidence-1"))
    number = register.reserve("co-2", prefix="EP", now=NOW).number
    with pytest.raises(DBAPIError, match="uq_certificate_pdfs_sha256"):
        # The last of its statements fails: no PDF has two numbers.
        register.release(
            "co-2", sha256=b"1" * 32, level="PAdES B-T", ends_at=None, qualifications=[], now=NOW
        )
    assert (register.certificate(number).status, register.order("co-2").state) == ("reserved", "open")
    assert statuses(register, number) == ["reserved"]
    register.release("co-2", sha256=b"2" * 32, level="PAdES B-T", ends_at=None, qualifications=[], now=NOW)
    assert register.certificate(number).status == "released"


def test_the_successor_takes_the_place_in_one_moment(register: Certificates) -> None:
    old = released(register, new("co-1"))
    order = new("co-2", supersedes=old, reason="the applicant's name was wrong")
    register.place(order)
    assert register.certificate(old).status == "released", "current until the new one is released"
    assert register.place(new("co-9")).id == "co-2", "who asks meanwhile gets the successor"
    successor = released(register, order)
    found = register.certificate(old)
    assert (found.status, found.superseded_by, found.reason, found.since) == (
        "superseded",
        successor,
        "the applicant's name was wrong",
        NOW + MINUTE,
    )
    assert register.of_evidence("evidence-0", GENERIC).number == successor
    assert statuses(register, old) == ["reserved", "released", "superseded"]
    assert register.pdfs(old)[0].sha256 == old.encode(), "the old file stays"


def test_a_successor_of_another_edition(register: Certificates) -> None:
    old = released(register, new("co-1"))
    successor = released(register, new("co-2", edition=CHINA, supersedes=old, reason="for Hangzhou"))
    assert register.certificate(old).superseded_by == successor
    assert register.certificate(successor).edition == CHINA
    kept = released(register, new("co-3", edition=GENERIC))
    with pytest.raises(ConflictError, match=f"a current certificate {successor} of the edition cn:"):
        register.place(new("co-4", edition=CHINA, supersedes=kept, reason="x"))


def test_two_at_once_supersede_once(register: Certificates) -> None:
    old = released(register, new("co-1"))
    results = at_once(
        *(lambda n=n: register.place(new(f"co-2{n}", supersedes=old, reason=f"r{n}")) for n in range(6))
    )
    [placed] = [item for item in results if isinstance(item, CertificateOrder)]
    refused = [item for item in results if isinstance(item, ConflictError)]
    assert len(refused) == 5
    assert {item.message for item in refused} == {
        f"certificate {old} is being superseded already (order {placed.id})"
    }
    number = register.reserve(placed.id, prefix="EP", now=NOW).number
    assert number == "EP-2026-000002"


def test_a_repeated_order_of_a_successor_is_the_same_order(register: Certificates) -> None:
    old = released(register, new("co-1"))
    order = new("co-2", supersedes=old, reason="x")
    first = register.place(order)
    assert register.place(order) == first
    released(register, order)
    assert register.place(order).state == "issued"
    with pytest.raises(ConflictError, match="superseded by EP-2026-000002 already"):
        register.place(replace(order, id="co-3"))


def test_withdrawing_while_a_successor_is_made(register: Certificates) -> None:
    old = released(register, new("co-1"))
    order = new("co-2", supersedes=old, reason="x")
    register.place(order)
    number = register.reserve("co-2", prefix="EP", now=NOW).number
    register.withdraw(old, reason="a forgery was uploaded", actor="agent", now=NOW)
    with pytest.raises(ConflictError, match=r"is withdrawn already \(a forgery was uploaded\)"):
        register.release(
            "co-2", sha256=b"2" * 32, level="PAdES B-T", ends_at=None, qualifications=[], now=NOW
        )
    register.refuse_order("co-2", "withdrawn")
    assert register.certificate(number).status == "reserved", "never released, and the number is not reused"
    assert released(register, new("co-3")) == "EP-2026-000003"


def test_withdrawing_and_superseding_at_once_end_in_one_of_two_ways(register: Certificates) -> None:
    old = released(register, new("co-1"))
    order = new("co-2", supersedes=old, reason="x")
    register.place(order)
    register.reserve("co-2", prefix="EP", now=NOW)
    results = at_once(
        lambda: register.withdraw(old, reason="y", actor="agent", now=NOW),
        lambda: register.release(
            "co-2", sha256=b"2" * 32, level="PAdES B-T", ends_at=None, qualifications=[], now=NOW
        ),
    )
    assert sum(isinstance(item, ConflictError) for item in results) == 1, results
    assert statuses(register, old) in (
        ["reserved", "released", "withdrawn"],
        ["reserved", "released", "superseded"],
    )


def test_a_withdrawal_is_final_and_repeating_it_changes_nothing(register: Certificates) -> None:
    number = released(register, new("co-1"))
    first = register.withdraw(number, reason="wrong listing", actor="agent", now=NOW)
    assert (first.status, first.reason) == ("withdrawn", "wrong listing")
    again = register.withdraw(number, reason="wrong listing", actor="other", now=NOW + MINUTE)
    assert again == first
    with pytest.raises(ConflictError, match="is withdrawn already"):
        register.withdraw(number, reason="another reason", actor="agent", now=NOW)
    with pytest.raises(ConflictError, match="is withdrawn already"):
        register.place(new("co-2", supersedes=number, reason="x"))
    assert statuses(register, number) == ["reserved", "released", "withdrawn"]
    assert released(register, new("co-3")) == "EP-2026-000002", "a new one of the edition can be issued"
    with pytest.raises(NotFoundError, match="no certificate EP-2026-000009"):
        register.withdraw("EP-2026-000009", reason="x", actor="agent", now=NOW)
    register.place(new("co-4", "evidence-1"))
    reserved = register.reserve("co-4", prefix="EP", now=NOW).number
    with pytest.raises(ConflictError, match=f"under {reserved} no certificate was released"):
        register.withdraw(reserved, reason="x", actor="agent", now=NOW)


@pytest.mark.parametrize("table", ["certificate_events", "certificate_pdfs"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET at = now()", "DELETE FROM {}"])
def test_the_database_itself_refuses_another_history(
    register: Certificates, engine: Engine, table: str, statement: str
) -> None:
    number = released(register, new("co-1"))
    before = (register.history(number), register.pdfs(number))
    with (
        pytest.raises(DBAPIError, match=f"rows of {table} are never changed"),
        engine.begin() as connection,
    ):
        connection.execute(text(statement.format(table)))
    assert (register.history(number), register.pdfs(number)) == before


def test_an_extended_file_is_added_once_and_the_old_one_stays(register: Certificates) -> None:
    number = released(register, new("co-1"))
    first = register.pdfs(number)[0]
    extended = ReleasedPdf(number, 2, b"2" * 32, "PAdES B-LTA", NOW + MINUTE, NOW + timedelta(days=30))
    register.note_extension(number, "the authority does not answer")
    assert register.add_pdf(extended)
    assert not register.add_pdf(replace(extended, sha256=b"3" * 32)), "somebody else was quicker"
    assert register.pdfs(number) == [first, extended]
    found = register.certificate(number)
    assert (found.sha256, found.level, found.waiting_for) == (b"2" * 32, "PAdES B-LTA", None)


def test_what_ends_soon_is_found_by_its_newest_file(register: Certificates) -> None:
    numbers = [released(register, new(f"co-{n}", f"evidence-{n}")) for n in range(3)]
    for days, number in zip((30, 20, 10), numbers, strict=True):
        ends = NOW + timedelta(days=days)
        register.add_pdf(ReleasedPdf(number, 2, f"{number}+".encode(), "PAdES B-LTA", NOW, ends))
    register.add_pdf(ReleasedPdf(numbers[2], 3, b"newer", "PAdES B-LTA", NOW, NOW + timedelta(days=900)))
    found = register.ending(until=NOW + timedelta(days=40))
    assert [item.number for item in found] == [numbers[1], numbers[0]]
    register.withdraw(numbers[1], reason="x", actor="agent", now=NOW)
    assert [item.number for item in register.ending(until=NOW + timedelta(days=40))] == [numbers[0]]


def test_orders_wait_for_the_anchoring_of_their_evidence(register: Certificates, records: Records) -> None:
    add(records, "evidence-9", registered=NOW)
    early = register.place(replace(new("co-0", "evidence-9"), ordered_at=NOW - MINUTE))
    register.place(new("co-1"))
    register.place(new("co-2", edition=CHINA))
    assert register.issuable(9) == ["co-1", "co-2"]
    records.advance("evidence-9", "anchored")
    assert register.issuable(2) == [early.id, "co-1"]
    register.note_order("co-1", "the node")
    assert register.order("co-1").waiting_for == "the node"
    register.refuse_order("co-1", "for a reason")
    refused = register.order("co-1")
    assert (refused.state, refused.problem, refused.waiting_for) == ("refused", "for a reason", None)
    assert register.issuable(9) == ["co-0", "co-2"]
    assert register.place(new("co-3")).state == "open", "what was refused can be asked for again"
    with pytest.raises(NotFoundError, match="no order co-9"):
        register.order("co-9")


def test_certificates_are_found_by_what_is_asked(register: Certificates) -> None:
    numbers = [released(register, new(f"co-{n}", f"evidence-{n}")) for n in range(3)]
    register.withdraw(numbers[1], reason="x", actor="agent", now=NOW)
    assert [item.number for item in register.find(matter_id="m-1", status="released")] == [
        numbers[0],
        numbers[2],
    ]
    assert register.find(matter_id="m-9") == []
    assert [item.number for item in register.find(after=numbers[0], limit=1)] == [numbers[1]]
