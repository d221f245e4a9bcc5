"""Bundle version 2 in both implementations: what 4.4 to 4.6 say of genuine evidence, and that nothing is loose."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence_service.core import bundle
from tests.forgeries.digests import digest_evidence, old_digest
from tests.forgeries.keys import Authority, authority, certify, key, later
from tests.forgeries.renewing import Renewing, day, revocation_list
from tests.forgeries.run import report_of, second_opinions
from tests.forgeries.world import (
    FIRST,
    SECOND,
    Case,
    Evidence,
    World,
    built,
    first_version,
    old_evidence,
    old_makers,
    one_list,
    renewed_value,
    trust_without_chains,
    usual_renewals,
    usual_stamping,
    voucher,
)

LATER = ("4.4", "4.5", "4.6")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def only_of(chosen: Authority) -> Any:
    """Lists for one authority's tokens alone."""
    return lambda maker: one_list(maker) if maker.name == chosen.name else ()


def with_stranger(stranger: Authority, lists: Any) -> dict[str, Any]:
    stamping = (*usual_stamping(), (stranger, "manifest"))
    return Evidence(stamping=stamping, lists=lists).value()


def _travelling() -> Authority:
    """A stranger whose root is in its tokens."""
    usual = authority("Stranger")
    return Authority(usual.name, usual.root, usual.signer, (usual.root,))


def _revoking(maker: Authority) -> tuple[bytes, ...]:
    if maker.name != "Stranger":
        return ()
    return (revocation_list(maker.root, (maker.signer.certificate, later(), None)),)


def _header_only() -> dict[str, Any]:
    value = json.loads(renewed_value())
    value["timestamps"] = [item for item in value["timestamps"] if item["of"] == "batch_header"]
    return dict(value)


def _own_dropped() -> dict[str, Any]:
    """A digest that had time stamps of its own."""
    value = Evidence(manifest={"kind": "digest"}).value()
    value["timestamps"] = [item for item in value["timestamps"] if item["of"] == "batch_header"]
    return value


STRANGER = authority("Stranger")
CASES: list[tuple[str, dict[str, Any], float, str, tuple[str | None, str | None, str | None]]] = [
    ("nothing collected", Evidence().value(), 30, "evidence", ("not_checked", None, None)),
    ("version 1", first_version(Evidence().value()), 30, "evidence", (None, None, None)),
    ("not ended yet", old_evidence().value(), 364, "evidence", ("pass", None, "not_checked")),
    ("ended", old_evidence(attestations=0).value(), 366, "evidence", ("pass", "not_checked", None)),
    ("version 1, ended", first_version(old_evidence().value()), 366, "evidence", (None, "not_checked", None)),
    ("renewed", json.loads(renewed_value()), 1100, "evidence", ("pass", "pass", "not_checked")),
    ("the renewal ended as well", old_evidence(renewals=usual_renewals()[:1]).value(), 1100, "evidence",
     ("pass", "pass", "not_checked")),
    ("renewed on the last day", old_evidence(renewals=(Renewing(old_makers(), day(365)),)).value(), 400, "evidence",
     ("pass", "pass", "not_checked")),
    ("a stranger's list", with_stranger(STRANGER, only_of(STRANGER)), 30, "evidence", ("not_checked", None, None)),
    ("a stranger's list among others", with_stranger(STRANGER, one_list), 30, "evidence", ("pass", None, None)),
    ("a stranger with its root", with_stranger(_travelling(), only_of(STRANGER)), 30, "evidence", ("pass", None, None)),
    ("a stranger, revoked", with_stranger(_travelling(), _revoking), 30, "untrusted", ("fail", None, None)),
    ("only the batch stamped", _header_only(), 1100, "pending", (None, None, "not_checked")),
    ("a digest", digest_evidence(lists=one_list).value(), 30, "evidence", ("pass", None, None)),
    ("a digest, version 1", first_version(digest_evidence().value()), 30, "evidence", (None, None, None)),
    ("a digest, ended", old_digest().value(), 366, "evidence", ("pass", "not_checked", "not_checked")),
    ("a digest, renewed", old_digest(renewals=usual_renewals()).value(), 1100, "evidence", ("pass", "pass", "not_checked")),
    ("a digest without the time stamps it had", _own_dropped(), 30, "evidence", ("not_checked", None, None)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "at", "verdict", "expected"), [row[1:] for row in CASES], ids=[row[0] for row in CASES]
)
def test_what_is_said_of_genuine_evidence(
    world: World, value: dict[str, Any], at: float, verdict: str, expected: tuple[str | None, ...]
) -> None:
    case = Case("v2", world.trust(value), bundle=built(value), now=day(at))
    report = report_of(case)
    statuses = {check.id: check.status.value for check in report.checks}
    assert report.verdict.value == verdict, report.failures()
    assert tuple(statuses.get(number) for number in LATER) == expected
    assert not [check for check in report.checks if check.id in LATER and check.required and check.status != "pass"
                and check.status != "fail"]  # fmt: skip
    (second,) = second_opinions([case])
    assert (second["verdict"], second["checks"]) == (verdict, statuses), second


def test_the_words_say_until_when(world: World) -> None:
    value = json.loads(renewed_value())
    report = report_of(Case("v2", world.trust(value), bundle=built(value), now=day(1100)))
    words = {check.id: check.why for check in report.checks}
    assert words["4.5"] == (
        "2 renewals, the last by First Authority, Second Authority; covered until 2040-01-01T00:00:00.000Z"
    )
    assert words["4.4"] == "8 revocation lists name none; the oldest is of 2026-03-04"
    assert [(item.kind, item.suite) for item in report.findings.renewals] == [
        ("timestamp", "sha256-rfc9162"),
        ("hash_tree", "sha3-256-rfc9162"),
    ]
    shown = report.to_document()["evidence"]["renewals"][1]["timestamps"]
    assert [(item["of"], item["authority"], item["trusted"]) for item in shown] == [
        ("renewal", FIRST, True),
        ("renewal", SECOND, True),
    ]


def test_the_words_say_that_the_time_of_a_digest_is_proved_through_the_batch(world: World) -> None:
    value = digest_evidence().value()
    case = Case("digest", world.trust(value), bundle=built(value))
    report = report_of(case)
    words = {check.id: check.why for check in report.checks}
    assert words["4.1"] == (
        "2 tokens, each over the SHA-512 of the batch header: the manifest has none of its own, its time is "
        "proved through the batch"
    )
    assert words["4.2"] == "stamped through the batch by First Authority, Second Authority"
    assert [(item.of, item.authority) for item in report.findings.timestamps] == [
        ("batch_header", FIRST),
        ("batch_header", SECOND),
    ]
    (second,) = second_opinions([case])
    assert second["why"]["4.1"].endswith("the time is proved through the batch")
    assert second["why"]["4.2"].startswith("stamped through the batch by ")


def test_a_root_issued_again_under_its_name_and_key_is_tried_as_well(world: World) -> None:
    """The first root that fits is not yet valid; the one after it in the same voucher is."""
    years = (datetime(2039, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
    renewed = certify(f"{FIRST} root", key(f"{FIRST} root"), None, ca=True, valid=years)
    value = Evidence(lists=one_list).value()
    trusted = [
        voucher(FIRST, renewed.der, authority(FIRST).root.der),
        voucher(SECOND, authority(SECOND, "rsa2048", "sha512").root.der),
    ]
    trust = world.trust(value, authorities={"minimum": 2, "trusted": trusted})
    case = Case("v2", trust, bundle=built(value))
    (second,) = second_opinions([case])
    assert report_of(case).verdict.value == second["verdict"] == "evidence"


RENEWED = json.loads(renewed_value())


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where the texts and numbers of a document are."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from _places(item, (*path, name))
    if isinstance(value, str | int):
        yield path


BOUND = [path for path in _places(RENEWED) if path[0] not in ("custody", "attestations")]
"""Everything that a digest, signature or proof holds; later custody events are held by the seal alone."""


def _change(value: Any, pattern: int) -> Any:
    if isinstance(value, int):
        return value + 1
    try:
        data = bytearray(base64.b64decode(value, validate=True))
        if len(data) < 100:
            raise ValueError
    except ValueError:
        at = pattern % max(1, len(value))
        return value[:at] + ("1" if value[at : at + 1] == "0" else "0") + value[at + 1 :]
    data[pattern % len(data)] ^= 1 << pattern % 8
    return base64.b64encode(data).decode()


@settings(max_examples=150)
@given(st.sampled_from(BOUND), st.integers(0, 10**6))
def test_nothing_in_it_can_be_changed_even_with_a_checksum_that_fits(
    path: tuple[Any, ...], pattern: int
) -> None:
    value = json.loads(renewed_value())
    target = value
    for name in path[:-1]:
        target = target[name]
    target[path[-1]] = _change(target[path[-1]], pattern)
    report = report_of(Case("changed", trust_without_chains(), bundle=built(value), now=day(1100)))
    assert report.exit_code in (3, 8, 9), (path, report.verdict)


def test_it_is_built_from_what_it_is_parsed_to() -> None:
    value = bundle.parse(built(RENEWED))
    rest = {name: member for name, member in value.items() if name not in ("format", "checksum")}
    assert bundle.build(rest) == built(RENEWED)
