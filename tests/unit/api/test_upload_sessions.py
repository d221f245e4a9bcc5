"""Uploads in portions: what is acknowledged stays, whatever happens, and one file becomes one evidence."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, text

from evidence_service.cli import main, uploading
from evidence_service.core.digest import digest_of
from evidence_service.errors import NotFoundError
from evidence_service.store import upload_sessions
from evidence_service.store.schema import DEFAULT_ORGANISATION
from tests.unit.api.conftest import KEY, SECOND, Service
from tests.unit.api.test_conventions import check_problem
from tests.writes import failing

PORTION = "application/partial-upload"
BYTES = bytes(range(256)) * 40
SHA256 = digest_of(BYTES).sha256.hex()


def begun(service: Service, **more: Any) -> str:
    order = {"matter_id": service.matter, "name": "a.bin", "size": len(BYTES), "certificate": False, **more}
    answer = service.http.post("/v1/uploads/sessions", json=order)
    assert answer.status_code == 201, answer.text
    location: str = answer.headers["Location"]
    assert location == f"/v1/uploads/sessions/{answer.json()['id']}"
    return location


def append(service: Service, upload: str, start: int, end: int, *, at: int | None = None) -> Any:
    headers = {"Upload-Offset": str(start if at is None else at), "Content-Type": PORTION}
    return service.http.patch(upload, content=BYTES[start:end], headers=headers)


def offset(service: Service, upload: str) -> int:
    answer = service.http.head(upload)
    assert (answer.status_code, answer.headers["cache-control"]) == (204, "no-store")
    return int(answer.headers["Upload-Offset"])


def wait_until(done: Callable[[], bool]) -> None:
    for _ in range(600):
        if done():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")


@pytest.mark.parametrize("kind", [None, "application/octet-stream", "multipart/form-data; boundary=x"])
def test_a_portion_is_announced_as_one(service: Service, kind: str | None) -> None:
    upload = begun(service)
    headers = {"Upload-Offset": "0", **({} if kind is None else {"Content-Type": kind})}
    answer = service.http.patch(upload, content=BYTES, headers=headers)
    assert PORTION in check_problem(answer, 415, "unsupported-media-type")["title"]
    assert answer.headers["accept-patch"] == PORTION
    assert offset(service, upload) == 0
    headers["Content-Type"] = "Application/Partial-Upload; x=y"
    assert service.http.patch(upload, content=BYTES, headers=headers).status_code == 204


def part(service: Service, upload: str) -> Path:
    return service.parts.upload_sessions._directory / upload.rsplit("/", 1)[1]


def test_portions_become_the_evidence_one_upload_would(service: Service) -> None:
    upload = begun(service, sha256=SHA256, media_type="video/webm")
    for start in range(0, len(BYTES), 4096):
        answer = append(service, upload, start, start + 4096)
        assert answer.status_code == 204
        assert int(answer.headers["Upload-Offset"]) == min(start + 4096, len(BYTES))
    [listed] = service.http.get("/v1/uploads/sessions").json()["items"]
    assert listed["offset"] == len(BYTES)
    made, again = (service.http.post(f"{upload}/complete") for _ in range(2))
    assert (made.status_code, again.json()) == (202, made.json())
    accepted = made.json()["receipt"]["accepted"]
    assert (accepted["name"], accepted["size"], accepted["sha256"]) == ("a.bin", len(BYTES), SHA256)
    service.register(made.json()["id"])
    assert service.http.get(f"/v1/evidence/{made.json()['id']}/files/a.bin").content == BYTES
    assert not part(service, upload).exists()
    late = append(service, upload, 0, 10)
    assert (late.status_code, late.headers["Upload-Complete"]) == (409, "?1")
    assert len(service.http.get("/v1/evidence").json()["items"]) == 1
    assert service.http.get("/v1/uploads/sessions").json()["items"] == []


def test_another_offset_is_answered_with_the_right_one(service: Service) -> None:
    upload = begun(service)
    append(service, upload, 0, 100)
    for at in (0, 99, 101):
        answer = append(service, upload, 100, 200, at=at)
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (409, "100")
        assert answer.json()["type"].endswith(":mismatching-upload-offset")
    assert append(service, upload, 0, 1, at=-1).status_code == 422
    answer = service.http.post(f"{upload}/complete")
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (409, "100")


def test_what_arrived_of_a_portion_that_broke_off_is_kept(service: Service) -> None:
    upload = begun(service)
    url = service.http.base_url
    with socket.create_connection((url.host, url.port or 80)) as connection:
        connection.sendall(
            f"PATCH {upload} HTTP/1.1\r\nHost: {url.host}\r\nAuthorization: Bearer {KEY}\r\n"
            f"Content-Type: {PORTION}\r\nUpload-Offset: 0\r\nContent-Length: {len(BYTES)}\r\n\r\n".encode()
            + BYTES[:5000]
        )
        wait_until(lambda: part(service, upload).exists() and part(service, upload).stat().st_size == 5000)
    wait_until(lambda: offset(service, upload) > 0)
    at = offset(service, upload)
    assert at == 5000
    assert append(service, upload, at, len(BYTES)).status_code == 204
    assert service.http.post(f"{upload}/complete").json()["receipt"]["accepted"]["sha256"] == SHA256


def test_what_was_never_acknowledged_is_cut_off(service: Service) -> None:
    upload = begun(service, sha256=SHA256)
    append(service, upload, 0, 100)
    with part(service, upload).open("ab") as file:
        file.write(b"left by a process that was killed")
    assert offset(service, upload) == 100
    append(service, upload, 100, len(BYTES))
    with part(service, upload).open("ab") as file:
        file.write(b"once more")
    assert service.http.post(f"{upload}/complete").status_code == 202


def test_a_process_without_the_bytes_says_so(service: Service) -> None:
    upload = begun(service)
    append(service, upload, 0, 100)
    part(service, upload).unlink()
    assert offset(service, upload) == 0
    assert append(service, upload, 0, len(BYTES)).status_code == 204
    assert service.http.post(f"{upload}/complete").status_code == 202


def test_a_portion_the_disk_does_not_take_is_not_acknowledged(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = begun(service)
    append(service, upload, 0, 100)
    with failing(monkeypatch, os, "fsync", OSError(28, "No space left"), landed=False):  # type: ignore[arg-type]
        assert append(service, upload, 100, 200).status_code == 503
    assert offset(service, upload) == 100
    append(service, upload, 100, len(BYTES))
    assert service.http.post(f"{upload}/complete").json()["receipt"]["accepted"]["sha256"] == SHA256


@pytest.mark.parametrize("landed", [False, True])
def test_a_completion_that_broke_off_is_completed_once(
    service: Service, monkeypatch: pytest.MonkeyPatch, *, landed: bool
) -> None:
    upload = begun(service)
    append(service, upload, 0, len(BYTES))
    store = type(service.parts.upload_sessions)
    with failing(monkeypatch, store, "complete", NotFoundError("killed"), landed=landed):
        assert service.http.post(f"{upload}/complete").status_code == 404
    [evidence] = service.http.get("/v1/evidence").json()["items"]
    made = service.http.post(f"{upload}/complete")
    assert (made.status_code, made.json()["id"]) == (202, evidence["id"])
    assert made.json()["receipt"] == json.loads(service.parts.records.receipt(evidence["id"]))


def test_more_or_other_bytes_than_announced_are_refused(service: Service) -> None:
    longer = begun(service, size=100)
    assert append(service, longer, 0, 101).status_code == 422
    other = begun(service, sha256="0" * 64)
    append(service, other, 0, len(BYTES))
    answer = service.http.post(f"{other}/complete")
    assert answer.status_code == 422 and SHA256 in answer.json()["title"]
    assert service.http.get("/v1/evidence").json()["items"] == []
    assert service.http.post("/v1/uploads/sessions", json={"size": 1}).status_code == 422


def test_sessions_end_and_belong_to_who_began_them(service: Service) -> None:
    ended, mine, old = begun(service), begun(service), begun(service)
    second = {"Authorization": f"Bearer {SECOND}"}
    assert service.http.head(mine, headers=second).status_code == 404
    assert service.http.get("/v1/uploads/sessions", headers=second).json()["items"] == []
    append(service, ended, 0, 100)
    assert service.http.delete(ended).status_code == 204
    assert not part(service, ended).exists() and service.http.head(ended).status_code == 404
    append(service, old, 0, 100)
    os.utime(part(service, old), (0, 0))
    service.clock.forward(23 * 3600)
    append(service, mine, 0, 100)
    service.clock.forward(2 * 3600)
    assert (service.http.head(old).status_code, offset(service, mine)) == (404, 100)
    begun(service)
    assert not part(service, old).exists() and part(service, mine).exists()


def locked(service: Service, upload: str) -> Any:
    """As while another request of an upload is under way."""
    sessions = service.parts.within(DEFAULT_ORGANISATION).upload_sessions
    session = sessions.session(upload.rsplit("/", 1)[1], "agent", service.clock.now)
    return sessions.portion(session, service.clock.now)


def test_an_upload_is_not_ended_while_a_portion_is_taken(service: Service) -> None:
    upload = begun(service)
    with locked(service, upload) as portion:
        portion.write(BYTES[:100])
        for method, path in (("DELETE", upload), ("POST", f"{upload}/complete")):
            answer = service.http.request(method, path)
            assert answer.status_code == 409 and "under way" in answer.json()["title"]
    assert offset(service, upload) == 100
    assert append(service, upload, 100, len(BYTES)).status_code == 204
    assert service.http.post(f"{upload}/complete").status_code == 202
    assert service.http.delete(upload).status_code == 204
    assert service.http.head(upload).headers["Upload-Complete"] == "?1", "what is complete stays"


def test_a_portion_of_an_upload_that_was_ended_elsewhere_is_not_acknowledged(
    service: Service, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    upload = begun(service)
    taken = os.fsync

    def ended(descriptor: int) -> None:
        taken(descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return  # the directory, before anything of the portion has come
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM upload_sessions WHERE evidence_id IS NULL"))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", ended)
        assert append(service, upload, 0, 100).status_code == 404
    assert service.http.head(upload).status_code == 404


def test_an_upload_that_was_ended_elsewhere_while_it_was_completed_has_its_receipt(
    service: Service, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    upload = begun(service)
    append(service, upload, 0, len(BYTES))
    store = type(service.parts.upload_sessions)
    complete = store.complete

    def ended(*args: Any) -> None:
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM upload_sessions"))
        complete(*args)

    with monkeypatch.context() as patched:
        patched.setattr(store, "complete", ended)
        made = service.http.post(f"{upload}/complete")
    assert made.status_code == 202
    assert service.http.post(f"{upload}/complete").json() == made.json()
    assert [item["id"] for item in service.http.get("/v1/evidence").json()["items"]] == [made.json()["id"]]


def test_a_key_of_an_upload_that_has_ended_begins_none(service: Service) -> None:
    order = {"matter_id": service.matter, "name": "a.bin", "size": 1}
    first, again = (
        service.http.post("/v1/uploads/sessions", json=order, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    )
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["Location"] == first.headers["Location"]
    service.http.delete(first.headers["Location"])
    dead = service.http.post("/v1/uploads/sessions", json=order, headers={"Idempotency-Key": "k"})
    assert dead.status_code == 404 and "new key" in dead.json()["what_to_do"]
    assert "Location" not in dead.headers


def test_many_that_begin_at_once_are_no_more_than_may_be_open(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_sessions, "MOST_OPEN", 3)
    order = {"matter_id": service.matter, "name": "a.bin", "size": 1}
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: service.http.post("/v1/uploads/sessions", json=order).status_code, range(8))
        )
    assert sorted(answers) == [201] * 3 + [409] * 5


def test_the_command_goes_on_where_it_stopped(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(uploading, "PORTION", 4096)
    path = tmp_path / "a.bin"
    path.write_bytes(BYTES)
    upload = begun(service, sha256=SHA256)
    append(service, upload, 0, 5000)
    command = ["add", str(path), "--matter", service.matter, "--no-wait", "--json"]
    done = CliRunner().invoke(main, command, env=service.environment)
    assert done.exit_code == 0, done.stderr
    assert "going on with the upload of a.bin" in done.stderr
    [evidence] = json.loads(done.stdout)
    assert evidence["receipt"]["accepted"]["sha256"] == SHA256
    assert service.http.head(upload).headers["Upload-Complete"] == "?1"
    again = CliRunner().invoke(main, command, env=service.environment)
    assert json.loads(again.stdout)[0]["id"] != evidence["id"], "added once more, it is other evidence"
