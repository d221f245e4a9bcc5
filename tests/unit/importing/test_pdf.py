"""PDFs of others: structure, what is active in them, revisions and signatures."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from pyhanko.pdf_utils import generic, writer
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from evidence_service.importing import pdf
from tests.unit.importing.examined import codes, examined, wrong

GOLDEN = Path(__file__).parents[2] / "golden" / "v1-evidence" / "certificate.pdf"


def made(catalogue: dict[str, generic.PdfObject] | None = None, *, password: str = "") -> bytes:
    """One empty page."""
    document = writer.PdfFileWriter()
    page = writer.PageObject(
        contents=document.add_object(generic.StreamObject(stream_data=b"")), media_box=(0, 0, 9, 9)
    )
    document.insert_page(page)
    for name, value in (catalogue or {}).items():
        document.root[generic.pdf_name(name)] = value
    if password:
        document.encrypt(owner_pass=password, user_pass=password)
    sink = io.BytesIO()
    document.write(sink)
    return sink.getvalue()


def appended(data: bytes) -> bytes:
    """The same with a revision more."""
    document = IncrementalPdfFileWriter(io.BytesIO(data))
    document.root[generic.pdf_name("/Lang")] = generic.pdf_string("en")
    document.update_root()
    sink = io.BytesIO()
    document.write(sink)
    return sink.getvalue()


def script() -> dict[str, generic.PdfObject]:
    action = {"/S": generic.pdf_name("/JavaScript"), "/JS": generic.pdf_string("app.alert(1)")}
    return {
        "/OpenAction": generic.DictionaryObject(
            {generic.pdf_name(name): value for name, value in action.items()}
        )
    }


def forged() -> bytes:
    """A byte of the signed text is another one."""
    data = bytearray(GOLDEN.read_bytes())
    at = data.index(b"/Producer")
    data[at + 12] ^= 1
    return bytes(data)


CASES: dict[str, Callable[[], bytes]] = {
    "pdf.damaged": lambda: made()[:-80],
    "pdf.header": lambda: b"#!/bin/sh\n" + made(),
    "pdf.encrypted": lambda: made(password="x"),
    "pdf.active": lambda: made(script()),
    "pdf.revisions": lambda: appended(made()),
    "pdf.signature": forged,
    "pdf.signature_coverage": lambda: appended(GOLDEN.read_bytes()),
    "pdf.signature_not_checked": GOLDEN.read_bytes,
    "trailing": lambda: made() + b"PK and more",
}


@pytest.mark.parametrize("code", CASES)
def test_a_defect_is_named(code: str) -> None:
    assert code in codes(CASES[code]())


def test_nothing_is_wrong_with_what_is_genuine() -> None:
    found = examined(made())
    assert (found.kind, found.findings) == ("pdf", ())
    assert (found.facts["pages"], found.facts["revisions"]) == (1, 1)


def test_a_signed_document_whose_signature_holds() -> None:
    # A certificate carries its bundle; nothing else is to be said of it.
    assert wrong(GOLDEN.read_bytes()) == {"pdf.active"}


def test_every_cut_is_found() -> None:
    data = made()
    for size in range(20, len(data) - 1, 7):
        assert "pdf.damaged" in wrong(data[:size]), size


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_MAX_OBJECTS", 1)
    assert "limit" in wrong(made())
    monkeypatch.setattr(pdf, "SIZE_LIMIT", 10)
    assert wrong(made()) == {"limit"}
