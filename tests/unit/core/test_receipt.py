"""Intake receipts against the vectors; what is not one is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_service.core import canonical, receipt
from evidence_service.errors import (
    EvidenceError,
    LimitExceededError,
    MalformedError,
    UnsupportedVersionError,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "receipts.json").read_text())
CASES: dict[str, dict[str, Any]] = {case["name"]: case for case in VECTORS["cases"]}
CAPTURE = bytes.fromhex(CASES["capture"]["receipt"])
REFUSED = {"format": MalformedError, "version": UnsupportedVersionError}


@pytest.mark.parametrize("name", CASES)
def test_vector(name: str) -> None:
    data = bytes.fromhex(CASES[name]["receipt"])
    refused = REFUSED.get(CASES[name]["verdict"])
    if refused is None:
        value = receipt.parse(data)
        members = {member: value[member] for member in value if member != "signature"}
        assert receipt.build(members, receipt.signature(value)) == data
        assert canonical.encode(members) == receipt.signed_bytes(value)
    else:
        with pytest.raises(refused):
            receipt.parse(data)


def test_the_key_id_is_that_of_the_vectors_key() -> None:
    assert receipt.key_id(bytes.fromhex(VECTORS["public_key"])) == receipt.parse(CAPTURE)["key_id"]


def test_a_receipt_has_one_form_and_a_limit() -> None:
    with pytest.raises(MalformedError, match="canonical"):
        receipt.parse(CAPTURE + b"\n")
    with pytest.raises(LimitExceededError):
        receipt.parse(b" " * (receipt.LIMIT + 1))


def test_a_signature_that_is_too_long_is_over_a_limit() -> None:
    value = {**json.loads(CAPTURE), "signature": base64.b64encode(bytes(100)).decode()}
    with pytest.raises(LimitExceededError):
        receipt.parse(canonical.encode(value))


@given(st.binary(max_size=200), st.integers(0, len(CAPTURE)))
def test_arbitrary_bytes_are_refused_as_evidence_that_is_wrong(junk: bytes, at: int) -> None:
    for data in (junk, CAPTURE[:at] + junk + CAPTURE[at:]):
        if data != CAPTURE:
            try:
                receipt.parse(data)
            except EvidenceError:
                continue
