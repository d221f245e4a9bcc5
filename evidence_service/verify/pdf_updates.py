"""What may follow a seal: validation data, then a time stamp over everything, any number of times.

ISO 32000-2, 12.8.2.2, does not count document security stores (12.8.4.3) and document time stamps (12.8.5) as
changes of a certified document. Nothing else is let through: what people read stays what the seal covers.
Verification specification, 4.3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from evidence_service.errors import LimitExceededError, MalformedError
from evidence_service.verify import der
from evidence_service.verify.pdf_objects import Name, Reference, Stream, dictionary, references, same
from evidence_service.verify.pdf_tables import Revision

MAX_STREAMS = 256
"""Certificates and lists in all validation data."""
MAX_BYTES = 4 * 1024 * 1024
"""Their bytes together."""
_STORE = frozenset({"Type", "Certs", "CRLs"})
_DSS = Name("DSS")
_STAMP = {"Type": Name("DocTimeStamp"), "Filter": Name("Adobe.PPKLite"), "SubFilter": Name("ETSI.RFC3161")}
_WIDGET: dict[str, Any] = {
    "FT": Name("Sig"),
    "Type": Name("Annot"),
    "Subtype": Name("Widget"),
    # Print and Locked (ISO 32000-2, 12.5.3); of no size, so that nothing is to be seen.
    "F": 132,
    "Rect": [0, 0, 0, 0],
}
_LABEL = re.compile(rb"[ -~]{1,100}")


class ByteRange(NamedTuple):
    """Two parts of the file: from its beginning to ``first``, from ``second`` to ``end``."""

    first: int
    second: int
    end: int


@dataclass(frozen=True, slots=True)
class ValidationData:
    """A certificate or revocation list that was added after sealing.

    Attributes:
        kind: ``certificate`` or ``list``.
        data: one DER value.
        revision: number of the revision that added it; the seal's is 2.
    """

    kind: str
    data: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class DocumentStamp:
    """A document time stamp: what it covers, and the number of its revision."""

    byte_range: ByteRange
    revision: int


def signature_range(data: bytes, signature: Mapping[str, Any], *, end: int) -> ByteRange:
    """The byte range of a signature, which leaves out its own value and nothing else.

    Args:
        end: where what it has to cover ends.

    Raises:
        MalformedError: it covers anything else (4.1, point 8).
    """
    parts = signature.get("ByteRange")
    if not isinstance(parts, list) or len(parts) != 4 or not all(type(part) is int for part in parts):
        raise MalformedError("the signature does not say which bytes it covers")
    start, first, second, length = parts
    if start != 0 or not 0 < first < second or second + length != end or length < 0:
        raise MalformedError("the signature does not cover the whole file as it was when it was made")
    if data[first : first + 1] != b"<" or data[second - 1 : second] != b">":
        raise MalformedError("the signature leaves out more than its own value")
    text = data[first + 1 : second - 1]
    if re.fullmatch(rb"(?:[0-9A-F]{2})+", text) is None:
        raise MalformedError("the signature's value is not plain upper-case hexadecimal")
    if signature.get("Contents") != bytes.fromhex(text.decode()):
        raise MalformedError("the signature's value is not in the bytes it leaves out")
    return ByteRange(first, second, end)


@dataclass(slots=True)
class Updates:
    """The certificate as the revisions after the seal leave it.

    Args:
        objects: what the document and its seal say, by number.
        trailer: of the seal's revision.
        seal_field: the seal's field.
    """

    objects: dict[int, Any]
    trailer: dict[str, Any]
    seal_field: Mapping[str, Any]
    validation: list[ValidationData] = field(default_factory=list)
    stamps: list[DocumentStamp] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    """``validation`` or ``stamp`` for each revision after the seal."""
    _labels: set[Any] = field(default_factory=set)
    _open: set[int] = field(default_factory=set)
    """Numbers that something sealed refers to although there is no such object."""

    def __post_init__(self) -> None:
        self._labels.add(self.seal_field.get("T"))
        referred = {number for value in self.objects.values() for number in references(value)}
        self._open = referred - self.objects.keys()

    def read(self, data: bytes, later: Sequence[Revision]) -> None:
        """Take the revisions after the seal, in their order.

        Raises:
            MalformedError: one holds anything that is not allowed; the message says which and what.
            LimitExceededError: too much validation data.
        """
        for number, revision in enumerate(later, start=3):
            try:
                self._take(data, number, revision)
            except MalformedError as error:
                raise MalformedError(
                    f"revision {number}, after the seal, is not allowed: {error.message}",
                    what_to_do="get the certificate again from its issuer; this copy was changed",
                ) from error

    def _take(self, data: bytes, number: int, revision: Revision) -> None:
        free = ("Size", "Prev", "ID")
        kept, now = (
            {key: value for key, value in trailer.items() if key not in free}
            for trailer in (self.trailer, revision.trailer)
        )
        if not same(kept, now):
            raise MalformedError("its trailer differs from the one before")
        new = revision.objects.keys() - self.objects.keys()
        if new & self._open:
            raise MalformedError("it fills places that what is sealed leaves open")
        signatures = [item for item in new if _members(revision.objects[item]).get("Type") == _STAMP["Type"]]
        if signatures:
            self._take_stamp(data, number, revision, signatures[0])
        else:
            self._take_validation(number, revision)
        self.objects |= revision.objects
        self.trailer = revision.trailer

    # --- validation data (points 4 and 5) ---

    def _take_validation(self, number: int, revision: Revision) -> None:
        root = self._root()
        catalog = dictionary(self.objects, root, "the catalogue")
        expected: dict[int, Any] = {}
        if self.kinds:
            place = catalog["DSS"]
        else:
            place = _members(revision.objects.get(root.number)).get("DSS")
            if "DSS" in catalog or not isinstance(place, Reference) or place.number in self.objects:
                raise MalformedError("it holds neither validation data nor a time stamp")
            expected[root.number] = {**catalog, "DSS": place}
        store = revision.objects.get(place.number)
        before = _members(self.objects.get(place.number))
        kind = _members(store).get("Type", _DSS)
        if not isinstance(store, dict) or not store.keys() <= _STORE or not same(kind, _DSS):
            raise MalformedError("its validation data is not a document security store of the one form")
        expected[place.number] = store
        for name, kind in (("Certs", "certificate"), ("CRLs", "list")):
            for item in _added(store, before, name):
                expected[item] = self._add(kind, number, revision, item)
        _check_objects(revision, expected)
        self.kinds.append("validation")

    def _root(self) -> Reference:
        root = self.trailer.get("Root")
        if not isinstance(root, Reference):
            raise MalformedError("the catalogue is not an object of its own")
        return root

    def _add(self, kind: str, number: int, revision: Revision, item: int) -> Stream:
        stream = revision.objects.get(item)
        if not isinstance(stream, Stream) or item in self.objects or stream.dictionary.keys() != {"Length"}:
            raise MalformedError("its validation data is not in new streams without a filter")
        self.validation.append(ValidationData(kind, stream.raw, number))
        size = sum(len(entry.data) for entry in self.validation)
        if len(self.validation) > MAX_STREAMS or size > MAX_BYTES:
            raise LimitExceededError(
                f"the validation data has more than {MAX_STREAMS} parts or {MAX_BYTES} bytes"
            )
        if stream.raw[:1] != bytes([der.SEQUENCE]):
            raise MalformedError("its validation data is neither a certificate nor a list")
        der.check(stream.raw)
        return stream

    # --- time stamp (points 6 to 9) ---

    def _take_stamp(self, data: bytes, number: int, revision: Revision, place: int) -> None:
        if self.kinds[-1:] != ["validation"]:
            raise MalformedError("it is a time stamp that does not follow validation data")
        signature = revision.objects[place]
        rest = {key: value for key, value in signature.items() if key not in ("Contents", "ByteRange")}
        if not same(rest, _STAMP):
            raise MalformedError("its signature is not a document time stamp of RFC 3161")
        byte_range = signature_range(data, signature, end=revision.end)
        widget = self._new_field(revision, place)
        catalog = dictionary(self.objects, self._root(), "the catalogue")
        form, page = catalog.get("AcroForm"), self.seal_field.get("P")
        if not isinstance(form, Reference) or not isinstance(page, Reference):
            raise MalformedError("form and page of the seal are not objects of their own")
        expected = {place: signature, widget: revision.objects[widget]}
        for target, member in ((form, "Fields"), (page, "Annots")):
            old = dictionary(self.objects, target, member)
            if not isinstance(old.get(member), list):
                raise MalformedError(f"{member} is not an array of its own")
            expected[target.number] = {**old, member: [*old[member], Reference(widget)]}
        _check_objects(revision, expected)
        self.stamps.append(DocumentStamp(byte_range, number))
        self.kinds.append("stamp")

    def _new_field(self, revision: Revision, place: int) -> int:
        """Number of the field that shows the time stamp; it is of no size."""
        found = [
            number
            for number in revision.objects.keys() - self.objects.keys()
            if _members(revision.objects[number]).get("V") == Reference(place)
        ]
        if len(found) != 1:
            raise MalformedError("its time stamp is not in one new field")
        widget = revision.objects[found[0]]
        labels = [widget.get("T"), widget.get("TU", b"-")]
        if not all(isinstance(label, bytes) and _LABEL.fullmatch(label) for label in labels):
            raise MalformedError("its field has a name that is not plain")
        if labels[0] in self._labels:
            raise MalformedError("its field has the name of another one")
        self._labels.add(labels[0])
        expected = {**_WIDGET, "V": Reference(place), "P": self.seal_field.get("P")}
        if not same({key: value for key, value in widget.items() if key not in ("T", "TU")}, expected):
            raise MalformedError("its field is more than an invisible place for the time stamp")
        return found[0]


def _members(value: Any) -> Mapping[str, Any]:
    """The value when it is a dictionary, else an empty one."""
    return value if isinstance(value, dict) else {}


def _added(store: Mapping[str, Any], before: Mapping[str, Any], name: str) -> list[int]:
    """Numbers of the streams that an array has more than before."""
    now, old = store.get(name, []), before.get(name, [])
    if not isinstance(now, list) or now[: len(old)] != old:
        raise MalformedError("its validation data is no array, or drops what was there")
    if not all(isinstance(item, Reference) for item in now) or len(set(now)) != len(now):
        raise MalformedError("its validation data is listed twice, or not by reference")
    return [item.number for item in now[len(old) :]]


def _check_objects(revision: Revision, expected: Mapping[int, Any]) -> None:
    """The revision holds these objects and nothing else (point 3)."""
    surplus = revision.objects.keys() ^ expected.keys()
    changed = [
        number
        for number in expected
        if number not in surplus and not same(expected[number], revision.objects[number])
    ]
    if surplus or changed:
        numbers = ", ".join(map(str, sorted([*surplus, *changed])[:5]))
        raise MalformedError(f"it changes more than validation data and time stamps may (object {numbers})")
