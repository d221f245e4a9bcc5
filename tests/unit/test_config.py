"""Settings that would make an anchor wrong or a node count twice are refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evidence_service import bootstrap, config
from evidence_service.anchor import contract
from evidence_service.anchor.signer import LocalSigner
from evidence_service.errors import ConfigurationError

ADDRESS = "0x" + "aB" * 20


def chain(**changes: Any) -> dict[str, Any]:
    signer = {"kind": "web3signer", "url": "http://signer.example:9000", "address": ADDRESS}
    return {"chain_id": 1, "rpc_urls": ["https://one.example/key"], "signers": [signer]} | changes


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def load(**changes: Any) -> config.ChainSettings:
        file = tmp_path / "settings.json"
        file.write_text(json.dumps({"chains": [chain(**changes)]}))
        monkeypatch.setenv("EVIDENCE_CONFIG", str(file))
        [found] = config.load().chains
        return found

    return load


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://host:99999", "address 2 has a host or port that cannot be read"),
        ("http://host:word", "address 2 has a host or port that cannot be read"),
        ("http://[::1", "address 2 has a host or port that cannot be read"),
        ("ws://host:8545", "address 2 is not an http or https address with a host"),
        ("host:8545", "address 2 is not an http or https address with a host"),
        ("http://", "address 2 is not an http or https address with a host"),
        ("http://ho st", "address 2 is not an http or https address with a host"),
    ],
)
def test_an_rpc_address_that_cannot_be_used_is_named_and_not_repeated(
    load: Any, url: str, words: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(rpc_urls=["https://one.example", url])
    assert caught.value.message.startswith(f"the setting chains.0.rpc_urls cannot be used: {words}")
    assert url not in caught.value.message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://one.example/key", "https://one.example/key"),
        ("https://one.example/key", "HTTPS://ONE.example:443/key/"),
        ("http://one.example", "http://one.example:80/"),
        ("http://user:word@one.example:8545", "http://one.example:8545?again"),
    ],
)
def test_one_node_does_not_count_twice(load: Any, one: str, other: str) -> None:
    with pytest.raises(ConfigurationError, match="addresses 1 and 3 are the same node; name each node once"):
        load(rpc_urls=[one, "https://two.example", other])


def test_different_nodes_of_one_host_are_different(load: Any) -> None:
    urls = ["http://one.example:1", "http://one.example:2", "http://one.example:2/a", "http://[::1]:1/A"]
    assert load(rpc_urls=urls).rpc_urls == urls


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chain_id", 0),
        ("contract", "0x" + "00" * 19),
        ("contract", "ab" * 20),
        ("max_fee_gwei", float("inf")),
        ("max_tip_gwei", float("inf")),
        ("balance_alert", float("nan")),
    ],
)
def test_values_without_a_meaning_are_refused(load: Any, name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"the setting chains.0.{name} cannot be used"):
        load(**{name: value})


@pytest.mark.parametrize(("setting", "used"), [(ADDRESS, ADDRESS.lower()), ("", contract.expected_address())])
def test_the_contracts_address_is_used_in_lower_case(
    load: Any, monkeypatch: pytest.MonkeyPatch, setting: str, used: str
) -> None:
    monkeypatch.setattr(bootstrap, "signer", lambda _: LocalSigner(b"\x01" * 32))
    [wired] = bootstrap.chains([load(contract=setting)])
    wired.node.close()
    assert wired.contract == used == used.lower()


RECIPIENT = "age1" + "q" * 58


@pytest.fixture
def load_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def load_all(**changes: Any) -> config.Settings:
        file = tmp_path / "settings.json"
        file.write_text(json.dumps(changes))
        monkeypatch.setenv("EVIDENCE_CONFIG", str(file))
        return config.load()

    return load_all


def test_what_is_set_is_where_captures_stop(load_all: Any) -> None:
    given = {"seconds": 200, "body_bytes": 2048, "total_bytes": 4096, "exchanges": 7, "height": 2000}
    limits = bootstrap.capture_limits(load_all(capture_limits=given))
    recorder = limits.recorder
    assert (limits.seconds, limits.height) == (200, 2000)
    assert (recorder.body, recorder.total, recorder.exchanges) == (2048, 4096, 7)
    assert recorder.seconds > limits.seconds, "the recorder outlives the visit"


def test_a_promise_has_room_for_the_longest_capture(load_all: Any) -> None:
    settings = load_all(capture_limits={"seconds": 700}, promised_delay_seconds=600, batch_seconds=60)
    with pytest.raises(ConfigurationError, match=r"promised_delay_seconds is 600, but .* may take 760 s"):
        bootstrap.promised_delay(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("capture_limits", {"seconds": 0}),
        ("capture_limits", {"second": 90}),
        ("capture_profile", "tv"),
        ("capture_websockets", "maybe"),
        ("originals_recipients", ["age1short"]),
        ("originals_recipients", [RECIPIENT.replace("q", "b")]),
        ("originals_recipients", ["AGE-SECRET-KEY-1" + "Q" * 58]),
    ],
)
def test_settings_of_captures_that_cannot_be_used_are_named(load_all: Any, name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"the setting {name}.* cannot be used") as caught:
        load_all(**{name: value})
    assert "SECRET" not in caught.value.told


def test_recipients_are_named_one_by_one(load_all: Any) -> None:
    assert load_all(originals_recipients=[RECIPIENT]).originals_recipients == [RECIPIENT]


def test_roots_that_cannot_be_read_are_named_at_the_start(load_all: Any, engine: Any, tmp_path: Path) -> None:
    missing = str(tmp_path / "roots.pem")
    settings = load_all(capture_tls_roots=missing, data_directory=str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"roots\.pem cannot be read"):
        bootstrap.parts(settings, engine)
    Path(missing).write_text("")
    wired = bootstrap.parts(settings, engine).capturing
    assert (wired.roots, wired.websockets) == (Path(missing), True)
    refused = load_all(capture_websockets="refuse", data_directory=str(tmp_path))
    assert bootstrap.parts(refused, engine).capturing.websockets is False
