"""Downloads from a store whose files are there only while they are open, as those of a bucket are."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from evidence_service.errors import DatabaseUnavailableError
from tests.unit.api.conftest import Service

CONTENT = b"content" * 1_000_000
"""More than what connections hold that nobody reads from."""


@pytest.fixture
def stored(service: Service) -> tuple[str, bytes]:
    """Address of a file, and its SHA-256."""
    evidence_id = service.upload(CONTENT, name="a.bin")["id"]
    service.register(evidence_id)
    [file] = service.http.get(f"/v1/evidence/{evidence_id}/files").json()
    return f"/v1/evidence/{evidence_id}/files/a.bin", bytes.fromhex(file["sha256"])


@pytest.fixture
def spooled(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where files are that the store gives out; from now on it gives out copies."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    @contextmanager
    def copy(self: Any, sha256: bytes) -> Iterator[Path]:
        with tempfile.NamedTemporaryFile(dir=scratch) as sink:
            sink.write(self.read(sha256))
            sink.flush()
            yield Path(sink.name)

    monkeypatch.setattr(type(service.parts.objects), "open", copy)
    return scratch


def copies(service: Service, address: str) -> int:
    log = service.http.get(f"{address.split('/files/', maxsplit=1)[0]}/custody").json()
    return sum(event["action"] == "copy" for event in log)


def left(spooled: Path) -> list[Path]:
    """What is still there when the server has had time to see that an answer went out."""
    deadline = time.monotonic() + 20
    while found := list(spooled.iterdir()):
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return found


def test_a_download_is_whole_and_leaves_nothing(
    service: Service, stored: tuple[str, bytes], spooled: Path
) -> None:
    address, sha256 = stored
    answer = service.http.get(address)
    assert answer.content == CONTENT
    assert answer.headers["ETag"] == f'"{sha256.hex()}"'
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert copies(service, address) == 1
    assert left(spooled) == []


def test_a_download_that_broke_off_is_resumed_from_another_copy(
    service: Service, stored: tuple[str, bytes], spooled: Path
) -> None:
    """RFC 9110, 13.1.5: a range of what the entity tag names, or all of it."""
    address, sha256 = stored
    rest = service.http.get(address, headers={"Range": "bytes=5-", "If-Range": f'"{sha256.hex()}"'})
    assert (rest.status_code, rest.content) == (206, CONTENT[5:])
    other = service.http.get(address, headers={"Range": "bytes=5-", "If-Range": '"other"'})
    assert (other.status_code, other.content) == (200, CONTENT)
    beyond = service.http.get(address, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert beyond.status_code == 416
    assert left(spooled) == []


def test_a_client_that_goes_away_leaves_nothing(
    service: Service, stored: tuple[str, bytes], spooled: Path
) -> None:
    with service.http.stream("GET", stored[0]) as answer:
        next(answer.iter_raw(10))
    assert left(spooled) == []


def test_what_was_changed_is_neither_sent_nor_noted(service: Service, stored: tuple[str, bytes]) -> None:
    address, sha256 = stored
    path = service.parts.objects.path(sha256)  # type: ignore[attr-defined]
    path.chmod(0o644)
    path.write_bytes(CONTENT[:-1] + b"!")
    answer = service.http.get(address)
    assert answer.status_code >= 400
    assert CONTENT[:7] not in answer.content
    assert copies(service, address) == 0


def test_a_copy_that_cannot_be_noted_is_not_sent(
    service: Service, stored: tuple[str, bytes], spooled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **named: Any) -> None:
        raise DatabaseUnavailableError("no custody log")

    monkeypatch.setattr(type(service.parts), "custody", fail)
    assert service.http.get(stored[0]).status_code == 503
    assert left(spooled) == []


@pytest.mark.parametrize(
    ("wanted", "status", "kind"),
    [
        ("bytes=1-2", 206, "application/octet-stream"),
        ("bytes=99999999999-", 416, "application/problem+json"),
        ("bytes=2-1", 416, "application/problem+json"),
        ("bytes=x", 416, "application/problem+json"),
        ("lines=1", 200, "application/octet-stream"),
    ],
)
def test_a_range_is_had_refused_or_not_understood(
    service: Service, stored: tuple[str, bytes], wanted: str, status: int, kind: str
) -> None:
    answer = service.http.get(stored[0], headers={"Range": wanted})
    assert (answer.status_code, answer.headers["content-type"]) == (status, kind)
    if status == 416:
        assert answer.json()["type"] == "urn:evidence-service:problem:range-not-satisfiable"
    else:
        assert answer.content == (CONTENT if status == 200 else CONTENT[1:3])
