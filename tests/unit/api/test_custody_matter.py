"""The matter of an organisation's custody log is the service's own: nobody else puts anything into it."""

from __future__ import annotations

from typing import Any

from evidence_service.service.audit_custody import audit_custody
from evidence_service.service.custody_matter import matter_id_of
from evidence_service.service.log_custody import log_custody
from evidence_service.store.schema import DEFAULT_ORGANISATION
from tests.unit.api.conftest import Service

MATTER = matter_id_of(DEFAULT_ORGANISATION)
FILE = {"name": "a.bin", "media_type": "image/png", "size": 1, "sha256": "ab" * 32, "sha3_512": "ab" * 64}
URL = "https://example.com/listing"


ORDERS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/v1/captures", {"json": {"matter_id": MATTER, "url": URL}}),
    ("POST", "/v1/capture-lists", {"json": {"matter_id": MATTER, "rows": [{"url": URL}]}}),
    ("POST", "/v1/uploads", {"params": {"matter_id": MATTER, "name": "a.txt"}, "content": b"a"}),
    ("POST", "/v1/uploads/sessions", {"json": {"matter_id": MATTER, "name": "a.txt", "size": 1}}),
    ("POST", "/v1/registrations", {"json": {"matter_id": MATTER, **FILE}}),
    ("POST", "/v1/registration-lists", {"json": {"matter_id": MATTER, "rows": [FILE]}}),
    ("PATCH", f"/v1/matters/{MATTER}", {"json": {"reference": "Mine"}}),
]


def test_nothing_of_a_caller_gets_into_it(service: Service) -> None:
    service.upload()
    log_custody(service.parts)
    assert service.http.get(f"/v1/matters/{MATTER}").json()["reference"] == "Custody log"
    for method, path, sent in ORDERS:
        answer = service.http.request(method, path, **sent)
        assert answer.status_code == 422, (path, answer.text)
        title = f"matter {MATTER} is the custody log's own: only its checkpoints belong there"
        assert answer.json()["title"] == title, path
    log_custody(service.parts)
    assert [item.problems for item in audit_custody(service.parts) if item.problems] == []
