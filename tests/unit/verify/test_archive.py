"""Archives are looked into, never unpacked, and only when they mean one thing."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence_service.errors import EvidenceError, LimitExceededError, MalformedError, RefusedError
from evidence_service.verify import archive, inputs, sources


def made(path: Path, fill: Callable[[zipfile.ZipFile], object], **options: int) -> Path:
    with zipfile.ZipFile(path, "w", **options) as target:
        fill(target)
    return path


def test_members_are_listed_and_read(tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", lambda z: (z.mkdir("folder"), z.writestr("folder/a", b"abc")))
    (item,) = archive.members(path)
    with archive.open_member(archive.opened(path), item) as reader:
        assert (item.filename, reader.read()) == ("folder/a", b"abc")


def _link(target: zipfile.ZipFile) -> None:
    item = zipfile.ZipInfo("link")
    item.external_attr = (stat.S_IFLNK | 0o777) << 16
    target.writestr(item, "/etc/passwd")


def _twice(target: zipfile.ZipFile) -> None:
    target.writestr("a", b"1")
    with pytest.warns(UserWarning, match="Duplicate"):
        target.writestr("a", b"2")


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        (lambda z: z.writestr("../a", b""), "form that is not allowed"),
        (lambda z: z.writestr("/a", b""), "form that is not allowed"),
        (lambda z: z.writestr("a\\b", b""), "form that is not allowed"),
        (_link, "not a regular file"),
        (_twice, "two members of one name"),
        (lambda z: z.writestr("a", b"x", compress_type=zipfile.ZIP_LZMA), "not read"),
    ],
)
def test_members_that_are_refused(
    tmp_path: Path, fill: Callable[[zipfile.ZipFile], object], words: str
) -> None:
    path = made(tmp_path / "a.zip", fill)
    with pytest.raises(EvidenceError, match=words):
        archive.members(path)


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", lambda z: z.writestr("a", b"abc"))
    data = bytearray(path.read_bytes())
    data[data.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(MalformedError, match="encrypted"):
        archive.members(path)


def test_a_member_without_a_name_is_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", lambda z: z.writestr("a", b"abc"))
    data = bytearray(path.read_bytes())
    entry = data.find(b"PK\x01\x02")
    # The name's one character becomes an extra field.
    data[entry + 28], data[entry + 30] = 0, 1
    path.write_bytes(data)
    with pytest.raises(MalformedError, match="without a name"):
        archive.members(path)


def test_overlapping_members_are_refused(tmp_path: Path) -> None:
    path = made(tmp_path / "a.zip", lambda z: (z.writestr("a", b"a" * 100), z.writestr("b", b"b" * 100)))
    data = path.read_bytes()
    second = data.rfind(b"PK\x01\x02")
    # The second entry of the directory points at the first member.
    path.write_bytes(data[: second + 42] + bytes(4) + data[second + 46 :])
    with pytest.raises(MalformedError, match="overlap"):
        archive.members(path)
    first = data.find(b"PK\x01\x02")
    # A member said to be longer than there is room.
    path.write_bytes(data[: second + 20] + b"\xff\xff\x00\x00" + data[second + 24 :])
    with pytest.raises(MalformedError, match="overlap"):
        archive.members(path)
    assert first > 0


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(target: zipfile.ZipFile) -> None:
        target.writestr("a", bytes(100_000_000), compress_type=zipfile.ZIP_DEFLATED)

    path = made(tmp_path / "a.zip", fill)
    with pytest.raises(LimitExceededError, match="200 times"):
        archive.members(path)
    monkeypatch.setattr(archive, "MAX_MEMBERS", 0)
    with pytest.raises(LimitExceededError, match="1 members"):
        archive.members(path)


def test_broken_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(MalformedError, match="can be read"):
        archive.members(path)
    with pytest.raises(MalformedError):
        inputs.gather([path])
    made(path, lambda z: z.writestr("a", b"abcdefgh"))
    path.write_bytes(path.read_bytes().replace(b"abcdefgh", b"abcdefgX"))
    (item,) = archive.members(path)
    with (
        pytest.raises(MalformedError, match="damaged"),
        archive.open_member(archive.opened(path), item) as reader,
    ):
        reader.read()


def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_MAX_FILES", 2)
    for name in "abc":
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(LimitExceededError, match="more than 2 files"):
        inputs.gather([tmp_path])


def test_what_is_too_large_or_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.pdf"
    path.write_bytes(b"%PDF-1.7\n" + bytes(100))
    monkeypatch.setattr(inputs.pdf, "SIZE_LIMIT", 50)
    (material,) = inputs.gather([path])
    assert isinstance(material.trouble, LimitExceededError)

    def denied(*_: object, **__: object) -> io.BytesIO:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(RefusedError, match="Permission denied"):
        inputs.gather([path])
