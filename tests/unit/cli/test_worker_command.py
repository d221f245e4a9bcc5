"""``evidence worker --monitor``: where it answers, and what is said when it cannot."""

from __future__ import annotations

import socket

import httpx
import pytest
from click.testing import CliRunner
from fastapi import FastAPI

from evidence_service.cli import main
from evidence_service.cli.serving import _monitoring
from evidence_service.processes import free_port


@pytest.mark.parametrize("address", ["9100", ":9100", "127.0.0.1:", "127.0.0.1:word", "127.0.0.1:70000"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    done = CliRunner().invoke(main, ["worker", "--monitor", address])
    assert done.exit_code == 2
    assert "write HOST:PORT" in done.output


def test_it_answers_while_the_worker_runs_and_frees_the_port() -> None:
    app, port = FastAPI(), free_port()
    app.get("/livez")(lambda: {"status": "alive"})
    with _monitoring(("127.0.0.1", port), app):
        assert httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False).json() == {"status": "alive"}
        with pytest.raises(OSError), _monitoring(("127.0.0.1", port), app):
            pass
    with socket.create_server(("127.0.0.1", port)):
        pass
    with _monitoring(None, app):
        pass
