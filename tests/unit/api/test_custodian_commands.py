"""``evidence matter``, ``hold``, ``retention``, ``deletion`` and ``link`` against a running service."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from evidence_service.cli import main
from tests.unit.api.certificates import anchored
from tests.unit.api.conftest import SECOND, Service

USAGE = 2
WHY = ("--reason", "proceedings are pending")


def run(service: Service, *arguments: str, key: str | None = None, code: int = 0) -> Result:
    environment = service.environment | ({} if key is None else {"EVIDENCE_API_KEY": key})
    done = CliRunner().invoke(main, arguments, env=environment)
    assert done.exit_code == code, done.output
    return done


def shown(service: Service, *arguments: str) -> Any:
    """The JSON document of a command."""
    return json.loads(run(service, *arguments, "--json").stdout)


def test_a_matter_is_registered_listed_and_shown(service: Service) -> None:
    order = ("--reference", "R-7", "--applicant", "Brand Ltd", "--right", "EUTM 1", "--court", "LG Hamburg")
    name = run(service, "matter", "add", *order).stdout.strip()
    [row] = run(service, "matter", "list", "--reference", "R-7").stdout.splitlines()
    assert row.split("\t")[:3] == [name, "R-7", "Brand Ltd"]
    assert {item["id"] for item in shown(service, "matter", "list")} == {name, service.matter}
    assert shown(service, "matter", "show", name)["rights"] == ["EUTM 1"]
    lines = run(service, "matter", "show", name).stdout.splitlines()
    assert "court\tLG Hamburg" in lines and "rights\tEUTM 1" in lines
    assert not any(line.startswith("respondent") for line in lines)
    assert "there is no matter m-none" in run(service, "matter", "show", "m-none", code=USAGE).stderr
    assert shown(service, "matter", "add", *order)["reference"] == "R-7"


def test_holds_on_evidence_and_on_its_matter(service: Service) -> None:
    evidence_id = anchored(service)
    for subject in (evidence_id, service.matter):
        name = run(service, "hold", "place", subject, *WHY).stdout.strip()
        assert f"{name}\tstands\t{subject}\tagent" in run(service, "hold", "list", subject).stdout
        assert f"{name} was lifted by agent" in run(service, "hold", "lift", subject, name, *WHY).stderr
        assert f"{name}\tlifted" in run(service, "hold", "list", subject).stdout
    assert len(shown(service, "hold", "list", evidence_id)) == 2
    placed = shown(service, "hold", "place", evidence_id, *WHY)
    assert shown(service, "hold", "lift", evidence_id, placed["id"], *WHY)["lifted_by"] == "agent"
    refused = run(service, "hold", "lift", evidence_id, "../../x", *WHY, code=USAGE)
    assert "error: " in refused.stderr


def test_retention_is_set_and_shown(service: Service) -> None:
    evidence_id = anchored(service)
    assert "no retention was set" in run(service, "retention", evidence_id, code=USAGE).stderr
    run(service, "retention", evidence_id, "--until", "2036-12-31")
    [found] = shown(service, "retention", evidence_id)
    assert found["keep_until"] == "2036-12-31T00:00:00Z"
    assert run(service, "retention", evidence_id).stdout.startswith(f"{evidence_id}\t2036-12-31T00:00:00Z")


@pytest.mark.parametrize(("word", "state"), [("approve", "approved"), ("reject", "refused")])
def test_a_deletion_is_asked_for_and_decided(service: Service, word: str, state: str) -> None:
    evidence_id = anchored(service)
    asked = run(service, "deletion", "ask", evidence_id, *WHY)
    name = asked.stdout.strip()
    assert f"evidence deletion approve {name}" in asked.stderr
    [listed] = shown(service, "deletion", "list", "--state", "requested", "--evidence", evidence_id)
    assert (listed["id"], listed["reason"]) == (name, WHY[1])
    assert "ask another person" in run(service, "deletion", word, name, *WHY, code=USAGE).stderr
    other = run(service, "link", word, name, *WHY, key=SECOND, code=USAGE)
    assert f"{name} asks for a deletion, not for a release" in other.stderr
    assert "evidence deletion approve" in other.stderr
    decided = run(service, "deletion", word, name, *WHY, key=SECOND)
    assert decided.stdout.startswith(f"{name}\t{state}\t{evidence_id}\tagent")
    assert run(service, "deletion", "list", "--state", "requested").stdout == ""


def test_a_link_is_made_approved_listed_and_revoked(service: Service) -> None:
    evidence_id = anchored(service)
    order = ("--recipient", "LG Hamburg", "--purpose", "Exhibit K 3")
    made = run(service, "link", "make", evidence_id, "--what", "bundle", *order)
    [address] = made.stdout.splitlines()
    [listed] = shown(service, "link", "list", evidence_id)
    assert f"evidence link approve {listed['request_id']}" in made.stderr and listed["id"] in made.stderr
    assert (listed["max_downloads"], listed["recipient"]) == (1, "LG Hamburg")
    assert httpx.get(address, trust_env=False).status_code == 404
    wrong = run(service, "deletion", "approve", listed["request_id"], *WHY, key=SECOND, code=USAGE)
    assert "asks for a release, not for a deletion" in wrong.stderr
    run(service, "link", "approve", listed["request_id"], *WHY, key=SECOND)
    assert httpx.get(address, trust_env=False).json()["manifest"]["evidence_id"] == evidence_id
    assert shown(service, "deletion", "list") == []
    assert run(service, "link", "list", evidence_id).stdout.startswith(f"{listed['id']}\tbundle\t")
    revoked = run(service, "link", "revoke", evidence_id, listed["id"])
    assert f"{listed['id']} was revoked by agent" in revoked.stderr
    second = shown(service, "link", "make", evidence_id, "--what", "bundle", *order, "--days", "1")
    assert second["path"].startswith("/v1/release/")
    assert shown(service, "link", "revoke", evidence_id, second["id"])["revoked_by"] == "agent"
