"""The campaign against the API in short, and that it finds what it is for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy import Engine
from structlog.testing import capture_logs

from evidence_service.api.auth import Reader
from tests.api.campaign import examine, operations_of, undescribed
from tests.api.findings import Outcome
from tests.api.hostile import ask_raw
from tests.api.world import EVERYTHING, world


def test_the_api_does_what_its_document_says(
    engine: Engine, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    outcome = Outcome()
    with capture_logs(), world(engine, tmp_path) as of:
        outcome.findings += undescribed(of.document)
        examine(of, of.keys[EVERYTHING], examples=2, outcome=outcome, phases=("examples", "fuzzing"))
    record_property("RESULT", outcome.result())
    assert outcome.findings == []
    assert outcome.operations == operations_of(of.document).keys()


def plant(app: FastAPI) -> None:
    """What must not be; the last one is as it has to be."""

    @app.get("/planted/broken")
    def broken(_: Reader) -> dict[str, str]:
        raise RuntimeError

    @app.get("/planted/status")
    def status(_: Reader) -> JSONResponse:
        return JSONResponse({}, status_code=418)

    @app.get("/planted/type")
    def kind(_: Reader) -> dict[str, str]:
        return PlainTextResponse("x")  # type: ignore[return-value]

    @app.get("/planted/schema")
    def schema(_: Reader) -> dict[str, str]:
        return JSONResponse({"a": 1})  # type: ignore[return-value]

    @app.get("/planted/right")
    def right(_: Reader) -> dict[str, str]:
        return {"a": "b"}


PLANTED = {
    "GET /planted/broken": "unexpected_5xx",
    "GET /planted/status": "undocumented",
    "GET /planted/type": "undocumented",
    "GET /planted/schema": "schema_violations",
}


def test_what_is_planted_is_found(engine: Engine, tmp_path: Path) -> None:
    outcome, raw = Outcome(), Outcome()
    # The log shows a fault with everything around it, which takes seconds.
    with capture_logs(), world(engine, tmp_path, planting=plant) as of:
        paths: dict[str, Any] = of.document["paths"]
        of.document["paths"] = {path: found for path, found in paths.items() if path.startswith("/planted")}
        examine(of, of.keys[EVERYTHING], examples=1, outcome=outcome, phases=("fuzzing",))
        ask_raw(of, raw)
    # A status of its own is also the refusal of a right request.
    assert {label: kind for kind, label, _ in outcome.findings if kind != "other"} == PLANTED
    assert {label: kind for kind, label, _ in raw.findings if kind == "unexpected_5xx"} == {
        "GET /planted/broken": "unexpected_5xx"
    }
    assert "undocumented" in {kind for kind, label, _ in raw.findings if label == "GET /planted/status"}
