"""Declarations through the API and the command: who may sign, who is refused, what the custody log keeps of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.exc import OperationalError

from evidence_service.certificate.facts import CertificateFacts
from evidence_service.cli import main
from evidence_service.service import declare
from evidence_service.service.parts import SERVICE, Parts
from evidence_service.store.certificates import Certificates
from evidence_service.store.records import Records
from tests.unit.api.conftest import Service
from tests.unit.certificate.declaring import facts, text_of


class Evidence:
    """A certified upload whose facts are those of a world of its own, and whose custody log is real."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.id = str(service.upload()["id"])
        self.path = f"/v1/evidence/{self.id}/declarations"
        self.event("receive", "agent", "operator")
        self.event("store", *SERVICE)
        service.register(self.id)

    def event(self, action: str, actor: str, role: str) -> None:
        """Somebody does something."""
        self.service.parts.custody(
            self.id, f"{action} {actor}", action, actor=(actor, role), purpose=f"{action} it"
        )

    def log(self) -> list[dict[str, Any]]:
        return self.service.parts.records.custody(self.id)

    def made(self) -> list[dict[str, Any]]:
        return [event for event in self.log() if "declaration" in event["detail"]]

    def get(self, form: str, person: str, **more: str) -> Any:
        query = {"person": person, "name": "Alex Agent", **more}
        return self.service.http.get(f"{self.path}/{form}.pdf", params=query)

    def run(self, *arguments: object) -> Result:
        return CliRunner().invoke(
            main, ["declaration", *map(str, arguments)], env=self.service.environment, terminal_width=200
        )


@pytest.fixture
def evidence(service: Service, monkeypatch: pytest.MonkeyPatch) -> Evidence:
    def verified(parts: Parts, certificate: Any) -> CertificateFacts:
        found = facts(kind="upload", mode="none")
        return replace(
            found, values={**found.values, "custody": parts.records.custody(certificate.evidence_id)}
        )

    def of_evidence(_: Certificates, evidence_id: str) -> Any:
        return SimpleNamespace(number="EP-2026-000001", evidence_id=evidence_id, sha256=b"\x9c" * 32)

    monkeypatch.setattr(declare, "verified_facts", verified)
    monkeypatch.setattr(Certificates, "of_evidence", of_evidence)
    return Evidence(service)


def test_who_may_sign_what_comes_from_the_custody_log(evidence: Evidence) -> None:
    evidence.event("view", "viewer", "reviewer")
    evidence.event("certify", "withdrawer", "operator")
    answer = evidence.service.http.get(evidence.path).json()
    people = {item["person"]: item for item in answer["people"]}
    assert [item["form"] for item in answer["forms"]] == [
        "cn-evidence-list",
        "custodian",
        "eu-time-stamp-report",
        "us-902-13",
        "us-902-14",
        "us-vt-1913",
    ]
    assert set(people) == {"agent", "viewer", "withdrawer"}, "the service itself is no person"
    assert [event["action"] for event in people["agent"]["events"]] == ["order", "receive"]
    assert "us-902-13" in people["agent"]["may_sign"]
    assert people["viewer"]["may_sign"] == ["cn-evidence-list", "eu-time-stamp-report"]
    assert people["withdrawer"]["may_sign"] == []


@pytest.mark.parametrize("form", ["us-902-13", "us-902-14", "us-vt-1913", "custodian", "cn-evidence-list"])
def test_a_draft_names_its_person_and_what_this_person_took_part_in(
    evidence: Evidence, form: str, tmp_path: Path
) -> None:
    answer = evidence.get(form, "agent")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    assert f'filename="{form}-EP-2026-000001.pdf"' in answer.headers["content-disposition"]
    words = text_of(answer.content, tmp_path)
    assert "Alex Agent" in words
    assert "receive it" in words


def test_somebody_who_took_no_part_is_refused_and_told_who_did(evidence: Evidence) -> None:
    answer = evidence.get("custodian", "<script>mallory")
    body = answer.json()
    assert (answer.status_code, body["type"]) == (422, "urn:evidence-service:problem:refused")
    assert "took no part in the evidence" in body["title"]
    assert "agent: 1 order, 2 receive" in body["what_to_do"]
    assert "evidence-service" not in body["what_to_do"], "the service is nobody who could sign"
    assert "mallory" not in answer.text, "what was asked is not echoed"
    assert evidence.made() == []


def test_the_service_itself_is_refused(evidence: Evidence) -> None:
    assert evidence.get("custodian", SERVICE[0]).status_code == 422


def test_a_part_that_does_not_fit_the_form_is_refused(evidence: Evidence) -> None:
    evidence.event("view", "viewer", "reviewer")
    for form in ("us-902-13", "us-902-14", "us-vt-1913", "custodian"):
        body = evidence.get(form, "viewer").json()
        assert body["status"] == 422
        assert f"what viewer took part in (5 view) does not fit {form}" in body["title"], body
        assert "agent: 1 order, 2 receive" in body["what_to_do"]
    assert evidence.get("eu-time-stamp-report", "viewer").status_code == 200


def test_the_same_draft_is_the_same_file_and_one_event(evidence: Evidence) -> None:
    first = evidence.get("us-902-14", "agent").content
    assert evidence.get("us-902-14", "agent").content == first, "its own event is not printed"
    (event,) = evidence.made()
    assert (event["action"], event["actor"]["id"]) == ("export", "agent")
    assert event["after"] == hashlib.sha256(first).hexdigest()
    assert event["detail"] == {
        "declaration": "us-902-14",
        "person": "agent",
        "certificate": "EP-2026-000001",
    }, "the full name stays out of the log"
    other = evidence.get("us-902-14", "agent", name="Someone Else").content
    assert other != first
    assert len(evidence.made()) == 2


def test_having_a_draft_made_is_no_part_in_the_evidence(evidence: Evidence) -> None:
    evidence.event("copy", "signer", "applicant")
    assert evidence.get("custodian", "signer").status_code == 200
    answer = evidence.service.http.get(evidence.path).json()
    (agent,) = [item for item in answer["people"] if item["person"] == "agent"]
    assert [event["action"] for event in agent["events"]] == ["order", "receive"]


def test_a_draft_is_not_given_away_before_the_log_has_it(
    evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log's write fails; then it lands and its answer is lost; then it is asked once more."""
    append = Records.append_custody

    def failed(*_: Any, **__: Any) -> Any:
        raise OperationalError("INSERT", {}, Exception("the connection broke"))

    def landed(*arguments: Any, **options: Any) -> Any:
        append(*arguments, **options)
        raise OperationalError("INSERT", {}, Exception("the connection broke"))

    monkeypatch.setattr(Records, "append_custody", failed)
    assert evidence.get("custodian", "agent").status_code == 503
    assert evidence.made() == []
    monkeypatch.setattr(Records, "append_custody", landed)
    assert evidence.get("custodian", "agent").status_code == 503
    monkeypatch.setattr(Records, "append_custody", append)
    assert evidence.get("custodian", "agent").status_code == 200
    assert len(evidence.made()) == 1


def test_drafts_do_not_fill_the_custody_log(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declare, "MOST_DECLARATIONS", 1)
    assert evidence.get("custodian", "agent").status_code == 200
    answer = evidence.get("us-902-14", "agent")
    assert answer.status_code == 422
    assert "were prepared for" in answer.json()["title"]
    assert evidence.get("custodian", "agent").status_code == 200, "the one there is can be had again"


def test_many_events_are_told_shortly(evidence: Evidence) -> None:
    for number in range(12):
        evidence.service.parts.custody(
            evidence.id, f"copy {number}", "copy", actor=("agent", "applicant"), purpose="copy"
        )
    words = evidence.get("custodian", "nobody").json()["what_to_do"]
    assert words.endswith("12 copy …")


@pytest.mark.parametrize(
    ("form", "query", "status"),
    [
        ("no-such-form", {}, 404),
        ("..%2Fus-902-13", {}, 404),
        ("custodian", {"language": "fr"}, 422),
        ("us-902-13", {"language": "zh"}, 422),
        ("custodian", {"name": ""}, 422),
        ("custodian", {"name": "x" * 201}, 422),
    ],
)
def test_what_cannot_be_made_is_a_problem_document(
    evidence: Evidence, form: str, query: dict[str, str], status: int
) -> None:
    answer = evidence.get(form, "agent", **query)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_nothing_is_answered_without_a_key(evidence: Evidence) -> None:
    for path in ("", "/custodian.pdf?person=agent&name=x"):
        assert (
            evidence.service.http.get(evidence.path + path, headers={"Authorization": ""}).status_code == 401
        )


def test_evidence_without_a_certificate_has_no_declarations(service: Service) -> None:
    evidence = Evidence(service)
    assert evidence.get("custodian", "agent").status_code == 404
    assert evidence.service.http.get(evidence.path).status_code == 200
    assert evidence.service.http.get("/v1/evidence/ev-none/declarations").status_code == 404


def test_the_command(evidence: Evidence, tmp_path: Path) -> None:
    told = evidence.run("forms")
    assert told.exit_code == 0
    assert "us-vt-1913" in told.stdout
    listed = json.loads(evidence.run("forms", "--json").stdout)
    assert listed == evidence.service.http.get(evidence.path).json()["forms"]
    assert "agent" in evidence.run("people", evidence.id).stdout
    (agent,) = json.loads(evidence.run("people", evidence.id, "--json").stdout)
    assert "custodian" in agent["may_sign"]
    output = tmp_path / "draft.pdf"
    options = ("--person", "agent", "--name", "\u202eAlex", "--output", output)
    done = evidence.run("make", evidence.id, "--form", "custodian", "--language", "zh", *options)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{output}  custodian  for agent; not signed\n"
    assert "[U+202E]Alex" in text_of(output.read_bytes(), tmp_path)
    refused = evidence.run("make", evidence.id, "--form", "custodian", "--person", "eve", *options[2:])
    assert refused.exit_code == 2
    assert "took no part" in refused.stderr
    assert "agent: 1 order, 2 receive" in refused.stderr
