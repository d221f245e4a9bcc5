"""``make bench-examine``: large and hostile files examined; each has to end in 10 s, in 512 MB, in words.

``RESULT files=… slowest_s=… peak_mb=… over=…``; ends with 1 when one is over.
"""

from __future__ import annotations

import gzip
import io
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from bench.hostile import MEBI, Tally, measure
from tests.forgeries import pdfs
from tests.unit.importing import archives, test_email, test_har, test_video


def _video(path: Path) -> None:
    """512 MB, most of them a hole."""
    head, moov = test_video.box(b"ftyp", b"isom", bytes(8)), test_video.box(b"moov", test_video.mvhd())
    with path.open("wb") as sink:
        sink.write(head)
        length = 512 * MEBI - len(head) - len(moov)
        sink.write(struct.pack(">I", length) + b"mdat")
        sink.truncate(len(head) + length)
        sink.seek(0, io.SEEK_END)
        sink.write(moov)


def _long_record(path: Path) -> None:
    """One record of 512 MB, whose digests are wrong."""
    length = 512 * MEBI
    head = archives.record(
        b"",
        WARC_Type="resource",
        WARC_Target_URI="urn:x:y",
        Content_Length=str(length),
        WARC_Payload_Digest="sha1:" + "A" * 32,
    )
    with path.open("wb") as sink:
        sink.write(head.removesuffix(b"\r\n\r\n"))
        sink.truncate(sink.tell() + length)
        sink.seek(0, io.SEEK_END)
        sink.write(b"\r\n\r\n")


def _bomb() -> bytes:
    """30 GB of zeros in 30 MB."""
    length = 60 * MEBI
    fields = {"WARC_Type": "resource", "WARC_Target_URI": "urn:x:y", "Content_Length": str(length)}
    head = archives.record(b"", **fields, WARC_Block_Digest=None).removesuffix(b"\r\n\r\n")
    return gzip.compress(head + bytes(length) + b"\r\n\r\n", mtime=0) * 500


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _flood(side: int) -> bytes:
    """A PNG of so many pixels, all of them black."""
    engine = zlib.compressobj(1)
    row = bytes(1 + side * 3)
    data = b"".join(engine.compress(row) for _ in range(min(side, 8000))) + engine.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _frames(count: int) -> bytes:
    sink = io.BytesIO()
    Image.new("P", (900, 900)).save(sink, "GIF")
    data = sink.getvalue()
    begin = data.index(b",", 13)
    return data[:begin] + data[begin:-1] * count + b";"


def _parts(count: int) -> bytes:
    body = 'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + "--b\r\n\r\nx\r\n" * count + "--b--\r\n"
    return test_email.made(body)


def _nested(depth: int) -> bytes:
    body = "".join(f'Content-Type: multipart/mixed; boundary="b{n}"\r\n\r\n--b{n}\r\n' for n in range(depth))
    return test_email.made(body)


def _boxes(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = test_video.box(b"moov", data)
    return test_video.mp4(moov=data)


def _directory(entries: int) -> bytes:
    """A ZIP with a table of contents and nothing else."""
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 8) + bytes(16) + b"archive/"
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(entry) * entries, 4, 0)
    return b"PK\x03\x04" + entry * entries + end


FILES: dict[str, Callable[[], bytes] | Callable[[Path], None]] = {
    "a video of 512 MB": _video,
    "a WARC record of 512 MB": _long_record,
    "WARC, 30 GB in 30 MB": _bomb,
    "WARC of ten million empty members": lambda: archives.warc() + gzip.compress(b"", mtime=0) * 10_000_000,
    "WARC of 300,000 records": lambda: archives.info() + archives.record(b"", WARC_Type="metadata") * 300_000,
    "WARC with a header of 200 MB": lambda: b"WARC/1.1\r\n" + b"a" * (200 * MEBI),
    "WACZ that unpacks to 200 times": lambda: archives.wacz(more={"zeros": bytes(250 * MEBI)}, compress=8),
    "ZIP of a million entries": lambda: _directory(1_000_000),
    "HAR of empty lists": lambda: (
        b'{"log": {"version": "1.2", "entries": [' + b"[]," * (15 * MEBI) + b"[]]}}"
    ),
    "HAR of brackets": lambda: b'{"log": {"version": ' + b"[" * (40 * MEBI),
    "HAR of 20,000 entries": lambda: test_har.made(*[test_har.entry()] * 20_000),
    "PNG of 59 million pixels": lambda: _flood(7700),
    "PNG of 3,600 million pixels": lambda: _flood(60_000),
    "GIF of 20,000 frames": lambda: _frames(20_000),
    "PDF of nothing but brackets": lambda: pdfs._first_revision(b"[" * (60 * MEBI)),
    "PDF of comments": lambda: pdfs._first_revision(b"%" + b"\n%" * (30 * MEBI)),
    "PDF of ends": lambda: b"%PDF-1.7\n" + b"startxref\n1\n%%EOF\n" * 3_000_000,
    "MP4 of a million boxes": lambda: test_video.mp4() + test_video.box(b"free") * 1_000_000,
    "MP4 in MP4": lambda: _boxes(2_000),
    "Matroska of a million elements": lambda: test_video.webm() + test_video.element(0xEC, b"") * 1_000_000,
    "Matroska in Matroska": lambda: (
        test_video.webm()[:20] + test_video.element(0x18538067, unknown=True) * 1_000_000
    ),
    "email of 500,000 parts": lambda: _parts(500_000),
    "email in email": lambda: _nested(3_000),
    "email with a header of 60 MB": lambda: test_email.made(more=f"X: {'a' * (60 * MEBI)}\r\n"),
}


def main() -> int:
    """Measure every file."""
    tally = Tally(1)
    with tempfile.TemporaryDirectory() as name:
        for what, make in FILES.items():
            path = Path(name) / "file"
            if make in (_video, _long_record):
                make(path)
            else:
                path.write_bytes(make())
            tally.note(what, measure(path, "examine"))
            path.unlink()
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
