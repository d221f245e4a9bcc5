"""Attacks on the certificate's PDF (checks 0.1, 7.1, 7.2, 7.3): the published classes, built by ourselves.

Classes after the work on PDF signatures of Mladenov, Mainka, Rohlmann and others (2019 to 2021): universal
signature forgery, incremental saving, signature wrapping, shadow attacks, evil annotations, sneaky signatures.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers

from evidence_service.certificate.sealing.signature import _KeySigner
from evidence_service.core import bundle
from evidence_service.verify.pdf import ATTACHMENT_LIMIT
from evidence_service.verify.steps.seal import expected_attachments
from tests.forgeries.keys import EPOCH, SealIssuer, authority, key, later, seal_issuer, stored_issuer
from tests.forgeries.world import FIRST, Case, Evidence, World, built, plain, usual_value

Forge = Callable[[bytes], bytes]


def cases(world: World) -> Iterator[Case]:
    """Every attack."""
    value = json.loads(usual_value())
    trust = world.trust(value)
    data = built(value)
    genuine = world.sealed(data)
    for table in (SURGERY, UPDATES, REWRITTEN):
        for name, forge in table.items():
            forged = forge(genuine)
            if forged == genuine:
                raise AssertionError(f"{name} changes nothing")
            yield Case(name, trust, certificate=forged, refused_by="7.1", verdict="invalid")
    for name, certificate in _made(world, data):
        yield Case(name, trust, certificate=certificate, refused_by="7.1", verdict="invalid")
    for name, certificate in _limits(world):
        yield Case(name, trust, certificate=certificate, refused_by="0.1", verdict="over_limit")
    for name, certificate in _issuers(world, data):
        yield Case(name, trust, certificate=certificate, refused_by="7.2", verdict="untrusted")
    for name, attachments in _attached(data).items():
        certificate = world.sealed(data, attachments=attachments)
        yield Case(name, trust, certificate=certificate, refused_by="7.3", verdict="invalid")


# --- bytes changed in the finished file -------------------------------------------------------------


def _replace(old: bytes, new: bytes) -> Forge:
    """The same length, so that no offset moves."""

    def forge(data: bytes) -> bytes:
        if old not in data:
            raise AssertionError(f"{old!r} is not in the certificate")
        return data.replace(old, new.ljust(len(old)), 1)

    return forge


def _pattern(pattern: bytes, new: Callable[[re.Match[bytes]], bytes], *, last: bool = False) -> Forge:
    """Replace a match and keep its length."""

    def forge(data: bytes) -> bytes:
        match = list(re.finditer(pattern, data))[-1 if last else 0]
        made = new(match)
        if len(made) > len(match[0]):
            raise AssertionError("the replacement is longer")
        return data[: match.start()] + made.ljust(len(match[0])) + data[match.end() :]

    return forge


def _byte_range(change: Callable[[list[int]], list[object]]) -> Forge:
    def text(match: re.Match[bytes]) -> bytes:
        numbers = change([int(part) for part in match[1].split()])
        return b"/ByteRange [" + " ".join(map(str, numbers)).encode() + b"]"

    return _pattern(rb"/ByteRange \[([\d ]+)\] +", text)


def _range_as(text: bytes) -> Forge:
    return _pattern(rb"/ByteRange \[([\d ]+)\] +", lambda m: text)


_CONTENTS = rb"<[0-9A-F]{1000,}>"


def _contents(change: Callable[[bytes], bytes]) -> Forge:
    return lambda data: re.sub(_CONTENTS, lambda m: b"<" + change(m[0][1:-1]) + b">", data, count=1)


def _moved_second_part(data: bytes) -> bytes:
    """Signature wrapping: the signed second part is moved behind a second, forged one."""
    match = re.search(rb"/ByteRange \[0 (\d+) (\d+) (\d+)\]( *)", data)
    assert match is not None
    a, b, c = int(match[1]), int(match[2]), int(match[3])
    forged = data[b:].replace(b"(Issued)", b"(Forged)")
    text = b"/ByteRange [0 %d %d %d]" % (a, b + len(forged), c)
    front = data[: match.start()] + text.ljust(len(match[0])) + data[match.end() : b]
    return front + forged + data[b:]


SURGERY: dict[str, Forge] = {
    "empty file": lambda d: b"",
    "another kind of file": lambda d: b"GIF89a" + d[6:],
    "polyglot: a script before the PDF": lambda d: b"#!/bin/sh\n" + d,
    "polyglot: a web page before the PDF": lambda d: b"<html></html>\n" + d,
    "polyglot: a ZIP behind the PDF": lambda d: d + b"PK\x05\x06" + bytes(18),
    "a byte behind the end": lambda d: d + b"x",
    "white space behind the end": lambda d: d + b" \n\n",
    "a second end": lambda d: d + b"%%EOF\n",
    "cut off": lambda d: d[:-30],
    "signature removed with its revision": lambda d: d[: d.index(b"%%EOF") + 6],
    "version of PDF exchanged": _replace(b"%PDF-1.7", b"%PDF-2.0"),
    "universal forgery: no byte range": _replace(b"/ByteRange", b"/ByteRangX"),
    "universal forgery: byte range null": _range_as(b"/ByteRange null"),
    "universal forgery: byte range empty": _range_as(b"/ByteRange []"),
    "universal forgery: byte range of zeros": _range_as(b"/ByteRange [0 0 0 0]"),
    "universal forgery: negative byte range": _byte_range(lambda r: [0, -r[1], r[2], r[3]]),
    "universal forgery: byte range of text": _range_as(b"/ByteRange [(a) (b)]"),
    "universal forgery: no contents": _pattern(rb"/Contents <[0-9A-F]{1000,}>", lambda m: m[0].replace(b"/Contents", b"/Contentz")),
    "universal forgery: contents empty": _contents(lambda h: b"0" * len(h)),
    "universal forgery: contents null": _pattern(_CONTENTS, lambda m: b"null"),
    "universal forgery: contents of another signature": _contents(lambda h: h[: len(h) // 2][::-1] + h[len(h) // 2 :]),
    "universal forgery: no kind of signature": _replace(b"/SubFilter", b"/SubFilteX"),
    "universal forgery: an older kind of signature": _replace(b"ETSI.CAdES.detached", b"adbe.pkcs7.sha1"),
    "wrapping: second part moved behind a forged one": _moved_second_part,
    "byte range ends before the end": _byte_range(lambda r: [*r[:3], r[3] - 7]),
    "byte range begins after the beginning": _byte_range(lambda r: [1, r[1] - 1, *r[2:]]),
    "gap widened to the front": _byte_range(lambda r: [0, r[1] - 6, *r[2:]]),
    "gap widened to the back": _byte_range(lambda r: [*r[:2], r[2] + 6, r[3] - 6]),
    "parts overlap": _byte_range(lambda r: [0, r[2], r[1], r[3]]),
    "six numbers in the byte range": _byte_range(lambda r: [*r, 0, 0]),
    "signature in lower case": _contents(lambda h: h.lower()),
    "white space inside the signature": _contents(lambda h: h[:-2] + b"  "),
    "bytes hidden behind the signature": _contents(lambda h: h[:-2] + b"01"),
    "a bit of the signature changed": _contents(lambda h: h[:3000] + (b"0" if h[3000:3001] != b"0" else b"1") + h[3001:]),
    "a bit of the first revision changed": lambda d: d[:2000] + bytes([d[2000] ^ 1]) + d[2001:],
    "the reason of signing changed": _replace(b"(Issued)", b"(Forged)"),
    "the title changed": _replace(b"Certificate", b"Certificatf"),
    "certification dropped": _replace(b"/DocMDP", b"/DocMDQ"),
    "certification of another object": _pattern(rb"/DocMDP (\d+) 0 R", lambda m: b"/DocMDP 1 0 R", last=True),
    "field shows another signature": _pattern(rb"/V (\d+) 0 R", lambda m: b"/V 1 0 R", last=True),
    "a script in the catalogue": _pattern(rb"/Lang \(en[^)]*\)", lambda m: b"/JS 1", last=True),
    "an action on opening": _pattern(rb"/ViewerPreferences", lambda m: b"/OpenAction", last=True),
    "table points outside the file": _pattern(rb"startxref\n\d+\n%%EOF", lambda m: b"startxref\n9\n%%EOF", last=True),
    "table points at itself": _pattern(rb"/Prev (\d+)", lambda m: b"/Prev 9"),
    "objects exchanged in the table": _pattern(rb"(\d{10}) 00000 n \n(\d{10})", lambda m: m[2] + b" 00000 n \n" + m[1]),
    "an object of another generation": _replace(b" 00000 n", b" 00001 n"),
}  # fmt: skip


# --- revisions appended -----------------------------------------------------------------------------


def _appended(objects: dict[int, bytes], trailer: bytes = b"") -> Forge:
    """An incremental update as any editor writes it."""

    def forge(data: bytes) -> bytes:
        previous = int(data[data.rfind(b"startxref") + 9 :].split()[0])
        root = re.findall(rb"/Root (\d+ 0 R)", data)[-1]
        size = max(int(number) for number in re.findall(rb"/Size (\d+)", data)) + len(objects)
        body, table = b"", b""
        for number, content in objects.items():
            table += b"%d 1\n%010d 00000 n \n" % (number, len(data) + len(body))
            body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
        start = len(data) + len(body)
        end = b"trailer\n<</Size %d/Root %s/Prev %d%s>>\n" % (size, root, previous, trailer)
        return data + body + b"xref\n" + table + end + b"startxref\n%d\n%%%%EOF\n" % start

    return forge


def _xref_stream(data: bytes) -> bytes:
    """A revision with a cross-reference stream instead of a table."""
    content = zlib.compress(bytes(5))
    body = (
        b"900 0 obj\n<</Type/XRef/Size 901/W[1 3 1]/Index[0 1]/Root 1 0 R/Filter/FlateDecode/Length %d>>\n"
        % len(content)
    )
    return data + body + b"stream\n" + content + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % len(data)


UPDATES: dict[str, Forge] = {
    "incremental saving: pages emptied": _appended({1: b"<</Type/Pages/Kids[]/Count 0>>"}),
    "incremental saving: an object nobody uses": _appended({900: b"(nothing)"}),
    "incremental saving: catalogue replaced": _appended({900: b"<</Type/Catalog>>"}, b"/Root 900 0 R"),
    "evil annotation: a note over the page": _appended(
        {900: b"<</Type/Annot/Subtype/FreeText/Rect[0 0 500 800]/Contents(genuine)/DA(/F 12 Tf)>>"}
    ),
    "evil annotation: a stamp with its own look": _appended(
        {900: b"<</Type/Annot/Subtype/Stamp/Rect[0 0 500 800]/AP<</N 901 0 R>>>>", 901: b"<</Length 0>>\nstream\n\nendstream"}
    ),
    "shadow attack: hidden content shown": _appended({900: b"<</Type/OCG/Name(shown)>>"}),
    "shadow attack: fonts exchanged": _appended({2: b"<</Type/Font/Subtype/Type3>>"}),
    "form field changed after sealing": _appended({900: b"<</FT/Tx/T(name)/V(Somebody else)>>"}),
    "revocation data appended": _appended({900: b"<</Type/DSS/Certs[]>>"}),
    "script appended": _appended({900: b"<</S/JavaScript/JS(app.alert\\(1\\))>>"}),
    "hybrid cross-references": _appended({900: b"(x)"}, b"/XRefStm 9"),
    "encrypted afterwards": _appended({900: b"<</Filter/Standard/V 5>>"}, b"/Encrypt 900 0 R"),
    "cross-reference stream appended": _xref_stream,
    "two updates in one": lambda d: _appended({900: b"(a)"})(_appended({900: b"(b)"})(d)),
}  # fmt: skip


# --- rewritten by other programs --------------------------------------------------------------------


def _qpdf(*options: str) -> Forge:
    def forge(data: bytes) -> bytes:
        with tempfile.TemporaryDirectory() as name:
            source, target = Path(name, "in.pdf"), Path(name, "out.pdf")
            source.write_bytes(data)
            subprocess.run(["qpdf", *options, source, target], check=False, capture_output=True)
            return target.read_bytes()

    return forge


REWRITTEN: dict[str, Forge] = {
    "rewritten by another program": _qpdf(),
    "linearized": _qpdf("--linearize"),
    "rewritten with object streams": _qpdf("--object-streams=generate"),
    "rewritten with encryption": _qpdf("--encrypt", "", "", "256", "--"),
    "rewritten uncompressed": _qpdf("--qdf"),
}


# --- made with keys ---------------------------------------------------------------------------------


def approved(pdf: bytes, issuer: SealIssuer, name: str) -> bytes:
    """A signature that is not a certification, properly appended."""
    output = io.BytesIO()
    metadata = signers.PdfSignatureMetadata(
        field_name=name, md_algorithm="sha512", subfilter=fields.SigSeedSubFilter.PADES
    )
    signers.PdfSigner(metadata, signer=_KeySigner(issuer.key, issuer.key.identity())).sign_pdf(
        IncrementalPdfFileWriter(io.BytesIO(pdf)), output=output
    )
    return output.getvalue()


def _made(world: World, data: bytes) -> Iterator[tuple[str, bytes]]:
    genuine = world.sealed(data)
    parts = {"bundle.json": data, **expected_attachments(bundle.parse(data))}
    stranger = seal_issuer("Stranger", world.directory)
    without = approved(plain(parts), world.issuer, "Seal")
    yield "sneaky signature: a second one behind the first", approved(without, stranger, "Second")
    yield "sealed without certifying", without
    yield "not sealed at all", plain(parts)
    yield "sealed, but without a bundle", world.sealed(data, attachments={"verify.txt": b"how"})

    def over_other(digest: bytes) -> bytes:
        return authority(FIRST).token(bytes(64), later(minutes=5))

    yield "seal's time stamp over something else", world.sealed(data, stamp=over_other)
    other = world.sealed(built(Evidence(salt=bytes(32)).value()))
    yield "first revision of one, seal of another", _transplanted(genuine, other)


def _transplanted(genuine: bytes, other: bytes) -> bytes:
    """The seal's revision cut from one certificate and put behind another document."""
    end, start = other.index(b"%%EOF") + 6, genuine.index(b"%%EOF") + 6
    return other[:end] + genuine[start:]


def _limits(world: World) -> Iterator[tuple[str, bytes]]:
    bomb = bytes(ATTACHMENT_LIMIT + 1)
    yield (
        "attachment: unpacks to more than the limit",
        world.sealed(b"", attachments={"bundle.json": b"{}", "bomb.txt": bomb}),
    )
    deep = b"[" * 200 + b"]" * 200
    yield "objects nested two hundred deep", _first_revision(b"<</X %s>>" % deep)
    yield "a table that announces a million objects", _announcing(9_999_999)
    yield "larger than the limit", b"%PDF-1.7\n" + bytes(64 * 1024 * 1024)


def _first_revision(content: bytes) -> bytes:
    """Two revisions of nothing but one object."""
    head = b"%PDF-1.7\n"
    body = b"1 0 obj\n%s\nendobj\n" % content
    start = len(head) + len(body)
    table = b"xref\n1 1\n%010d 00000 n \ntrailer\n<</Size 2/Root 1 0 R>>\n" % len(head)
    first = head + body + table + b"startxref\n%d\n%%%%EOF\n" % start
    again = b"xref\n0 0\ntrailer\n<</Size 2/Root 1 0 R/Prev %d>>\n" % start
    return first + again + b"startxref\n%d\n%%%%EOF\n" % len(first)


def _announcing(count: int) -> bytes:
    made = _first_revision(b"<<>>")
    return made.replace(b"xref\n0 0\n", b"xref\n0 %d\n" % count)


def _issuers(world: World, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Seals that hold, by those the policy does not trust."""
    past = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC))
    directory = world.directory
    yield "sealed by an unknown issuer", world.sealed(data, issuer=seal_issuer("Stranger", directory))
    same = directory / "same"
    same.mkdir(exist_ok=True)
    yield "sealed under the issuer's name by another key", world.sealed(data, issuer=_namesake(same))
    expired = directory / "expired"
    expired.mkdir(exist_ok=True)
    yield (
        "sealed with a key whose certificate had expired",
        world.sealed(data, issuer=seal_issuer("Evidence Service", expired, valid=past)),
    )
    maker = authority("Stranger")
    short = directory / "short"
    short.mkdir(exist_ok=True)
    week = (EPOCH.replace(day=1), EPOCH.replace(day=9))
    # Stamped in time, but by an authority nobody trusts: what counts is the verifier's clock.
    yield (
        "expired by now, stamped in time by an unknown authority",
        world.sealed(
            data,
            issuer=seal_issuer("Evidence Service", short, valid=week),
            stamp=lambda digest: maker.token(digest, later(minutes=5)),
        ),
    )
    yield (
        "expired by now, without a time stamp",
        world.sealed(data, issuer=seal_issuer("Evidence Service", short, valid=week), stamp=None),
    )


def _namesake(directory: Path) -> SealIssuer:
    return stored_issuer("Evidence Service", key("namesake root"), key("namesake"), directory)


def _attached(data: bytes) -> dict[str, dict[str, bytes]]:
    """Sealed by the issuer itself, but what people read is not what the bundle says."""
    parts = {"bundle.json": data, **expected_attachments(bundle.parse(data)), "verify.txt": b"how"}
    other = expected_attachments(bundle.parse(built(Evidence(salt=bytes(32), files={"x": b"y"}).value())))
    return {
        "attachment: another manifest": {**parts, "manifest.json": other["manifest.json"]},
        "attachment: another batch header": {**parts, "batch-header.json": other["batch-header.json"]},
        "attachment: another token": {**parts, "manifest-1.tst": other["manifest-1.tst"]},
        "attachment: tokens exchanged": {
            **parts,
            "manifest-1.tst": parts["manifest-2.tst"],
            "manifest-2.tst": parts["manifest-1.tst"],
        },
        "attachment: manifest missing": {k: v for k, v in parts.items() if k != "manifest.json"},
        "attachment: one that should not be there": {**parts, "invoice.txt": b"pay"},
    }
