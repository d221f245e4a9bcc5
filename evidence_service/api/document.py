"""The OpenAPI document: what every operation has in common is written into it here, once."""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from evidence_service.api.problems import MEDIA_TYPE, Problem
from evidence_service.api.releasing import NAMED

_SCHEMA = "#/components/schemas/Problem"
_ERRORS = {
    "401": ("unauthorised", "No valid API key or token", "give a known API key as a bearer token"),
    "403": (
        "forbidden",
        "The caller may not do this",
        "this needs matters:write, which this key does not have",
    ),
    "404": ("not-found", "There is no such thing, or not for this caller", "there is no evidence ev-1"),
    "409": ("conflict", "It contradicts what is recorded", "this Idempotency-Key was used otherwise"),
    "413": ("too-large", "The body is too large", "the request is larger than 33554432 bytes"),
    "415": ("unsupported-media-type", "The body is of another kind", "send the body as application/json"),
    "416": ("range-not-satisfiable", "The file has no such part", "the file has no such part"),
    "422": ("invalid-request", "The request is understood and refused", "body.name: Field required"),
    "429": ("too-many-requests", "Too many requests of this caller", "too many requests; wait a second"),
    "500": (
        "internal",
        "The service is at fault, or what it keeps",
        "an internal error; quote the request id",
    ),
    "503": ("unavailable", "Something does not answer now", "the database does not answer"),
}
_FILES = {
    "download_bundle": "application/json",
    "download_certificate": "application/pdf",
    "download_declaration": "application/pdf",
    "download_exhibit": "application/zip",
    "download_file": "application/octet-stream",
    "download_key": "application/x-pem-file",
    "download_number": "application/pdf",
    "download_receipt": "application/json",
    "open_release_link": "application/octet-stream",
    "show_metrics": "text/plain",
    "stream_proofs": "application/x-ndjson",
}
"""What answers with bytes as they are, and of which kind they are."""
_IN_PARTS = frozenset({"download_exhibit", "download_file", "open_release_link"})
"""Those of them that can be asked for in parts (RFC 9110, section 14)."""
_METHODS = ("get", "head", "post", "put", "patch", "delete")


def operation_id(route: APIRoute) -> str:
    """The name of the function: it stays when a path moves, and generated clients read well."""
    return route.name


def install(app: FastAPI) -> None:
    """Have an application describe itself with its errors."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _describe(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way to extend the document


def _describe(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    document["servers"] = [{"url": "/", "description": "The installation that gave this document"}]
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = Problem.model_json_schema()
    components["responses"] = {
        "problem": _response("Any other error", None),
        **{f"problem-{status}": _response(words, status) for status, (_, words, _) in _ERRORS.items()},
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in _METHODS:
                operation["summary"] = _summary(operation.get("description", operation["summary"]))
                _leave_out_null(operation)
                _add_file(operation)
                _add_errors(operation, path, method)
    return document


def _summary(description: str) -> str:
    """What an operation does, in a line for lists: a docstring's first sentence, to its first semicolon."""
    sentence = re.split(r"[.;](?=\s)|\n\n", f"{description}\n", maxsplit=1)[0]
    return " ".join(re.sub(r"``|\*", "", sentence).split())


def _response(words: str, status: str | None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": _SCHEMA}}
    if status is not None:
        kind, _, title = _ERRORS[status]
        content["example"] = {
            "type": f"urn:evidence-service:problem:{kind}",
            "title": title,
            "status": int(status),
            "request_id": "0f1e2d3c4b5a6978",
        }
    return {"description": words, "content": {MEDIA_TYPE: content}}


def _leave_out_null(operation: dict[str, Any]) -> None:
    """A parameter is given or not; in a header field or a query nothing stands for null."""
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        given = [item for item in schema.get("anyOf", ()) if item != {"type": "null"}]
        if len(given) == 1:
            del schema["anyOf"]
            schema.update(given[0])


def _add_file(operation: dict[str, Any]) -> None:
    kind = _FILES.get(operation["operationId"])
    if kind is None:
        return
    bytes_ = {"type": "string", "format": "binary"}
    described = {"type": "object"} if kind == "application/json" else bytes_
    operation["responses"]["200"]["content"] = {kind: {"schema": described}}
    released: tuple[str, ...] = ()
    if operation["operationId"] == "open_release_link":  # of a bundle, or of a file
        operation["responses"]["200"]["content"]["application/json"] = {"schema": {"type": "object"}}
        released = NAMED
    operation["responses"]["200"]["content"] |= {name: {"schema": bytes_} for name in released}
    if operation["operationId"] in _IN_PARTS:
        kinds = (kind, *released, "multipart/byteranges")
        both = {name: {"schema": bytes_} for name in kinds}
        operation["responses"]["206"] = {"description": "The parts that were asked for", "content": both}
        operation["responses"]["416"] = {"$ref": "#/components/responses/problem-416"}


def _add_errors(operation: dict[str, Any], path: str, method: str) -> None:
    possible = {"429", "500", "503"}
    if operation.get("security"):
        possible |= {"401", "403"}
    if "{" in path or method not in ("get", "head"):
        possible |= {"404", "409"}
    if method not in ("get", "head"):
        possible |= {"413", "415"}  # whether or not a body is wanted: who sends one is told
    if operation.get("parameters") or "requestBody" in operation:
        possible.add("422")
    if "text/event-stream" in operation["responses"].get("200", {}).get("content", {}):
        possible.add("409")  # a place beyond the newest event
    responses = operation["responses"]
    responses.pop("422", None)
    if method == "get":
        possible -= set(responses)  # an answer of its own, e.g. of what is not ready
    for status in sorted(possible):
        responses[status] = {"$ref": f"#/components/responses/problem-{status}"}
    # A method that is not there, a slow body, a fault of the service: possible everywhere.
    responses["default"] = {"$ref": "#/components/responses/problem"}
