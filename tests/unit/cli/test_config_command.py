"""``evidence config check``: every problem at once, in words; nothing is made and no socket is opened."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from evidence_service.cli import main

Check = Callable[..., tuple[int, dict[str, dict[str, str]]]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Exit code and findings by setting."""

    def check(written: Any, **variables: str) -> tuple[int, dict[str, dict[str, str]]]:
        file = tmp_path / "settings.json"
        file.write_text(written if isinstance(written, str) else json.dumps(written))
        done = CliRunner().invoke(
            main, ["config", "check", "--json"], env={"EVIDENCE_CONFIG": str(file), **variables}
        )
        answer = json.loads(done.stdout)
        assert answer["usable"] == (done.exit_code == 0)
        return done.exit_code, {item["setting"]: item for item in answer["findings"]}

    return check


def chain(**changes: Any) -> dict[str, Any]:
    signer = {"kind": "web3signer", "url": "https://signer.example", "address": "0x" + "ab" * 20}
    return {"chain_id": 1, "rpc_urls": ["https://one.example"], "signers": [signer]} | changes


def test_good_settings_have_no_findings(check: Check) -> None:
    assert check({"chains": [chain()]}) == (0, {})


def test_every_problem_is_said_at_once(check: Check) -> None:
    code, found = check(
        {
            "batch_secconds": 3,
            "captures_at_once": 0,
            "promised_delay_seconds": 10,
            "capture_tls_roots": "/nowhere/roots.pem",
            "api_keys": [{"actor": "evidence-service", "sha256": "0" * 64}],
            "chains": [chain(finality=3, agreeing_nodes=2)],
            "authorities_minimum": 2,
            "authorities": [{"name": "One", "url": "https://tsa.example", "root": "/nowhere/root.der"}],
            "seal": {"pkcs12": "/nowhere/seal.p12", "password_fil": "x"},
        },
        EVIDENCE_CAPTURE_PROFIL="mobile",
    )
    assert code == 2
    assert {
        name: item["what_to_do"] for name, item in found.items() if "did you mean" in item["what_to_do"]
    } == {
        "batch_secconds": "did you mean batch_seconds?",
        "chains.0.finality": "did you mean finality_depth?",
        "seal.password_fil": "did you mean password_file?",
        "EVIDENCE_CAPTURE_PROFIL": "did you mean capture_profile?",
    }
    assert {
        "captures_at_once",
        "promised_delay_seconds",
        "capture_tls_roots",
        "api_keys.0.actor",
        "authorities.0.root",
        "authorities_minimum",
        "seal",
    } <= set(found)
    assert "belong together" in found["seal"]["message"]
    assert "call the service itself so" in found["api_keys.0.actor"]["message"]


def test_what_contradicts_itself_is_said_with_the_rest(check: Check) -> None:
    code, found = check({"chains": [chain(required=False)], "egress_denied": ["10.0.0.0/99"]})
    assert code == 2
    assert "no chain is required" in found["chains"]["message"]
    assert "egress_denied" in found


def test_what_is_unsafe_is_a_warning(check: Check, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("correct horse battery staple")
    secret.chmod(0o644)
    code, found = check(
        {
            "api_host": "0.0.0.0",
            "egress_exceptions": ["127.0.0.1:80"],
            "control_url": "http://8.8.8.8/",
            "chains": [chain(rpc_urls=["http://node.internal:8545", "http://one.example/a-key"])],
            "seal": {"pkcs12": str(secret), "password_file": str(secret)},
        }
    )
    warnings = {name for name, item in found.items() if item["severity"] == "warning"}
    assert warnings == {
        "api_host",
        "trusted_proxies",
        "egress_exceptions.0",
        "control_url",
        "chains.0.rpc_urls.1",
        "seal.password_file",
    }
    assert code == 2, "it is no PKCS #12 file"
    assert "correct horse" not in json.dumps(found) and "a-key" not in json.dumps(found)


def test_a_proxy_elsewhere_has_to_be_named(check: Check) -> None:
    for host, proxies, warned in (
        ("127.0.0.1", ["127.0.0.1"], False),
        ("localhost", [], False),
        ("10.0.0.5", ["127.0.0.1", "::1"], True),
        ("10.0.0.5", ["127.0.0.1", "10.0.0.0/28"], False),
    ):
        _, found = check({"api_host": host, "trusted_proxies": proxies})
        assert ("trusted_proxies" in found) is warned
    for wrong, words in (("proxy", "neither"), ("10.0.0.5/24", "neither"), ("0.0.0.0/0", "everybody")):
        code, found = check({"trusted_proxies": [wrong]})
        assert code == 2 and words in found["trusted_proxies.0"]["message"]


@pytest.mark.parametrize("written", ["[]", "{", "1"])
def test_a_file_that_is_no_object_is_named(check: Check, written: str) -> None:
    code, found = check(written)
    assert code == 2
    assert "not a JSON object" in found["EVIDENCE_CONFIG"]["message"]


def test_values_are_not_repeated(check: Check) -> None:
    _, found = check({"originals_recipients": ["AGE-SECRET-KEY-1QQ"], "database_url": ["hunter2"]})
    assert "SECRET" not in json.dumps(found) and "hunter2" not in json.dumps(found)
    assert len(found) == 2


def test_nothing_is_made_and_no_socket_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"data_directory": str(tmp_path / "data"), "chains": [chain()]}))
    code = (
        "import sys,runpy;sys.addaudithook(lambda e,a:e in ('socket.connect','socket.bind','socket.getaddrinfo')"
        " and sys.exit(99));sys.argv=['evidence','config','check'];"
        "runpy.run_module('evidence_service.cli',run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"EVIDENCE_CONFIG": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "0 problems, 0 warnings\n"), done.stderr
    assert list(tmp_path.iterdir()) == [file]
