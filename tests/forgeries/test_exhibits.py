"""Exhibit packages: what is left verifies, and whatever is done to one is refused by a check with a number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from evidence_service.cli import main
from evidence_service.core import exhibit
from evidence_service.core.digest import digest_of
from evidence_service.errors import LimitExceededError, MalformedError
from evidence_service.verify import inputs, policy
from evidence_service.verify.report import Report
from evidence_service.verify.verifier import verify
from tests.forgeries.exhibits import (
    FILES,
    FOLDER,
    MASKED,
    ORIGINAL,
    Forge,
    Members,
    Package,
    finished,
    genuine,
    redactions,
    restate,
    write_folder,
    write_zip,
)
from tests.forgeries.keys import EPOCH
from tests.forgeries.world import Evidence, World, built

LATER = EPOCH.replace(year=EPOCH.year + 1)
CERTIFICATE = FOLDER + "certificate-EP-2026-000001.pdf"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def package(world: World) -> Package:
    return genuine(world)


@pytest.fixture(scope="module")
def bare(package: Package) -> Package:
    """The same without its certificate: reading a PDF takes a process of its own."""
    members = {name: data for name, data in package.members.items() if name != CERTIFICATE}
    return replace(package, members=members)


def reports(package: Package, *paths: Path) -> list[Report]:
    trust = policy.parse(package.trust)
    return [verify(material, trust, now=LATER) for material in inputs.gather(list(paths))]


def refused(package: Package, path: Path) -> set[str]:
    """Numbers of the checks that fail, in all reports."""
    return {check.id for report in reports(package, path) for check in report.failures()}


@pytest.mark.parametrize("packed", [True, False])
def test_certificate_and_bundle_verify_with_what_is_left(
    package: Package, tmp_path: Path, packed: bool
) -> None:
    members = finished(package, package.members)
    path = write_zip(tmp_path / "e.zip", members) if packed else write_folder(tmp_path / "e", members)
    bundle, certificate = reports(package, path)
    assert [bundle.verdict.value, certificate.verdict.value] == ["evidence", "evidence"]
    passed = {check.id: check.status.value for check in bundle.checks}
    assert {passed[number] for number in ("1.1", "8.1", "8.2", "8.3", "8.4", "8.5")} == {"pass"}
    # The certificate was issued before anything was masked: its own log cannot know.
    assert "8.5" not in {check.id for check in certificate.checks}
    assert [(item.status, item.path) for item in bundle.findings.files] == [
        ("unchanged", "note.txt"),
        ("redacted", "dom.html"),
        ("withheld", "page.pdf"),
    ]
    assert not bundle.findings.missing


def test_an_exhibit_without_redaction_is_all_originals(world: World, tmp_path: Path) -> None:
    value = Evidence(files=dict(FILES)).value()
    package = Package(world.trust(value))
    package.manifest_sha256 = value["custody"][value["manifest"]["custody"]["events"]]["after"]
    package.members = {FOLDER + f"files/{path}": data for path, data in FILES.items()}
    package.members[FOLDER + "bundle.json"] = built(value)
    (report,) = reports(package, write_zip(tmp_path / "e.zip", finished(package, package.members)))
    assert report.verdict.value == "evidence"
    assert [check.id for check in report.checks if check.id.startswith("8")] == ["8.1", "8.4"]


def test_an_original_given_beside_the_exhibit_is_recognised(package: Package, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "e.zip", finished(package, package.members))
    (tmp_path / "dom.html").write_bytes(ORIGINAL)
    for report in reports(package, path, tmp_path / "dom.html"):
        assert report.verdict.value == "evidence"
        assert ("unchanged", "dom.html") in [(item.status, item.path) for item in report.findings.files]


def test_an_exhibit_that_is_itself_evidence_is_compared_as_a_whole(
    world: World, package: Package, tmp_path: Path
) -> None:
    path = write_zip(tmp_path / "e.zip", finished(package, package.members))
    value = Evidence(files={"e.zip": path.read_bytes()}).value()
    (tmp_path / "other.json").write_bytes(built(value))
    (report,) = reports(Package(world.trust(value)), path, tmp_path / "other.json")
    assert [item.status for item in report.findings.files] == ["unchanged"]


def test_a_folder_beside_an_exhibit_is_none(package: Package, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "exhibit.json").write_bytes(b'{"format":"something/1"}')
    assert reports(package, tmp_path / "folder") == []


def put(name: str, data: bytes) -> Forge:
    return lambda members: members.update({name: data})


def drop(name: str) -> Forge:
    return lambda members: members.pop(name)


def move(name: str, target: str) -> Forge:
    return lambda members: members.update({target: members.pop(name)})


def stated(**changes: object) -> Forge:
    return lambda members: restate(members, lambda value: value["redactions"][0].update(changes))


def stated_derivative(**changes: object) -> Forge:
    return lambda members: restate(
        members, lambda value: value["redactions"][0]["derivative"].update(changes)
    )


CARELESS = [
    ("an original changed", put(FOLDER + "files/note.txt", b"another note"), {"1.1", "8.1", "8.4"}),
    ("a derivative changed", put(FOLDER + "redacted/dom.html", b"<html>"), {"8.1", "8.3"}),
    ("a file added", put("extra.txt", b"x"), {"8.1"}),
    ("a file taken away", drop("index.html"), {"8.1"}),
    ("the sums changed", put(exhibit.SUMS_NAME, b""), {"8.1"}),
    ("the sums taken away", drop(exhibit.SUMS_NAME), {"8.1"}),
    ("the list of a newer version", put(exhibit.LIST_NAME, b'{"format":"evidence-exhibit/2"}'), {"0.2"}),
    ("the list broken", put(exhibit.LIST_NAME, b'{"format":"evidence-exhibit/1"}'), {"8.1"}),
]
CAREFUL = [
    ("a derivative in an original's place", move(FOLDER + "redacted/dom.html", FOLDER + "files/dom.html"), {"1.1", "8.3", "8.4"}),
    ("a derivative called an original", lambda m: (move(FOLDER + "redacted/dom.html", FOLDER + "files/dom.html")(m), drop(FOLDER + "redactions.json")(m)), {"1.1", "8.4"}),
    ("another derivative", put(FOLDER + "redacted/dom.html", b"<html>Jane is innocent</html>"), {"8.3"}),
    ("a derivative nobody states", put(FOLDER + "redacted/note.txt", b"x"), {"8.3"}),
    ("a stated derivative taken away", drop(FOLDER + "redacted/dom.html"), {"8.3"}),
    ("a derivative without a statement", drop(FOLDER + "redactions.json"), {"8.2"}),
    ("the statement of a newer version", put(FOLDER + "redactions.json", b'{"format":"evidence-redactions/2"}'), {"0.2"}),
    ("the statement is no JSON", put(FOLDER + "redactions.json", b"{"), {"8.2"}),
    ("a parent that is another file", stated(path="note.txt", derivative={"path": "redacted/note.txt", **exhibit.digests(digest_of(MASKED))}), {"8.2"}),
    ("a parent the manifest does not know", stated(path="dom2.html", derivative={"path": "redacted/dom2.html", **exhibit.digests(digest_of(MASKED))}), {"8.2"}),
    ("a parent of another SHA-256", stated(sha256="00" * 32), {"8.2"}),
    ("a parent of another SHA3-512", stated(sha3_512="00" * 64), {"8.2"}),
    ("a parent of another size", stated(size=1), {"8.2"}),
    ("a derivative outside its folder", stated_derivative(path="files/dom.html"), {"8.2"}),
    ("other evidence's statement", lambda m: restate(m, lambda v: v.update(evidence_id="evidence-0002")), {"8.2"}),
    ("statements out of order", lambda m: restate(m, lambda v: v["redactions"].reverse()), {"8.2"}),
    ("another derivative, stated", lambda m: (put(FOLDER + "redacted/dom.html", b"<html>other</html>")(m), put(FOLDER + "redactions.json", redactions(derivative={"path": "redacted/dom.html", **exhibit.digests(digest_of(b"<html>other</html>"))}))(m)), {"8.5"}),
    ("another reason", stated(reason="trade secret"), {"8.5"}),
    ("an original left out in silence", drop(FOLDER + "files/note.txt"), {"8.4"}),
    ("an original replaced", put(FOLDER + "files/note.txt", b"another"), {"1.1", "8.4"}),
    ("what is withheld is there", put(FOLDER + "files/page.pdf", FILES["page.pdf"]), {"8.4"}),
    ("what is masked is there", put(FOLDER + "files/dom.html", ORIGINAL), {"8.4"}),
    ("a stranger among the originals", put(FOLDER + "files/stranger.txt", b"x"), {"1.1", "8.4"}),
    ("the bundle of before the redaction", lambda m: m.update({FOLDER + "bundle.json": built(Evidence(files=dict(FILES)).value())}), {"8.5"}),
    ("evidence nobody lists", lambda m: m.update({name.replace("evidence-0001", "evidence-0002"): data for name, data in list(m.items()) if name.startswith(FOLDER)}), {"8.1"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("forge", "numbers"), [row[1:] for row in CARELESS], ids=[row[0] for row in CARELESS]
)
def test_what_is_changed_afterwards_is_refused(
    bare: Package, tmp_path: Path, forge: Forge, numbers: set[str]
) -> None:
    members: Members = finished(bare, bare.members)
    forge(members)
    assert refused(bare, write_zip(tmp_path / "e.zip", members)) == numbers


@pytest.mark.parametrize(("forge", "numbers"), [row[1:] for row in CAREFUL], ids=[row[0] for row in CAREFUL])
def test_a_forger_who_makes_the_list_fit_is_refused(
    bare: Package, tmp_path: Path, forge: Forge, numbers: set[str]
) -> None:
    members = dict(bare.members)
    forge(members)
    assert refused(bare, write_zip(tmp_path / "e.zip", finished(bare, members))) == numbers


def test_a_bundle_that_went_with_its_custody_log_is_missed(package: Package, tmp_path: Path) -> None:
    members = dict(package.members)
    del members[FOLDER + "bundle.json"]
    assert refused(package, write_zip(tmp_path / "e.zip", finished(package, members))) == {"8.1"}


def test_a_list_that_names_another_manifest_is_refused(bare: Package, tmp_path: Path) -> None:
    other = [{"evidence_id": "evidence-0001", "manifest_sha256": "00" * 32}]
    members = finished(bare, bare.members, evidence=other)
    assert refused(bare, write_zip(tmp_path / "e.zip", members)) == {"8.1"}


def test_more_problems_than_a_sentence_holds_are_counted(bare: Package, tmp_path: Path) -> None:
    members = dict(bare.members)
    for number in range(7):
        members[FOLDER + f"files/stranger-{number}"] = b"x"
    (bundle,) = reports(bare, write_zip(tmp_path / "e.zip", finished(bare, members)))
    (check,) = [check for check in bundle.checks if check.id == "8.4"]
    assert check.why.endswith("; and 2 more")


def test_a_statement_over_the_limit_is_over_the_limit(
    bare: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {**bare.members, FOLDER + "redactions.json": b"x" * 5_000}
    path = write_zip(tmp_path / "e.zip", finished(bare, members))
    monkeypatch.setattr(exhibit, "LIMIT", 4_000)
    assert refused(bare, path) == {"0.1"}


def test_a_list_over_the_limit_is_not_made(bare: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exhibit, "LIMIT", 100)
    with pytest.raises(LimitExceededError, match="the limit is 100") as refusal:
        finished(bare, bare.members)
    assert refusal.value.what_to_do == "hand the evidence over in several exhibits"
    with pytest.raises(LimitExceededError, match="the limit is 100"):
        redactions()


@pytest.mark.parametrize("name", ["evidence/evidence-{:04d}/bundle.json", FOLDER + "certificate-{}.pdf"])
def test_more_than_can_be_verified_in_time_is_over_the_limit(
    bare: Package, tmp_path: Path, name: str
) -> None:
    members = {**bare.members, **{name.format(number): b"{}" for number in range(101)}}
    with pytest.raises(LimitExceededError, match="the limit is"):
        inputs.gather([write_zip(tmp_path / "e.zip", finished(bare, members))])


def test_an_exhibit_with_nothing_to_verify_is_refused(package: Package, tmp_path: Path) -> None:
    members = finished(package, {"index.html": b"x"})
    with pytest.raises(MalformedError, match="without a certificate or proof bundle"):
        inputs.gather([write_zip(tmp_path / "e.zip", members)])


@pytest.mark.parametrize(
    ("name", "words"), [("../x", "not allowed"), ("a\\b", "not allowed"), ("x" * 601, "601")]
)
def test_a_name_that_leads_out_is_refused(package: Package, tmp_path: Path, name: str, words: str) -> None:
    members = {**finished(package, package.members), name: b"x"}
    with pytest.raises((MalformedError, LimitExceededError), match=words):
        inputs.gather([write_zip(tmp_path / "e.zip", members)])


def test_links_of_an_unpacked_exhibit_are_not_followed(package: Package, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "e", finished(package, package.members))
    original = folder / FOLDER / "files" / "note.txt"
    (tmp_path / "elsewhere").write_bytes(original.read_bytes())
    original.unlink()
    original.symlink_to(tmp_path / "elsewhere")
    assert refused(package, folder) == {"8.1", "8.4"}


def test_the_command_names_what_is_masked(package: Package, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "e.zip", finished(package, package.members))
    (tmp_path / "trust.json").write_bytes(package.trust)
    arguments = ["verify", str(path), "--offline", "--trust", str(tmp_path / "trust.json")]
    done = CliRunner().invoke(main, [*arguments, "--at", "2027-01-01T00:00:00Z"])
    assert done.exit_code == 0, done.output
    assert "redacted: dom.html" in done.output
    assert "withheld: page.pdf" in done.output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"files": [{"path": exhibit.LIST_NAME, "role": "index", **exhibit.digests(digest_of(b""))}]},
            "order",
        ),
        ({"evidence": [{"evidence_id": "evidence-0001", "manifest_sha256": "00" * 32}] * 2}, "twice"),
    ],
)
def test_a_list_contradicts_nothing_in_itself(package: Package, change: dict, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        finished(package, package.members, **change)
