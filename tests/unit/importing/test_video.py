"""Recordings are walked box by box and element by element; what is missing of them is found."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from evidence_service.importing import isobmff, matroska
from tests.unit.importing.examined import codes, examined, wrong

CREATED = 3_878_000_000
"""Seconds since 1904, in November 2026."""


def box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + name + body


def mvhd(created: int = CREATED) -> bytes:
    return box(b"mvhd", bytes(4), struct.pack(">IIII", created, created, 1000, 90_500), bytes(80))


def track(offset: int = 40) -> bytes:
    stbl = box(
        b"stbl",
        box(b"stsd", bytes(4), struct.pack(">I", 1), box(b"avc1", bytes(20))),
        box(b"stco", bytes(4), struct.pack(">II", 1, offset)),
    )
    return box(b"trak", box(b"mdia", box(b"hdlr", bytes(8), b"vide", bytes(12)), box(b"minf", stbl)))


def mp4(*, moov: bytes | None = None, brand: bytes = b"isom") -> bytes:
    content = box(b"ftyp", brand, bytes(4), b"mp41")
    moov = box(b"moov", mvhd(), track()) if moov is None else moov
    return content + box(b"mdat", bytes(100)) + moov


def element(identity: int, *content: bytes, unknown: bool = False) -> bytes:
    body = b"".join(content)
    name = identity.to_bytes((identity.bit_length() + 7) // 8)
    size = b"\x01" + b"\xff" * 7 if unknown else (len(body) | 1 << 28).to_bytes(4)
    return name + size + body


def webm(*, unknown: bool = False, dated: bool = True, cluster: bytes | None = None) -> bytes:
    info = element(
        0x1549A966,
        element(0x2AD7B1, (1_000_000).to_bytes(3)),
        element(0x4489, struct.pack(">d", 90_500.0)),
        element(0x4461, (817_000_000 * 10**9).to_bytes(8)) if dated else b"",
        element(0x4D80, b"test"),
    )
    tracks = element(0x1654AE6B, element(0xAE, element(0x83, b"\x01"), element(0x86, b"V_VP9")))
    cluster = (
        element(0x1F43B675, element(0xE7, b"\0"), element(0xA3, bytes(50)), unknown=unknown)
        if cluster is None
        else cluster
    )
    head = element(0x1A45DFA3, element(0x4282, b"webm"))
    return head + element(0x18538067, info, tracks, cluster, unknown=unknown)


CASES: dict[str, Callable[[], bytes]] = {
    "video.damaged": lambda: mp4(moov=box(b"moov", mvhd(), b"\0\0\0\0\0\0\0\0garbage")),
    "video.truncated": lambda: mp4()[:-60],
    "video.no_time": lambda: mp4(moov=box(b"moov", mvhd(0), track())),
    "video.not_decoded": mp4,
    "video.location": lambda: mp4(moov=box(b"moov", mvhd(), track(), box(b"udta", box(b"\xa9xyz", b"+1+1")))),
    "image.header_only": lambda: mp4(brand=b"heic"),
    "trailing": lambda: mp4() + b"\0\0\0\1 and more",
}


@pytest.mark.parametrize("code", CASES)
def test_a_defect_is_named(code: str) -> None:
    assert code in codes(CASES[code]())


@pytest.mark.parametrize("data", [mp4(), mp4(brand=b"qt  "), webm(), webm(unknown=True)])
def test_nothing_is_wrong_with_what_is_genuine(data: bytes) -> None:
    found = examined(data)
    assert (found.kind, wrong(data)) == ("video", set())
    assert found.facts["duration"] == "90.500 s"
    assert found.facts["created"].startswith("2026-11-2")
    assert found.facts["tracks"] in (["video avc1"], ["video V_VP9"])


@pytest.mark.parametrize("data", [mp4(), webm()])
def test_every_cut_is_found(data: bytes) -> None:
    for size in range(60, len(data)):
        assert wrong(data[:size]) & {"video.truncated", "video.damaged", "trailing"}, size


def test_a_recording_that_was_interrupted() -> None:
    assert "video.truncated" in wrong(mp4(moov=b""))
    assert "video.truncated" in wrong(webm(cluster=b""))


def test_recorded_data_outside_the_file() -> None:
    assert "video.truncated" in wrong(mp4(moov=box(b"moov", mvhd(), track(10**6))))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (mp4(moov=box(b"moov", box(b"mvhd", b"\0"))), "video.damaged"),
        (webm(dated=False), "video.no_time"),
        (webm()[:40] + b"\0" * 40, "video.damaged"),
        (webm() + b"\0more", "trailing"),
    ],
)
def test_more_that_is_wrong(data: bytes, code: str) -> None:
    assert code in codes(data)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isobmff, "_MAX_BOXES", 2)
    assert "limit" in wrong(mp4())
    monkeypatch.setattr(matroska, "_MAX_ELEMENTS", 2)
    assert "limit" in wrong(webm())
    monkeypatch.undo()
    nested = b""
    for _ in range(500):
        nested = element(0x1654AE6B, nested)
    assert "limit" in wrong(webm(cluster=nested))
