"""The package: the same bytes for the same files, in constant memory, readable by everybody."""

from __future__ import annotations

import subprocess
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from evidence_service.core import exhibit
from evidence_service.core.digest import Digester, digest_of
from evidence_service.errors import MismatchError
from evidence_service.exhibit.archive import Member, document, survivors, survivors_in, write
from evidence_service.exhibit.searching import Needles
from tests.unit.exhibit.test_searching import Secrets

ABOUT: dict[str, Any] = {
    "exhibit_id": "ex-00000001",
    "made_at": "2026-03-04T05:06:07.000Z",
    "tool": "evidence-service",
    "audience": "court",
    "recipient": "法院",
    "purpose": "",
    "evidence": [{"evidence_id": "ev-00000001", "manifest_sha256": "00" * 32}],
}
MEMBERS = [
    document("index.html", "index", b"<html>"),
    document("evidence/ev-00000001/files/图片.png", "original", b"png"),
    document("evidence/ev-00000001/files/a b.txt", "original", b""),
]


def written(path: Path, *members: Member) -> Path:
    with path.open("xb") as target:
        write(target, members, ABOUT)
    return path


def test_the_same_files_give_the_same_bytes_in_whatever_order(tmp_path: Path) -> None:
    first = written(tmp_path / "1.zip", *MEMBERS).read_bytes()
    assert first == written(tmp_path / "2.zip", *reversed(MEMBERS)).read_bytes()
    with zipfile.ZipFile(tmp_path / "1.zip") as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {item.date_time for item in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {item.compress_type for item in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {item.flag_bits & ~0x800 for item in archive.infolist()} == {0}
        listed = exhibit.parse_list(archive.read(exhibit.LIST_NAME))
    assert [item["path"] for item in listed["files"]] == sorted(item.name for item in MEMBERS)


def test_other_peoples_programs_unpack_it_and_agree_with_the_sums(tmp_path: Path) -> None:
    path = written(tmp_path / "e.zip", *MEMBERS)
    subprocess.run(["python3", "-m", "zipfile", "-e", path, tmp_path / "out"], check=True)
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path / "out", capture_output=True, text=True, check=True
    )
    assert done.stdout.count(": OK\n") == len(MEMBERS) + 1


def test_a_file_that_changed_meanwhile_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"preserved")
    member = Member("a", "original", digest_of(file.read_bytes()), file)
    file.write_bytes(b"something")
    with pytest.raises(MismatchError, match="a is not the file that was preserved"):
        written(tmp_path / "e.zip", member)


def test_sizes_beyond_four_gigabytes_have_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The library's own limit, lowered: the fields are the same for three bytes and for five gigabytes.
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 2)
    path = written(tmp_path / "e.zip", *MEMBERS)
    assert b"PK\x06\x06" in path.read_bytes()  # APPNOTE.TXT, 4.3.14
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def test_memory_does_not_grow_with_what_is_written(tmp_path: Path) -> None:
    digester, size = Digester(), 96 << 20
    file = tmp_path / "large"
    with file.open("wb") as target:
        target.truncate(size)
    for _ in range(size >> 20):
        digester.update(bytes(1 << 20))
    member = Member("large", "original", digester.digest(), file, searched=False)
    needles = Needles(["13800138000"], Secrets)
    tracemalloc.start()
    try:
        path = written(tmp_path / "e.zip", member)
        assert survivors_in(path, [member], needles) == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20, peak


def test_what_survives_is_named_in_content_and_in_names(tmp_path: Path) -> None:
    needles = Needles(["13800138000"], Secrets)
    shown = [
        document("a.txt", "original", b"call 13800138000"),
        document("13800138000.txt", "original", b""),
        document("b.txt", "original", b"nobody"),
        document("c.pdf", "certificate", b"13800138000", searched=False),
    ]
    assert survivors(shown, needles) == ["a.txt", "13800138000.txt"]
    path = written(tmp_path / "e.zip", *shown)
    assert set(survivors_in(path, shown, needles)) == {
        "a.txt",
        "13800138000.txt",
        "exhibit.json",
        "SHA256SUMS",
    }
    assert survivors(shown, Needles([], Secrets)) == []
