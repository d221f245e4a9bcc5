"""Write docs/reference/ from the code; with --check, only say whether it is fresh."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import reference_pages
import reference_permissions
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from evidence_service.api.app import create_app
from evidence_service.config import (
    AuthoritySettings,
    AwsKmsSettings,
    CalendarSettings,
    CaptureLimitSettings,
    ChainSettings,
    ClientSettings,
    IssuerSettings,
    KeySettings,
    KeystoreSettings,
    ObjectSettings,
    ProviderSettings,
    RateLimitSettings,
    SealPkcs11Settings,
    SealRemoteSettings,
    SealSettings,
    Settings,
    Web3SignerSettings,
)

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
NESTED = (
    ("authorities[]", AuthoritySettings),
    ("capture_limits", CaptureLimitSettings),
    ("chains[]", ChainSettings),
    ("chains[].signers[]", KeystoreSettings),
    ("chains[].signers[]", AwsKmsSettings),
    ("chains[].signers[]", Web3SignerSettings),
    ("objects", ObjectSettings),
    ("opentimestamps[]", CalendarSettings),
    ("seal", SealSettings),
    ("seal.pkcs11", SealPkcs11Settings),
    ("seal.remote", SealRemoteSettings),
    ("issuer", IssuerSettings),
    ("api_keys[]", KeySettings),
    ("oidc[]", ProviderSettings),
    ("rate_limits", RateLimitSettings),
)


def _row(name: str, field: FieldInfo) -> str:
    default = "required"
    if not field.is_required():
        default = json.dumps(field.get_default(call_default_factory=True), default=str)
    if default.startswith(("{", '"{')) or len(default) > 60:
        default = "see below"
    return f"| `{name}` | {default} | {field.description} |"


def _table(prefix: str, model: type[BaseModel]) -> Iterator[str]:
    yield "| Setting | Default | What it is |"
    yield "|---|---|---|"
    for name, field in model.model_fields.items():
        yield _row(f"{prefix}{name}", field)


def settings() -> str:
    """The table of settings."""
    lines = [
        "# Settings",
        "",
        "Made by `scripts/generate_reference.py`; do not edit. `EVIDENCE_CONFIG` names a JSON file with",
        "these members. A variable outweighs the file: `EVIDENCE_BATCH_SECONDS`, `EVIDENCE_SEAL__PKCS12`.",
        "",
        *_table("", Settings),
    ]
    for name, model in NESTED:
        lines += [
            "",
            f"## `{name}`",
            "",
            inspect.cleandoc(str(model.__doc__)),
            "",
            *_table(f"{name}.", model),
        ]
    lines += ["", "## Commands that talk to a service", ""]
    lines += ["| Variable | Default | What it is |", "|---|---|---|"]
    for name, field in ClientSettings.model_fields.items():
        lines.append(_row(f"EVIDENCE_{name.upper()}", field))
    return "\n".join(lines) + "\n"


def openapi(document: dict[str, Any]) -> str:
    """The OpenAPI document as a file."""
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def main() -> int:
    """Write the files, or compare them."""
    document = create_app(None, {}).openapi()
    made = {
        REFERENCE / "settings.md": settings(),
        REFERENCE / "openapi.json": openapi(document),
        REFERENCE / "commands.md": reference_pages.commands(),
        REFERENCE / "metrics.md": reference_pages.figures_page(),
        REFERENCE / "permissions.md": reference_permissions.permissions_page(document),
        REFERENCE / "problems.md": reference_pages.problems_page(),
    }
    stale = [path for path, text in made.items() if not path.is_file() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path} is stale: run python scripts/generate_reference.py", file=sys.stderr)
        return 1 if stale else 0
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
