"""Real parts that several folders share, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from evidence_service.sandbox.authorities import DemoAuthorities
from evidence_service.sandbox.process import free_port
from evidence_service.timestamp.tsa import Authority


@pytest.fixture(scope="session")
def demo_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Authority]]:
    """Two real time-stamping authorities of different make."""
    demo = DemoAuthorities(
        tmp_path_factory.mktemp("tsa"), certomancer_port=free_port(), openssl_port=free_port()
    )
    yield [Authority(item.name, item.url, (item.root_der,)) for item in demo.authorities]
    demo.stop()
