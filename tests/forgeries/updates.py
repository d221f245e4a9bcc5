"""Attacks on what follows a seal: revisions that touch more than they may (7.1), time stamps (7.5) and validation
data (7.4) that do not prove what they are there for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from cryptography import x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from tests.forgeries.keys import Authority, SignerParts, authority, certify, key, later
from tests.forgeries.longterm import Token, Update, with_stamp, with_store
from tests.forgeries.renewing import revocation_list, until
from tests.forgeries.world import FIRST, SECOND, Case, World, built, usual_value

_CRL_LIMIT = 64 * 1024
_Dated = tuple[x509.Certificate, datetime, x509.ReasonFlags | None]


class Base:
    """A genuine certificate with one seal, to be extended in good and bad ways.

    Attributes:
        sealed: level B-T; ``stored`` with validation data, ``stamped`` with a document time stamp as well.
    """

    def __init__(self, world: World) -> None:
        value = json.loads(usual_value())
        self.world = world
        self.trust = world.trust(value)
        self.maker = authority(FIRST)
        self.data = built(value)
        self.sealed = world.sealed(self.data)
        self.certificates = (world.issuer.root.der, self.maker.root.der, self.maker.signer.der)
        self.lists = (revocation_list(world.issuer.root), revocation_list(self.maker.root))
        self.stored = with_store(self.sealed, self.certificates, self.lists)
        self.stamped = with_stamp(self.stored, self.at())

    def at(self, maker: Authority | None = None, **delay: float) -> Token:
        """Stamps at a moment, ten minutes after the epoch of this world unless said otherwise."""
        chosen = maker or self.maker
        return lambda digest: chosen.token(digest, later(**(delay or {"minutes": 10})))

    def store(self, pdf: bytes | None = None) -> Update:
        """A revision with validation data about to be written."""
        before = self.sealed if pdf is None else pdf
        added = (self.certificates, self.lists) if pdf is None else ()
        return Update.of(before, with_store(before, *added))

    def stamp(self) -> Update:
        """A revision with a document time stamp about to be written."""
        return Update.of(self.stored, self.stamped)

    def seal_certificate(self) -> x509.Certificate:
        """Of the usual issuer."""
        seal = certify("Evidence Service seal", key("Evidence Service seal"), self.world.issuer.root)
        return seal.certificate

    def listing(self, *own: _Dated, of: Authority | None = None, by: tuple[_Dated, ...] = ()) -> list[bytes]:
        """Lists of the seal's issuer and of the authority, with entries."""
        maker = of or self.maker
        return [revocation_list(self.world.issuer.root, *own), revocation_list(maker.root, *by)]


def cases(world: World) -> Iterator[Case]:
    """Every attack."""
    base = Base(world)
    for table in (STORES, STAMPS):
        for name, forge in table.items():
            yield Case(name, base.trust, certificate=forge(base), refused_by="7.1", verdict="invalid")
    for name, forge in LIMITS.items():
        yield Case(name, base.trust, certificate=forge(base), refused_by="0.1", verdict="over_limit")
    for name, forge in BROKEN.items():
        yield Case(name, base.trust, certificate=forge(base), refused_by="7.5", verdict="invalid")
    for name, forge in UNTRUSTED.items():
        yield Case(name, base.trust, certificate=forge(base), refused_by="7.5", verdict="untrusted")
    for name, forge in DATA.items():
        yield Case(name, base.trust, certificate=forge(base), refused_by="7.4", verdict="invalid")
    for name, forge in REVOKED.items():
        yield Case(name, base.trust, certificate=forge(base), refused_by="7.4", verdict="untrusted")


Forge = Callable[[Base], bytes]


# --- revisions that do not only hold validation data (7.1) ------------------------------------------


def _newest(pdf: bytes, pattern: bytes) -> tuple[int, bytes]:
    """Number and content of the last object in which a pattern is found."""
    found = re.findall(rb"(\d+) 0 obj\s(.*?)\sendobj", pdf, re.DOTALL)
    number, content = next(item for item in reversed(found) if re.search(pattern, item[1]))
    return int(number), content


def _page(base: Base) -> tuple[int, bytes]:
    return _newest(base.sealed, rb"/Type /Page\b")


def _replacing(find: bytes, old: bytes, new: bytes) -> Forge:
    """Validation data, and one object of what is sealed exchanged beside it."""

    def forge(base: Base) -> bytes:
        number, content = _newest(base.sealed, find)
        if not re.search(old, content, re.DOTALL):
            raise AssertionError(f"{old!r} is not in {content[:200]!r}")
        return base.store().add(re.sub(old, lambda _: new, content, count=1, flags=re.DOTALL), number).write()

    return forge


def _content_stream(base: Base) -> bytes:
    found = re.search(rb"/Contents (\d+) 0 R", _page(base)[1])
    assert found is not None
    return base.store().add(b"<</Length 4>>\nstream\nq Q \nendstream", int(found[1])).write()


def _attachment(base: Base) -> bytes:
    """The bundle's own stream, found by way of its file specification."""
    _, specification = _newest(base.sealed, rb"/F ?\(bundle")
    found = re.search(rb"/EF ?<<\s*/F (\d+) 0 R", specification)
    assert found is not None
    return base.store().add(b"<</Length 2>>\nstream\n{}\nendstream", int(found[1])).write()


def _changed(old: bytes, new: bytes) -> Forge:
    """Validation data of another form."""
    return lambda base: base.store().change(old, new).write()


def _later(old: bytes, new: bytes) -> Forge:
    """Validation data that a later revision changes."""
    return lambda base: base.store(base.stored).change(old, new).write()


def _exchanged_stream(base: Base) -> bytes:
    """A list that is there already gets another content."""
    number, _ = _newest(base.stored, rb"^<<\s*/Length \d+\s*>>\s*stream")
    update = base.store(base.stored)
    return update.add(b"<</Length 2>>\nstream\n\x30\x00\nendstream", number).write()


def _second_store(base: Base) -> bytes:
    """A later revision with a catalogue and a store of its own."""
    number, catalog = _newest(base.stored, rb"/Type /Catalog")
    update = base.store(base.stored)
    update.objects = {number: re.sub(rb"/DSS \d+", b"/DSS 900", catalog), 900: b"<</Certs []>>"}
    return update.write()


def _store_in_the_document(base: Base) -> bytes:
    """The store takes the place of an object that is sealed."""
    update = base.store()
    (number,) = (item for item, content in update.objects.items() if b"/CRLs" in content)
    content = update.objects.pop(number)
    return update.change(rb"/DSS %d" % number, b"/DSS 2").add(content, 2).write()


def _open_reference(base: Base) -> bytes:
    """Sealed with a reference that leads nowhere; validation data then takes its place."""
    document = base.sealed[: base.sealed.index(b"%%EOF") + 6]
    prepared = re.sub(rb"/Outlines \d+ 0 R", lambda m: b"/X 900 0 R".ljust(len(m[0])), document)
    sealed = base.world.seal(prepared)
    update = Update.of(sealed, with_store(sealed, base.certificates))
    return (
        update.change(rb"/CRLs \[", b"/CRLs [ 900 0 R")
        .add(b"<</Length %d>>\nstream\n%s\nendstream" % (len(base.lists[0]), base.lists[0]))
        .write()
    )


def _outside(base: Base) -> bytes:
    """A list that lies in an older revision: bytes of the sealed document are shown as something else."""
    update = base.store(base.stored)
    number, _ = _newest(base.stored, rb"^<<\s*/Length \d+\s*>>\s*stream")
    place = base.stored.index(b"\n%d 0 obj" % number) + 1
    update.objects[number] = b"<<>>"
    update.moved = {number: place}
    return update.write()


def _overlapping(base: Base) -> bytes:
    """One stream inside another."""
    inner = b"901 0 obj\n<</Length 2>>\nstream\n\x30\x00\nendstream\nendobj\n"
    outer = b"\x30" + bytes([len(inner) + 2]) + b"\x04" + bytes([len(inner)]) + inner
    update = base.store().change(rb"/CRLs \[", b"/CRLs [ 900 0 R 901 0 R")
    update.add(b"<</Length %d>>\nstream\n%s\nendstream" % (len(outer), outer))
    update.moved = {901: update.write().index(inner)}
    return update.write()


def _prev(of: Callable[[Base], int]) -> Forge:
    def forge(base: Base) -> bytes:
        update = base.store(base.stored)
        update.trailer[b"Prev"] = b"%d" % of(base)
        return update.write()

    return forge


def _table(pdf: bytes, revision: int) -> int:
    return [int(place) for place in re.findall(rb"startxref\n(\d+)", pdf)][revision]


def _trailer(name: bytes, value: bytes) -> Forge:
    def forge(base: Base) -> bytes:
        update = base.store()
        update.trailer[name] = value
        return update.write()

    return forge


def _not_sealed(base: Base) -> bytes:
    """Validation data behind the document, without the seal it is about."""
    document = base.sealed[: base.sealed.index(b"%%EOF") + 6]
    return with_store(document, base.certificates, base.lists)


def _freed(base: Base) -> bytes:
    update = base.store()
    update.free = (0, _page(base)[0])
    return update.write()


def _hidden(place: str, content: bytes) -> Forge:
    def forge(base: Base) -> bytes:
        update = base.store()
        setattr(update, place, content)
        return update.write()

    return forge


def _approval(base: Base, pdf: bytes) -> bytes:
    """A sneaky signature: somebody else signs everything again, in a field that looks like the others."""
    update = Update.of(pdf, with_stamp(pdf, base.at()))
    update.change(rb"/DocTimeStamp", b"/Sig").change(rb"/ETSI.RFC3161", b"/ETSI.CAdES.detached")
    signer = certify("Stranger seal", key("Stranger seal"), None)

    def sign(digest: bytes) -> bytes:
        parts = SignerParts(signer, "data", None, "sha512", [signer.der], message_digest=digest)
        parts.versions = ("v1", "v1")
        return parts.assemble()

    return update.write(sign)


STORES: dict[str, Forge] = {
    "shadow: a content stream exchanged with the validation data": _content_stream,
    "shadow: a page gets other content": _replacing(rb"/Type /Page\b", rb"/Contents \d+ 0 R", b"/Contents 2 0 R"),
    "shadow: a page is turned": _replacing(rb"/Type /Page\b", rb"/Tabs /S", b"/Tabs /S /Rotate 180"),
    "shadow: a note over the page": _replacing(rb"/Type /Page\b", rb"/Annots \[", b"/Annots [ 900 0 R"),
    "shadow: the catalogue shows other pages": lambda b: b.store().change(rb"/Pages \d+", b"/Pages 2").write(),
    "shadow: the catalogue gets another language": lambda b: b.store().change(rb"/Lang \(en\)", b"/Lang (zh)").write(),
    "shadow: the catalogue loses a member": lambda b: b.store().change(rb"/Outlines \d+ 0 R", b"").write(),
    "shadow: the catalogue gets more than the store": lambda b: b.store().change(b"/DSS", b"/PageMode /UseNone /DSS").write(),
    "shadow: an attachment exchanged": _attachment,
    "shadow: the seal's field hides its value": _replacing(rb"/FT /Sig", rb"/V \d+ 0 R", b""),
    "shadow: the seal's field moved": _replacing(rb"/FT /Sig", rb"/Rect \[ 0 0 0 0 \]", b"/Rect [ 0 0 9 9 ]"),
    "shadow: the form gets a field": _replacing(rb"/SigFlags", rb"/Fields \[", b"/Fields [ 900 0 R"),
    "shadow: the title exchanged": _replacing(rb"/Title \(", rb"\(Certificate\)", b"(Annulled)"),
    "shadow: metadata dated anew, as editors do": lambda b: with_store(
        b.sealed, b.certificates, b.lists, writing=IncrementalPdfFileWriter
    ),
    "an object beside the validation data": lambda b: b.store().add(b"(nothing)").write(),
    "an action beside the validation data": lambda b: b.store().add(b"<</S/JavaScript/JS(app.alert\\(1\\))>>").write(),
    "an empty revision after the seal": lambda b: Update(b.sealed, {}, b.store().trailer).write(),
    "validation data with answers of responders": _changed(rb"/CRLs \[", b"/OCSPs [] /CRLs ["),
    "validation data for one signature": _changed(rb"/CRLs \[", b"/VRI <<>> /CRLs ["),
    "validation data of another type": _changed(rb"/CRLs \[", b"/Type /DSX /CRLs ["),
    "validation data that is no dictionary": lambda b: b.store().change(rb"(<<\s/Certs.*\s.*\s>>)", rb"[ \1 ]").write(),
    "validation data inside the catalogue": lambda b: b.store().change(rb"/DSS \d+ 0 R", b"/DSS << >>").write(),
    "validation data listed as text": _changed(rb"/CRLs \[", b"/CRLs [ (list)"),
    "validation data that is no array": _changed(rb"/CRLs \[.*\]", b"/CRLs 7"),
    "validation data under a filter": lambda b: b.store().change(b"/Length", b"/Filter /FlateDecode /Length").write(),
    "validation data in an object that is no stream": _changed(rb"/CRLs \[", b"/CRLs [ 1 0 R"),
    "validation data that is not DER": lambda b: b.store().change(rb"/CRLs \[", b"/CRLs [ 900 0 R").add(
        b"<</Length 3>>\nstream\n\x30\x00x\nendstream").write(),
    "validation data that is text": lambda b: b.store().change(rb"/CRLs \[", b"/CRLs [ 900 0 R").add(
        b"<</Length 3>>\nstream\nabc\nendstream").write(),
    "validation data dropped later": _later(rb"/CRLs \[ \d+ 0 R", b"/CRLs ["),
    "validation data put in another order": _later(rb"/CRLs \[ (\d+) 0 R (\d+)", rb"/CRLs [ \2 0 R \1"),
    "validation data listed twice": _changed(rb"/CRLs \[ (\d+ 0 R)", rb"/CRLs [ \1 \1"),
    "validation data exchanged later": _exchanged_stream,
    "validation data replaced by another store": _second_store,
    "validation data in the place of a sealed object": _store_in_the_document,
    "validation data in a place that was left open": _open_reference,
    "validation data in an older revision": _outside,
    "validation data inside validation data": _overlapping,
    "validation data without a seal": _not_sealed,
    "a page deleted with the validation data": _freed,
    "bytes hidden before the validation data": _hidden("before", b"%hidden\n"),
    "bytes hidden between validation data": _hidden("between", b"(hidden)\n"),
    "a comment between validation data": _hidden("between", b"%hidden\n"),
    "a second catalogue by the trailer": _trailer(b"Root", b"1 0 R"),
    "other document information by the trailer": _trailer(b"Info", b"1 0 R"),
    "a trailer that says more": _trailer(b"Extra", b"1"),
    "the seal's revision skipped": _prev(lambda base: _table(base.stored, 0)),
    "a table that leads to itself": _prev(lambda base: len(base.stored)),
    "a second signature in place of validation data": lambda b: _approval(b, b.sealed),
    "a second signature behind validation data": lambda b: _approval(b, b.stored),
    "a second signature behind a document time stamp": lambda b: _approval(b, b.stamped),
}  # fmt: skip


# --- revisions that do not only hold a document time stamp (7.1) -------------------------------------


def _stamping(*changes: tuple[bytes, bytes], **members: object) -> Forge:
    """A document time stamp whose token holds, in a revision of another form."""

    def forge(base: Base) -> bytes:
        update = base.stamp()
        for old, new in changes:
            update.change(old, new)
        for name, value in members.items():
            setattr(update, name, value)
        return update.write(base.at())

    return forge


def _covering(change: Callable[[list[int], Base], list[int]]) -> Forge:
    """The token is over what its byte range says; the range is not what it has to be."""

    def forge(base: Base) -> bytes:
        update = base.stamp()
        update.covered = lambda parts: change(parts, base)
        return update.write(base.at())

    return forge


def _beside(content: bytes, number: int = 900) -> Forge:
    return lambda base: base.stamp().add(content, number).write(base.at())


def _content_with_stamp(base: Base) -> bytes:
    found = re.search(rb"/Contents (\d+) 0 R", _page(base)[1])
    assert found is not None
    return _beside(b"<</Length 4>>\nstream\nq Q \nendstream", int(found[1]))(base)


def _stamp_of_the_seal(base: Base) -> bytes:
    """A document time stamp behind the seal, without validation data."""
    return with_stamp(base.sealed, base.at())


def _store_with_stamp(base: Base) -> bytes:
    """Validation data and time stamp in one revision."""
    update = base.stamp()
    later_store = base.store(base.stored)
    update.objects |= later_store.objects
    return update.write(base.at())


def _other_page(base: Base) -> bytes:
    """The field is shown on an object that is not the seal's page."""
    update = base.stamp()
    number, _ = _newest(base.stored, rb"/SigFlags")
    page, _ = _page(base)
    return update.change(rb"/P %d 0" % page, b"/P %d 0" % number).write(base.at())


STAMPS: dict[str, Forge] = {
    "a content stream exchanged with the time stamp": _content_with_stamp,
    "a note beside the time stamp": _beside(b"<</Type/Annot/Subtype/FreeText/Rect[0 0 9 9]/Contents(x)>>"),
    "validation data beside the time stamp": _store_with_stamp,
    "a time stamp behind the seal alone": _stamp_of_the_seal,
    "two time stamps without validation data between": lambda b: with_stamp(b.stamped, b.at(minutes=20)),
    "time stamp over the validation data's revision alone": _covering(lambda r, b: [0, len(b.sealed), r[2], r[3]]),
    "time stamp that does not reach the end": _covering(lambda r, b: [*r[:3], r[3] - 7]),
    "time stamp that begins after the beginning": _covering(lambda r, b: [1, r[1] - 1, *r[2:]]),
    "time stamp that leaves out the seal": _covering(lambda r, b: [0, b.sealed.index(b"/Contents <3") + 10, *r[2:]]),
    "time stamp over what was sealed": _covering(lambda r, b: [0, r[1], r[2], len(b.sealed) - r[2]]),
    "time stamp of another kind": _stamping((b"/ETSI.RFC3161", b"/ETSI.CAdES.detached")),
    "time stamp by another handler": _stamping((b"/Adobe.PPKLite", b"/Adobe.PPKMS")),
    "time stamp with a name": _stamping((b"/Type /DocTimeStamp", b"/Type /DocTimeStamp /Name (Court)")),
    "time stamp under a lock of the document": _stamping((b"/Type /DocTimeStamp", b"/Type /DocTimeStamp /Reference []")),
    "time stamp in no field": _stamping((rb"/V (\d+)", rb"/W \1")),
    "time stamp that is to be seen": _stamping((rb"/Rect \[ 0 0 0 0 \]", b"/Rect [ 0 0 500 800 ]")),
    "time stamp with a look of its own": _stamping((b"/Subtype /Widget", b"/Subtype /Widget /AP << >>")),
    "time stamp with an action": _stamping((b"/Subtype /Widget", b"/Subtype /Widget /AA << >>")),
    "time stamp hidden": _stamping((b"/F 132", b"/F 134")),
    "time stamp under the seal's name": _stamping((rb"/T \(Archive\d+\)", b"/T (Seal)")),
    "time stamp under a name of other letters": _stamping((rb"/T \(Archive", rb"/T (\\376\\377")),
    "time stamp with a long description": _stamping((rb"/TU \(Timestamp\)", b"/TU (%s)" % (b"x" * 101))),
    "time stamp shown elsewhere": _other_page,
    "time stamp before the seal among the fields": _stamping((rb"/Fields \[ (\d+) 0 R (\d+)", rb"/Fields [ \2 0 R \1")),
    "time stamp in the seal's place": _stamping((rb"/Fields \[ \d+ 0 R", b"/Fields [")),
    "time stamp that is not among the fields": _stamping((rb"/Fields \[ (\d+ 0 R) \d+ 0 R", rb"/Fields [ \1")),
    "time stamp that takes the seal from the page": _stamping((rb"/Annots \[ \d+ 0 R", b"/Annots [")),
    "time stamp that opens the form": _stamping((b"/SigFlags 3", b"/SigFlags 0")),
    "time stamp and a turned page": _stamping((b"/Tabs /S", b"/Tabs /S /Rotate 180")),
    "time stamp and a truth for a number": _stamping((b"/StructParents 0", b"/StructParents false")),
    "time stamp and metadata dated anew": lambda b: with_stamp(b.stored, b.at(), writing=IncrementalPdfFileWriter),
    "time stamp and deleted pages": _stamping(free=(0, 1)),
    "bytes hidden behind the time stamp": _stamping(between=b"%hidden\n"),
    "two signatures in one time stamp": _beside(b"<</Type/DocTimeStamp/Contents<00>/ByteRange[0 1 2 3]>>"),
}  # fmt: skip


# --- over a limit (0.1) ------------------------------------------------------------------------------


def _many_revisions(base: Base) -> bytes:
    pdf = base.stored
    while pdf.count(b"%%EOF") < 67:
        pdf = base.store(pdf).write()
    return pdf


def _huge(count: int, size: int) -> Forge:
    """So many streams of so many bytes of DER."""

    def forge(base: Base) -> bytes:
        update = base.store()
        numbers = range(900, 900 + count)
        value = (
            b"\x30\x00"
            if not size
            else b"\x30\x83"
            + (size + 5).to_bytes(3, "big")
            + b"\x04\x83"
            + size.to_bytes(3, "big")
            + bytes(size)
        )
        for number in numbers:
            update.add(b"<</Length %d>>\nstream\n%s\nendstream" % (len(value), value), number)
        return update.change(rb"/CRLs \[", b"/CRLs [" + b"".join(b" %d 0 R" % n for n in numbers)).write()

    return forge


def _long_list(base: Base) -> bytes:
    entries = [(certify(f"revoked {n}", key("x"), None).certificate, later(), None) for n in range(2)]
    point = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.7"), bytes(_CRL_LIMIT))
    listed = revocation_list(base.world.issuer.root, *entries, extensions=((point, False),))
    return with_store(base.sealed, base.certificates, [listed])


def _small_key(base: Base) -> bytes:
    weak = certify("Evidence Service root", key("weak", "rsa1024"), None, ca=True)
    return with_store(base.sealed, [weak.der], base.lists)


def _namesakes(base: Base) -> bytes:
    """Nine authorities whose issuers have one name and different keys."""
    pdf = base.stored
    for number in range(9):
        root = certify(f"{FIRST} root", key(f"namesake {number}"), None, ca=True)
        signer = certify(f"namesake {number}", key("namesake signer"), root, stamping=True)
        maker = Authority(FIRST, root, signer, (root,))
        pdf = with_store(with_stamp(pdf, base.at(maker)))
    return pdf


LIMITS: dict[str, Forge] = {
    "more revisions than anybody needs": _many_revisions,
    "validation data in too many parts": _huge(257, 0),
    "validation data of too many bytes": _huge(3, 2_000_000),
    "validation data with a list that is too long": _long_list,
    "validation data with a key that is too short": _small_key,
    "a list that too many could have issued": _namesakes,
}


# --- time stamps that do not hold (7.5) ---------------------------------------------------------------


def _bit_of_data(base: Base) -> bytes:
    """A list changed under the time stamp over it."""
    place = base.stamped.index(base.lists[0]) + len(base.lists[0]) - 5
    changed = bytearray(base.stamped)
    changed[place] ^= 1
    return bytes(changed)


def _bit_of_token(base: Base) -> bytes:
    place = base.stamped.rindex(b"/Contents <") + 600
    digit = b"0" if base.stamped[place : place + 1] != b"0" else b"1"
    return base.stamped[:place] + digit + base.stamped[place + 1 :]


def _info(**members: object) -> Forge:
    def forge(base: Base) -> bytes:
        return with_stamp(
            base.stored, lambda digest: base.maker.token(digest, later(minutes=10), info=members)
        )

    return forge


BROKEN: dict[str, Forge] = {
    "time stamp over something else": lambda b: with_stamp(b.stored, lambda digest: b.at()(bytes(64))),
    "time stamp of another file": lambda b: b.stamp().write(lambda digest: b.at()(digest[::-1])),
    "a bit changed under a time stamp": _bit_of_data,
    "a bit of a time stamp changed": _bit_of_token,
    "bytes hidden behind a token": _stamping(padding=b"\x01"),
    "time stamp without a token": lambda b: b.stamp().write(lambda digest: b""),
    "time stamp over a shorter digest": _info(
        message_imprint={"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": bytes(32)}
    ),
    "time stamp dated before the seal's": lambda b: with_stamp(b.stored, b.at(minutes=-10)),
    "time stamp dated before the one it covers": lambda b: with_stamp(
        with_store(with_stamp(b.stored, b.at(days=9))), b.at(days=8)
    ),
}


def _ending(days: float) -> Authority:
    return until(FIRST, "p256", "sha256", timedelta(days=days))


UNTRUSTED: dict[str, Forge] = {
    "time stamp by an unknown authority": lambda b: with_stamp(b.stored, b.at(authority("Stranger"))),
    "time stamp by an unknown authority, then a known one": lambda b: with_stamp(
        with_store(with_stamp(b.stored, b.at(authority("Stranger")))), b.at(days=1)
    ),
    "time stamp by a certificate that had ended": lambda b: with_stamp(b.stored, b.at(_ending(5), days=6)),
    "stamped again when the first time stamp had ended": lambda b: with_stamp(
        with_store(b.world.sealed(b.data, stamp=b.at(_ending(5))), b.certificates, b.lists), b.at(days=6)
    ),
    "stamped again when the second time stamp had ended": lambda b: with_stamp(
        with_store(with_stamp(b.stored, b.at(_ending(5)))), b.at(days=6)
    ),
}


# --- validation data that does not hold, or speaks against the seal (7.4) ------------------------------


def _signed_by_another(base: Base) -> bytes:
    forged = revocation_list(base.world.issuer.root, signer=authority("Stranger").root)
    return with_store(base.sealed, base.certificates, [forged])


def _invalidity(of: str) -> Forge:
    """An entry whose invalidity date is another kind of value."""

    def forge(base: Base) -> bytes:
        raw = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.24"), bytes.fromhex(of))
        entry = (base.seal_certificate(), later(days=1), None)
        listed = revocation_list(base.world.issuer.root, entry, entry_extensions=((raw, False),))
        return with_store(base.sealed, base.certificates, [listed])

    return forge


def _root_changed(base: Base) -> bytes:
    """The last byte of the root's own signature."""
    root = base.world.issuer.root.der
    return with_store(base.sealed, [root[:-1] + bytes([root[-1] ^ 1])], base.lists)


def _without_certificate(base: Base) -> bytes:
    return with_store(base.sealed, [base.lists[0]], base.lists)


def _bit_of_list(base: Base) -> bytes:
    place = base.stored.index(base.lists[1]) + len(base.lists[1]) - 5
    changed = bytearray(base.stored)
    changed[place] ^= 1
    return bytes(changed)


DATA: dict[str, Forge] = {
    "a list signed by somebody else": _signed_by_another,
    "a list about nobody here": lambda b: with_store(
        b.sealed, (), [revocation_list(authority("Stranger").root)]
    ),
    "a list that is a certificate": lambda b: with_store(b.sealed, (), b.certificates[:1]),
    "a certificate that is a list": _without_certificate,
    "a certificate of no path": lambda b: with_store(b.sealed, [authority("Stranger").root.der], b.lists),
    "a root that does not verify itself": _root_changed,
    "an invalidity date that is a number": _invalidity("020101"),
    "an invalidity date that is cut off": _invalidity("180f3230"),
    "an invalidity date that does not exist": _invalidity("180f" + b"20261332000000Z".hex()),
    "a bit of a list changed": _bit_of_list,
}


REASONS = x509.ReasonFlags


def _seal_revoked(at: datetime, reason: x509.ReasonFlags | None, *, archived: bool = False) -> Forge:
    def forge(base: Base) -> bytes:
        pdf = with_store(base.sealed, base.certificates, base.listing((base.seal_certificate(), at, reason)))
        return with_stamp(pdf, base.at()) if archived else pdf

    return forge


def _known_later(base: Base) -> bytes:
    """Revoked afterwards, for a key that was in other hands before."""
    date = (x509.InvalidityDate(later(minutes=-5).replace(tzinfo=None)), False)
    entry = (base.seal_certificate(), later(days=1), REASONS.key_compromise)
    listed = revocation_list(base.world.issuer.root, entry, entry_extensions=(date,))
    return with_store(base.sealed, base.certificates, [listed])


def _stamper_revoked(at: datetime, reason: x509.ReasonFlags | None, **again: float) -> Forge:
    """The authority of the seal's time stamp; perhaps stamped again by the other one."""

    def forge(base: Base) -> bytes:
        own = (base.maker.signer.certificate, at, reason)
        pdf = with_store(base.sealed, base.certificates, base.listing(by=(own,)))
        return with_stamp(pdf, base.at(authority(SECOND, "rsa2048", "sha512"), **again)) if again else pdf

    return forge


REVOKED: dict[str, Forge] = {
    "sealed after the certificate was revoked": _seal_revoked(later(minutes=1), REASONS.superseded),
    "sealed after the key was lost": _seal_revoked(later(minutes=1), REASONS.key_compromise),
    "sealed after a revocation without a reason": _seal_revoked(later(minutes=1), None),
    "sealed after the revocation, with an archive time stamp": _seal_revoked(
        later(minutes=1), REASONS.key_compromise, archived=True
    ),
    "sealed at the moment of the revocation": _seal_revoked(later(minutes=5), REASONS.cessation_of_operation),
    "sealed while the certificate was on hold": _seal_revoked(later(minutes=1), REASONS.certificate_hold),
    "sealed after the key was lost, as was known later": _known_later,
    "the seal's time stamp by a revoked authority": _stamper_revoked(later(minutes=1), REASONS.superseded),
    "the seal's time stamp by a key that was lost later": _stamper_revoked(
        later(days=1), REASONS.key_compromise
    ),
    "stamped again after the first authority's key was lost": _stamper_revoked(
        later(days=1), REASONS.key_compromise, days=2
    ),
}
