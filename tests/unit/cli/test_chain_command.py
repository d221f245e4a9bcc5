"""``evidence chain check`` on a real chain: every configured key's balance and nonces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from eth_account import Account
from sqlalchemy import Engine

from evidence_service import bootstrap
from evidence_service.anchor import contract
from evidence_service.anchor.signer import LocalSigner
from evidence_service.cli import main
from evidence_service.config import Settings
from evidence_service.processes import free_port
from evidence_service.sandbox.anvil import CHAIN_ID, AnvilChain
from tests.faults.anvil import AnvilControl
from tests.running import ANVIL, empty

CURRENT, RETIRING = (LocalSigner(account.private_key).address for account in AnvilChain.accounts)


@pytest.fixture(scope="module")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnvilControl]:
    chain = AnvilChain(tmp_path_factory.mktemp("check"), free_port(), anvil=ANVIL, slots_in_an_epoch=1)
    control = AnvilControl(chain.rpc_url)
    control.call("anvil_setCode", contract.expected_address(), contract.artefact()["deployedBytecode"])
    control.mine(4)
    yield control
    chain.stop()


class Installation:
    """Settings of one chain with two keys; ``check`` runs the command."""

    def __init__(self, folder: Path, engine: Engine, anvil: AnvilControl) -> None:
        (folder / "password").write_text("secret")
        signers = []
        for number, account in enumerate(AnvilChain.accounts):
            path = folder / f"{number}.json"
            path.write_text(json.dumps(Account.encrypt(account.private_key, "secret", iterations=2)))
            signers.append({"kind": "keystore", "path": str(path), "password_file": str(folder / "password")})
        self.settings = {
            "data_directory": str(folder / "data"),
            "database_url": engine.url.render_as_string(hide_password=False),
            "purpose": "demonstration",
            "chains": [{"chain_id": CHAIN_ID, "rpc_urls": [anvil.rpc_url], "signers": signers}],
        }
        self._file = folder / "settings.json"

    def check(self, *arguments: str) -> Any:
        self._file.write_text(json.dumps(self.settings))
        return CliRunner().invoke(
            main, ["chain", "check", *arguments], env={"EVIDENCE_CONFIG": str(self._file)}
        )


@pytest.fixture
def installation(tmp_path: Path, engine: Engine, anvil: AnvilControl) -> Installation:
    empty(engine)
    return Installation(tmp_path, engine, anvil)


def test_a_sound_chain_shows_every_key(installation: Installation) -> None:
    done = installation.check("--json")
    (found,) = json.loads(done.stdout)
    assert (done.exit_code, found["problems"]) == (0, []), done.output
    assert [item["address"] for item in found["keys"]] == [CURRENT, RETIRING]
    shown = installation.check()
    assert CURRENT in shown.stdout
    assert RETIRING in shown.stdout


def test_a_key_with_a_low_balance_is_named(installation: Installation, anvil: AnvilControl) -> None:
    before = int(anvil.call("eth_getBalance", RETIRING, "latest"), 16)
    anvil.set_balance(RETIRING, 10**15)
    anvil.mine()
    done = installation.check("--json")
    (found,) = json.loads(done.stdout)
    assert done.exit_code == 6
    assert found["problems"] == [f"the balance of {RETIRING} is below the alert of {5 * 10**16} wei"]
    assert [item["balance"] for item in found["keys"]][1] == str(10**15)
    anvil.set_balance(RETIRING, before)
    anvil.mine()


def test_a_nonce_gap_is_named(installation: Installation, engine: Engine) -> None:
    journal = bootstrap.parts(Settings(**installation.settings), engine).journal
    for name in ("one", "two"):
        journal.reserve_nonce(CHAIN_ID, CURRENT, 0, name)
    journal.release_nonce(CHAIN_ID, CURRENT, 0, "one")
    done = installation.check("--json")
    (found,) = json.loads(done.stdout)
    assert done.exit_code == 6
    assert found["keys"][0]["nonce_gap"] == [0]
    assert found["problems"] == [
        f"nobody holds nonce 0 of {CURRENT}; later ones wait until a worker fills it"
    ]


def test_without_a_record_the_nodes_are_checked_all_the_same(installation: Installation) -> None:
    installation.settings["database_url"] = "postgresql://127.0.0.1:9/none"
    done = installation.check("--json")
    (found,) = json.loads(done.stdout)
    assert (done.exit_code, found["problems"]) == (0, [])
    assert "nonces are not compared with the record: PostgreSQL does not answer" in done.stderr
