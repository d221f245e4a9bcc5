"""The campaign of ``make campaign-service``, short; and that it notices a loss."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.service_campaign import SHORT, Acknowledged, campaign, result


def test_nothing_acknowledged_is_lost_whoever_is_killed(
    tmp_path_factory: pytest.TempPathFactory, record_property: Callable[[str, object], None]
) -> None:
    started, directory = time.monotonic(), tmp_path_factory.mktemp("fleet")
    with campaign(directory, SHORT) as running:
        clients = running.run()
        found = running.examine(clients.any(), clients.acknowledged, directory)
        record_property("RESULT", result(found, clients, running, time.monotonic() - started))
        assert (found.lost, found.problems) == ([], [])
        assert found.certified == len(clients.acknowledged) == SHORT.uploads + SHORT.captures
        assert running.parts.workers.taken_over() > 0

        # An answer that nobody remembers, one with other bytes, and one with another receipt.
        upload = next(item for item in clients.acknowledged if item.sha256)
        planted = [
            Acknowledged("ev-" + "0" * 20, upload.receipt, upload.sha256),
            replace(upload, sha256="0" * 64),
            replace(upload, receipt={**upload.receipt, "batch_by": "2020-01-01T00:00:00.000Z"}),
        ]
        missed = running.examine(clients.any(), planted, directory)
        assert [words.split(": ", 1)[1] for words in missed.lost] == [
            f"there is no evidence {planted[0].id}",
            "the uploaded bytes are not among its files",
            "the receipt is another one",
        ]
