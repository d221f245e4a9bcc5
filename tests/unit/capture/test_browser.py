"""How Chromium is started: as whom, with which environment, and that nothing of it stays."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence_service import processes
from evidence_service.capture import browser
from evidence_service.capture.browser import BrowserSession, BrowserSettings
from evidence_service.processes import ManagedProcess, unprivileged_user


def browsers_of(profile: Path) -> list[Path]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and str(profile) in (entry / "cmdline").read_text(errors="replace"):
                found.append(entry)
        except OSError:
            continue
    return found


def test_chromium_runs_as_nobody_with_its_own_sandbox_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVIDENCE_SECRET", "not for the browser")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with BrowserSession(BrowserSettings(), proxy_port=9, spki="", context={}) as session:
        # The next one is another user: it could not touch this one.
        assert session.user not in (0, unprivileged_user())
        assert session.sandbox == ("--no-sandbox" not in session.flags)
        assert 0 < session.devtools_port < 65536
        running = browsers_of(session._profile)
        assert running
        for entry in running:
            assert {
                line.split()[1]
                for line in (entry / "status").read_text().splitlines()
                if line.startswith("Uid")
            } == {str(session.user)}
        variables = (running[0] / "environ").read_bytes().split(b"\0")
        assert {item.partition(b"=")[0] for item in variables if item} == {b"PATH", b"LANG", b"HOME"}
    assert browsers_of(session._profile) == []
    assert not session._profile.exists()


def test_a_killed_browser_leaves_no_process() -> None:
    with BrowserSession(BrowserSettings(), proxy_port=9, spki="", context={}) as session:
        session.kill()
        assert browsers_of(session._profile) == []


@pytest.mark.parametrize("namespaces", [True, False])
def test_without_namespaces_the_sandbox_is_off_and_the_flags_say_so(
    namespaces: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "_has_namespaces", lambda user: namespaces)
    session = BrowserSession(BrowserSettings(), proxy_port=9, spki="", context={})
    session._shut()
    expected = namespaces and session.user != 0
    assert session.sandbox is expected
    assert ("--no-sandbox" in session.flags) is not expected


def test_root_that_cannot_hand_the_profile_over_runs_it_itself_without_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(hidden))
    session = BrowserSession(BrowserSettings(), proxy_port=9, spki="", context={})
    session._shut()
    assert session.user == os.geteuid()


def test_the_user_is_one_no_account_has(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(first: int) -> Callable[[int], bool]:
        return lambda number: number < first

    monkeypatch.setattr(processes.os, "geteuid", lambda: 0)
    monkeypatch.setattr(processes, "_is_account", taken(61190))
    monkeypatch.setattr(processes, "_busy_users", lambda: {0, 61190})
    assert unprivileged_user() == 61191
    monkeypatch.setattr(processes.os, "geteuid", lambda: 1000)
    assert unprivileged_user() is None


def test_a_child_can_be_another_user(tmp_path: Path) -> None:
    user = unprivileged_user()
    child = ManagedProcess("id", ["id", "-u"], log=tmp_path / "log", directory=Path("/"), user=user)
    child.hang_up(seconds=10)
    assert (tmp_path / "log").read_text().strip() == str(user or os.geteuid())
