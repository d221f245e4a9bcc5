"""The gate's separate process: what it accepts, what it refuses, and what it cannot tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evidence_service.errors import MismatchError, NodeUnavailableError, UnavailableError
from evidence_service.service import gate
from evidence_service.verify.report import Verdict
from tests.forgeries.world import Case, World, usual_value

LEVEL = "PAdES B-T"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def case(world: World) -> Case:
    return world.case("genuine")


def check(case: Case, directory: Path, *, pdf: bytes | None = None, **changes: Any) -> None:
    trust = directory / "trust.json"
    trust.write_bytes(changes.pop("trust", case.trust))
    expected = {"level": LEVEL, "verdict": Verdict.EVIDENCE, "trust_file": trust, "rpc_urls": (), **changes}
    gate.check_finished(pdf or case.certificate or b"", **expected)


def test_a_finished_certificate_that_is_what_it_says_is_accepted(case: Case, tmp_path: Path) -> None:
    check(case, tmp_path)


def test_another_level_or_verdict_than_expected_is_refused(case: Case, tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match="says PAdES B-LTA, its seal reached PAdES B-T; it is not"):
        check(case, tmp_path, level="PAdES B-LTA")
    with pytest.raises(
        MismatchError, match="is judged as evidence, its evidence as demonstration; it is not"
    ):
        check(case, tmp_path, verdict=Verdict.DEMONSTRATION)


def test_a_changed_byte_is_refused_by_its_check(case: Case, tmp_path: Path) -> None:
    changed = bytearray(case.certificate or b"")
    changed[len(changed) // 2] ^= 1
    with pytest.raises(MismatchError, match=r"not accepted \(exit 3\) and is not released: 7\.1 "):
        check(case, tmp_path, pdf=bytes(changed))


def test_a_seal_the_policy_does_not_know_is_refused_by_its_check(case: Case, tmp_path: Path) -> None:
    trust = json.loads(case.trust) | {"seal_issuers": []}
    with pytest.raises(MismatchError, match=r"not accepted \(exit 4\) and is not released: 7\.2 "):
        check(case, tmp_path, trust=json.dumps(trust).encode())


def test_what_cannot_be_checked_is_unavailable_and_never_refused(
    case: Case, tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = world.trust(json.loads(usual_value()))
    value = json.loads(trust)
    for chain in value["chains"]:
        chain["checkpoints"] = []
    with pytest.raises(NodeUnavailableError, match="could not be compared with the chain"):
        check(case, tmp_path, trust=json.dumps(value).encode())
    monkeypatch.setattr(gate, "_SECONDS", 0.01)
    with pytest.raises(UnavailableError, match=r"took longer than 0\.01 s"):
        check(case, tmp_path)


def test_a_broken_trust_file_is_named(case: Case, tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match=r"exit 2.*trust"):
        check(case, tmp_path, trust=b"{}")
