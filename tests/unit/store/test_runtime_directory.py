"""The embedded server's runtime directory in the shared temporary one."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from evidence_service.errors import DatabaseUnavailableError
from evidence_service.store import postgres


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"evidence-postgres-{os.geteuid()}"


@pytest.mark.parametrize("mode", [0o755, 0o700, None])
def test_it_is_closed_to_others_whatever_it_was(directory: Path, mode: int | None) -> None:
    if mode is not None:
        directory.mkdir()
        directory.chmod(mode)
    with postgres._runtime_directory():
        assert os.environ["XDG_RUNTIME_DIR"] == str(directory)
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert os.environ.get("XDG_RUNTIME_DIR") != str(directory)


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_no_directory_of_ours_is_refused(directory: Path, tmp_path: Path, kind: str) -> None:
    other = tmp_path / "other"
    other.mkdir(mode=0o755)
    if kind == "link":
        directory.symlink_to(other)
    else:
        directory.write_text("")
    with (
        pytest.raises(DatabaseUnavailableError, match="another user's, or no directory"),
        postgres._runtime_directory(),
    ):
        pass
    assert stat.S_IMODE(other.stat().st_mode) == 0o755


def test_anothers_is_refused_and_left_as_it_is(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = directory.with_name(f"evidence-postgres-{os.geteuid() + 1}")
    named.mkdir(mode=0o755)
    before = named.stat().st_mode
    user = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: user)
    with pytest.raises(DatabaseUnavailableError, match="another user's"), postgres._runtime_directory():
        pass
    assert named.stat().st_mode == before
