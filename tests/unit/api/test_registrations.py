"""Digests registered over the API: one by one, in lists, found again by digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from evidence_service.core import canonical, receipt
from evidence_service.service.enter_registrations import enter_registrations
from evidence_service.store.registrations import Registrations
from evidence_service.verify.receipt import check_signature, judge_promise, read_public_key
from evidence_service.verify.report import Status
from tests.running import enrol
from tests.unit.api.conftest import Service


def stated(content: bytes = b"content", name: str = "photos/图片.png", **more: Any) -> dict[str, Any]:
    """A row."""
    return {
        "name": name,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "sha3_512": hashlib.sha3_512(content).hexdigest(),
        "media_type": "image/png",
        **more,
    }


def register(service: Service, content: bytes = b"content", *, key: str | None = None, **more: Any) -> Any:
    """The answer to one registration."""
    return service.http.post(
        "/v1/registrations",
        json={"matter_id": service.matter, **stated(content), **more},
        headers={} if key is None else {"Idempotency-Key": key},
    )


def register_list(service: Service, rows: list[Any], *, key: str | None = None) -> Any:
    """The answer to a list."""
    return service.http.post(
        "/v1/registration-lists",
        json={"matter_id": service.matter, "rows": rows},
        headers={} if key is None else {"Idempotency-Key": key},
    )


def test_a_digest_is_registered_and_becomes_evidence(service: Service) -> None:
    answer = register(service)
    assert answer.status_code == 202, answer.text
    found = answer.json()
    public_key = read_public_key(service.http.get("/v1/receipt-key").content)
    check_signature(receipt.parse(receipt.canonical.encode(found["receipt"])), public_key)
    view = service.http.get(answer.headers["location"]).json()
    assert (view["status"], view["name"], view["batch"]) == ("accepted", "photos/图片.png", None)
    assert enter_registrations(service.parts) == 1
    assert enter_registrations(service.parts) == 0
    view = service.http.get(f"/v1/evidence/{found['id']}").json()
    assert (view["status"], view["kind"]) == ("registered", "digest")


def test_a_repetition_under_a_key_gives_the_same_answer_and_another_request_none(service: Service) -> None:
    first = register(service, key="k")
    service.clock.forward(5)
    assert register(service, key="k").content == first.content
    other = register(service, b"other", key="k")
    assert (other.status_code, other.json()["type"]) == (409, "urn:evidence-service:problem:conflict")
    assert register(service).json()["id"] != register(service).json()["id"]
    # Of another kind of request, the same key is another one.
    assert register_list(service, [stated()], key="k").status_code == 202


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sha256": "00"}, "body.sha256"),
        ({"sha256": "A" * 64}, "body.sha256"),
        ({"size": -1}, "body.size"),
        ({"size": "5"}, "body.size"),
        ({"size": 2**53}, "body.size"),
        ({"media_type": "no type"}, "body.media_type"),
        ({"name": ""}, "body.name"),
        ({"note": "x"}, "body.note"),
        ({"name": "../x"}, "a form that is not allowed"),
        ({"name": "a\x00b"}, "a form that is not allowed"),
    ],
)
def test_what_no_manifest_can_say_is_refused(service: Service, change: dict[str, Any], words: str) -> None:
    answer = register(service, **change)
    assert answer.status_code == 422
    assert words in answer.json()["title"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_rules_of_every_route_hold_where_parameters_are_read_directly(service: Service) -> None:
    body = json.dumps({"matter_id": service.matter, **stated()})

    def post(path: str = "/v1/registrations", content: Any = body, **headers: str) -> Any:
        return service.http.post(
            path, content=content, headers={"Content-Type": "application/json", **headers}
        )

    for path in ("/v1/registrations", "/v1/registration-lists"):
        assert post(path, Authorization="Bearer wrong").status_code == 401
        assert post(path, content=b"{").status_code == 422
        assert post(path, content=b" " * (33 << 20)).status_code == 413
        assert (
            service.http.post(path, content=body, headers={"Content-Type": "text/plain"}).status_code >= 415
        )
        assert service.http.delete(path).status_code == 405
        assert post(path, **{"Idempotency-Key": "k" * 201}).status_code == 422
    answer = post(**{"Authorization": ""})
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert post(content=b'{"matter_id": "secret words"').text.count("secret words") == 0


def test_an_unknown_matter_refuses_only_its_own_registration(service: Service) -> None:
    assert register(service, matter_id="m-nobody").status_code == 404
    assert register_list(service, [stated()]).status_code == 202
    answer = service.http.post("/v1/registration-lists", json={"matter_id": "m-nobody", "rows": [stated()]})
    assert answer.status_code == 404


def test_rows_of_a_list_are_accepted_or_refused_one_by_one(service: Service) -> None:
    rows = [stated(b"1"), {**stated(b"2"), "sha256": "x"}, stated(b"3"), "no row", stated(b"5", name="a\\b")]
    answer = register_list(service, rows, key="list")
    assert answer.status_code == 202, answer.text
    found = answer.json()
    assert (found["accepted"], found["refused"]) == (2, 3)
    assert [row["problem"] is None for row in found["rows"]] == [True, False, True, False, False]
    assert found["rows"][1]["problem"]["title"].startswith("sha256: ")
    assert register_list(service, rows, key="list").content == answer.content
    assert register_list(service, rows[:1], key="list").status_code == 409
    view = service.http.get(answer.headers["location"]).json()
    assert (view["accepted"], view["refused"], view["statuses"]) == (2, 3, {"accepted": 2})
    assert enter_registrations(service.parts, portion=1) == 2
    pages, after = [], 0
    while after is not None:
        page = service.http.get(
            f"/v1/registration-lists/{found['id']}/rows", params={"after": after, "limit": 2}
        ).json()
        pages.append(
            [
                (row["position"], row["registration"] and row["registration"]["status"])
                for row in page["items"]
            ]
        )
        after = page["next"]
    assert pages == [[(1, "registered"), (2, None)], [(3, "registered"), (4, None)], [(5, None)]]


def test_a_list_of_nothing_that_can_be_registered_is_answered(service: Service) -> None:
    found = register_list(service, [{}]).json()
    assert (found["accepted"], found["receipt"]) == (0, None)


def test_one_receipt_promises_for_the_rows_of_a_list_and_each_row_gets_its_own(service: Service) -> None:
    contents = [b"1", b"2", b"3"]
    found = register_list(service, [stated(item) for item in contents]).json()
    text = "".join(
        f"{row['position']} {row['id']} {len(item)} {hashlib.sha256(item).hexdigest()} "
        f"{hashlib.sha3_512(item).hexdigest()}\n"
        for row, item in zip(found["rows"], contents, strict=True)
    )
    key = read_public_key(service.http.get("/v1/receipt-key").content)
    value = receipt.parse(canonical.encode(found["receipt"]))
    check_signature(value, key)
    assert value["accepted"] == {"digests": 3, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    assert judge_promise(value, None, now=service.clock(), current=True).status is Status.NOT_CHECKED
    enter_registrations(service.parts)
    service.clock.forward(3600)
    assert service.parts.batches.close_due(service.parts.batching, now=service.clock()) is not None
    for row in found["rows"]:
        base = f"/v1/evidence/{row['id']}"
        own = receipt.parse(service.http.get(f"{base}/receipt").content)
        check_signature(own, key)
        assert (own["batch_by"], own["accepted_at"]) == (value["batch_by"], value["accepted_at"])
        judged = judge_promise(
            own, service.http.get(f"{base}/bundle").content, now=service.clock(), current=True
        )
        assert "was closed at" in judged.why


def test_a_digest_leads_to_its_registrations_and_proofs(service: Service) -> None:
    first, second = register(service).json(), register_list(service, [stated(), stated(b"other")]).json()
    sha256 = hashlib.sha256(b"content").hexdigest()

    def ask(digest: str, **query: Any) -> Any:
        return service.http.get("/v1/proofs", params={"sha256": digest, **query}).json()

    found = ask(sha256)
    assert {item["id"] for item in found["items"]} == {first["id"], second["rows"][0]["id"]}
    assert [item["path"] for item in found["items"]] == [None, None]
    enter_registrations(service.parts)
    service.clock.forward(3600)
    service.parts.batches.close_due(service.parts.batching, now=service.clock())
    page = ask(sha256, limit=1)
    assert page["next"] == page["items"][0]["id"]
    [item] = ask(sha256, limit=1, after=page["next"])["items"]
    assert (item["matched"], item["status"], item["size"]) == ("content", "registered", 3)
    bundle = service.http.get(f"/v1/evidence/{item['id']}/bundle").json()
    assert bundle["inclusion"] == {"index": item["index"], "size": 3, "path": item["path"]}
    manifest = hashlib.sha256(canonical.encode(bundle["manifest"])).hexdigest()
    [same] = ask(manifest)["items"]
    assert (same["id"], same["matched"]) == (item["id"], "manifest")
    assert ask("00" * 32) == {"items": [], "next": None}
    uploaded = service.upload(b"content")
    assert uploaded["id"] in {found["id"] for found in ask(sha256)["items"]}
    listed = service.http.get("/v1/search", params={"sha256": sha256}).json()["items"]
    assert len(listed) == 3
    assert service.http.get("/v1/proofs", params={"sha256": "zz"}).status_code == 422


@pytest.fixture
def stranger(service: Service) -> Iterator[httpx.Client]:
    """A client of another organisation."""
    enrol(service.parts, "o-other", "OT", "other key")
    headers = {"Authorization": "Bearer other key"}
    with httpx.Client(base_url=service.http.base_url, headers=headers, trust_env=False) as client:
        yield client


def test_another_organisation_sees_and_blocks_nothing(service: Service, stranger: httpx.Client) -> None:
    """The same key, the same digest: two registrations that know nothing of one another."""
    mine = register(service, key="k").json()
    matter = stranger.post("/v1/matters", json={"reference": "R", "applicant": "Other SA"}).json()["id"]
    theirs = stranger.post(
        "/v1/registrations", json={"matter_id": matter, **stated()}, headers={"Idempotency-Key": "k"}
    ).json()
    assert theirs["id"] != mine["id"]
    assert stranger.get(f"/v1/registrations/{mine['id']}").status_code == 404
    sha256 = stated()["sha256"]
    assert [item["id"] for item in stranger.get("/v1/proofs", params={"sha256": sha256}).json()["items"]] == [
        theirs["id"]
    ]
    used = stranger.post("/v1/registrations", json={"matter_id": service.matter, **stated()})
    assert used.status_code == 404
    listed = register_list(service, [stated()]).json()
    for path in ("", "/rows"):
        assert stranger.get(f"/v1/registration-lists/{listed['id']}{path}").status_code == 404


def test_registrations_of_a_process_are_committed_together(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups: list[int] = []
    original = Registrations.add

    def add(self: Registrations, new: Any) -> Any:
        groups.append(sum(map(len, new.values())))
        return original(self, new)

    monkeypatch.setattr(Registrations, "add", add)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: register(service, b"%d" % number), range(60)))
    assert [answer.status_code for answer in answers] == [202] * 60
    assert sum(groups) == 60
    assert len(groups) < 60
    found = service.parts.registrations.some([answer.json()["id"] for answer in answers])
    assert len(found) == 60
