"""``evidence examine`` says what files are, and how it ended by its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evidence_service.cli import main
from evidence_service.cli.examination import exit_code
from evidence_service.importing.findings import Examination, Finding
from evidence_service.verify.report import ExitCode
from tests.unit.importing import archives, test_wacz, test_warc


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, ["examine", *map(str, arguments)], input=stdin)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    contents = {
        "good.warc.gz": archives.warc(),
        "scoop.wacz": archives.wacz(declare=test_wacz.altered),
        "note.txt": b"text",
        "many.wacz": archives.wacz(more={"zeros": bytes(90_000_000)}, compress=8),
        "warned.warc": test_warc.CASES["warc.ip_address"](),
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    return {name: tmp_path / name for name in contents}


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["good.warc.gz"], 0),
        (["warned.warc"], 0),
        (["scoop.wacz"], 3),
        (["note.txt"], 7),
        (["many.wacz"], 9),
        (["good.warc.gz", "note.txt"], 7),
        (["note.txt", "many.wacz"], 9),
        (["note.txt", "many.wacz", "scoop.wacz", "good.warc.gz"], 3),
    ],
)
def test_the_exit_code_is_that_of_the_worst(names: list[str], code: int, files: dict[str, Path]) -> None:
    assert run("--quiet", *(files[name] for name in names)).exit_code == code


def test_what_did_not_finish_could_not_be_checked() -> None:
    unfinished = Examination("unknown", "a/b", {}, (Finding("error", "unfinished", "", "it broke down"),))
    assert exit_code(unfinished) is ExitCode.NOT_CHECKED


def test_words(files: dict[str, Path]) -> None:
    result = run(files["scoop.wacz"], files["note.txt"])
    assert "scoop.wacz: examined as wacz: 1 error" in result.stdout
    assert "error wacz.resource_hash_doubled (archive/data.warc.gz): the declared hash" in result.stdout
    assert "note.txt: not examined (text/plain)" in result.stdout
    assert run("--quiet", files["scoop.wacz"]).output == ""


def test_json(files: dict[str, Path]) -> None:
    found = json.loads(run("--json", files["good.warc.gz"], files["scoop.wacz"]).stdout)
    assert [item["kind"] for item in found] == ["warc", "wacz"]
    assert found[0]["findings"] == []
    assert {item["code"] for item in found[1]["findings"]} == {"wacz.resource_hash_doubled", "wacz.unsigned"}


def test_standard_input() -> None:
    result = run("-", stdin=archives.warc())
    assert (result.exit_code, result.stdout.splitlines()[0]) == (
        0,
        "-: examined as warc: nothing wrong found",
    )


def test_words_of_others_are_not_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "a.warc"
    path.write_bytes(archives.record(b"software: \x1b[2Jgone\r\n", WARC_Type="warcinfo"))
    assert "\x1b" not in run(path).stdout


def test_a_file_that_is_not_there() -> None:
    assert run("absent").exit_code == 2
