"""Write evidence_service/client/ from docs/reference/openapi.json; with --check, only compare.

A generator of our own: what it has to know of OpenAPI is what FastAPI writes, and the result reads as if it
had been written by hand. It raises where the document says something that it does not know.
"""

from __future__ import annotations

import builtins
import json
import keyword
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "reference" / "openapi.json"
CLIENT = ROOT / "evidence_service" / "client"
METHODS = ("get", "head", "post", "put", "patch", "delete")
STREAM = "text/event-stream"
MADE = "Made by scripts/generate_client.py; do not edit."
SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
_TAKEN = frozenset(dir(builtins))

Schema = dict[str, Any]


def type_of(schema: Schema, prefix: str = "") -> str:  # noqa: PLR0911  # one for each kind of schema
    """A schema as a type of Python.

    Raises:
        ValueError: it says something this generator does not know.
    """
    if "$ref" in schema:
        return prefix + str(schema["$ref"].rsplit("/", 1)[1])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(type_of(item, prefix) for item in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return f"Literal[{', '.join(map(repr, values))}]"
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items", {})
        return f"list[{'dict[str, Any]' if 'properties' in items else type_of(items, prefix)}]"
    if kind == "object":
        values = schema.get("additionalProperties", True)
        return f"dict[str, {type_of(values, prefix) if isinstance(values, dict) and values else 'Any'}]"
    if kind == "string" and schema.get("format") == "date-time":
        return "datetime"
    if kind in SIMPLE:
        return SIMPLE[kind]
    if kind is None and not set(schema) - {"title", "description", "examples", "default"}:
        return "Any"
    raise ValueError(f"no type of Python is known for {schema}")


def safe(name: str) -> str:
    """A name that Python and pydantic leave free."""
    name = name.replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) or hasattr(BaseModel, name) else name


def argument(name: str) -> str:
    """A name for a parameter, which would hide what Python calls so."""
    return f"{name}_" if name in _TAKEN else safe(name)


def doc(text: str, indent: str) -> str:
    """A docstring."""
    lines = textwrap.wrap(" ".join(text.split()), 100 - len(indent))
    if len(lines) < 2:
        return f'{indent}"""{(lines or [""])[0]}"""'
    return "\n".join([f'{indent}"""{lines[0]}', *(indent + line for line in lines[1:]), f'{indent}"""'])


# --- models ---


def models(document: Schema) -> str:
    """The module of models."""
    lines = [f'"""What is sent and answered. {MADE}"""', "", "from __future__ import annotations", ""]
    lines += ["from datetime import datetime", "from typing import Any, Literal", ""]
    lines += ["from pydantic import BaseModel, ConfigDict, Field", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        if name != "Problem":
            lines += ["", *model(name, schema)]
    return "\n".join(lines) + "\n"


def model(name: str, schema: Schema) -> Iterator[str]:
    """One class; members that may be left out are left out unless they are given."""
    yield f"class {name}(BaseModel):"
    yield doc(schema.get("description", "") or name, "    ")
    yield ""
    yield "    model_config = ConfigDict(populate_by_name=True)"
    yield ""
    required = set(schema.get("required", ()))
    for member, found in schema.get("properties", {}).items():
        field = safe(member)
        alias = "" if field == member else f"alias={member!r}"
        if member in required:
            yield f"    {field}: {type_of(found)}" + (f" = Field({alias})" if alias else "")
            continue
        kind = type_of(found)
        default = (
            repr(found["default"]) if isinstance(found.get("default"), str | bool | int | float) else "None"
        )
        if default == "None" and "None" not in kind.split(" | "):
            kind += " | None"
        value = f"Field({default}, {alias})" if alias else default
        yield f"    {field}: {kind} = {value}"


# --- operations ---


def operations(document: Schema) -> str:
    """The module of the client."""
    lines = [f'"""The operations of the service. {MADE}"""', "", "from __future__ import annotations", ""]
    lines += [
        "from collections.abc import Iterator",
        "from datetime import datetime",
        "from pathlib import Path",
    ]
    lines += ["from typing import Any, Literal", "", "from evidence_service.client import models"]
    lines += ["from evidence_service.client.events import Event"]
    lines += ["from evidence_service.client.transport import Transport, part, parts", "", ""]
    lines += ["class EvidenceClient(Transport):", doc(document["info"]["description"], "    ")]
    for path, found in sorted(document["paths"].items()):
        for method in METHODS:
            if method in found:
                unmodelled = method == "head" or streams(found[method])
                made = without_model if unmodelled else operation
                lines += ["", *made(document, method, path, found[method])]
    return "\n".join(lines) + "\n"


def streams(described: Schema) -> bool:
    """Whether an operation answers with a stream of events."""
    return STREAM in described["responses"].get("200", {}).get("content", {})


def operation(document: Schema, method: str, path: str, described: Schema) -> Iterator[str]:
    """One method, and one more where the answer is a page."""
    name = described["operationId"]
    given = described.get("parameters", [])
    inside = [item for item in given if item["in"] == "path"]
    query = [item for item in given if item["in"] == "query"]
    fields = [
        item
        for item in given
        if item["in"] == "header" and item["name"].lower() not in ("idempotency-key", "evidence-organisation")
    ]
    creates = any(item["name"].lower() == "idempotency-key" for item in given)
    answer = next(a for s, a in sorted(described["responses"].items()) if s.startswith("2"))
    content = next(iter(answer.get("content", {}).items()), ("", {}))
    body = described.get("requestBody", {}).get("content", {})
    first = [f"{argument(item['name'])}: str" for item in inside]
    asked = [f'"{method.upper()}"', address(path, inside)]
    if "application/json" in body:
        first.append(f"body: {type_of(body['application/json']['schema'], 'models.')}")
    elif body:
        first.append("body: bytes | Path")
    later = [parameter(item) for item in sorted([*query, *fields], key=lambda item: not item.get("required"))]
    values = ", ".join(f'"{item["name"]}": {argument(item["name"])}' for item in query)
    more = f", query={{{values}}}" if values else ""
    words = doc(described.get("description") or name, "        ")
    if content[0] and is_file(name, content):
        star = ["*", "expect: str | None = None"]
        yield f"    def {name}(self, {', '.join([*first, 'to: Path', *star, *later])}) -> Path:"
        yield words
        yield f"        return self._download(to, expect, {asked[1]}{more})"
        return
    if body:
        more += ", body=body"
    if body and "application/json" not in body:
        more += f', kind="{next(iter(body))}"'
    if fields:
        told = ", ".join(f'"{item["name"]}": {argument(item["name"])}' for item in fields)
        more += f", fields={{{told}}}"
    if creates:
        later.append("idempotency_key: str | None = None")
        more += ", key=idempotency_key, creates=True"
    kind = type_of(content[1]["schema"], "models.") if content[0] else "None"
    listed = ", ".join([*first, *(["*", *later] if later else [])])
    yield f"    def {name}(self{', ' if listed else ''}{listed}) -> {kind}:"
    yield words
    call = f"self._ask({kind}, {', '.join(asked)}{more})"
    yield f"        {'' if kind == 'None' else 'answer: ' + kind + ' = '}{call}"
    if kind != "None":
        yield "        return answer"
    item = page_item(document, content[1].get("schema", {}))
    if item is None:
        return
    cursor = next(
        item["name"]
        for item in reversed(query)
        if item["name"] in ("after", "before") and is_cursor(query, item)
    )
    yield ""
    yield f"    def iter_{name}(self, {listed}) -> Iterator[{item}]:"
    yield doc(f"All of “{name}”, page after page.", "        ")
    yield f'        yield from self._pages({kind}, {asked[1]}, "{cursor}", {{{values}}})'


def without_model(_: Schema, method: str, path: str, described: Schema) -> Iterator[str]:
    """One method whose answer no model describes: the header fields of HEAD, or the events of a stream."""
    name, given = described["operationId"], described.get("parameters", [])
    inside = [item for item in given if item["in"] == "path"]
    query = [item for item in given if item["in"] == "query"]
    first = [f"{argument(item['name'])}: str" for item in inside]
    listed = ", ".join(["self", *first, *(["*", *map(parameter, query)] if query else [])])
    yield f"    def {name}({listed}) -> {'dict[str, str]' if method == 'head' else 'Iterator[Event]'}:"
    yield doc(described.get("description") or name, "        ")
    if method == "head":
        yield f"        return self._look({address(path, inside)})"
    else:
        values = ", ".join(f'"{item["name"]}": {argument(item["name"])}' for item in query)
        yield f"        yield from self._follow({address(path, inside)}, {{{values}}})"


def is_cursor(query: list[Schema], item: Schema) -> bool:
    """“before” is one only where there is no “after”: a search takes both, and means a date by the first."""
    return item["name"] == "after" or all(other["name"] != "after" for other in query)


def is_file(name: str, content: tuple[str, Schema]) -> bool:
    """Whether an answer is kept as it is: a signature or a digest is about its very bytes."""
    return content[0] != "application/json" or name.startswith("download_")


def page_item(document: Schema, schema: Schema) -> str | None:
    """The type of a page's items; None for another answer."""
    found = document["components"]["schemas"].get(schema.get("$ref", "").rsplit("/", 1)[-1], {})
    members = found.get("properties", {})
    return type_of(members["items"]["items"], "models.") if {"items", "next"} <= members.keys() else None


def parameter(item: Schema) -> str:
    """One of a query, as a parameter of a method; what the service assumes is left to the service."""
    kind = type_of(item["schema"])
    if item.get("required"):
        return f"{argument(item['name'])}: {kind}"
    return f"{argument(item['name'])}: {kind if 'None' in kind.split(' | ') else kind + ' | None'} = None"


def address(path: str, inside: list[Schema]) -> str:
    """The path as an expression."""
    if not inside:
        return f'"{path}"'
    for item in inside:
        rest = "parts" if path.endswith(f"/{{{item['name']}}}") and item["name"] == "path" else "part"
        path = path.replace(f"{{{item['name']}}}", f"{{{rest}({argument(item['name'])})}}")
    return f'f"{path}"'


def tidy(text: str, path: Path) -> str:
    """As everything else here is written."""
    for command in (["check", "--fix", "-q", "--select", "F401,I"], ["format", "-q"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"],
            input=text, capture_output=True, text=True, check=True, cwd=ROOT,
        )  # fmt: skip
        text = done.stdout
    return text


def main() -> int:
    """Write the files, or compare them."""
    document = json.loads(DOCUMENT.read_text("utf-8"))
    made = {
        path: tidy(text, path)
        for path, text in (
            (CLIENT / "models.py", models(document)),
            (CLIENT / "operations.py", operations(document)),
        )
    }
    stale = [path for path, text in made.items() if not path.is_file() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        for path in stale:
            print(f"{path} is stale: run python scripts/generate_client.py", file=sys.stderr)
        return 1 if stale else 0
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
