"""Pages of docs/reference/ that say what commands, figures and problems there are."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from unittest import mock

import click
from prometheus_client import CollectorRegistry

from evidence_service.api import figures, problems
from evidence_service.cli import main as program
from evidence_service.service import metrics
from evidence_service.service.parts import Parts

_MADE = "Made by `scripts/generate_reference.py`; do not edit."
_API = Path(problems.__file__).parent


# --- commands ---


def commands() -> str:
    """Every command with its options, as ``--help`` has them."""
    lines = [
        "# Commands",
        "",
        f"{_MADE} Exit codes are those of [section 11 of the",
        "specification](../spec/verification.md) unless a command names its own.",
    ]
    root = click.Context(program, info_name="evidence")
    for name in program.list_commands(root):
        command = program.get_command(root, name)
        if command is not None:
            lines += _command(command, name, root)
    return "\n".join(lines) + "\n"


def _command(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    yield from ("", f"## {context.command_path}", "")
    yield f"`{' '.join([context.command_path, *command.collect_usage_pieces(context)])}`"
    yield from ("", _text(command.help or ""))
    options = [record for item in command.params if (record := item.get_help_record(context))]
    if options:
        yield from ("", "| Option | What it is |", "|---|---|")
        for written, words in options:
            yield f"| `{_cell(written)}` | {_cell(words)} |"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None and not found.hidden:
                yield from _command(found, inner, context)


def _text(words: str) -> str:
    """Help as paragraphs; click's mark for text that is not to be wrapped is none of ours."""
    return re.sub(r"[ ]*\n[ ]*", "\n", words.replace("\b", "")).strip()


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "\\|")


# --- figures ---


def figures_page() -> str:
    """Every figure for monitoring, with its labels."""
    lines = [
        "# Metrics",
        "",
        f"{_MADE} `/metrics`, in the text format of Prometheus. Counters end in",
        "`_total`, a histogram has `_bucket`, `_sum` and `_count`. What to do about them:",
        "[operate](../how-to/operate.md).",
        "",
        "## Of the installation",
        "",
        *_figures(_of_installation()),
        "",
        "## Of each API process",
        "",
        *_figures(_made_by(figures, figures.RequestFigures)),
    ]
    return "\n".join(lines) + "\n"


class _Nothing:
    """Stands for an installation in which nothing has happened yet: empty wherever it is asked, and zero."""

    def __getattr__(self, name: str) -> _Nothing:
        return self

    def __call__(self, *_: object, **__: object) -> _Nothing:
        return self

    def __iter__(self) -> Iterator[object]:
        return iter(())

    def __getitem__(self, _: object) -> _Nothing:
        return self

    def __float__(self) -> float:
        return 0.0

    def __lt__(self, _: object) -> bool:
        return False

    def __add__(self, _: object) -> _Nothing:
        return self

    __int__ = __len__ = lambda _: 0
    __gt__ = __le__ = __ge__ = __contains__ = __lt__
    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __add__


def _of_installation() -> CollectorRegistry:
    """Its figures, as the service registers them when it is asked."""
    return _made_by(metrics, lambda: metrics.metrics(cast("Parts", _Nothing())))


def _made_by(module: Any, make: Any) -> CollectorRegistry:
    registry = CollectorRegistry()
    with mock.patch.object(module, "CollectorRegistry", lambda: registry):
        make()
    return registry


def _figures(registry: CollectorRegistry) -> Iterator[str]:
    yield "| Metric | Kind | Labels | What it is |"
    yield "|---|---|---|---|"
    for collector in dict.fromkeys(registry._collector_to_names):
        (family,) = collector.describe()  # type: ignore[attr-defined]
        labels = ", ".join(f"`{name}`" for name in collector._labelnames)  # type: ignore[attr-defined]
        name = f"{family.name}_total" if family.type == "counter" else family.name
        yield f"| `{name}` | {family.type} | {labels or '–'} | {_cell(family.documentation)} |"


# --- problems ---


def problems_page() -> str:
    """Every type of problem an answer of the API may have."""
    found: dict[tuple[int, str], str] = {}
    for family, status, kind in problems._KINDS:
        found[status, kind] = str(family.__doc__).strip().split("\n")[0]
    for status, kind in problems._HTTP.items():
        found.setdefault((status, kind), f"{HTTPStatus(status).phrase}.")
    for status, kind, title in _written():
        found.setdefault((status, kind), f"{title[:1].upper()}{title[1:]}.")
    lines = [
        "# Problems",
        "",
        f"{_MADE} Every answer that is no success is problem details (RFC 9457,",
        "`application/problem+json`): `type` is stable, `title` says what is wrong, `what_to_do` what to do",
        "about it where there is something, `request_id` is to be quoted to whoever runs the service.",
        "",
        "| Status | `type`: `urn:evidence-service:problem:` and | What it is |",
        "|---|---|---|",
    ]
    lines += [f"| {status} | `{kind}` | {_cell(words)} |" for (status, kind), words in sorted(found.items())]
    return "\n".join(lines) + "\n"


def _written() -> Iterator[tuple[int, str, str]]:
    """Status, kind and title of the problems that the API's modules write out."""
    for path in sorted(_API.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (
                isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "problem"
            ):
                continue
            status, kind, title, *_ = [*node.args[1:], None, None, None]
            if isinstance(status, ast.Constant) and isinstance(kind, ast.Constant):
                words = (
                    title.value
                    if isinstance(title, ast.Constant)
                    else "What was sent is not what is described"
                )
                yield int(str(status.value)), str(kind.value), str(words)
