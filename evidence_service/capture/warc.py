"""WARC/1.1 records (ISO 28500:2017), one gzip member each (Annex D), written as a stream.

The same records in the same order give the same bytes: ids and dates come from the caller, and gzip members
carry no time. A block is read twice, once for its digests, which stand before it, and once to be written, so
that no block is ever in memory.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evidence_service.errors import MismatchError

_STEP = 1 << 20
_SAMPLE = 1 << 16
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")

Field = tuple[str, str]


class Sink(Protocol):
    """Where bytes go: a file, an entry of an archive, an encryption."""

    def write(self, data: bytes, /) -> object:
        """Append bytes."""


@dataclass(frozen=True, slots=True)
class Block:
    """A record's content.

    Attributes:
        size: bytes.
        read: gives the content from its beginning, in pieces; called twice.
        head_size: bytes before the payload of a message whose payload gets a digest of its own; 0 for none.
        sha256: hexadecimal, where it is known from when the bytes were received; compared with what is read.
    """

    size: int
    read: Callable[[], Iterator[bytes]]
    head_size: int = 0
    sha256: str = ""

    @classmethod
    def of_bytes(cls, data: bytes) -> Block:
        """Content in memory."""
        return cls(len(data), lambda: iter((data,)))

    @classmethod
    def of_file(cls, path: Path, *, head_size: int = 0, sha256: str = "") -> Block:
        """A file's content."""
        return cls(path.stat().st_size, lambda: _pieces(path), head_size, sha256)


@dataclass(frozen=True, slots=True)
class Written:
    """Where a record stands.

    Attributes:
        offset, length: of its gzip member, bytes.
        block, payload: SHA-256; the payload's is that of the block where it has none of its own.
    """

    record_id: str
    offset: int
    length: int
    block: bytes
    payload: bytes


class WarcWriter:
    """Appends records to a sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.size = 0
        """Bytes written so far."""

    def write(self, kind: str, record_id: str, date: str, fields: Sequence[Field], block: Block) -> Written:
        """Append one record.

        Args:
            kind: WARC-Type.
            record_id: a URN, without angle brackets.
            fields: further named fields; control characters in a value become spaces.

        Raises:
            MismatchError: the stored bytes are not those that were received.
        """
        content, payload, size = hashlib.sha256(), hashlib.sha256(), 0
        for data in block.read():
            content.update(data)
            payload.update(data[max(block.head_size - size, 0) :])
            size += len(data)
        if size != block.size or block.sha256 not in ("", content.hexdigest()):
            raise MismatchError(
                f"the content of the record {record_id} changed after it was received",
                what_to_do="look for a failing disk or another program writing to the capture's directory",
            )
        lines = [
            ("WARC-Type", kind),
            ("WARC-Record-ID", f"<{record_id}>"),
            ("WARC-Date", date),
            *fields,
            ("WARC-Block-Digest", label(content.digest())),
        ]
        if block.head_size:
            lines.append(("WARC-Payload-Digest", label(payload.digest())))
        lines.append(("Content-Length", str(size)))
        head = "".join(f"{name}: {_CONTROLS.sub(' ', value)}\r\n" for name, value in lines)
        offset = self.size
        self._member(f"WARC/1.1\r\n{head}\r\n".encode("utf-8", "replace"), block)
        return Written(record_id, offset, self.size - offset, content.digest(), payload.digest())

    def _member(self, head: bytes, block: Block) -> None:
        engine = zlib.compressobj(level=_level(block), wbits=31)
        self._append(engine.compress(head))
        for data in block.read():
            self._append(engine.compress(data))
        # Two line ends close every record (ISO 28500, 4).
        self._append(engine.compress(b"\r\n\r\n"))
        self._append(engine.flush())

    def _append(self, data: bytes) -> None:
        if data:
            self._sink.write(data)
            self.size += len(data)


def label(digest: bytes) -> str:
    """A SHA-256 as WARC fields show it: base32, as most tools write and all read it."""
    return "sha256:" + base64.b32encode(digest).decode()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as reader:
        while data := reader.read(_STEP):
            yield data


def _level(block: Block) -> int:
    """How hard to compress: pictures and compressed bodies, most of what is stored, get no smaller."""
    sample = next(iter(block.read()), b"")[-_SAMPLE:]
    return 0 if len(zlib.compress(sample, 1)) > 0.95 * len(sample) else 6
