"""``evidence certificate …`` against a running service, with a thread in the place of its worker."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from evidence_service.cli import certificate as commands
from evidence_service.cli import certificate_batch, main
from evidence_service.cli.client import ServiceClient
from tests.running import repeating
from tests.unit.api.certificates import CHINA, GENERIC, anchored, carry_out, issued, pdf
from tests.unit.api.conftest import Service, narrowed

USAGE, INVALID, PENDING, UNAVAILABLE = 2, 3, 5, 6


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (commands, certificate_batch):
        monkeypatch.setattr(module, "_POLL", 0.02)


def run(service: Service, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["certificate", *arguments], env=service.environment)


def shown(service: Service, *arguments: str, code: int = 0) -> Any:
    """The JSON document of a command."""
    done = run(service, *arguments, "--json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


@contextmanager
def working(service: Service, *, refusing: str = "") -> Iterator[None]:
    """Orders are carried out while the block lasts; those of one piece of evidence are refused."""

    def work() -> None:
        register = service.parts.certificates
        for order_id in register.issuable(50):
            if register.order(order_id).evidence_id == refusing:
                register.refuse_order(order_id, "no certificate is issued: for a reason")
            else:
                carry_out(service, order_id)

    with repeating(work):
        yield


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_the_short_form_gets_the_certificate_of_the_default_edition(service: Service, tmp_path: Path) -> None:
    evidence_id = anchored(service)
    target = tmp_path / "c.pdf"
    done = run(service, evidence_id, "--output", str(target))
    assert done.exit_code == PENDING
    assert "no current certificate in the edition generic:en+zh" in done.stderr
    with working(service):
        assert run(service, "issue", evidence_id).exit_code == 0
    for arguments in ((evidence_id, "--output", str(target)), ("--output", str(target), evidence_id)):
        done = run(service, *arguments)
        assert done.exit_code == 0, done.stderr
        assert done.stdout.split() == [str(target), "EP-2026-000001", "PAdES", "B-LTA"]
        assert target.read_bytes() == pdf("EP-2026-000001")
    assert "no evidence nothing" in run(service, "nothing").stderr


def test_whoever_may_order_none_gets_the_one_there_is(service: Service, tmp_path: Path) -> None:
    evidence_id, target = anchored(service), tmp_path / "c.pdf"
    # The scopes of the key for nightly captures in docs/how-to/manage-organisations.md.
    key = narrowed(service, "captures:write", "evidence:read", "certificates:read")
    environment = {**service.environment, "EVIDENCE_API_KEY": key}
    wanted = ["certificate", evidence_id, "--output", str(target)]
    early = CliRunner().invoke(main, wanted, env=environment)
    assert early.exit_code == PENDING, early.stderr
    assert "none is ordered: this needs certificates:write" in early.stderr
    with working(service):
        assert run(service, "issue", evidence_id).exit_code == 0
    done = CliRunner().invoke(main, wanted, env=environment)
    assert done.exit_code == 0, done.stderr
    assert target.read_bytes() == pdf("EP-2026-000001")


def test_help_names_every_command(service: Service) -> None:
    for arguments in ((), ("--help",)):
        output = run(service, *arguments).output
        for name in ("issue", "reissue", "list", "show", "download", "withdraw", "supersede", "extend"):
            assert f"  {name} " in output
        assert "  batch " in output and "  get " not in output


def test_issue_reissue_and_list(service: Service) -> None:
    first, second = anchored(service, b"1"), anchored(service, b"2")
    with working(service):
        orders = shown(service, "issue", first, second)
        assert [item["state"] for item in orders] == ["issued", "issued"]
        # Two are issued at once, and either may be the first.
        number, other = (item["number"] for item in orders)
        assert {number, other} == {"EP-2026-000001", "EP-2026-000002"}
        [again] = shown(service, "reissue", number, "--edition", CHINA)
    assert (again["evidence_id"], again["edition"], again["number"]) == (first, CHINA, "EP-2026-000003")
    assert shown(service, "reissue", first, "--edition", CHINA)[0]["number"] == "EP-2026-000003"
    listed = shown(service, "list", "--evidence", first)
    assert [(item["number"], item["edition"], item["status"]) for item in listed] == [
        (number, GENERIC, "released"),
        ("EP-2026-000003", CHINA, "released"),
    ]
    assert len(shown(service, "list", "--matter", service.matter, "--status", "released")) == 3
    table = run(service, "list").stdout
    assert "EP-2026-000002" in table and "released" in table


def test_an_order_that_is_not_waited_for_and_one_that_is_refused(service: Service) -> None:
    evidence_id = anchored(service)
    [order] = shown(service, "issue", evidence_id, "--no-wait")
    assert order["state"] == "open"
    with working(service, refusing=evidence_id):
        done = run(service, "issue", evidence_id)
    assert done.exit_code == USAGE
    assert f"{evidence_id}: no certificate is issued: for a reason" in done.stderr
    problem = run(service, "issue", evidence_id, "--edition", "mars:en")
    assert problem.exit_code == USAGE
    assert "what to do: name one of: " in problem.stderr and "us-vt:en" in problem.stderr


def test_what_an_order_waits_for_is_said_once(service: Service) -> None:
    evidence_id = anchored(service)
    [order] = shown(service, "issue", evidence_id, "--no-wait")
    service.parts.certificates.note_order(order["id"], "the node \x1b[2J does not answer")
    asked = threading.Event()

    def later() -> None:
        asked.wait(1)
        carry_out(service, order["id"])

    thread = threading.Thread(target=later)
    thread.start()
    done = run(service, "issue", evidence_id)
    asked.set()
    thread.join()
    assert done.exit_code == 0
    assert done.stderr.count(f"{evidence_id} waits: the node \\u001b[2J does not answer") == 1


def test_supersede_and_download_what_is_not_current(service: Service, tmp_path: Path) -> None:
    evidence_id = anchored(service)
    old = issued(service, evidence_id)
    with working(service):
        [order] = shown(service, "supersede", old, "--reason", "the applicant was renamed")
    assert (order["supersedes"], order["number"]) == (old, "EP-2026-000002")
    found = shown(service, "show", old)
    assert (found["status"], found["superseded_by"]) == ("superseded", "EP-2026-000002")
    words = run(service, "show", old).stdout
    assert f"{old}: SUPERSEDED since {found['since']}: superseded by EP-2026-000002: the applicant" in words
    assert "  qualified: a demonstration\n" in words
    assert f"{found['released_at']}  released by agent\n" in words
    assert f"    SHA-256 {found['sha256']}\n    registered as {found['pdfs'][0]['evidence_id']}" in words
    target = tmp_path / "old.pdf"
    done = run(service, "download", old, "-o", str(target))
    assert done.exit_code == 0 and target.read_bytes() == pdf(old)
    assert "is SUPERSEDED since" in done.stderr
    done = run(service, "supersede", old, "--reason", "again")
    assert done.exit_code == USAGE
    assert "superseded by EP-2026-000002 already" in done.stderr
    assert "work on EP-2026-000002" in done.stderr


def test_withdraw(service: Service, tmp_path: Path) -> None:
    number = issued(service, anchored(service))
    assert run(service, "withdraw", number).exit_code == USAGE, "not without a reason"
    found = shown(service, "withdraw", number, "--reason", "wrong listing")
    assert (found["status"], found["reason"]) == ("withdrawn", "wrong listing")
    assert run(service, "withdraw", number, "--reason", "wrong listing").exit_code == 0
    assert "withdrawn" in run(service, "list", "--status", "withdrawn").stdout
    assert (
        "no certificate EP-2026-000009" in run(service, "withdraw", "EP-2026-000009", "--reason", "x").stderr
    )


def test_download_by_evidence_names_what_there_is(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evidence_id = anchored(service)
    assert "issue it first" in run(service, "download", evidence_id).stderr
    number = issued(service, evidence_id, CHINA)
    done = run(service, "download", evidence_id)
    assert done.exit_code == USAGE
    assert f"download one of {number} ({CHINA}), or issue this edition" in done.stderr
    assert run(service, "download", evidence_id, "--edition", CHINA).exit_code == 0
    assert Path(f"certificate-{number}.pdf").read_bytes() == pdf(number)
    assert "no such PDF was released" in run(service, "download", number, "--sha256", "0" * 64).stderr


def test_a_pdf_that_is_not_the_one_the_service_names_is_refused(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = issued(service, anchored(service))
    original = ServiceClient.call

    def spoiled(client: ServiceClient, method: str, path: str, **request: Any) -> Any:
        answer = original(client, method, path, **request)
        if path.endswith("/pdf"):
            answer._content = b"another"
        return answer

    monkeypatch.setattr(ServiceClient, "call", spoiled)
    target = tmp_path / "c.pdf"
    done = run(service, "download", number, "-o", str(target))
    assert (done.exit_code, target.exists()) == (INVALID, False)


def test_extend_says_what_went_wrong_for_each(service: Service) -> None:
    number = issued(service, anchored(service))
    assert shown(service, "extend", "--due") == []
    assert run(service, "extend").exit_code == run(service, "extend", "--due", number).exit_code == USAGE
    service.clock.forward(200 * 86_400)
    done = run(service, "extend", "--due")
    assert done.exit_code == UNAVAILABLE, "the file of this test is no sealed PDF"
    assert done.stderr.startswith(f"{number}: ")


def test_a_batch_from_a_list_has_an_outcome_for_each_row(service: Service, tmp_path: Path) -> None:
    ids = [anchored(service, str(n).encode()) for n in range(3)]
    path = tmp_path / "list.csv"
    path.write_text("label;Evidence_ID\n" + "".join(f"x;{item}\n" for item in [*ids, "ev-none", ids[0]]))
    with working(service, refusing=ids[2]):
        answer = shown(service, "batch", "--list", str(path), "--edition", CHINA, code=USAGE)
    assert {name: answer[name] for name in ("rows", "issued", "refused", "open")} == {
        "rows": 4,
        "issued": 2,
        "refused": 2,
        "open": 0,
    }
    found = rows(tmp_path / "list.csv.certificates.csv")
    assert [(row["evidence_id"], row["state"], row["edition"]) for row in found] == [
        (ids[0], "issued", CHINA),
        (ids[1], "issued", CHINA),
        (ids[2], "refused", CHINA),
        ("ev-none", "refused", CHINA),
    ]
    # Of orders given in one transaction no one comes first.
    assert sorted(row["number"] for row in found[:2]) == ["EP-2026-000001", "EP-2026-000002"]
    assert "for a reason" in found[2]["problem"] and "there is no evidence 'ev-none'" in found[3]["problem"]


def test_a_batch_that_was_cut_off_goes_on(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate_batch, "_PORTION", 2)
    ids = [anchored(service, str(n).encode()) for n in range(5)]
    path = tmp_path / "ids.txt"
    path.write_text("# evidence of the matter\n" + "\n".join(ids))
    original = ServiceClient.call
    posts: list[int] = []

    def dying(client: ServiceClient, method: str, path: str, **request: Any) -> Any:
        answer = original(client, method, path, **request)
        if method == "POST":
            posts.append(len(request["json"]["evidence"]))
            if len(posts) == 2:
                raise KeyboardInterrupt  # the order has landed, its answer is lost
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(ServiceClient, "call", dying)
        done = run(service, "batch", "--list", str(path))
    assert "the same command goes on from here" in done.stderr
    beside = tmp_path / "ids.txt.certificates.csv"
    assert [row["state"] for row in rows(beside)] == ["open", "open", "", "", ""]
    with working(service):
        done = run(service, "batch", "--list", str(path))
    assert done.exit_code == 0, done.output
    assert "5 rows: 5 issued, 0 refused, 0 open" in done.stdout
    numbers = [row["number"] for row in rows(beside)]
    assert sorted(numbers) == [f"EP-2026-{n:06d}" for n in range(1, 6)], "none twice, and no gap"
    shown(service, "withdraw", numbers[0], "--reason", "x")
    assert run(service, "batch", "--list", str(path)).exit_code == 0
    assert len(shown(service, "list")) == 5, "what the table calls issued is not asked for again"


def test_a_batch_of_a_matter_leaves_out_registered_digests(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ids = [anchored(service, str(n).encode()) for n in range(2)]
    issued(service, ids[0])
    with working(service):
        answer = shown(service, "batch", "--reference", "R-1")
    assert sorted(item["evidence_id"] for item in answer["items"]) == sorted(ids)
    assert answer["issued"] == 2
    assert Path("certificates-R-1.csv").exists()
    done = run(service, "batch", "--matter", service.matter, "--no-wait", "--edition", CHINA)
    assert "2 rows: 0 issued, 0 refused, 2 open" in done.stdout
    assert "no evidence of the matter R-9" in run(service, "batch", "--reference", "R-9").stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "names no evidence"), ("a,b\nc,d\n", "names no column"), ("evidence_id\n", "names no evidence")],
)
def test_a_list_that_cannot_be_used_is_refused_whole(
    service: Service, tmp_path: Path, content: str, words: str
) -> None:
    path = tmp_path / "list.csv"
    path.write_text(content)
    done = run(service, "batch", "--list", str(path))
    assert done.exit_code == USAGE and words in done.stderr
    assert run(service, "batch").exit_code == USAGE
    other = tmp_path / "other.csv"
    other.write_text("not a results file")
    path.write_text("ev-1\n")
    done = run(service, "batch", "--list", str(path), "--results", str(other))
    assert done.exit_code == USAGE and "is not a results file" in done.stderr


def test_no_service(service: Service) -> None:
    nobody = {**service.environment, "EVIDENCE_API_URL": "http://127.0.0.1:9"}
    for arguments in (["list"], ["issue", "ev-1"], ["show", "EP-2026-000001"]):
        done = CliRunner().invoke(main, ["certificate", *arguments], env=nobody)
        assert done.exit_code == UNAVAILABLE and "does not answer" in done.stderr
