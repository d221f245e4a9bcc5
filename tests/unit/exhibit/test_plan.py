"""A plan that cannot be carried out is refused, in words that disclose nothing."""

from __future__ import annotations

from typing import Any

import pytest

from evidence_service.capture import credentials
from evidence_service.errors import RefusedError
from evidence_service.exhibit import plan
from evidence_service.exhibit.plan import parse_plan

AREA = {"path": "a.png", "x": 1, "y": 2, "width": 3, "height": 4}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"format": "evidence-redaction-plan/2"}, "version"),
        ({"text": []}, "unknown members"),
        ({"texts": [{"text": "Jane Doe", "why": "x"}]}, "unknown members"),
        ({"texts": ["Jane Doe"]}, "not an object"),
        ({"texts": "Jane Doe"}, "not a list"),
        ({"texts": [{"text": "Anna"}]}, "text 1 of the plan has less than 6 bytes"),
        ({"patterns": [{"pattern": "("}]}, "pattern 1 of the plan is no regular expression"),
        ({"patterns": [{"pattern": "a" * 201}]}, "characters"),
        ({"patterns": [{"pattern": "x*"}]}, "fits where nothing stands"),
        ({"areas": [{**AREA, "width": 0}]}, "an area of the plan is empty"),
        ({"areas": [{**AREA, "x": -1}]}, "not a whole number|least|integer|-1"),
        ({"withheld": [{"path": "a", "evidence": "EV"}]}, "form that is not allowed|short|characters"),
        ({"texts": [{"text": "Jane\0Doe"}]}, "NUL character"),
        ({"texts": [{"text": "Jane\ud800Doe"}]}, "half a surrogate pair"),
        ({"without_certificate": "yes"}, "not true or false"),
    ],
)
def test_what_is_no_plan_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(RefusedError, match=words) as refusal:
        parse_plan(given)
    assert "Jane" not in refusal.value.told


def test_what_is_left_out_has_a_meaning() -> None:
    found = parse_plan({"texts": [{"text": "Jane Doe"}]})
    assert (found.masks, found.without_certificate, found.approved_by) == (True, False, "")
    assert found.texts() == {"Jane Doe": "personal data"}
    assert not parse_plan({"withheld": [{"path": "a"}]}).masks
    assert "Jane" not in repr(found)


def test_files_are_named_one_by_one_or_by_folder_and_for_one_evidence_or_all() -> None:
    found = parse_plan(
        {
            "withheld": [
                {"path": "images/"},
                {"path": "a.pdf", "evidence": "ev-00000001", "reason": "medical"},
            ],
            "areas": [AREA, {**AREA, "x": 9, "evidence": "ev-00000002", "reason": "face"}],
            "accepted": ["pictures/", "certificate"],
        }
    )
    assert found.withholds("ev-00000009", "images/1.png") == "personal data"
    assert found.withholds("ev-00000009", "images") is None
    assert found.withholds("ev-00000001", "a.pdf") == "medical"
    assert found.withholds("ev-00000002", "a.pdf") is None
    areas, why = found.areas_of("ev-00000002", "a.png")
    assert ([area.x for area in areas], why) == ([1, 9], "personal data; face")
    assert found.accepts("x", "pictures/1.png") and not found.accepts("picture")
    found.check_paths({"ev-00000001": ["a.pdf"], "ev-00000002": ["a.png", "images/1.png"]})
    with pytest.raises(RefusedError, match=r"has a file a\.pdf"):
        found.check_paths({"ev-00000002": ["a.pdf", "a.png", "images/1.png"]})


def test_no_text_is_taken_that_masking_leaves_alone() -> None:
    assert plan.SHORTEST >= credentials.SHORTEST
