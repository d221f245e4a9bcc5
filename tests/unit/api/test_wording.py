"""What is wrong with a request is said in words, and with what is right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from evidence_service.api.app import create_app
from evidence_service.api.wording import PATTERNS
from evidence_service.cli import main
from evidence_service.service.permissions import OF_MEMBERS, SCOPES, roles_with
from tests.unit.api.conftest import Service, narrowed

USAGE = 2


def patterns(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("pattern"), str):
            yield value["pattern"]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from patterns(item)


def test_every_pattern_has_words() -> None:
    assert {*patterns(create_app(None, {}).openapi())} == {*PATTERNS}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("member add X --role boss", f"none of this name; known are {', '.join(sorted(OF_MEMBERS))}"),
        (
            "key add mb-1 --label x --scope foo:bar",
            f"none of this name; known are {', '.join(sorted(SCOPES))}",
        ),
        ("organisation add X --code bolt", "has to be 2 to 8 capital letters"),
        ("search --sha256 abc", "has to be 64 hexadecimal digits"),
    ],
)
def test_what_is_wrong_is_said_in_words(service: Service, command: str, words: str) -> None:
    done = CliRunner().invoke(main, command.split(), env=service.environment)
    assert done.exit_code == USAGE
    assert words in done.stderr
    assert "Value error" not in done.stderr and "pattern" not in done.stderr


def test_who_may_not_is_told_who_can_give_it(service: Service) -> None:
    environment = service.environment | {"EVIDENCE_API_KEY": narrowed(service, "evidence:read")}
    done = CliRunner().invoke(main, ["matter", "list"], env=environment)
    assert done.exit_code == USAGE
    assert "this needs matters:read, which this key does not have" in done.stderr
    assert "ask an administrator of your organisation for a role or a key that has it" in done.stderr
    assert f"roles that have it: {', '.join(roles_with('matters:read'))}" in done.stderr
    assert "auditor" in roles_with("matters:read")
    unknown = CliRunner().invoke(main, ["status"], env=service.environment | {"EVIDENCE_API_KEY": "wrong"})
    assert unknown.exit_code == USAGE
    assert "set EVIDENCE_API_KEY" in unknown.stderr and "evidence key add" in unknown.stderr


@pytest.mark.parametrize(
    "url", ["127.0.0.1:42161", "localhost:8080", "//127.0.0.1:8080", "ftp://x", "http://", "http://x:y"]
)
def test_an_address_without_a_scheme_is_a_wrong_setting(url: str) -> None:
    done = CliRunner().invoke(main, ["status"], env={"EVIDENCE_API_URL": url, "EVIDENCE_API_KEY": "k"})
    assert done.exit_code == USAGE
    assert "EVIDENCE_API_URL" in done.stderr and "http://" in done.stderr.partition("what to do: write ")[2]
