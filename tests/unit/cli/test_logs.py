"""No secret reaches the log: by a traceback, by a library's words, by what an event is given."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evidence_service.cli.logs import MASK, Redaction
from evidence_service.config import Settings
from evidence_service.config.secrets import known_secrets

SECRETS = {
    "api_key": "evk-9f8e7d6c5b4a39281706",
    "seal_password": "correct horse battery staple",
    "database_password": "hunter2/of the%database",
    "database_in_url": "hunter2%2Fof%20the%25database",
    "node_key": "abcdef0123456789abcdef",
    "cookie": "session=0123456789abcdef",
    "webhook": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "query": "listing-terms-of-a-client",
}
CODE = """
import json, logging, sys, structlog
from evidence_service.cli import logs
from evidence_service.config import Settings
from evidence_service.config.secrets import known_secrets
told = json.loads(sys.argv[1])
logs.configure(known_secrets(Settings()))
log = structlog.get_logger("evidence_service.test")
url = f"postgresql://evidence:{told['database_in_url']}@db/record"
def fails(password):
    raise RuntimeError(
        f"it broke at {url} or {told['database_password']} or https://node.example/v3/{told['node_key']} "
        f"or https://shop.example/item?terms={told['query']} with {told['webhook']}"
    )
try:
    fails(told["seal_password"])
except RuntimeError:
    log.exception("something.broken", chain=1)
    logging.getLogger("dbos").exception("a step failed")
    logging.getLogger("uvicorn.error").error("at %s", url, exc_info=True)
log.info("request", authorization="Bearer " + told["api_key"], cookie=told["cookie"], seal_password="short",
         nested={"login_state": told["cookie"], "words": ["Bearer " + told["api_key"]]}, ms=1.5, ok=True)
log.warning("words", reason="sent Authorization: Bearer " + told["api_key"] + " with " + told["seal_password"])
log.warning("libpq", reason="connection to db failed, password='" + told["database_password"] + "' user=e")
structlog.contextvars.bind_contextvars(request_id="r-1")
log.info("bound")
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Settings that lead to secrets."""
    password = tmp_path / "password"
    password.write_text(SECRETS["seal_password"] + "\n")
    signer = {"kind": "keystore", "path": str(password), "password_file": str(password)}
    nodes = [f"https://node.example/v3/{SECRETS['node_key']}"]
    file = tmp_path / "settings.json"
    file.write_text(
        json.dumps(
            {
                "database_url": f"postgresql://evidence:{SECRETS['database_in_url']}@db/record",
                "seal": {"pkcs12": str(password), "password_file": str(password)},
                "chains": [{"chain_id": 1, "rpc_urls": nodes, "signers": [signer]}],
            }
        )
    )
    return {"EVIDENCE_CONFIG": str(file)}


def test_no_secret_is_in_any_line_and_every_line_is_json(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(SECRETS)],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    assert [name for name, secret in SECRETS.items() if secret in done.stderr] == []
    events: list[dict[str, Any]] = [json.loads(line) for line in done.stderr.splitlines()]
    assert [event["event"] for event in events] == [
        "something.broken",
        "a step failed",
        f"at postgresql://{MASK}@db/record",
        "request",
        "words",
        "libpq",
        "bound",
    ]
    assert all(event["timestamp"].endswith("Z") and event["level"] and event["logger"] for event in events)
    assert (events[0]["chain"], events[-1]["request_id"]) == (1, "r-1")
    assert "RuntimeError: it broke" in events[0]["exception"] and "in fails" in events[0]["exception"]
    request = events[3]
    assert (request["ms"], request["ok"], request["authorization"]) == (1.5, True, MASK)
    assert request["nested"]["login_state"] == MASK


def test_what_is_no_secret_stays(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVIDENCE_CONFIG", environment["EVIDENCE_CONFIG"])
    masking = Redaction(known_secrets(Settings()))
    for words in (
        "chain 1: node https://node.example/v3/short does not answer",
        "https://shop.example/item/1",
        "evidence ev-0123456789abcdef0123 captured in 12.5 s",
        "a password is set, and a basic one",
    ):
        assert masking.text(words) == words
    assert "correct" not in repr(masking)


def test_a_short_secret_masks_no_words() -> None:
    assert Redaction(["", "a", "the"]).text("the words") == "the words"
