"""The reader of our own PDFs: every shape that is not ours is refused, in words."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from evidence_service.errors import LimitExceededError, MalformedError
from evidence_service.verify import confined, pdf, pdf_tables
from evidence_service.verify.pdf_objects import Reference, Scanner

CATALOG = b"<</Type/Catalog/Names 2 0 R/Perms<</DocMDP 6 0 R>>/AcroForm<</Fields[5 0 R]>>>>"
NAMES = b"<</EmbeddedFiles<</Names[(a.txt)3 0 R]>>>>"
FILE = b"<</F(a.txt)/EF<</F 4 0 R>>>>"
STREAM = b"<</Length 3>>stream\nabc\nendstream"


def document(changes: dict[int, bytes] | None = None, *, trailer: bytes = b"", more: bytes = b"") -> bytes:
    """A sealed certificate of the smallest kind, with some objects exchanged; its signature value is 'AB'."""
    objects = {1: CATALOG, 2: NAMES, 3: FILE, 4: STREAM, 5: b"<</V 6 0 R>>"}
    signature = (
        b"<</Type/Sig/SubFilter/ETSI.CAdES.detached/ByteRange [0 AAAA BBBB CCCC]/Contents <4142>%s>>" % more
    )
    objects |= {6: signature} | (changes or {})
    data = b"%PDF-1.7\n"
    table = b"xref\n0 1\n0000000000 65535 f \n"
    for number, content in objects.items():
        table += b"%d 1\n%010d 00000 n \n" % (number, len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(data)
    data += table + b"trailer\n<</Size 9/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start
    second = len(data)
    data += b"xref\n0 0\ntrailer\n<</Size 9/Root 1 0 R/Prev %d%s>>\n" % (start, trailer)
    data += b"startxref\n%d\n%%%%EOF\n" % second
    first = data.find(b"<4142>")
    numbers = (first, first + 6, len(data) - first - 6)
    for name, value in zip((b"AAAA", b"BBBB", b"CCCC"), numbers, strict=True):
        data = data.replace(name, b"%04d" % value, 1)
    return data


def test_the_smallest_certificate_is_read() -> None:
    found = pdf.read(document())
    assert found.attachments == {"a.txt": b"abc"}
    assert found.subfilter == "ETSI.CAdES.detached"


def test_every_kind_of_object_is_read() -> None:
    content = (
        b"<</A true/B false/C null/D -1.5/E +7/F .5/G(a\\(b\\)\\\\\\n\\101(nested)\\x)/H<41 42>"
        b"/I#20J[1 2 R 3 0 R]/K(\\101\\60)%comment\n/L<</M/N>>>>"
    )
    value = Scanner(content.replace(b"1 2 R ", b""), 0).value()
    assert value["G"] == b"a(b)\\\nA(nested)x"
    assert value["H"] == b"AB"
    assert value["I J"] == [Reference(3)]
    assert (value["A"], value["B"], value["C"], value["D"], value["E"], value["F"]) == (
        True,
        False,
        None,
        -1.5,
        7,
        0.5,
    )
    assert value["L"] == {"M": "N"}
    # A comment at the very end of the file.
    assert Scanner(b"1 %end", 0).value() == 1
    scanner = Scanner(b"%end", 0)
    scanner.skip_space()
    assert scanner.position == 4


def _compressed(data: bytes, extra: bytes = b"", change: Callable[[bytes], bytes] = lambda d: d) -> bytes:
    raw = change(zlib.compress(data))
    return b"<</Length %d/Filter/FlateDecode%s>>stream\n%s\nendstream" % (len(raw), extra, raw)


def test_attachments_are_decompressed() -> None:
    assert pdf.read(document({4: _compressed(b"x" * 500)})).attachments == {"a.txt": b"x" * 500}
    crlf = STREAM.replace(b"stream\nabc", b"stream\r\nabc")
    assert pdf.read(document({4: crlf})).attachments == {"a.txt": b"abc"}


REFUSED: dict[str, tuple[bytes, str]] = {
    "encrypted": (document(trailer=b"/Encrypt 1 0 R"), "encrypted"),
    "hybrid": (document(trailer=b"/XRefStm 5"), "mixes kinds"),
    "no chain of tables": (document().replace(b"/Prev ", b"/Prex "), "chain of cross-reference tables"),
    "object stream": (document({4: b"<</Type/ObjStm/Length 0>>stream\n\nendstream"}), "hides objects"),
    "stream without length": (document({4: b"<<>>stream\nabc\nendstream"}), "no length of its own"),
    "stream with an indirect length": (
        document({4: b"<</Length 5 0 R>>stream\nabc\nendstream"}),
        "no length of its own",
    ),
    "stream beyond the file": (document({4: b"<</Length 999999>>stream\nabc\nendstream"}), "beyond the file"),
    "stream longer than it says": (document({4: b"<</Length 1>>stream\nabc\nendstream"}), "lacks endstream"),
    "action": (document({5: b"<</V 6 0 R/A<</S/JavaScript>>>>"}), "active content"),
    "action in a list": (document({5: b"<</V 6 0 R/A[[<</AA 1>>]]>>"}), "active content"),
    "no catalogue": (document({1: b"7"}), "the catalogue"),
    "names of scripts": (document({2: b"<</Pages 1>>"}), "no use for"),
    "tree of attachments": (document({2: b"<</EmbeddedFiles<</Kids[]>>>>"}), "not a flat list"),
    "odd list of attachments": (document({2: b"<</EmbeddedFiles<</Names[(a)]>>>>"}), "not a flat list"),
    "attachment under another name": (document({3: FILE.replace(b"a.txt", b"b.txt")}), "another name"),
    "attachment with a path": (
        document({2: NAMES.replace(b"a.txt", b"../a"), 3: FILE.replace(b"a.txt", b"../a")}),
        "plain file name",
    ),
    "attachment without content": (document({3: b"<</F(a.txt)/EF<</F 7>>>>"}), "no content"),
    "attachment twice": (
        document({2: b"<</EmbeddedFiles<</Names[(a.txt)3 0 R(a.txt)3 0 R]>>>>"}),
        "or is there twice",
    ),
    "unknown compression": (document({4: _compressed(b"x").replace(b"Flate", b"LZWxx")}), "not read"),
    "predictor": (document({4: _compressed(b"x", b"/DecodeParms 1")}), "not read"),
    "broken compression": (document({4: _compressed(b"x" * 99, change=lambda d: d[:2] + b"\xff" + d[3:])}), "broken"),
    "compression cut off": (document({4: _compressed(b"x" * 99, change=lambda d: d[:-1])}), "cut off"),
    "compression with a tail": (document({4: _compressed(b"x", change=lambda d: d + b"y")}), "after its end"),
    "no signature": (document({6: b"<<>>"}), "has 0 signatures"),
    "two signatures": (document({7: b"<</Type/DocTimeStamp>>"}), "has 2 signatures"),
    "not a certification": (document({1: CATALOG.replace(b"DocMDP 6", b"DocMDP 5")}), "not the certification"),
    "two fields": (document({1: CATALOG.replace(b"[5 0 R]", b"[5 0 R 5 0 R]")}), "not the certification"),
    "another field": (document({5: b"<</V 4 0 R>>"}), "does not hold the signature"),
    "a key twice": (document({5: b"<</V 6 0 R/V 6 0 R>>"}), "has V twice"),
    "an empty name": (document({5: b"<</V/>>"}), "empty name"),
    "a string without end": (document({5: b"(abc"}), "no end"),
    "hexadecimal that is none": (document({5: b"<4x>"}), "not hexadecimal"),
    "a word nobody knows": (document({5: b"maybe"}), "unreadable"),
    "another generation": (document({5: b"<</V 6 1 R>>"}), "lacks /"),
    "no number of an object": (document().replace(b"5 0 obj", b"x 0 obj"), "lacks 5 at"),
    "an offset outside": (document().replace(b"0000000009", b"9999999999", 1), "points outside itself"),
    "a table with a hole": (document().replace(b" 00000 n ", b" 0000x n ", 1), "broken or repeated"),
    "a table outside its revision": (
        document().replace(b"startxref\n%d\n%%%%EOF\n" % document().find(b"xref\n0 1"), b"startxref\n1\n%%EOF\n      "[:24]),
        "end with %%EOF|revisions|own revision|cross-reference",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_other_shapes_are_refused(name: str) -> None:
    data, words = REFUSED[name]
    with pytest.raises(MalformedError, match=words):
        pdf.read(data)


def test_what_was_replaced_is_read_as_strictly() -> None:
    """The second revision exchanges an object; the first one's version of it holds an action."""
    for old, words in ((b"<</V 6 0 R/A<</S/JavaScript>>>>", "active content"), (b"(abc", "no end|lacks")):
        data = document({5: old})
        head, _, tail = data.rpartition(b"xref\n0 0\n")
        added = b"5 0 obj\n<</V 6 0 R>>\nendobj\n"
        table = b"xref\n5 1\n%010d 00000 n \n" % len(head)
        changed = head + added + table + tail
        start = b"startxref\n%d\n" % (len(head) + len(added))
        changed = changed[: changed.rindex(b"startxref")] + start + b"%%EOF\n"
        with pytest.raises(MalformedError, match=words):
            pdf.read(changed)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LimitExceededError, match="nested deeper"):
        pdf.read(document({5: b"[" * 100}))
    with pytest.raises(LimitExceededError, match="67 revisions"):
        pdf.read(b"%PDF-1.7\n" + b"startxref\n1\n%%EOF\n" * 67)
    monkeypatch.setattr(pdf, "ATTACHMENT_LIMIT", 2)
    with pytest.raises(LimitExceededError, match="larger than the limit"):
        pdf.read(document())
    monkeypatch.setattr(pdf_tables, "_MAX_OBJECTS", 5)
    with pytest.raises(LimitExceededError, match="6 objects"):
        pdf.read(document())
    with pytest.raises(LimitExceededError, match="announces too many"):
        pdf.read(document().replace(b"xref\n0 1", b"xref\n0 9"))
    monkeypatch.setattr(pdf, "SIZE_LIMIT", 100)
    with pytest.raises(LimitExceededError, match="the limit is 100"):
        pdf.read(document())
    with pytest.raises(LimitExceededError, match="the limit is 100"):
        confined.read_pdf(document())


# --- the child process ---


def child(monkeypatch: pytest.MonkeyPatch, data: bytes) -> dict[str, object]:
    """What the child would write, run here without its limits."""
    output = io.StringIO()
    monkeypatch.setattr(confined.resource, "setrlimit", lambda *_: None)
    monkeypatch.setattr(confined.sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    monkeypatch.setattr(confined.sys, "stdout", output)
    confined.main()
    return json.loads(output.getvalue())


def test_the_child_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert child(monkeypatch, document())["attachments"] == {"a.txt": "YWJj"}
    assert child(monkeypatch, b"")["error"] == "MalformedError"

    def hungry(_: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr(confined.pdf, "read", hungry)
    assert child(monkeypatch, b"")["error"] == "LimitExceededError"


def test_the_parent_reads_the_answer() -> None:
    assert confined.read_pdf(document()).attachments == {"a.txt": b"abc"}
    with pytest.raises(MalformedError, match="not a PDF"):
        confined.read_pdf(b"GIF89a")


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", LimitExceededError, "limit of memory or time"),
        ("print('no answer')", MalformedError, "gave up"),
        ("print('{\"error\": \"KeyError\", \"message\": \"odd\", \"what_to_do\": \"\"}')", MalformedError, "odd"),
    ],
)  # fmt: skip
def test_a_child_that_ends_badly(
    monkeypatch: pytest.MonkeyPatch, code: str, kind: type[Exception], words: str
) -> None:
    real = subprocess.run

    def instead(_: object, **options: object) -> object:
        return real([sys.executable, "-c", code], **options)  # type: ignore[call-overload]

    monkeypatch.setattr(confined.subprocess, "run", instead)
    with pytest.raises(kind, match=words):
        confined.read_pdf(document())


def test_the_child_has_its_limits() -> None:
    code = (
        "import resource, io, sys; from types import SimpleNamespace; from evidence_service.verify import confined;"
        "sys.stdin = SimpleNamespace(buffer=io.BytesIO(b'')); confined.main();"
        "print(resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_CPU)[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith(f"{confined.MEMORY} {confined.SECONDS}\n")
