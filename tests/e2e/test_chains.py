"""The main job on the other development chain, and on two chains at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from evidence_service.core import bundle
from evidence_service.sandbox.installation import ChainKind, DemoInstallation
from tests.running import ANVIL, GANACHE, certified, service, wait


@pytest.mark.parametrize("kinds", [("anvil",), ("ganache", "anvil")], ids=["anvil", "both"])
def test_every_chain_holds_the_batch_and_the_certificate_proves_it(
    tmp_path_factory: pytest.TempPathFactory, kinds: tuple[ChainKind, ...]
) -> None:
    directory = tmp_path_factory.mktemp("chains")
    with (
        DemoInstallation(directory, ganache=GANACHE, anvil=ANVIL, chains=kinds) as demo,
        service(demo) as client,
    ):
        matter = client.create("/v1/matters", json={"reference": "T-1", "applicant": "Test SA"})["id"]
        uploaded = client.create(
            "/v1/uploads", params={"matter_id": matter, "name": "note.txt"}, content=b"a note"
        )
        view = wait(client, uploaded["id"], certified)
        assert view["status"] == "certified", view
        proof = client.call("GET", f"/v1/evidence/{uploaded['id']}/bundle").content
        pdf = directory / "certificate.pdf"
        pdf.write_bytes(client.call("GET", f"/v1/evidence/{uploaded['id']}/certificate.pdf").content)
        anchors = bundle.parse(proof)["anchors"]
        assert [int(item["chain_id"]) for item in anchors] == sorted(demo.chains)
        listed = client.call("GET", f"/v1/evidence/{uploaded['id']}/anchors").json()
        assert {item["state"] for item in listed} == {"sealed"}
        custody = client.call("GET", f"/v1/evidence/{uploaded['id']}/custody").json()
        noted = [event["detail"]["chain_id"] for event in custody if event["action"] == "anchor"]
        assert sorted(map(int, noted)) == sorted(demo.chains)
        figures = client.call("GET", "/metrics").text
        for chain_id in demo.chains:
            assert f'evidence_anchor_lag_seconds{{chain="{chain_id}"}} 0.0' in figures
        assert "evidence_nonce_gap" in figures
        nodes = [part for url in demo.rpc_urls for part in ("--rpc", url)]
        assert _verdict("--trust", demo.trust_file, *nodes, pdf) == "demonstration"
        demo.write_trust(anchors)
        assert _verdict("--offline", "--trust", demo.trust_file, pdf) == "demonstration"


def _verdict(*arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "evidence_service.cli", "verify", "--json", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    return str(json.loads(done.stdout)["reports"][0]["verdict"])
