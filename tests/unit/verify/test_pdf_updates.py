"""What may follow a seal: corners that no certificate of a real maker has."""

from __future__ import annotations

import re
from typing import Any

import pytest

from evidence_service.errors import MalformedError
from evidence_service.verify import pdf
from evidence_service.verify.pdf_objects import Name, Reference, Stream, references, same
from evidence_service.verify.pdf_tables import Revision
from evidence_service.verify.pdf_updates import Updates
from tests.unit.verify.test_pdf import STREAM, document

ROOT = {"Root": Reference(1)}
SIGNATURE = {
    "Type": Name("DocTimeStamp"),
    "Filter": Name("Adobe.PPKLite"),
    "SubFilter": Name("ETSI.RFC3161"),
    "Contents": b"A",
    "ByteRange": [0, 1, 5, 0],
}
WIDGET = {
    "FT": Name("Sig"), "T": b"Archive", "Type": Name("Annot"), "Subtype": Name("Widget"), "F": 132,
    "Rect": [0, 0, 0, 0], "P": Reference(4), "V": Reference(7),
}  # fmt: skip


def stamped(objects: dict[int, Any], field: dict[str, Any], changed: dict[int, Any]) -> Updates:
    """What a time stamp makes of a form and a page, once validation data is there."""
    updates = Updates(objects, ROOT, field)
    updates.kinds.append("validation")
    updates.read(b"x<41>", [Revision(0, 5, {7: SIGNATURE, 8: WIDGET, **changed}, ROOT)])
    return updates


FORM, PAGE = {"Fields": [Reference(3)]}, {"Annots": [Reference(3)]}
CATALOG = {"AcroForm": Reference(2), "DSS": Reference(9)}
FIELD = {"T": b"Seal", "P": Reference(4)}
OBJECTS = {1: CATALOG, 2: FORM, 3: FIELD, 4: PAGE, 9: {}}


def test_form_and_page_get_exactly_the_field() -> None:
    added = {2: {"Fields": [Reference(3), Reference(8)]}, 4: {"Annots": [Reference(3), Reference(8)]}}
    updates = stamped(OBJECTS, FIELD, added)
    assert updates.kinds == ["validation", "stamp"]
    assert updates.stamps[0].byte_range == (1, 5, 5)


@pytest.mark.parametrize(
    ("objects", "field", "words"),
    [
        ({**OBJECTS, 1: {**CATALOG, "AcroForm": FORM}}, FIELD, "form and page of the seal are not objects"),
        (OBJECTS, {"T": b"Seal"}, "invisible place"),
        ({**OBJECTS, 2: {"Fields": Reference(5)}}, FIELD, "Fields is not an array"),
        ({**OBJECTS, 4: {}}, FIELD, "Annots is not an array"),
        ({**OBJECTS, 4: 7}, FIELD, "Annots of the PDF is missing"),
    ],
)
def test_a_form_or_page_of_another_form_is_not_extended(
    objects: dict[int, Any], field: dict[str, Any], words: str
) -> None:
    with pytest.raises(MalformedError, match=f"revision 3, after the seal, is not allowed: .*{words}"):
        stamped(objects, field, {})


def test_a_catalogue_in_the_trailer_is_not_extended() -> None:
    trailer: dict[str, Any] = {"Root": {}}
    with pytest.raises(MalformedError, match="not an object of its own"):
        Updates({}, trailer, {}).read(b"", [Revision(0, 0, {}, trailer)])


def test_values_are_compared_by_kind_and_content() -> None:
    value = {"A": [1, 2.5, Name("N"), b"text", None, True, Reference(3)], "B": {"C": Stream({}, b"x")}}
    again = {"B": {"C": Stream({}, b"x")}, "A": [1.0, 2.5, Name("N"), b"text", None, True, Reference(3)]}
    assert same(value, again)
    for one, other in (
        (1, True), (0, None), (Name("A"), b"A"), ([1], [1, 2]), ({"A": 1}, {"B": 1}), ([], {}), (Reference(1), [1]),
        ({"A": None}, {}), (Stream({}, b"x"), Stream({}, b"y")), (1, 2),
    ):  # fmt: skip
        assert not same(one, other)
    assert sorted(references([value, Stream({"Length": Reference(9)}, b"")])) == [3, 9]


def test_a_table_of_another_revision_is_refused() -> None:
    data = document()
    first, second = (int(place) for place in re.findall(rb"startxref\n(\d+)", data))
    again = data[: data.rindex(b"startxref")] + b"startxref\n%d\n%%%%EOF\n" % first
    assert len(again) == len(data), "the two offsets have the same number of digits"
    with pytest.raises(MalformedError, match="not in its own revision"):
        pdf.read(again)
    assert first < second


def test_a_stream_may_end_without_a_line_of_its_own() -> None:
    for end in (b"abcendstream", b"abc\rendstream", b"abc\r\nendstream"):
        assert pdf.read(document({4: STREAM.replace(b"abc\nendstream", end)})).attachments == {
            "a.txt": b"abc"
        }
