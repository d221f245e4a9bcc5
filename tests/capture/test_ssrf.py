"""The short form of ``make campaign-ssrf``: nothing is sent where a capture must not go."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.capture.ssrf_campaign import Verdict, report
from tests.capture.ssrf_cases import CASES


def test_no_case_leaks_and_every_attempt_was_made() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.capture.ssrf_campaign", "--short"],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = re.search(r"^RESULT cases=(\d+) leaked=0 .* failed=0$", done.stdout, re.MULTILINE)
    assert result, done.stdout
    assert int(result[1]) >= 60


def test_the_cases_are_different_and_the_long_form_has_many() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert len(names) >= 60


def test_the_campaign_fails_on_a_leak_a_slow_refusal_and_an_attempt_that_was_not_made() -> None:
    held = Verdict("a", 12.0)
    assert report([held], []) == 0
    assert report([held], ["TCP to 10.0.0.1 port 80"]) == 1
    assert report([Verdict("a", 1000.0)], []) == 1
    assert report([Verdict("a", why="no attempt reached the recorder")], []) == 1
