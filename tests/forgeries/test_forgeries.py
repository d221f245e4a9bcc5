"""Every forgery is refused by the check that is named for it, in both implementations; nothing genuine is."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.forgeries import genuine, pairing
from tests.forgeries.corpus import PARTS, forgeries, is_answered
from tests.forgeries.flips import flipped
from tests.forgeries.run import report_of, second_opinions
from tests.forgeries.world import Case, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def corpus(world: World) -> list[Case]:
    return list(forgeries(world))


def test_the_corpus_is_as_large_as_promised(corpus: list[Case]) -> None:
    names = Counter(case.name for case in corpus)
    assert max(names.values()) == 1
    assert len(corpus) >= 200
    assert sum(case.certificate is not None and "pairing" not in case.name for case in corpus) >= 40


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_forgery_is_refused_by_its_check(part: object, world: World) -> None:
    wrong = []
    for case in part.cases(world):  # type: ignore[attr-defined]
        report = report_of(case)
        statuses = {check.id: check.status.value for check in report.checks}
        if not is_answered(case, report.verdict.value, statuses):
            seen = [f"{check.id} {check.why}" for check in report.failures()]
            wrong.append(f"{case.name}: {report.verdict.value}, {seen}")
    assert not wrong


def test_nothing_genuine_is_refused(world: World) -> None:
    for case in genuine.cases(world, 25):
        report = report_of(case)
        assert (case.name, report.verdict.value) == (case.name, case.verdict), report.failures()


def test_the_second_implementation_says_the_same(world: World, corpus: list[Case]) -> None:
    cases = [*corpus, *genuine.cases(world, 25, seed=2)]
    different = []
    for case, second in zip(cases, second_opinions(cases), strict=True):
        report = report_of(case)
        first = {check.id: check.status.value for check in report.checks}
        if (second["verdict"], second["checks"]) != (report.verdict.value, first):
            different.append(
                f"{case.name}: {report.verdict.value} {first} | {second['verdict']} {second['why']}"
            )
    assert not different


def test_every_flipped_byte_is_detected(world: World) -> None:
    chosen = random.Random(4)
    for case in genuine.cases(world, 6, seed=3):
        for forged in flipped(case, chosen, 60):
            assert report_of(forged).exit_code in (3, 8, 9), forged.name


def test_the_answer_names_what_is_missing_and_what_is_surplus(world: World) -> None:
    case = next(item for item in pairing.cases(world) if "beside its own" in item.name)
    report = report_of(case)
    assert {(item.status, item.name) for item in report.findings.files} == {
        ("unchanged", "dom.html"),
        ("unchanged", "images/1.png"),
        ("unchanged", "note.txt"),
        ("changed", "other/dom.html"),
    }
    assert report.findings.missing == ()
