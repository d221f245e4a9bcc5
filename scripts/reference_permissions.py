"""The page of docs/reference/ that says who may do what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from evidence_service.service.permissions import OF_MEMBERS, ROLES, SCOPES

_METHODS = ("get", "head", "post", "put", "patch", "delete")


def permissions_page(document: dict[str, Any]) -> str:
    """Scopes with the operations that need each, and the roles that hold them.

    Args:
        document: the API's OpenAPI document.
    """
    lines = [
        "# Roles and scopes",
        "",
        "Made by `scripts/generate_reference.py`; do not edit. Every operation needs one scope or none. A",
        "caller has the scopes of all his roles; whose key names scopes has those of them that it names too.",
        "A key of the settings that names no roles has all. How roles and keys are given:",
        "[organisations, members and keys](../how-to/manage-organisations.md).",
        "",
        "## Which role holds which scope",
        "",
        *_held(),
        "",
        _of_members(),
        "",
        "## What each scope allows",
    ]
    found = list(_operations(document))
    for scope, words in SCOPES.items():
        holders = ", ".join(f"`{role}`" for role, scopes in ROLES.items() if scope in scopes)
        lines += ["", f"### `{scope}`", "", f"{words}. Held by {holders}.", ""]
        lines += _table(row for needed, row in found if needed == scope)
    lines += ["", "## Without a key", "", *_table(row for needed, row in found if needed is None)]
    return "\n".join(lines) + "\n"


def _held() -> Iterator[str]:
    yield f"| Scope | {' | '.join(f'`{role}`' for role in ROLES)} |"
    yield f"|---|{'---|' * len(ROLES)}"
    for scope in SCOPES:
        marks = " | ".join("✓" if scope in scopes else "" for scopes in ROLES.values())
        yield f"| [`{scope}`](#{scope.replace(':', '')}) | {marks} |"


def _of_members() -> str:
    others = ", ".join(f"`{role}`" for role in ROLES if role not in OF_MEMBERS)
    return f"Organisations give their members every role but {others}, which only keys of the settings have."


def _operations(document: dict[str, Any]) -> Iterator[tuple[str | None, str]]:
    """The scope each operation needs, None for a public one, and its row."""
    for path, described in sorted(document["paths"].items()):
        for method in _METHODS:
            if method in described:
                operation = described[method]
                needed = [scope for item in operation.get("security", []) for scope in item["HTTPBearer"]]
                row = f"| `{method.upper()} {path}` | `{operation['operationId']}` | {operation['summary']} |"
                yield (needed[0] if needed else None), row


def _table(rows: Iterable[str]) -> Iterator[str]:
    found = list(rows)
    if not found:
        yield "No operation of the API needs it."
        return
    yield "| Operation | Name | What it does |"
    yield "|---|---|---|"
    yield from found
