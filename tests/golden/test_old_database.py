"""What the first released version left behind is brought up to date: nothing is lost, everything verifies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from evidence_service import bootstrap, config
from evidence_service.cli.client import ServiceClient
from evidence_service.sandbox.installation import DemoInstallation
from evidence_service.service.audit import audit, audit_trees
from evidence_service.store.postgres import EmbeddedPostgres
from tests.faults.restore import Campaign
from tests.forgeries.run import report_of, second_opinions
from tests.forgeries.world import Case
from tests.golden.first_version import EXPECTED, GOLDEN, load, unpack
from tests.running import GANACHE, certified, reachable, service, wait

DONE = ("uploaded", "captured")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of then, with its database running again; not yet touched by the software of today."""
    target = reachable(tmp_path_factory.mktemp("v1"))
    found = unpack(target)
    server = EmbeddedPostgres(reachable(found / "data") / "postgres")
    load(found, server.url)
    server.stop()
    return found


@pytest.fixture(scope="module")
def demo(directory: Path) -> Iterator[DemoInstallation]:
    """The installation of today over it: the same chain, authorities and keys."""
    with DemoInstallation(directory, ganache=GANACHE) as running:
        yield running


@pytest.fixture(scope="class")
def client(demo: DemoInstallation) -> Iterator[ServiceClient]:
    with service(demo, {"EVIDENCE_BATCH_SECONDS": "0.2"}) as client:
        # By then the worker has made the trees that the first release did not keep as files.
        wait(client, EXPECTED["evidence"]["accepted"], certified)
        yield client


def evidence(name: str) -> str:
    return f"/v1/evidence/{EXPECTED['evidence'][name]}"


class TestBroughtUpToDate:
    """The service of today works on it."""

    @pytest.mark.parametrize("name", DONE)
    def test_what_was_certified_is_there_byte_for_byte(
        self, client: ServiceClient, directory: Path, name: str
    ) -> None:
        assert certified(client.call("GET", evidence(name)).json())
        files = client.call("GET", f"{evidence(name)}/files").json()
        assert files
        for item in files:
            found = client.call("GET", f"{evidence(name)}/files/{item['path']}").content
            assert hashlib.sha256(found).hexdigest() == item["sha256"]
            assert (
                directory / "data/objects" / item["sha256"][:2] / item["sha256"][2:]
            ).read_bytes() == found
        assert client.call("GET", f"{evidence(name)}/bundle").json()["anchors"]

    def test_its_matter_is_read(self, client: ServiceClient) -> None:
        found = client.call("GET", "/v1/evidence", params={"matter_id": EXPECTED["matter"]}).json()["items"]
        assert {item["id"] for item in found} >= set(EXPECTED["evidence"].values())

    def test_certificates_of_then_verify_as_they_were_handed_out(self, client: ServiceClient) -> None:
        """Offline: the engines are given bytes and a time and open nothing."""
        cases = [
            Case(
                name,
                (GOLDEN / "trust.json").read_bytes(),
                certificate=client.call("GET", f"{evidence(name)}/certificate.pdf").content,
                now=datetime.fromisoformat(EXPECTED["now"]),
                verdict="demonstration",
            )
            for name in DONE
        ]
        for case, second in zip(cases, second_opinions(cases), strict=True):
            assert hashlib.sha256(case.certificate).hexdigest() == EXPECTED["certificates"][case.name]
            report = report_of(case)
            assert report.verdict.value == second["verdict"] == case.verdict, (report.failures(), second)

    def test_what_was_only_accepted_then_is_certified_now(self, client: ServiceClient) -> None:
        view = client.call("GET", evidence("accepted")).json()
        assert certified(view), view

    def test_everything_derives_again(
        self, client: ServiceClient, demo: DemoInstallation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert client.call("GET", evidence("accepted")).json()
        monkeypatch.setenv("EVIDENCE_CONFIG", str(demo.settings_file))
        settings = config.load()
        with bootstrap.database(settings) as (engine, _):
            parts = bootstrap.parts(settings, engine)
            found = [*audit_trees(parts), *audit(parts)]
        assert {item.subject_id for item in found} >= set(EXPECTED["evidence"].values())
        assert [item for item in found if item.problems] == []


def test_it_is_backed_up_under_load_lost_and_restored(
    demo: DemoInstallation, record_property: Callable[[str, object], None]
) -> None:
    """The short form of ``make campaign-restore``, on a record that has come a long way."""
    counted = Campaign(demo, pieces=12, captures=0, pause=0.3).run()
    record_property(
        "RESULT", f"records={counted.records} lost={len(counted.lost)} seconds={counted.seconds:.1f}"
    )
    assert counted.lost == []
    assert counted.records >= 12
