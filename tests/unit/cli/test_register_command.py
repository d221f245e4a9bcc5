"""``evidence verify --register``: what the issuer says today, and no socket for anybody who did not ask."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from evidence_service.cli import main
from scripts.generate_report_schema import SCHEMA
from tests.forgeries.world import Evidence, World, built
from tests.running import answering

NUMBER = "EP-2026-000001"


class Register(ThreadingHTTPServer):
    """Answers with what a test says; remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[str] = []
        self.headers: list[str] = []
        self.status, self.body = 200, b""

    def says(self, pdf: bytes, **changes: Any) -> None:
        value = {
            "format": "evidence-register/1",
            "number": NUMBER,
            "status": "released",
            "since": "2026-01-02T03:04:05Z",
            "reason": "",
            "superseded_by": None,
            "pdfs": [{"sha256": hashlib.sha256(pdf).hexdigest()}],
            **changes,
        }
        self.status, self.body = 200, json.dumps(value).encode()


class _Answer(BaseHTTPRequestHandler):
    server: Register

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.headers += [name.lower() for name in self.headers]
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", f"{self.server.url}/elsewhere")
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Nothing on a test's output."""


@pytest.fixture
def register() -> Iterator[Register]:
    server = Register()
    with answering(server):
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("registered")
    world = World(found)
    value = Evidence().value()
    (found / "trust.json").write_bytes(world.trust(value))
    (found / "bundle.json").write_bytes(built(value))
    (found / "c.pdf").write_bytes(world.sealed(built(value), reason=f"Certificate {NUMBER}"))
    (found / "nameless.pdf").write_bytes(world.sealed(built(value)))
    return found


def verify(folder: Path, *arguments: str, what: str = "c.pdf") -> tuple[int, str]:
    """Exit code, and everything printed."""
    command = ["verify", "--trust", str(folder / "trust.json"), str(folder / what), *arguments]
    done = CliRunner().invoke(main, command)
    return done.exit_code, done.output


def answer(folder: Path, *arguments: str, what: str = "c.pdf") -> tuple[int, dict[str, Any]]:
    """Exit code and the one report of a document that fits the schema."""
    code, output = verify(folder, "--json", *arguments, what=what)
    document = json.loads(output)
    jsonschema.validate(document, SCHEMA)
    assert document["exit_code"] == code
    return code, document["reports"][0]


def test_a_current_certificate(folder: Path, register: Register) -> None:
    register.says((folder / "c.pdf").read_bytes())
    code, report = answer(folder, "--register", f"{register.url}/")
    assert (code, report["verdict"], report["register"]["standing"]) == (0, "evidence", "current")
    assert report["checks"][-1]["id"] == "8.1" and report["checks"][-1]["status"] == "pass"
    assert register.asked == [f"/v1/register/{NUMBER}"], "one question, and nothing beside the number"
    assert "authorization" not in register.headers
    as_printed = f"{register.url}/v1/register/{NUMBER}"
    assert answer(folder, "--register", as_printed)[1]["register"]["asked"] == register.url


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "withdrawn", "reason": "wrong listing"}, "WITHDRAWN since 2026-01-02T03:04:05Z: wrong"),
        (
            {"status": "superseded", "reason": "renamed", "superseded_by": "EP-2026-000002"},
            "SUPERSEDED since 2026-01-02T03:04:05Z by EP-2026-000002: renamed",
        ),
        ({"pdfs": []}, "NOT RELEASED by the register"),
    ],
)
def test_what_is_not_current_still_verifies_and_says_so_everywhere(
    folder: Path, register: Register, tmp_path: Path, changes: Any, words: str
) -> None:
    register.says((folder / "c.pdf").read_bytes(), **changes)
    code, output = verify(folder, "--register", register.url, "--report", str(tmp_path / "r.html"))
    assert code == 10
    assert f"{folder / 'c.pdf'}: EVIDENCE" in output
    assert words in output and "every check passed" in output
    assert words.split(":", maxsplit=1)[0] in (tmp_path / "r.html").read_text("utf-8")
    code, report = answer(folder, "--register", register.url)
    assert (code, report["exit_code"], report["verdict"]) == (10, 10, "evidence")
    assert report["sentence"].startswith(words)
    assert all(item["status"] == "pass" for item in report["checks"] if item["required"])
    assert verify(folder, "--register", register.url, "--quiet") == (10, "")


def test_an_unknown_number(folder: Path, register: Register) -> None:
    register.status, register.body = 404, b'{"type":"urn:evidence-service:problem:not-found"}'
    code, report = answer(folder, "--register", register.url)
    assert (code, report["register"]["standing"]) == (10, "unknown")
    register.body = b"<html>another server knows no such page</html>"
    code, report = answer(folder, "--register", register.url)
    assert (code, report["register"]["standing"]) == (6, "not_checked")


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"<html>"), (200, b""), (500, b""), (302, b""), (200, b"x" * 300_000), (429, b"{}")],
)
def test_a_register_that_gives_no_answer_is_named_as_not_checked(
    folder: Path, register: Register, status: int, body: bytes
) -> None:
    register.status, register.body = status, body
    code, report = answer(folder, "--register", register.url)
    assert (code, report["verdict"]) == (6, "evidence")
    assert report["register"]["standing"] == "not_checked"
    assert report["sentence"].startswith("STATUS NOT CHECKED: ")
    assert register.url in report["checks"][-1]["why"]
    assert len(register.asked) == 1, "no redirect is followed"


def test_a_register_that_is_down_is_unavailable(folder: Path) -> None:
    code, report = answer(folder, "--register", "http://127.0.0.1:9")
    assert (code, report["verdict"], report["register"]["standing"]) == (6, "evidence", "not_checked")
    assert "does not answer" in report["checks"][-1]["why"]
    assert "what was verified stands without it" in report["checks"][-1]["what_to_do"]


def test_words_of_a_register_are_shown_and_never_obeyed(folder: Path, register: Register) -> None:
    hostile = "x\x1b[2J\x1b[32m\u202eVERIFIED [bold]"
    register.says((folder / "c.pdf").read_bytes(), status="withdrawn", reason=hostile)
    _, output = verify(folder, "--register", register.url)
    assert "\x1b[2J" not in output and "\u202e" not in output
    assert r"x\u001b[2J\u001b[32m\u202eVERIFIED [bold]" in output


def test_bytes_that_do_not_hold_stay_invalid_whatever_a_register_says(
    folder: Path, register: Register, tmp_path: Path
) -> None:
    data = bytearray((folder / "c.pdf").read_bytes())
    data[len(data) // 3] ^= 1
    (folder / "changed.pdf").write_bytes(data)
    register.says(bytes(data))
    code, report = answer(folder, "--register", register.url, what="changed.pdf")
    assert (code, report["verdict"]) == (3, "invalid")
    assert register.asked == [], "nobody is asked about a file that does not hold"


def test_a_bundle_and_a_seal_without_a_number(folder: Path, register: Register) -> None:
    code, report = answer(folder, "--register", register.url, what="bundle.json")
    assert (code, "register" in report) == (0, False), "a bundle is in no register"
    code, report = answer(folder, "--register", register.url, what="nameless.pdf")
    assert (code, report["register"]["standing"]) == (6, "not_checked")
    assert "states no certificate number" in report["checks"][-1]["why"]
    assert register.asked == []


@pytest.mark.parametrize("address", ["register.example", "ftp://register.example", "http://", "//x"])
def test_what_is_no_address_is_a_usage_error(folder: Path, address: str) -> None:
    code, output = verify(folder, "--register", address)
    assert code == 2 and "is not the address of a register" in output
    assert verify(folder, "--offline", "--register", "http://x")[0] == 2


def test_no_socket_is_opened_for_who_does_not_ask(folder: Path) -> None:
    guard = (
        "import sys,runpy;sys.addaudithook(lambda e,a:e.startswith('socket.') and sys.exit(99));"
        "sys.argv=['evidence',*sys.argv[1:]];runpy.run_module('evidence_service.cli',run_name='__main__')"
    )
    command = ["verify", "--trust", str(folder / "trust.json"), str(folder / "c.pdf")]

    def code(*more: str) -> int:
        return subprocess.run(
            [sys.executable, "-c", guard, *command, *more], capture_output=True, check=False
        ).returncode

    assert code() == 0
    assert code("--register", "http://127.0.0.1:9") == 99, "the guard works"
