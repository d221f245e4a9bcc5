"""The bench of registrations in its short form: it counts right, and finds what it looks for. No times."""

from __future__ import annotations

import pytest

from bench import api


def test_what_is_stored_is_what_was_acknowledged(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--rounds", "1", "--seconds", "0.3", "--warm", "0.1", "--connections", "4", "--entries", "200"]
    assert api.main([*small, "--untimed"]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("RESULT ")]
    figures = dict(item.split("=") for item in line.split()[1:])
    assert int(figures["stored"]) == int(figures["acknowledged"]) > 0
