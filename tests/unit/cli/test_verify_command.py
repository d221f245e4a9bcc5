"""``evidence verify`` and ``evidence inspect`` as their users meet them."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from evidence_service.cli import main
from evidence_service.core import bundle
from evidence_service.core.digest import digest_of
from evidence_service.verify import inputs
from tests.forgeries.world import Evidence, World, built, renewed_value

FILES = {
    "dom.html": b"<html>listing</html>",
    "images/1.png": b"\x89PNG one",
    "page.pdf": b"%PDF-1.4 a capture",
}
SCHEMA = json.loads((Path(__file__).parents[3] / "docs/reference/report.schema.json").read_text())


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a party hands it over; tests copy what they change."""
    folder = tmp_path_factory.mktemp("given")
    world = World(folder)
    value = Evidence(files=FILES).value()
    (folder / "trust").write_bytes(world.trust(value))
    (folder / "blind").write_bytes(world.trust(value, chains=json.loads(world.trust(None))["chains"]))
    (folder / "bundle.json").write_bytes(built(value))
    (folder / "certificate.pdf").write_bytes(world.sealed(built(value)))
    value["anchors"] = []
    (folder / "pending-bundle.json").write_bytes(built(value))
    for path, data in FILES.items():
        (folder / "capture" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "capture" / path).write_bytes(data)
    other = Evidence(files={"dom.html": b"another"}, salt=bytes(32), blocks=({"number": 20_000_001},)).value()
    (folder / "other.pdf").write_bytes(world.sealed(built(other)))
    (folder / "other").mkdir()
    (folder / "other" / "dom.html").write_bytes(b"another")
    (folder / "both").write_bytes(
        world.trust({"anchors": [*Evidence(files=FILES).value()["anchors"], *other["anchors"]]})
    )
    return folder


def run(*arguments: object) -> tuple[int, str, str]:
    """The command in a process of its own: exit code, output, errors."""
    program = Path(sys.executable).with_name("evidence")
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def answer(*arguments: object) -> tuple[int, dict[str, Any]]:
    """The command's JSON, checked against the published schema."""
    code, output, _ = run("verify", "--json", *arguments)
    document = json.loads(output)
    jsonschema.validate(document, SCHEMA)
    assert document["exit_code"] == code
    return code, document


# --- exit codes, one by one ---


def test_0_verified(given: Path) -> None:
    code, document = answer("--trust", given / "trust", given / "certificate.pdf", given / "capture")
    assert (code, document["reports"][0]["verdict"]) == (0, "evidence")
    # No revocation lists go with this evidence, and that is said.
    others = {check["id"] for check in document["reports"][0]["checks"] if check["status"] != "pass"}
    assert others == {"4.4"}


def test_1_a_fault_of_the_program_is_a_sentence(monkeypatch: pytest.MonkeyPatch, given: Path) -> None:
    def fault(*_: object) -> None:
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr(inputs, "gather", fault)
    done = CliRunner().invoke(main, ["verify", str(given / "bundle.json")])
    assert done.exit_code == 1
    assert "a fault of this program (ZeroDivisionError: nobody thought of this)" in done.output
    assert "Traceback" not in done.output
    details = Path(done.output.rsplit(" ", 1)[1].strip())
    assert "ZeroDivisionError" in details.read_text()
    details.unlink()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Missing argument"),
        (["--nonsense", "x"], "No such option"),
        (["does-not-exist"], "there is no file"),
        (["--offline", "--rpc", "http://127.0.0.1:1", "x"], "contradict"),
        (["--report", "out.docx", "x"], ".html or .pdf"),
        (["--at", "yesterday", "x"], "is not a time"),
        (["--at", "2026-01-01T00:00:00", "x"], "no time zone"),
        (["--trust", "does-not-exist", "x"], "cannot be read"),
    ],
)
def test_2_usage(arguments: list[str], words: str) -> None:
    code, output, errors = run("verify", *arguments)
    assert (code, output) == (2, "")
    assert words in errors


def test_2_a_broken_trust_file_is_the_readers_own(given: Path) -> None:
    code, document = answer("--trust", given / "bundle.json", given / "bundle.json")
    assert (code, document["reports"]) == (2, [])
    assert "trust file cannot be used" in document["error"]["message"]


def test_3_invalid(given: Path, tmp_path: Path) -> None:
    changed = bytearray((given / "certificate.pdf").read_bytes())
    changed[len(changed) // 2] ^= 1
    (tmp_path / "c.pdf").write_bytes(changed)
    code, document = answer("--trust", given / "trust", tmp_path / "c.pdf")
    assert (code, document["reports"][0]["checks"][0]["id"]) == (3, "7.1")


def test_3_a_sealed_pdf_that_is_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "c.pdf").write_bytes(World(tmp_path).sealed(b"", attachments={"a.txt": b"a"}))
    code, document = answer(tmp_path / "c.pdf")
    assert (code, document["reports"][0]["checks"][0]["id"]) == (3, "7.1")
    assert "holds no bundle.json" in document["reports"][0]["checks"][0]["why"]


def test_4_untrusted(given: Path) -> None:
    code, document = answer(given / "certificate.pdf")
    failed = [check["id"] for check in document["reports"][0]["checks"] if check["status"] == "fail"]
    assert (code, failed) == (4, ["4.2", "5.3", "7.2"])


def test_5_pending(given: Path) -> None:
    assert answer("--trust", given / "trust", given / "pending-bundle.json")[0] == 5


def test_6_not_checked(given: Path) -> None:
    assert answer("--trust", given / "blind", "--offline", given / "bundle.json")[0] == 6
    code, document = answer(
        "--trust", given / "blind", "--rpc", "http://127.0.0.1:1/secret", given / "bundle.json"
    )
    assert code == 6
    # Paths of node addresses are often keys.
    assert "secret" not in json.dumps(document)
    assert "127.0.0.1:1 was not asked" in json.dumps(document)


@pytest.mark.parametrize("what", ["capture", "capture/dom.html", "digest"])
def test_7_nothing_to_verify(given: Path, what: str) -> None:
    argument = digest_of(FILES["dom.html"]).sha256.hex() if what == "digest" else given / what
    if what == "capture":
        argument = given / "other"
    code, document = answer(argument)
    assert (code, document["reports"]) == (7, [])
    assert "give the certificate" in run("verify", argument)[2]


def test_8_unknown_version(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_bytes(b'{"format":"evidence-bundle/9"}')
    code, document = answer(tmp_path / "bundle.json")
    assert (code, document["reports"][0]["checks"][0]["id"]) == (8, "0.2")


def test_9_over_a_limit(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_bytes(b" " * (bundle.LIMIT + 1))
    code, document = answer(tmp_path / "bundle.json")
    assert (code, document["reports"][0]["checks"][0]["id"]) == (9, "0.1")


# --- what may be given ---


def test_files_find_their_certificate_in_any_order(given: Path) -> None:
    code, document = answer(
        *("--trust", given / "both", given / "capture", given / "other.pdf", given / "other"),
        given / "certificate.pdf",
    )
    assert code == 0
    by_subject = {Path(item["subject"]).name: item["evidence"] for item in document["reports"]}
    assert [item["status"] for item in by_subject["certificate.pdf"]["files"]] == ["unchanged"] * 3
    assert [item["path"] for item in by_subject["other.pdf"]["files"]] == ["dom.html"]
    assert by_subject["certificate.pdf"]["missing"] == []


def test_a_pdf_that_is_evidence_is_not_taken_for_a_certificate(given: Path) -> None:
    code, document = answer("--trust", given / "trust", given / "capture/page.pdf", given / "certificate.pdf")
    assert (code, len(document["reports"])) == (0, 1)
    assert document["reports"][0]["evidence"]["missing"] == ["dom.html", "images/1.png"]


def test_an_ordinary_pdf_is_said_to_be_none_of_ours(given: Path, tmp_path: Path) -> None:
    code, output, _ = run("verify", "--trust", given / "trust", given / "capture/page.pdf")
    assert code == 3
    assert "this is not a certificate of this project" in output
    assert "give beside the certificate that lists it" in output
    cut = tmp_path / "cut.pdf"
    cut.write_bytes((given / "certificate.pdf").read_bytes()[:-20])
    code, output, _ = run("verify", "--trust", given / "trust", cut)
    assert code == 3
    assert "not a certificate of this project" not in output, "a damaged one is not called something else"


def test_missing_and_surplus_files_are_named(given: Path, tmp_path: Path) -> None:
    (tmp_path / "dom.html").write_bytes(FILES["dom.html"] + b" ")
    (tmp_path / "note.txt").write_bytes(b"surplus")
    code, document = answer("--trust", given / "trust", given / "certificate.pdf", tmp_path)
    found = document["reports"][0]["evidence"]
    assert code == 3
    assert [(Path(item["name"]).name, item["status"]) for item in found["files"]] == [
        ("dom.html", "changed"),
        ("note.txt", "foreign"),
    ]
    assert found["missing"] == ["dom.html", "images/1.png", "page.pdf"]
    _, output, _ = run("verify", "--trust", given / "trust", given / "certificate.pdf", tmp_path)
    assert "changed: " in output
    assert "foreign: " in output


@pytest.mark.parametrize("names", [("a/one.png", "b/two.png"), ("a/one.png",), ("b/two.png",), ("any",)])
def test_a_file_stands_for_every_path_with_its_bytes(tmp_path: Path, names: tuple[str, ...]) -> None:
    """A screenshot of an unchanged page is byte for byte the tile taken before it."""
    files = {"a/one.png": b"same", "b/two.png": b"same", "dom.html": b"<html>"}
    value = Evidence(files=files).value()
    (tmp_path / "bundle.json").write_bytes(built(value))
    (tmp_path / "trust").write_bytes(World(tmp_path).trust(value))
    for name in names:
        (tmp_path / "given" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "given" / name).write_bytes(b"same")
    code, document = answer("--trust", tmp_path / "trust", tmp_path / "bundle.json", tmp_path / "given")
    report = document["reports"][0]
    why = next(check["why"] for check in report["checks"] if check["id"] == "1.1")
    assert (code, why) == (0, "2 of 3 listed files given and unchanged; not given: dom.html")
    assert report["evidence"]["missing"] == ["dom.html"]
    found = [item["path"] for item in report["evidence"]["files"]]
    assert found == (["a/one.png"] if names == ("any",) else list(names))
    digest = digest_of(b"same").sha256.hex()
    _, document = answer("--trust", tmp_path / "trust", tmp_path / "bundle.json", digest)
    assert document["reports"][0]["evidence"]["missing"] == ["dom.html"]


def test_the_manifests_own_digest_is_no_listed_file(given: Path) -> None:
    digest = digest_of(bundle.manifest_bytes(bundle.parse((given / "bundle.json").read_bytes())))
    code, document = answer("--trust", given / "trust", digest.sha256.hex(), given / "bundle.json")
    why = next(check["why"] for check in document["reports"][0]["checks"] if check["id"] == "1.1")
    assert (code, why.split(";")[0]) == (0, "0 of 3 listed files given and unchanged")


def test_evidence_of_another_matter_is_refused(given: Path) -> None:
    code, document = answer("--trust", given / "trust", given / "certificate.pdf", given / "other")
    assert code == 3
    assert document["reports"][0]["checks"][0]["status"] == "fail"


@pytest.mark.parametrize("algorithm", ["sha256", "sha3_512"])
def test_a_digest_stands_for_a_file(given: Path, algorithm: str) -> None:
    digest = getattr(digest_of(FILES["images/1.png"]), algorithm).hex()
    code, document = answer("--trust", given / "trust", digest.upper(), given / "bundle.json")
    assert code == 0
    assert document["reports"][0]["evidence"]["files"] == [
        {"name": digest, "status": "unchanged", "path": "images/1.png"}
    ]
    assert answer("--trust", given / "trust", "00" * 32, given / "bundle.json")[0] == 3


def test_an_archive_is_looked_into(given: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "capture.wacz", "w") as archive:
        for path, data in FILES.items():
            archive.writestr(f"archive/{path}", data)
        archive.write(given / "certificate.pdf", "certificate.pdf")
    code, document = answer("--trust", given / "trust", tmp_path / "capture.wacz")
    assert code == 0
    assert len(document["reports"][0]["evidence"]["files"]) == 3


def test_an_archive_that_is_evidence_itself(given: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "capture.wacz", "w") as archive:
        archive.writestr("a", b"a")
    world = World(tmp_path)
    value = Evidence(files={"capture.wacz": (tmp_path / "capture.wacz").read_bytes()}).value()
    (tmp_path / "bundle.json").write_bytes(built(value))
    (tmp_path / "trust").write_bytes(world.trust(value))
    code, document = answer(
        "--trust", tmp_path / "trust", tmp_path / "capture.wacz", tmp_path / "bundle.json"
    )
    assert code == 0
    assert [item["path"] for item in document["reports"][0]["evidence"]["files"]] == ["capture.wacz"]


def test_standard_input(given: Path) -> None:
    program = Path(sys.executable).with_name("evidence")
    for name in ("certificate.pdf", "bundle.json"):
        done = subprocess.run(
            [program, "verify", "--offline", "--quiet", "--trust", given / "trust", "-"],
            input=(given / name).read_bytes(),
            check=False,
            capture_output=True,
        )
        assert (name, done.returncode, done.stdout, done.stderr) == (name, 0, b"", b"")


def test_a_link_in_a_folder_is_not_followed(given: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").symlink_to("/etc/passwd")
    assert answer("--trust", given / "trust", tmp_path)[0] == 7


def test_judged_as_of_another_time(given: Path, tmp_path: Path) -> None:
    world = World(tmp_path)
    (tmp_path / "c.pdf").write_bytes(world.sealed((given / "bundle.json").read_bytes(), stamp=None))
    trust = json.loads((given / "trust").read_text())
    trust["seal_issuers"] = json.loads(world.trust())["seal_issuers"]
    (tmp_path / "trust").write_text(json.dumps(trust))
    base = ["--trust", tmp_path / "trust", tmp_path / "c.pdf"]
    assert answer(*base, "--at", "2026-03-05T00:00:00+08:00")[0] == 0
    code, document = answer(*base, "--at", "2050-01-01T00:00:00Z")
    assert code == 4
    assert document["reports"][0]["verified_at"] == "2050-01-01T00:00:00.000Z"


# --- what is written ---


def test_the_report_for_the_experts_file(given: Path, tmp_path: Path) -> None:
    base = ["verify", "--trust", given / "trust", given / "certificate.pdf", given / "capture"]
    for name in ("report.html", "report.pdf"):
        code, output, _ = run(*base, "--report", tmp_path / name)
        assert code == 0
        assert f"report written to {tmp_path / name}" in output
    page = (tmp_path / "report.html").read_text()
    text = subprocess.run(
        ["pdftotext", "-layout", tmp_path / "report.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout
    for words in (
        "EVIDENCE",
        "every check passed",
        "7.1",
        "First Authority",
        "unchanged",
        "A world of our own",
    ):
        assert words in page
        assert words in text
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_report_of_hostile_names_is_harmless(given: Path, tmp_path: Path) -> None:
    hostile = tmp_path / "<script>alert(1)</script>\u202e.bin"
    hostile.parent.mkdir()
    hostile.write_bytes(b"x")
    for name in ("r.html", "r.pdf"):
        code, _, _ = run(
            *("verify", "--trust", given / "trust", given / "certificate.pdf", "--report", tmp_path / name),
            hostile.parent,
        )
        assert code == 3
    assert "<script>" not in (tmp_path / "r.html").read_text()
    assert "&lt;script&gt;" in (tmp_path / "r.html").read_text()


def test_the_experts_report_lists_renewals(given: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_bytes(built(json.loads(renewed_value())))
    run("verify", "--trust", given / "trust", tmp_path / "bundle.json", "--report", tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text()
    assert "renewal 1: timestamp" in text
    assert "<td>renewal 2: hash tree</td><td>Second Authority</td><td>trusted</td>" in text


def test_a_report_that_cannot_be_written(given: Path) -> None:
    code, _, errors = run(
        *("verify", "--trust", given / "trust", given / "bundle.json", "--report", "/nowhere/r.html")
    )
    assert (code, "cannot be written" in errors) == (2, True)


def test_inspect_shows_everything_and_judges_nothing(given: Path, tmp_path: Path) -> None:
    code, output, _ = run("inspect", given / "certificate.pdf")
    (shown,) = json.loads(output)
    assert (code, shown["judged"]) == (0, False)
    assert shown["attachments"].keys() >= {"bundle.json", "manifest.json", "manifest-1.tst"}
    assert shown["seal"]["path"][0]["issuer"] == "Evidence Service root"
    assert shown["timestamps"][0]["time"] == "2026-03-04T05:06:37.000Z"
    assert shown["anchors"][0]["block_number"] == "20000000"
    # What does not hold is shown all the same.
    value = json.loads((given / "bundle.json").read_bytes())
    value["timestamps"][0]["token"] = "AAAA"
    value["anchors"][0] = 7
    (tmp_path / "bundle.json").write_text(json.dumps(value))
    code, output, _ = run("inspect", tmp_path / "bundle.json")
    (shown,) = json.loads(output)
    assert code == 0
    assert "unreadable" in shown["timestamps"][0]
    assert "unreadable" in shown["anchors"][0]
    assert shown["timestamps"][1]["path"]
    assert run("inspect", given / "other")[0] == 2


def test_inspect_shows_lists_renewals_and_attestations(tmp_path: Path) -> None:
    value = json.loads(renewed_value())
    (tmp_path / "bundle.json").write_bytes(built(value))
    (shown,) = json.loads(run("inspect", tmp_path / "bundle.json")[1])
    assert shown["timestamps"][0]["revocation"] == {
        "why": None,
        "lists": [
            {
                "issuer": "First Authority root",
                "this_update": "2026-03-04T05:06:07.000Z",
                "next_update": "2026-03-11T05:06:07.000Z",
                "entries": 0,
            }
        ],
    }
    first, second = shown["renewals"]
    assert (first["document"]["kind"], second["document"]["kind"]) == ("timestamp", "hash_tree")
    assert first["timestamps"][0]["sha3_512"] is None
    assert len(second["timestamps"][0]["sha3_512"]) == 128
    assert shown["attestations"] == [{"kind": "opentimestamps", "of": "batch_header", "size": 7}]
    # What does not hold is shown all the same.
    value["timestamps"][0]["revocation"]["crls"] = ["AAAA", 7]
    value["timestamps"][1]["revocation"] = {"status": "absent", "why": "nobody answered"}
    value["renewals"][0] = "renewed"
    (tmp_path / "bundle.json").write_text(json.dumps(value))
    (shown,) = json.loads(run("inspect", tmp_path / "bundle.json")[1])
    assert ["unreadable" in item for item in shown["timestamps"][0]["revocation"]["lists"]] == [True, True]
    assert shown["timestamps"][1]["revocation"] == {"why": "nobody answered", "lists": []}
    assert "unreadable" in shown["renewals"][0]


def test_inspect_of_what_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "c.pdf").write_bytes(b"%PDF-1.7\nnothing")
    (tmp_path / "bundle.json").write_bytes(b"nothing")
    code, output, _ = run("inspect", tmp_path)
    assert code == 0
    assert [set(item) >= {"unreadable"} for item in json.loads(output)] == [True, True]
