"""Declarations about real evidence: filled from a bundle the engine accepts now, for who ordered it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from evidence_service.errors import RefusedError
from tests.e2e.conftest import Result
from tests.unit.certificate.declaring import text_of


def test_a_declaration_says_what_was_verified(result: Result, tmp_path: Path) -> None:
    client, base = result.client, f"/v1/evidence/{result.evidence_id}"
    (person,) = client.call("GET", f"{base}/declarations").json()["people"]
    assert {"order", "copy"} <= {event["action"] for event in person["events"]}
    assert set(person["may_sign"]) == {
        "cn-evidence-list",
        "custodian",
        "eu-time-stamp-report",
        "us-902-13",
        "us-902-14",
        "us-vt-1913",
    }
    certificate = client.call("GET", f"{base}/certificate").json()
    (anchor,) = json.loads(result.bundle.read_bytes())["anchors"]
    for form, expected in (
        ("us-902-13", ("HTTP status 200", "could not be examined", result.evidence_id)),
        ("us-902-14", ("capture.wacz", "process of digital identification")),
        ("us-vt-1913", (f"({anchor['chain_id']})", "The custody log notes the entry")),
        ("custodian", ("were found to be the same", "evidence-service (custodian)")),
        ("eu-time-stamp-report", ("manifest-2.tst", "is not asserted")),
        ("cn-evidence-list", ("证据目录", "网页截图")),
    ):
        query = {"person": person["person"], "name": "Alex Agent"}
        pdf = client.call("GET", f"{base}/declarations/{form}.pdf", params=query).content
        assert client.call("GET", f"{base}/declarations/{form}.pdf", params=query).content == pdf, form
        joined = text_of(pdf, tmp_path).replace(" ", "")
        for words in (*expected, certificate["number"], certificate["sha256"], "AlexAgent"):
            assert words.replace(" ", "") in joined, (form, words)
        last = client.call("GET", f"{base}/custody").json()[-1]
        assert (last["action"], last["after"]) == ("export", hashlib.sha256(pdf).hexdigest())
    with pytest.raises(RefusedError, match="took no part"):
        query = {"person": "nobody", "name": "Nobody"}
        client.call("GET", f"{base}/declarations/custodian.pdf", params=query)
