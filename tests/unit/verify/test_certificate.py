"""A sealed certificate opens; any changed byte and every known trick is refused, in words."""

from __future__ import annotations

import random
import re
import subprocess
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typst

from evidence_service.certificate.sealing import Sealed, seal
from evidence_service.certificate.sealing.pkcs12 import Pkcs12Key
from evidence_service.errors import (
    AuthorityUnavailableError,
    EvidenceError,
    LimitExceededError,
    MalformedError,
    MismatchError,
)
from evidence_service.sandbox.seal_pki import DemoSealFiles, ensure_demo_seal
from evidence_service.timestamp.tsa import Authorities, Authority
from evidence_service.verify import confined, pdf
from evidence_service.verify.certificate import open_certificate, trust_seal
from evidence_service.verify.pdf_objects import Name, Scanner, Stream
from evidence_service.verify.policy import Voucher
from tests.sealing import no_stamp, nobody_publishes

DOCUMENT = """\
#set document(title: "Test certificate", date: datetime(year: 2026, month: 1, day: 1))
#set text(lang: "en")
= Certificate
#pdf.attach("bundle.json", relationship: "data", mime-type: "application/json", description: "bundle")
#pdf.attach("verify.txt", relationship: "data", mime-type: "text/plain", description: "how to")
"""
BUNDLE = b'{"a":1}' * 300


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    directory = tmp_path_factory.mktemp("typst")
    (directory / "main.typ").write_text(DOCUMENT)
    (directory / "bundle.json").write_bytes(BUNDLE)
    (directory / "verify.txt").write_bytes(b"how")
    return bytes(typst.compile(str(directory / "main.typ"), format="pdf", pdf_standards=["a-3a", "ua-1"]))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> DemoSealFiles:
    return ensure_demo_seal(tmp_path_factory.mktemp("seal"))


def sealed_with(plain: bytes, files: DemoSealFiles, authorities: list[Authority]) -> Sealed:
    def stamp(digest: bytes) -> bytes:
        asked = Authorities(authorities, minimum=1)
        return asked.stamp(digest, nonce=lambda: 5, now=lambda: datetime.now(UTC)).tokens[0].der

    return seal(
        plain,
        Pkcs12Key(files.pkcs12, files.password_file.read_text()),
        level="PAdES B-T",
        stamp=stamp,
        revocation=nobody_publishes,
        reason="Issued",
    )


@pytest.fixture(scope="module")
def sealed(plain: bytes, files: DemoSealFiles, demo_authorities: list[Authority]) -> bytes:
    done = sealed_with(plain, files, demo_authorities)
    assert done.level == "PAdES B-T"
    assert done.pdf.startswith(plain)
    return done.pdf


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_it_opens_in_a_child_process(sealed: bytes, files: DemoSealFiles) -> None:
    opened = open_certificate(sealed)
    assert opened.attachments == {"bundle.json": BUNDLE, "verify.txt": b"how"}
    assert opened.seal.level == "PAdES B-T"
    assert opened.seal.timestamp is not None
    now = datetime.now(UTC)
    known = Voucher("known", (files.root_der,), demonstration=True)
    assert trust_seal(opened.seal, [known], at=now).issuer is known
    assert trust_seal(opened.seal, [], at=now).issuer is None
    late = now.replace(year=now.year + 20)
    assert trust_seal(opened.seal, [known], at=late).issuer is None


def test_other_programs_accept_it(sealed: bytes, tmp_path: Path) -> None:
    (tmp_path / "c.pdf").write_bytes(sealed)
    seen = run("pdfsig", tmp_path / "c.pdf")
    assert "Signature is Valid" in seen
    assert "Total document signed" in seen
    assert "bundle.json" in run("pdfdetach", "-list", tmp_path / "c.pdf")
    assert "No syntax or stream encoding errors" in run("qpdf", "--check", tmp_path / "c.pdf")


def test_any_changed_byte_is_refused(sealed: bytes) -> None:
    chosen = random.Random(3)
    first, second, _ = pdf.read(sealed).byte_range
    inside = sealed[first:second]
    used = len(inside.rstrip(b"0>")) + 4
    positions = [
        *range(first, first + used, 3),
        *chosen.sample(range(first + used, second), 200),
        *chosen.sample(range(len(sealed)), 500),
        *range(second - 3, second + 3),
    ]
    for position in positions:
        changed = bytearray(sealed)
        changed[position] ^= chosen.randrange(1, 256)
        with pytest.raises(EvidenceError):
            open_certificate(bytes(changed), reader=pdf.read)


def _replace(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    assert len(old) == len(new)

    def change(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new, 1)

    return change


def _byte_range(change: Callable[[list[int]], list[int]]) -> Callable[[bytes], bytes]:
    def forge(data: bytes) -> bytes:
        match = re.search(rb"/ByteRange \[([\d ]+)\]( +)", data)
        assert match is not None
        numbers = b" ".join(b"%d" % n for n in change([int(n) for n in match[1].split()]))
        text = b"/ByteRange [" + numbers + b"]"
        return data[: match.start()] + text.ljust(len(match[0])) + data[match.end() :]

    return forge


def _incremental(data: bytes) -> bytes:
    start = data.rfind(b"startxref")
    previous = int(data[start + 9 :].split()[0])
    body = b"1 0 obj\n<</Type/Pages/Kids[]/Count 0>>\nendobj\n"
    table = b"xref\n1 1\n%010d 00000 n \ntrailer\n<</Size 40/Root 29 0 R/Prev %d>>\n" % (len(data), previous)
    return data + body + table + b"startxref\n%d\n%%%%EOF\n" % (len(data) + len(body))


FORGERIES: dict[str, tuple[Callable[[bytes], bytes], type[EvidenceError], str]] = {
    "nothing": (lambda d: b"", MalformedError, "not a PDF"),
    "another file": (lambda d: b"GIF89a" + d[6:], MalformedError, "not a PDF"),
    "bytes before the PDF": (lambda d: b"#!/bin/sh\n" + d, MalformedError, "not a PDF"),
    "bytes after the end": (lambda d: d + b"x", MalformedError, "cut off or appended"),
    "a second line end": (lambda d: d + b"\n\n", MalformedError, "cut off or appended"),
    "cut off": (lambda d: d[:-20], MalformedError, "cut off or appended"),
    "a revision after the seal": (_incremental, MalformedError, "revision 3, after the seal"),
    "the revision before the seal": (lambda d: d[: d.index(b"%%EOF") + 5], MalformedError, "revisions"),
    "signed ranges end early": (_byte_range(lambda r: [*r[:3], r[3] - 5]), MalformedError, "whole file"),
    "signed ranges start late": (_byte_range(lambda r: [1, *r[1:]]), MalformedError, "whole file"),
    "gap widened before": (
        _byte_range(lambda r: [0, r[1] - 4, r[2], r[3]]),
        MalformedError,
        "more than its own value",
    ),
    "gap widened after": (
        _byte_range(lambda r: [0, r[1], r[2] + 4, r[3] - 4]),
        MalformedError,
        "more than its own value",
    ),
    "negative range": (_byte_range(lambda r: [0, -r[1], r[2], r[3]]), MalformedError, "whole file"),
    "ranges overlap": (_byte_range(lambda r: [0, r[2], r[1], r[3]]), MalformedError, "whole file"),
    "signature in lower case": (
        lambda d: re.sub(rb"<([0-9A-F]{1000,})>", lambda m: b"<" + m[1].lower() + b">", d),
        MalformedError,
        "upper-case",
    ),
    "white space in the signature": (
        lambda d: re.sub(rb"00>", b"  >", d, count=1),
        MalformedError,
        "upper-case",
    ),
    "padding is used": (lambda d: re.sub(rb"00>", b"01>", d, count=1), MalformedError, "not empty"),
    "signature emptied": (
        lambda d: re.sub(rb"<([0-9A-F]{1000,})>", lambda m: b"<" + b"0" * len(m[1]) + b">", d),
        MalformedError,
        "holds no signature",
    ),
    "another kind of signature": (
        _replace(b"ETSI.CAdES.detached", b"adbe.pkcs7.detachex"),
        MalformedError,
        "PAdES",
    ),
    "text changed": (_replace(b"(Issued)", b"(Issuex)"), MismatchError, "changed"),
    "title changed": (_replace(b"Test certificate", b"Fake certificate"), MismatchError, "changed"),
    "certification dropped": (
        _replace(b"/DocMDP 33 0 R", b"/DocMDQ 33 0 R"),
        MalformedError,
        "certification",
    ),
    "script added": (_replace(b"/Outlines 3 0 R\n", b"/AA <<>>       \n"), MalformedError, "active content"),
    "action on opening": (
        _replace(b"/Outlines 3 0 R\n", b"/OpenAction 3  \n"),
        MalformedError,
        "active content",
    ),
    "table points outside": (
        lambda d: re.sub(rb"startxref\n\d+\n%%EOF\n?$", b"startxref\n9999999999\n%%EOF", d),
        MalformedError,
        "cross-reference",
    ),
    "table points at itself": (
        lambda d: re.sub(rb"/Prev \d+", lambda m: b"/Prev 99999"[: len(m[0])].ljust(len(m[0])), d),
        MalformedError,
        "cross-reference",
    ),
    "object moved": (
        lambda d: re.sub(rb"\n(\d{10}) 00000 n \n(\d{10})", rb"\n\2 00000 n \n\1", d, count=1),
        MalformedError,
        "the PDF lacks",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forgery_is_refused(sealed: bytes, name: str) -> None:
    forge, kind, words = FORGERIES[name]
    forged = forge(sealed)
    assert forged != sealed
    with pytest.raises(kind, match=words):
        open_certificate(forged, reader=pdf.read)


def test_rewritten_by_another_program_is_refused(sealed: bytes, tmp_path: Path) -> None:
    (tmp_path / "in.pdf").write_bytes(sealed)
    for options in ([], ["--linearize"], ["--object-streams=generate"], ["--encrypt", "", "", "256", "--"]):
        run("qpdf", *options, tmp_path / "in.pdf", tmp_path / "out.pdf")
        with pytest.raises(MalformedError):
            open_certificate((tmp_path / "out.pdf").read_bytes(), reader=pdf.read)


def test_sealed_by_somebody_unknown_is_intact_and_untrusted(
    plain: bytes, files: DemoSealFiles, demo_authorities: list[Authority], tmp_path: Path
) -> None:
    forged = sealed_with(plain, ensure_demo_seal(tmp_path / "other"), demo_authorities).pdf
    known = Voucher("known", (files.root_der,), demonstration=True)
    judged = trust_seal(open_certificate(forged).seal, [known], at=datetime.now(UTC))
    assert judged.issuer is None
    assert "trusted root" in judged.why


def test_a_decompression_bomb_is_stopped() -> None:
    bomb = zlib.compress(bytes(pdf.ATTACHMENT_LIMIT + 10), 9)
    with pytest.raises(LimitExceededError, match="decompress to more"):
        pdf._decompress(Stream({"Filter": Name("FlateDecode")}, bomb), pdf.ATTACHMENT_LIMIT)


def test_the_childs_limits_fire(monkeypatch: pytest.MonkeyPatch, sealed: bytes) -> None:
    monkeypatch.setattr(confined, "SECONDS", 0)
    with pytest.raises(LimitExceededError, match="longer than"):
        confined.read_pdf(sealed)


def test_nested_too_deep_is_stopped() -> None:
    with pytest.raises(LimitExceededError, match="nested deeper"):
        Scanner(b"[" * 1000, 0).value()


def test_no_seal_without_the_time_stamp_that_was_asked_for(plain: bytes, files: DemoSealFiles) -> None:
    def unavailable(digest: bytes) -> bytes:
        raise AuthorityUnavailableError("down")

    key = Pkcs12Key(files.pkcs12, files.password_file.read_text())
    with pytest.raises(AuthorityUnavailableError):
        seal(plain, key, level="PAdES B-T", stamp=unavailable, revocation=nobody_publishes, reason="x")


def test_a_seal_without_a_time_stamp_says_so(plain: bytes, files: DemoSealFiles) -> None:
    key = Pkcs12Key(files.pkcs12, files.password_file.read_text())
    done = seal(plain, key, level="PAdES B-B", stamp=no_stamp, revocation=nobody_publishes, reason="x")
    assert done.level == open_certificate(done.pdf).seal.level == "PAdES B-B"
