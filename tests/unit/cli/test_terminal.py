"""Words of others reach the terminal as they are: no markup, no control characters."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from evidence_service import config
from evidence_service.cli import (
    anchors,
    certificate,
    chain,
    client,
    main,
    operation,
    ordering,
    tables,
)
from evidence_service.cli.terminal import document, plain
from evidence_service.errors import ConfigurationError, EvidenceServiceError, NodeUnavailableError

HOSTILE = "gas [/x] [red]free[/red] :smile: \x1b[2J\x9b1m\x07\r\n\u202e\u2028\udc80"
SHOWN = r"gas [/x] [red]free[/red] :smile: \u001b[2J\u009b1m\u0007\r\n\u202e\u2028\udc80"


def printed(renderable: Any, width: int = 400) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    console.print(renderable)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text


def anchor(**more: Any) -> dict[str, Any]:
    return {
        "batch": "batch-1",
        "size": 1,
        "chain_id": 1,
        "state": "stuck",
        "block_number": None,
        "expected_at": None,
        "reason": HOSTILE,
        **more,
    }


def test_every_control_and_format_character_is_escaped_as_json_does_it() -> None:
    assert plain(HOSTILE) == SHOWN
    assert plain("\U000e0001") == r"\udb40\udc01"
    assert plain(None) == "None"


@pytest.mark.parametrize("words", ["Überweisung 10 €", "宝贝　描述", "naïve\u00a0x", "🙂", "C:\\x\\"])
def test_what_people_write_stays(words: str) -> None:
    assert plain(words) == words


def test_a_document_means_the_same_and_obeys_nothing() -> None:
    value = {"reason": HOSTILE, HOSTILE: ["é", 1, None]}
    text = document(value)
    assert json.loads(text) == value
    assert "é" in text
    assert {item for item in text if not item.isprintable()} == {"\n"}


def test_the_tables_show_words_of_others() -> None:
    evidence = {
        "id": "ev-1",
        "url": "http://shop.example/[/x]",
        "outcome": None,
        "name": None,
        "kind": "platform_capture",
        "status": "[/x]",
        "waiting_for": HOSTILE,
        "progress": "",
    }
    assert SHOWN in printed(anchors._table([anchor()]))
    assert "[/x]" in printed(anchors._table([anchor(batch="[/x]", state="[/x]", reason="")]))
    assert SHOWN in printed(anchors._details(anchor()))
    assert "[/x] on chain 1" in printed(anchors._details(anchor(batch="[/x]")))
    assert SHOWN in printed(ordering._table([evidence]))
    assert "[/x]: nothing of it is on its way" in printed(anchors._progress({"[/x]": []}))


def test_lines_of_evidence_show_words_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = {"id": HOSTILE, "url": None, "name": HOSTILE, "outcome": f"{HOSTILE}!", "status": HOSTILE}
    more = {"waiting_for": HOSTILE, "progress": "", "reasons": [HOSTILE]}
    client.show_evidence([{**hostile, **more, "kind": "upload", "deleted_at": None}], as_json=False)
    out = capsys.readouterr().out
    assert out.count(SHOWN) == 6
    assert "\x1b" not in out


def test_ids_and_addresses_are_on_one_line_each_however_narrow(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name, url = "ev-" + "5f" * 10, "https://shop.example/item/" + "1" * 90
    view = {"id": name, "url": url, "name": None, "outcome": "removed", "status": "certified"}
    more = {"waiting_for": None, "progress": "", "kind": "platform_capture", "deleted_at": None}
    client.show_evidence([{**view, **more, "reasons": ["gone"]}], as_json=False)
    assert capsys.readouterr().out.splitlines() == [f"{name}  certified, removed", f"  {url}", "  - gone"]
    batch = "batch-" + "5f" * 10
    assert batch in printed(anchors._table([anchor(batch=batch)]), width=80)


def test_the_check_of_a_chain_shows_words_of_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    found = chain.ChainCheck(
        "[/x]",
        1,
        "0x" + "01" * 20,
        nodes=[chain.NodeCheck("[/x]", problem=HOSTILE)],
        never_evidence="[/x] test",
        problems=[HOSTILE],
    )
    chain._print(found)
    lines = "".join(line.strip(" │┃") for line in capsys.readouterr().out.splitlines())
    assert "\x1b" not in lines
    assert lines.count("[/x]") >= 4
    assert r"\u202e" in lines


def test_doctor_shows_words_of_nodes_and_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> str:
        raise NodeUnavailableError(HOSTILE, what_to_do=HOSTILE)

    monkeypatch.setattr(config, "load", lambda: None)
    monkeypatch.setattr(
        operation, "_examinations", lambda *_: iter([("sound", lambda: HOSTILE), ("not", fails)])
    )
    monkeypatch.setattr(operation, "Console", lambda: Console(width=400))
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 6
    assert done.stdout.count(SHOWN) == 3
    assert "\x1b" not in done.stdout


def test_doctor_says_which_settings_it_judges(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("EVIDENCE_")]:
        monkeypatch.delenv(name)
    with pytest.raises(ConfigurationError, match="judging the defaults"):
        operation._origin(config.load())
    monkeypatch.setenv("EVIDENCE_API_PORT", "8081")
    assert operation._origin(config.load()) == "of variables alone; EVIDENCE_CONFIG is not set"
    file = tmp_path / "settings.json"
    file.write_text("{}")
    monkeypatch.setenv("EVIDENCE_CONFIG", str(file))
    assert operation._origin(config.load()) == f"{file} and variables"


@pytest.mark.parametrize("kind", [NodeUnavailableError, RuntimeError])
def test_an_error_that_quotes_a_node_is_one_line(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    more = {"what_to_do": HOSTILE} if issubclass(kind, EvidenceServiceError) else {}

    def fails() -> SimpleNamespace:
        raise kind(HOSTILE, **more)

    monkeypatch.setattr(config, "load", fails)
    done = CliRunner().invoke(main, ["doctor"])
    assert SHOWN in done.stderr
    assert {item for item in done.stderr if not item.isprintable()} == {"\n"}
    assert len(done.stderr.splitlines()) == 2


def test_what_is_copied_is_whole_in_every_table_and_rows_are_plain_elsewhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    number, name, at = "EP-2026-000001", "ev-" + "5f" * 10, "2026-01-02T03:04:05.678000+00:00"
    words = "words that give way " * 5
    keys = [{"id": "k-" + "5f" * 10, "label": words, "scopes": [words], "expires_at": at}]
    listed = {"number": number, "evidence_id": name, "edition": words, "status": "released", "since": at}
    for table, copied in (
        (tables.facts(keys, *keys[0]), [keys[0]["id"], at]),
        (certificate._certificates([listed]), [number, name, "released", at[:10]]),
    ):
        drawn = io.StringIO()
        tables.show_table(table, Console(file=drawn, width=40, force_terminal=True, color_system=None))
        assert all(item in drawn.getvalue() for item in copied)
        tables.show_table(table, Console(file=io.StringIO(), width=40))
        [row] = capsys.readouterr().out.splitlines()
        assert {*copied} <= {*row.split("\t")} and "│" not in row
    tables.show_table(tables.facts([{"id": HOSTILE}], "id"), Console(file=io.StringIO()))
    assert capsys.readouterr().out == f"{SHOWN}\n"
