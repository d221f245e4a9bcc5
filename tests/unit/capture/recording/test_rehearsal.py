"""The recorder works where the user it becomes can read nothing of the installation."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

import evidence_service
from evidence_service.capture.recorder import Recorder
from evidence_service.egress.policy import EgressPolicy
from tests.nameserver import Nameserver
from tests.unit.capture.recording.pki import Pki
from tests.unit.capture.recording.raw import RawServer, get_inside, now, talk

PACKAGES = ("evidence_service", "OpenSSL", "cryptography", "service_identity", "attr", "attrs", "dns", "idna")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The code of the recorder, where only its owner may read; recorders are started from there."""
    directory = tmp_path / "installation"
    directory.mkdir(mode=0o700)
    for name in PACKAGES:
        found = find_spec(name)
        assert found is not None
        assert found.origin is not None
        shutil.copytree(Path(found.origin).parent, directory / name)
    monkeypatch.setattr(evidence_service, "__file__", str(directory / "evidence_service" / "__init__.py"))
    return directory


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_everything_it_needs_is_loaded_before_it_becomes_somebody_else(
    unreadable: Path, tmp_path: Path
) -> None:
    wire, pki = tmp_path / "w", Pki(tmp_path)
    with (
        Nameserver({"shop.test": [("A", "127.0.0.1")]}) as nameserver,
        RawServer({"/": OK}) as plain,
        RawServer({"/": OK}, pki.server("shop.test").context(tmp_path)) as secure,
        RawServer({"/": OK}, pki.unknown_root("shop.test").context(tmp_path)) as doubtful,
    ):
        ports = (plain.port, secure.port, doubtful.port)
        policy = EgressPolicy(
            frozenset(("shop.test", port) for port in ports), nameservers=(nameserver.address,)
        )
        with Recorder(wire, policy, now=now, roots=pki.roots) as recorder:
            assert recorder.user != ""
            started_from = Path(f"/proc/{recorder.pid}/environ").read_bytes()
            assert f"PYTHONPATH={unreadable}".encode() in started_from
            request = f"GET http://shop.test:{plain.port}/ HTTP/1.1\r\nHost: x\r\n\r\n"
            assert talk(recorder, request.encode()) == OK
            assert get_inside(recorder, secure.port, "/", host="shop.test") == OK
            assert b"nobody here trusts" in get_inside(recorder, doubtful.port, "/", host="shop.test")
            assert len(recorder.exchanges) == 3
    assert (wire / "recorder.log").read_text() == ""
