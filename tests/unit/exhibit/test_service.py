"""The use case: refused before anything is recorded, recorded once, made once, and searched when written."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from evidence_service.core import bundle, custody, exhibit
from evidence_service.core.digest import Digest, digest_of
from evidence_service.errors import (
    ConflictError,
    MismatchError,
    NotFoundError,
    RefusedError,
    StorageUnavailableError,
)
from evidence_service.service import delete
from evidence_service.service import exhibit as use_case
from evidence_service.service.audit import audit_exhibits
from evidence_service.service.exhibit import build, make_exhibit, order_exhibit
from evidence_service.service.exhibit_content import certificates
from evidence_service.service.parts import Parts
from evidence_service.store.certificate_orders import NewOrder
from evidence_service.verify import inputs, policy
from evidence_service.verify.report import Status
from evidence_service.verify.verifier import verify
from tests.unit.exhibit.conftest import FILES, FIRST, NAME, NOW, PHONE, SECOND, made, order, picture, preserve

MASK = {
    "texts": [{"text": NAME, "reason": "third person"}, {"text": PHONE}],
    "withheld": [{"path": "images/"}],
}
FOLDER = f"evidence/{FIRST}/"


def contents(package: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(package) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def events(parts: Parts, action: str, evidence_id: str = FIRST) -> list[dict[str, Any]]:
    return [item for item in parts.records.custody(evidence_id) if item["action"] == action]


def failing(package: Path) -> list[str]:
    return [
        check.id
        for material in inputs.gather([package])
        for check in verify(material, policy.shipped(), now=NOW).checks
        if check.status is Status.FAIL
    ]


def refusal(parts: Parts, plan: Mapping[str, Any], *evidence: str) -> str:
    """Words of a refusal while it is made; nothing is left behind by it."""
    before = {item: parts.records.custody(item) for item in evidence or (FIRST,)}
    order_exhibit(parts, order(plan, *evidence))
    with pytest.raises(RefusedError) as found:
        build(parts, "ex-00000001")
    assert before == {item: parts.records.custody(item) for item in before}
    assert not (parts.capturing.directory / "ex-00000001").exists()
    return found.value.told


def test_everything_goes_in_as_it_was_preserved_without_a_plan(parts: Parts) -> None:
    preserve(parts)
    found = contents(made(parts, order({})))
    for path, (_, data) in FILES.items():
        assert found[FOLDER + "files/" + path] == data
    assert FOLDER + "redactions.json" not in found
    assert not events(parts, "redact")
    (event,) = events(parts, "export")
    assert event["actor"] == {"id": "agent", "role": "operator"}
    assert event["detail"] == {
        "exhibit": "ex-00000001",
        "for": "opponent",
        "recipient": "Kanzlei Muster & Co <Hamburg>",
        "masked": "0",
        "withheld": "0",
    }
    assert event in bundle.parse(found[FOLDER + "bundle.json"])["custody"]
    assert not failing(parts.objects.path(parts.exhibits.exhibit("ex-00000001").sha256 or b""))


def test_what_was_made_of_deleted_files_goes_with_them(parts: Parts) -> None:
    preserve(parts)
    package = made(parts, order(MASK))
    redactions = json.loads(contents(package)[FOLDER + "redactions.json"])["redactions"]
    derivatives = [item["derivative"]["sha256"] for item in redactions if "derivative" in item]
    paths = [package, *(parts.objects.path(bytes.fromhex(item)) for item in derivatives)]
    assert len(paths) > 1 and all(path.exists() for path in paths)
    delete.ask(parts, "rq-1", FIRST, actor="agent", reason="the time is over")
    delete.remove(parts, "rq-1")
    assert not any(path.exists() for path in paths)


def test_what_is_masked_is_nowhere_and_stated(parts: Parts) -> None:
    preserve(parts)
    package = made(parts, order({**MASK, "approved_by": "Dr. Counsel"}))
    found = contents(package)
    assert FOLDER + "files/dom.html" not in found
    assert found[FOLDER + "redacted/dom.html"] == b"<p>Sold by xxxxxxxxxxxx, call 99999999999</p>"
    assert found[FOLDER + "files/note.txt"] == FILES["note.txt"][1]
    for name, data in found.items():
        for secret in (NAME.encode(), PHONE.encode(), b"\\u5f20\\u5c0f"):
            assert secret not in data, name
    stated = exhibit.parse_redactions(found[FOLDER + "redactions.json"])["redactions"]
    assert [(item["path"], item["kind"], item["count"]) for item in stated] == [
        ("dom.html", "masked_text", 2),
        ("exchanges.har", "masked_text", 2),
        ("images/深.png", "withheld", 0),
        ("page.pdf", "withheld", 0),
    ]
    assert {item["approved_by"] for item in stated} == {"Dr. Counsel"}
    (event,) = events(parts, "redact")
    assert event["before"] == digest_of(parts.records.evidence(FIRST).manifest or b"").sha256.hex()
    assert event["after"] == digest_of(found[FOLDER + "redactions.json"]).sha256.hex()
    assert event["detail"] == {"masked": "2", "withheld": "2", "approved_by": "Dr. Counsel"}
    assert not failing(package)
    derivative = digest_of(found[FOLDER + "redacted/dom.html"])
    assert parts.objects.check(derivative.sha256) == derivative


def test_an_area_and_a_pattern_are_masked(parts: Parts) -> None:
    preserve(parts)
    area = {"path": "images/深.png", "x": 0, "y": 0, "width": 40, "height": 10}
    found = contents(made(parts, order({"patterns": [{"pattern": r"1[3-9]\d{9}"}], "areas": [area]})))
    masked = found[FOLDER + "redacted/images/深.png"]
    assert masked != picture() and NAME.encode() not in masked
    assert PHONE.encode() not in found[FOLDER + "redacted/dom.html"]
    assert NAME.encode() in found[FOLDER + "redacted/dom.html"]


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"texts": [{"text": PHONE}]}, "images/深.png (a picture: mask an area of it, withhold it, or accept it)"),
        ({"texts": [{"text": "Example Brand Ltd"}], "withheld": [{"path": "images/"}]}, "bundle.json (shows what is masked, and cannot be changed)"),
        ({"texts": [{"text": "Kanzlei Muster"}], "withheld": [{"path": "images/"}]}, "exhibit.json (shows what is masked"),
        ({"texts": [{"text": "exchanges.har"}], "withheld": [{"path": "images/"}]}, "files/xxxxxxxxxxxxx (shows"),
        ({"texts": [{"text": "torn apart"}], "withheld": [{"path": "images/"}]}, "files/torn.html (shows what is masked in a form that cannot be masked"),
        ({"areas": [{"path": "note.txt", "x": 0, "y": 0, "width": 1, "height": 1}]}, "note.txt cannot be opened as a PNG picture"),
    ],
)  # fmt: skip
def test_what_would_still_show_is_named_and_nothing_is_recorded(
    parts: Parts, plan: dict[str, Any], words: str
) -> None:
    preserve(parts, files={**FILES, "torn.html": ("text/html", b"<p>torn<br> apart</p>")})
    told = refusal(parts, plan)
    assert words in told
    assert PHONE not in told


def test_what_is_accepted_by_name_goes_in_as_it_is(parts: Parts) -> None:
    preserve(parts)
    plan = {"texts": [{"text": "Example Brand Ltd"}], "accepted": ["bundle.json", "images/", "page.pdf"]}
    found = contents(made(parts, order(plan)))
    assert b"Example Brand Ltd" in found[FOLDER + "proofs/manifest.json"]
    assert found[FOLDER + "files/page.pdf"] == FILES["page.pdf"][1]
    (event,) = events(parts, "export")
    assert event["detail"]["accepted"] == "bundle.json, images/, page.pdf"


def test_the_current_certificate_of_each_edition_goes_in(parts: Parts) -> None:
    preserve(parts)
    register = parts.certificates
    stored = [parts.objects.put_bytes(f"PDF {number}".encode()) for number in range(3)]
    for number, edition in enumerate(("generic:en+zh", "cn:zh", "eu:en")):
        order_id = f"co-{number}"
        register.place(NewOrder(order_id, FIRST, edition, "agent", NOW))
        register.reserve(order_id, prefix="EP", now=NOW)
        register.release(
            order_id,
            sha256=stored[number].sha256,
            level="PAdES B-T",
            ends_at=None,
            qualifications=(),
            now=NOW,
        )
    register.withdraw("EP-2026-000003", reason="a mistake", actor="agent", now=NOW)
    with ExitStack() as opened:
        found = certificates(parts, FIRST, opened)
        assert {name: member.digest for name, member in found.items()} == {
            "certificate-EP-2026-000001.pdf": stored[0],
            "certificate-EP-2026-000002.pdf": stored[1],
        }


def test_leaving_out_what_no_other_file_holds_asks_for_nothing_else(parts: Parts) -> None:
    preserve(parts, files={**FILES, "original.warc.gz.age": ("application/age-encryption", b"age")})
    package = made(parts, order({"withheld": [{"path": "original.warc.gz.age"}]}))
    found = contents(package)
    assert FOLDER + "files/page.pdf" in found and FOLDER + "files/images/深.png" in found
    assert FOLDER + "files/original.warc.gz.age" not in found
    assert not failing(package)
    order_exhibit(parts, order({"withheld": [{"path": "note.txt"}]}, exhibit_id="ex-00000002"))
    with pytest.raises(RefusedError, match=r"深\.png"):
        build(parts, "ex-00000002")


def test_json_that_would_be_torn_apart_is_not_masked(parts: Parts) -> None:
    preserve(parts, files={"a.json": ("application/json", b'{"a": 1.5e10, "b": true}')})
    assert "without tearing its JSON apart" in refusal(parts, {"texts": [{"text": '"b": true'}]})


def test_files_nobody_has_and_evidence_that_is_not_ready_are_refused_at_once(parts: Parts) -> None:
    preserve(parts)
    with pytest.raises(RefusedError, match=r"has a file nothing\.pdf"):
        order_exhibit(parts, order({"withheld": [{"path": "nothing.pdf"}]}))
    with pytest.raises(NotFoundError, match="certificate"):
        order_exhibit(parts, order({"without_certificate": False}))
    with pytest.raises(NotFoundError, match="there is no evidence"):
        order_exhibit(parts, order({}, "ev-none-0000"))
    assert parts.exhibits.ordered(9) == []


def test_a_custody_log_is_never_filled_up(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    preserve(parts)
    monkeypatch.setattr(custody, "MAX_EVENTS", 101)
    with pytest.raises(ConflictError, match="no room"):
        order_exhibit(parts, order({}))


def test_several_pieces_of_evidence_stand_in_folders_of_their_own(parts: Parts) -> None:
    preserve(parts)
    preserve(parts, SECOND, {"dom.html": ("text/html", b"<p>another</p>")})
    plan = {
        "withheld": [{"evidence": FIRST, "path": "dom.html"}, {"path": "images/"}],
        "accepted": ["page.pdf"],
    }
    package = made(parts, order(plan, SECOND, FIRST))
    found = contents(package)
    assert f"evidence/{SECOND}/files/dom.html" in found
    assert FOLDER + "files/dom.html" not in found
    page = found["index.html"].decode()
    assert page.index(SECOND) < page.index(FIRST)
    assert len(inputs.gather([package])) == 2
    assert not failing(package)
    assert not events(parts, "redact", SECOND)


def test_the_index_obeys_nothing_it_shows(parts: Parts) -> None:
    name = "<script>alert(1)<script>\u202e&.txt"
    files = {name: ("text/plain", b"x"), "dom.html": ("text/html", b"<script>"), "a.SVG": ("text/plain", b"")}
    preserve(parts, files=files)
    page = contents(made(parts, order({})))["index.html"].decode()
    assert "<script" not in page and "\u202e" not in page
    assert "Kanzlei Muster &amp; Co &lt;Hamburg&gt;" in page
    # A captured page is named, and never opened by a click.
    assert "files/dom.html" in page and "files/a.SVG" in page
    assert 'files/dom.html"' not in page and 'files/a.SVG"' not in page
    assert "%3Cscript%3Ealert%281%29%3Cscript%3E%E2%80%AE%26.txt" in page


class Failing:
    """The store; one write fails, before or after it landed."""

    def __init__(self, objects: Any, *, of: Callable[[bytes], bool], landed: bool) -> None:
        self._objects, self._of, self._landed, self.failed = objects, of, landed, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def put(self, source: Path) -> Digest:
        if not self.failed and self._of(source.read_bytes()):
            self.failed += 1
            if self._landed:
                self._objects.put(source)
            raise StorageUnavailableError("the disk is full")
        return self._objects.put(source)


class Inline:
    """Steps that are run where they stand; nothing is slept."""

    def step(self, _: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    def sleep(self, _: float) -> None:
        pass


@pytest.mark.parametrize("landed", [False, True])
@pytest.mark.parametrize("what", ["derivative", "package"])
def test_a_write_that_failed_or_only_seemed_to_is_made_good(parts: Parts, what: str, landed: bool) -> None:
    preserve(parts)
    beginning = b"<p>Sold by x" if what == "derivative" else b"PK\x03\x04"
    objects = Failing(parts.objects, of=lambda data: data.startswith(beginning), landed=landed)
    waited: list[str | None] = []
    noting = replace(parts, objects=objects)
    parts.exhibits.note_waiting = lambda _, words: waited.append(words)  # type: ignore[method-assign]
    order_exhibit(noting, order(MASK))
    make_exhibit(noting, Inline(), "ex-00000001")
    assert objects.failed == 1
    assert waited == ["the disk is full", None]
    found = parts.exhibits.exhibit("ex-00000001")
    assert (found.status, len(events(parts, "redact")), len(events(parts, "export"))) == ("made", 1, 1)
    package = parts.objects.path(found.sha256 or b"")
    assert not failing(package)
    stored = [path for path in package.parent.parent.rglob("*") if path.is_file()]
    packages = [path for path in stored if path.read_bytes()[:2] == b"PK"]
    assert packages == [package]


def test_a_disk_that_is_full_is_waited_for(parts: Parts) -> None:
    preserve(parts)
    parts.capturing.directory.parent.mkdir(exist_ok=True)
    parts.capturing.directory.write_bytes(b"a file where a folder has to be")
    order_exhibit(parts, order({}))
    with pytest.raises(StorageUnavailableError, match="the exhibit cannot be written: "):
        build(parts, "ex-00000001")


def test_a_record_that_failed_makes_the_same_bytes_again(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    preserve(parts)
    seen: list[bytes] = []
    recorded = parts.exhibits.made

    def dying(exhibit_id: str, *, sha256: bytes, **more: Any) -> None:
        seen.append(sha256)
        if len(seen) == 1:
            raise StorageUnavailableError("gone")
        recorded(exhibit_id, sha256=sha256, **more)

    monkeypatch.setattr(parts.exhibits, "made", dying)
    order_exhibit(parts, order(MASK))
    make_exhibit(parts, Inline(), "ex-00000001")
    assert len(seen) == 2 and seen[0] == seen[1]
    build(parts, "ex-00000001")
    assert len(seen) == 2


def test_the_plan_is_forgotten_with_the_end_of_the_work(parts: Parts) -> None:
    preserve(parts)
    order_exhibit(parts, order(MASK))
    assert NAME not in repr(parts.exhibits.exhibit("ex-00000001"))
    assert parts.exhibits.ordered(9) == ["ex-00000001"]
    build(parts, "ex-00000001")
    order_exhibit(parts, order(MASK, exhibit_id="ex-00000002"))
    parts.exhibits.refuse("ex-00000002", "because", "do something")
    assert parts.exhibits.ordered(9) == []
    assert parts.exhibits.exhibit("ex-00000002").problem == {
        "message": "because",
        "what_to_do": "do something",
    }
    for exhibit_id in ("ex-00000001", "ex-00000002"):
        assert parts.exhibits.exhibit(exhibit_id).plan is None
    engine = parts.exhibits._engine
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text("UPDATE exhibits SET plan = '{}'"))


def test_a_stored_file_that_changed_is_never_handed_over(parts: Parts) -> None:
    preserve(parts)
    path = parts.objects.path(digest_of(FILES["note.txt"][1]).sha256)
    path.chmod(0o644)
    path.write_bytes(b"something else!!")
    order_exhibit(parts, order(MASK))
    with pytest.raises(MismatchError, match="was changed on disk"):
        build(parts, "ex-00000001")
    assert not events(parts, "export")


def test_a_package_that_changed_on_disk_is_found_by_the_audit(parts: Parts) -> None:
    preserve(parts)
    package = made(parts, order({}))
    assert [item.problems for item in audit_exhibits(parts)] == [()]
    package.chmod(0o644)
    package.write_bytes(b"PK")
    (found,) = audit_exhibits(parts)
    assert (found.subject_id, "changed on disk" in found.problems[0]) == ("ex-00000001", True)


def test_a_package_that_shows_what_is_masked_is_not_released(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    preserve(parts)
    monkeypatch.setattr(use_case, "_refuse_what_shows", lambda *_: None)
    order_exhibit(parts, order({**MASK, "texts": [{"text": "Example Brand Ltd"}]}))
    with pytest.raises(MismatchError, match=r"still shows what is masked in .*bundle\.json"):
        build(parts, "ex-00000001")
    assert parts.exhibits.exhibit("ex-00000001").status == "ordered"


def test_a_package_the_engine_does_not_accept_is_not_released(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    preserve(parts)

    def forgetful(*arguments: Any) -> list[Any]:
        return [item for item in use_case_members(*arguments) if item.role != "redactions"]

    use_case_members = use_case.members
    monkeypatch.setattr(use_case, "members", forgetful)
    order_exhibit(parts, order(MASK))
    with pytest.raises(MismatchError, match=r"was not accepted: 8\.2"):
        build(parts, "ex-00000001")
