"""``evidence capture`` against a running service; killed and followed as a process of its own."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text

from evidence_service.cli import main
from tests.running import ROOT, answering
from tests.unit.api.conftest import Service, narrowed
from tests.unit.service.test_login_state import RECIPIENTS, SECRET, STATE

HOST = "https://93.184.215.14"
ALL_DONE = 0
USAGE, PENDING, UNAVAILABLE, NOT_CAPTURED = 2, 5, 6, 10


def command(service: Service, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "evidence_service.cli", "capture", *arguments, "--matter", service.matter]


def environment(service: Service, url: str | None = None) -> dict[str, str]:
    return {
        **os.environ,
        **service.environment,
        **({} if url is None else {"EVIDENCE_API_URL": url}),
        "PYTHONPATH": str(ROOT),
    }


def run(service: Service, *arguments: str, stdin: bytes = b"") -> Result:
    """In this process: for what does not depend on having one of its own."""
    given = ["capture", *arguments, "--matter", service.matter]
    return CliRunner().invoke(main, given, env=service.environment, input=stdin)


def write(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


def results(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def ordered(engine: Engine) -> list[str]:
    """Addresses that became evidence."""
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT url FROM evidence ORDER BY url")).scalars())


def test_each_row_has_its_outcome_in_a_table_beside_the_list(
    service: Service, engine: Engine, tmp_path: Path
) -> None:
    lines = ["url,label,profile", f"{HOST}/1,a,mobile", "ftp://x/,b,", f"{HOST}/2,c,tv", f"{HOST}/3,d,"]
    path = write(tmp_path / "list.csv", lines)
    done = run(service, "--list", str(path), "--no-wait", "--locale", "zh-CN", "--json")
    assert done.exit_code == USAGE, done.stderr
    found = results(tmp_path / "list.csv.results.csv")
    assert [(row["line"], row["label"], row["result"]) for row in found] == [
        ("2", "a", "accepted"),
        ("3", "b", "refused"),
        ("4", "c", "refused"),
        ("5", "d", "accepted"),
    ]
    assert "only http and https" in found[1]["problem"]
    assert found[0]["evidence_id"] and found[0]["batch_by"] and not found[1]["evidence_id"]
    printed = json.loads(done.stdout)
    assert (printed["rows"], printed["accepted"], printed["refused"]) == (4, 2, 2)
    assert printed["items"] == found
    words = done.stderr
    assert "line 3: only http and https" in words and "line 4: profile has to be" in words
    assert "4 rows: 2 accepted, 2 refused · 0 preserved, 0 certified" in words
    kept = [service.parts.records.evidence(row["evidence_id"]).options for row in (found[0], found[3])]
    assert [(item or {})["profile"] for item in kept] == ["mobile", "desktop"]
    assert [(item or {})["locale"] for item in kept] == ["zh-CN"] * 2


def test_the_same_command_orders_nothing_twice_and_new_rows_too(
    service: Service, engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "list.txt", [f"{HOST}/1", f"{HOST}/1", f"{HOST}/2"])
    first = run(service, "--list", str(path), "--no-wait")
    assert first.exit_code == ALL_DONE, first.stderr
    before = results(tmp_path / "list.txt.results.csv")
    assert ordered(engine) == [f"{HOST}/1", f"{HOST}/1", f"{HOST}/2"], "two lines are two captures"
    write(path, [f"{HOST}/0", f"{HOST}/1", f"{HOST}/1", f"{HOST}/2"])
    assert run(service, "--list", str(path), "--no-wait").exit_code == ALL_DONE
    after = results(tmp_path / "list.txt.results.csv")
    assert ordered(engine) == [f"{HOST}/0", f"{HOST}/1", f"{HOST}/1", f"{HOST}/2"]
    assert [row["evidence_id"] for row in after[1:]] == [row["evidence_id"] for row in before]
    assert [row["line"] for row in after] == ["1", "2", "3", "4"]


def test_what_was_refused_is_tried_again_and_rows_that_left_the_list_are_kept(
    service: Service, engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "list.txt", [f"{HOST}/1", "http://127.0.0.1/"])
    assert run(service, "--list", str(path), "--no-wait").exit_code == USAGE
    write(path, [f"{HOST}/2"])
    assert run(service, "--list", str(path), "--no-wait").exit_code == ALL_DONE
    found = results(tmp_path / "list.txt.results.csv")
    assert [(row["url"], row["result"]) for row in found] == [
        (f"{HOST}/2", "accepted"),
        (f"{HOST}/1", "accepted"),
        ("http://127.0.0.1/", "refused"),
    ]


class Between(BaseHTTPRequestHandler):
    """Stands between a command and the service."""

    target: str
    answered: Callable[[str], bool]
    """Told of each request once the service has answered it; False keeps the answer back."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._pass_on(body)

    def do_GET(self) -> None:
        self._pass_on(b"")

    def _pass_on(self, body: bytes) -> None:
        headers = {key: value for key, value in self.headers.items() if key.lower() != "host"}
        with httpx.Client(trust_env=False, timeout=60) as http:
            answer = http.request(self.command, self.target + self.path, content=body, headers=headers)
        if not type(self).answered(self.path):
            self.close_connection = True
            return
        self.send_response(answer.status_code)
        self.send_header("Content-Type", answer.headers["Content-Type"])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def between(service: Service, answered: Callable[[str], bool]) -> Iterator[str]:
    target = str(service.http.base_url).rstrip("/")
    handler = type("Handler", (Between,), {"target": target, "answered": staticmethod(answered)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with answering(server):
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.mark.parametrize("portions", [1, 3])
def test_killed_between_the_services_answer_and_its_own_note(
    service: Service, engine: Engine, tmp_path: Path, portions: int
) -> None:
    """SIGKILL when the service has accepted rows and the command does not know it yet."""
    path = write(tmp_path / "list.txt", [f"{HOST}/{number:04}" for number in range(700)])
    answers: list[str] = []
    running: list[subprocess.Popen[bytes]] = []

    def answered(asked: str) -> bool:
        answers.append(asked)
        if asked.endswith("/capture-lists") and answers.count(asked) == portions:
            running[0].kill()
            return False
        return True

    arguments = command(service, "--list", str(path), "--no-wait")
    with between(service, answered) as url:
        running.append(subprocess.Popen(arguments, env=environment(service, url), stderr=subprocess.DEVNULL))
        assert running[0].wait(60) == -signal.SIGKILL
    known = [row for row in results(tmp_path / "list.txt.results.csv") if row["result"] == "accepted"]
    assert len(known) == 200 * (portions - 1)
    assert len(ordered(engine)) == 200 * portions, "more is accepted than the command knows"
    # The list has grown meanwhile: portions are not what they were.
    write(path, [f"{HOST}/{number:04}" for number in range(-1, 700)])
    done = run(service, "--list", str(path), "--no-wait")
    assert done.exit_code == ALL_DONE, done.stderr
    assert ordered(engine) == sorted(f"{HOST}/{number:04}" for number in range(-1, 700))
    found = results(tmp_path / "list.txt.results.csv")
    assert len({row["evidence_id"] for row in found}) == len(found) == 701


def test_an_answer_that_got_lost_is_asked_for_again(service: Service, engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path / "list.txt", [f"{HOST}/1"])
    lost: list[str] = []

    def answered(asked: str) -> bool:
        if asked.endswith("/capture-lists") and not lost:
            lost.append(asked)
            return False
        return True

    with between(service, answered) as url:
        done = subprocess.run(
            command(service, "--list", str(path), "--no-wait"),
            env=environment(service, url),
            capture_output=True,
            check=False,
        )
    assert (done.returncode, lost) == (ALL_DONE, ["/v1/capture-lists"])
    assert b"waiting 1 s" in done.stderr
    assert ordered(engine) == [f"{HOST}/1"]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM capture_lists")).scalar_one() == 1


def test_rows_are_followed_to_their_end(service: Service, tmp_path: Path) -> None:
    path = write(tmp_path / "list.txt", [f"{HOST}/{number}" for number in range(3)])
    process = subprocess.Popen(
        command(service, "--list", str(path)),
        env=environment(service),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    records = service.parts.records
    described = {"started_at": "2026-01-02T03:04:05.000Z", "finished_at": "2026-01-02T03:04:07.000Z"}
    lines = iter(process.stdout or ())
    assert any(b"3 rows: 3 accepted" in line for line in lines)
    first, second, third = (item.id for item in records.list_evidence())
    for name, outcome in ((first, "captured"), (second, "challenge")):
        records.captured(name, {**described, "outcome": {"status": outcome, "reasons": ["x", "y"]}})
        records.advance(name, "certified")
    records.refuse(third, "preserve refused: the page is gone")
    words = b"".join(lines).decode()
    assert process.wait(60) == USAGE
    # Neither a wall nor work that stopped is called captured.
    assert words.count("3 rows: 1 captured, 1 challenge, 1 stopped · 2 preserved, 2 certified\n") == 1
    assert "preserve refused: the page is gone" in words
    found = {row["evidence_id"]: row for row in results(tmp_path / "list.txt.results.csv")}
    assert [found[name]["outcome"] for name in (first, second, third)] == ["captured", "challenge", ""]
    assert [found[name]["reasons"] for name in (first, second, third)] == ["x; y", "x; y", ""]
    assert [found[name]["status"] for name in (first, second, third)] == ["certified"] * 2 + ["accepted"]


def end(service: Service, *outcomes: str) -> None:
    """Bring everything that was ordered to its end, in the order of its addresses."""
    records = service.parts.records
    described = {"started_at": "2026-01-02T03:04:05.000Z", "finished_at": "2026-01-02T03:04:07.000Z"}
    found = sorted(records.list_evidence(), key=lambda item: item.url or "")
    for item, outcome in zip(found, outcomes, strict=True):
        records.captured(item.id, {**described, "outcome": {"status": outcome, "reasons": []}})
        records.advance(item.id, "certified")


@pytest.mark.parametrize("as_list", [False, True])
@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (("captured", "captured"), ALL_DONE),
        (("captured", "partial"), NOT_CAPTURED),
        (("removed", "captured"), NOT_CAPTURED),
        (("auth_wall", "challenge"), NOT_CAPTURED),
        (("blocked", "http_error"), NOT_CAPTURED),
    ],
)
def test_success_is_that_every_listing_was_captured(
    service: Service, tmp_path: Path, outcomes: tuple[str, ...], code: int, as_list: bool
) -> None:
    urls = [f"{HOST}/{number}" for number, _ in enumerate(outcomes)]
    path = write(tmp_path / "list.txt", urls)
    given = ["--list", str(path)] if as_list else urls
    if as_list:
        assert run(service, *given, "--no-wait").exit_code == ALL_DONE
        end(service, *outcomes)
        done = run(service, *given)
        assert "evidence certificate ID --output ID.pdf" in done.stderr
    else:
        process = subprocess.Popen(
            command(service, *given),
            env=environment(service),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        while len(service.parts.records.list_evidence()) < len(urls):
            assert process.poll() is None
        end(service, *outcomes)
        assert re.search(
            r"the certificate: evidence certificate (ev-\w+) --output \1.pdf, and so for each id",
            process.communicate(timeout=60)[1],
        )
        assert process.returncode == code
        return
    assert done.exit_code == code, done.stderr


def test_a_certificate_that_is_not_ready_says_how_to_wait(service: Service) -> None:
    done = run(service, f"{HOST}/1", "--no-wait")
    assert done.exit_code == ALL_DONE
    (evidence,) = service.parts.records.list_evidence()
    assert f"where it stands: evidence status {evidence.id}" in done.stderr
    wanted = ["certificate", evidence.id]
    waiting = CliRunner().invoke(main, wanted, env=service.environment)
    assert waiting.exit_code == PENDING
    assert f"the certificate of {evidence.id} is not ready: the evidence is accepted" in waiting.stderr
    assert f"“evidence status {evidence.id}”" in waiting.stderr
    service.parts.records.refuse(evidence.id, "preserve refused: the page is gone")
    stopped = CliRunner().invoke(main, wanted, env=service.environment)
    assert stopped.exit_code == USAGE
    assert "has ended: preserve refused: the page is gone" in stopped.stderr


def test_a_matter_that_is_not_there_says_how_one_is_made(
    service: Service, engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "list.txt", [f"{HOST}/1"])
    for given in ([f"{HOST}/1"], ["--list", str(path)]):
        for matter in ("m-none", "../receipt-key"):
            arguments = ["capture", *given, "--matter", matter]
            done = CliRunner().invoke(main, arguments, env=service.environment)
            assert done.exit_code == USAGE
            assert f"there is no matter {matter}" in done.stderr
            assert "--reference and --applicant" in done.stderr and "evidence status --json" in done.stderr
    assert ordered(engine) == []
    new = ["capture", f"{HOST}/1", "--reference", "R-2", "--applicant", "Test SA", "--no-wait"]
    done = CliRunner().invoke(main, new, env=service.environment)
    (evidence,) = service.parts.records.list_evidence()
    assert f"matter: {evidence.matter_id} (--matter {evidence.matter_id} adds to it)" in done.stderr


def test_a_key_for_captures_alone_captures_for_a_matter_that_is_named(
    service: Service, engine: Engine, tmp_path: Path
) -> None:
    path = write(tmp_path / "list.txt", [f"{HOST}/2"])
    environment = {**service.environment, "EVIDENCE_API_KEY": narrowed(service, "captures:write")}
    for given in ([f"{HOST}/1"], ["--list", str(path)]):
        wanted = ["capture", *given, "--matter", service.matter, "--no-wait"]
        done = CliRunner().invoke(main, wanted, env=environment)
        assert done.exit_code == ALL_DONE, done.stderr
    note = write(tmp_path / "note.txt", ["a note"])
    added = ["add", str(note), "--matter", service.matter, "--no-wait"]
    assert CliRunner().invoke(main, added, env=environment).exit_code == ALL_DONE
    assert len(ordered(engine)) == 3


def test_status_is_in_the_order_of_acceptance_and_names_uploads(service: Service) -> None:
    for number in range(205):  # more than one page, and ids are random
        service.clock.forward(1)
        if number == 200:
            service.upload()
            service.clock.forward(1)
        assert run(service, f"{HOST}/{number}", "--no-wait").exit_code == ALL_DONE
    everything = CliRunner().invoke(main, ["status", "--limit", "300"], env=service.environment)
    assert "more" not in everything.stderr
    newest = CliRunner().invoke(main, ["status"], env=service.environment)
    assert "and 156 more; --limit shows more" in newest.stderr
    assert everything.stdout.endswith(newest.stdout) and newest.stdout.count("ev-") == 50
    few = CliRunner().invoke(main, ["search", "--limit", "5"], env=service.environment)
    assert "and 200 more at least" in few.stderr
    lines = everything.stdout.splitlines()
    shown = [line.strip() for line in lines if line.startswith(("  http", "  upload"))]
    assert shown == [
        *(f"{HOST}/{number}" for number in range(200)),
        "upload: note.txt",
        *(f"{HOST}/{number}" for number in range(200, 205)),
    ]


def test_a_list_from_standard_input(service: Service, engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    arguments = ("--list", "-", "--results", str(path), "--no-wait")
    for _ in range(2):
        assert run(service, *arguments, stdin=f"{HOST}/1\n".encode()).exit_code == ALL_DONE
    assert ordered(engine) == [f"{HOST}/1"]
    assert [row["url"] for row in results(path)] == [f"{HOST}/1"]


def test_steps_and_a_login_state_come_from_files(service: Service, engine: Engine, tmp_path: Path) -> None:
    object.__setattr__(service.parts.capturing, "recipients", RECIPIENTS)
    steps, login = tmp_path / "steps.json", tmp_path / "state.json"
    steps.write_text(json.dumps([{"action": "click", "text": "x"}]))
    login.write_text(json.dumps(STATE))
    login.chmod(0o644)
    more = ("--steps", str(steps), "--login-state", str(login), "--no-wait", "--json")
    path = write(tmp_path / "list.txt", [f"{HOST}/1"])
    for arguments in ([f"{HOST}/0"], ["--list", str(path)]):
        done = run(service, *arguments, *more)
        assert done.exit_code == ALL_DONE, done.stderr
        assert "chmod 600" in done.stderr
        assert SECRET not in done.stdout + done.stderr
    assert SECRET not in (tmp_path / "list.txt.results.csv").read_text()
    for evidence in service.parts.records.list_evidence():
        assert [step["text"] for step in (evidence.options or {})["steps"]] == ["x"]
        assert service.parts.logins.needed(evidence.id)


@pytest.mark.parametrize(
    ("content", "words"),
    [(f'{{"cookies": "{SECRET}', "is not JSON"), (f'["{SECRET}"]', "holds no login state")],
)
def test_a_login_file_that_cannot_be_used_is_not_repeated(
    service: Service, tmp_path: Path, content: str, words: str
) -> None:
    login = tmp_path / "state.json"
    login.write_text(content)
    done = run(service, f"{HOST}/1", "--login-state", str(login))
    assert done.exit_code == USAGE
    assert words in done.stderr and SECRET not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give URLs, or --list"),
        ([HOST, "--list", "list.txt"], "give URLs, or --list, not both"),
        (["--list", "none.txt"], "none.txt"),
        (["--list", "list.csv"], "several columns"),
        (["--list", "list.txt", "--results", "list.txt"], "not a results file"),
        ([HOST, "--profile", "tv"], "--profile"),
        ([HOST, "--steps", "list.txt"], "python3 -m json.tool list.txt"),
        ([HOST, "--steps", "steps.json"], "the actions are click, choose, fill, open, wait_for"),
    ],
)
def test_a_command_that_cannot_be_carried_out_orders_nothing(
    service: Service,
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "list.txt", [f"{HOST}/1"])
    write(tmp_path / "list.csv", [f"{HOST}/1,label"])
    write(tmp_path / "steps.json", ['[{"type": "click", "text": "x"}]'])
    done = run(service, *arguments)
    assert done.exit_code == USAGE
    assert words in done.stderr
    assert ordered(engine) == []


def test_a_service_that_is_away_is_said_at_once_and_the_results_file_waits(
    service: Service, tmp_path: Path
) -> None:
    path = write(tmp_path / "list.txt", [f"{HOST}/1"])
    arguments = ["capture", "--list", str(path), "--reference", "R", "--applicant", "A"]
    done = CliRunner().invoke(main, arguments, env={"EVIDENCE_API_URL": "http://127.0.0.1:9"})
    assert done.exit_code == UNAVAILABLE
    assert "does not answer" in done.stderr
    assert [row["result"] for row in results(tmp_path / "list.txt.results.csv")] == [""]
