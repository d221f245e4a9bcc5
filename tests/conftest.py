"""Real parts that several folders share, started once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from evidence_service.anchor import contract
from evidence_service.anchor.node import Node
from evidence_service.anchor.signer import LocalSigner
from evidence_service.processes import free_port
from evidence_service.sandbox.authorities import DemoAuthorities
from evidence_service.sandbox.devchain import CHAIN_ID, DevChain
from evidence_service.timestamp.tsa import Authority

ROOT = Path(__file__).parents[1]

# As where nothing is set up the library prints on standard output, where commands of tests answer: a line for
# each request of an API in this process has no place there.
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

# How long an example takes says how busy the machine is, and nothing about what is tested.
settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")

_LONGEST = (
    "e2e/test_main_job.py",
    "e2e/test_certificates.py",
    "e2e/test_capture_list.py",
    "e2e/test_exhibit.py",
    "e2e/test_verify_without_us.py",
    "e2e/test_registered_digests.py",
    "e2e/test_declarations.py",
    "e2e/test_observed.py",
    "e2e/test_documentation.py",
    "faults/test_resume.py",
    "faults/test_capture_faults.py",
    "faults/test_unavailable.py",
    "faults/test_takeover.py",
    "faults/test_states.py",
    "unit/capture/test_hostile_pages.py",
    "capture/test_campaign.py",
    "unit/capture/test_session.py",
    "e2e/test_demo.py",
    "e2e/test_chains.py",
    "faults/test_renewal_kills.py",
    "fuzz/test_fuzz.py",
    "contracts/test_forge.py",
    "faults/test_chain_faults.py",
    "forgeries/test_forgeries.py",
    "unit/capture/test_consent.py",
    "unit/service/test_renew.py",
    "unit/api/test_capture_command.py",
    "golden/test_old_database.py",
    "faults/test_service_campaign.py",
    "unit/api/test_api_campaign.py",
)
"""Files of more than twenty seconds, longest first; before them those of one installation, one after the other:
a process that begins another folder in between would have to make it again. What documents have their reader do to
the installation is done last."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first: no process is to wait at the end for a long file that another began last."""
    places = {ROOT / "tests" / name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def running_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoAuthorities]:
    """Two real time-stamping authorities of different make, which publish revocation lists."""
    demo = DemoAuthorities(
        tmp_path_factory.mktemp("tsa"), certomancer_port=free_port(), openssl_port=free_port()
    )
    yield demo
    demo.stop()


@pytest.fixture(scope="session")
def demo_authorities(running_authorities: DemoAuthorities) -> list[Authority]:
    """The same as a service is configured with them."""
    return [Authority(item.name, item.url, (item.root_der,)) for item in running_authorities.authorities]


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevChain]:
    """A real Ganache."""
    chain = DevChain(
        tmp_path_factory.mktemp("chain"), free_port(), ganache=ROOT / "node_modules" / ".bin" / "ganache"
    )
    yield chain
    chain.stop()


@pytest.fixture(scope="session")
def signer(chain: DevChain) -> LocalSigner:
    """Its first funded account."""
    return LocalSigner(chain.accounts[0].private_key)


@pytest.fixture(scope="session")
def node(chain: DevChain, signer: LocalSigner) -> Iterator[Node]:
    """A client of it; the contract is deployed."""
    node = Node([chain.rpc_url], CHAIN_ID)
    contract.deploy_if_absent(node, signer)
    yield node
    node.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what short forms of campaigns counted, from whichever process ran them."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "RESULT" and getattr(report, "when", "") == "call":
                    terminalreporter.write_line(f"RESULT {value}")
