"""The documents as tests read them: fenced blocks with their lines, links, and anchors of headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from tests.running import ROOT

_FENCE = re.compile(r"^( *)(`{3,})(\w*)\s*$")
_LINK = re.compile(r"\]\((?!https?://|mailto:)([^()\s]+(?:\([^()\s]*\))?)\)")
_CODE = re.compile(r"`[^`]*`")
_EXIT = re.compile(r"\s#.*\bexits (\d+)\b")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        document: path from the project's folder.
        line: of the first line inside the fence, from 1.
        language: what stands behind the fence; empty without one.
        lines: the text, without the fence's own indentation.
    """

    document: str
    line: int
    language: str
    lines: tuple[str, ...]

    @property
    def name(self) -> str:
        """How lists of a test name it; it does not change when something is written above it."""
        return f"{self.document}: {self.lines[0].strip()}"

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines) + "\n"


def documents() -> list[str]:
    """Every document of the project, by its path."""
    pages = sorted((ROOT / "docs").rglob("*.md"))
    return [str(page.relative_to(ROOT)) for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *pages)]


def read(document: str) -> list[str]:
    """Its lines."""
    return (ROOT / document).read_text(encoding="utf-8").splitlines()


def blocks(document: str) -> Iterator[Block]:
    """Its fenced blocks, in their order.

    Raises:
        ValueError: a fence that is not closed.
    """
    lines = read(document)
    position = 0
    while position < len(lines):
        opened = _FENCE.match(lines[position])
        if opened is None:
            position += 1
            continue
        indent, fence, language = opened.groups()
        begin = position + 1
        for end in range(begin, len(lines)):
            if lines[end].strip() == fence:
                break
        else:
            raise ValueError(f"{document}:{position + 1}: a block that does not end")
        inside = tuple(line.removeprefix(indent) for line in lines[begin:end])
        yield Block(document, begin + 1, language, inside)
        position = end + 1


def script(chosen: list[Block], language: str) -> str:
    """Blocks of one document in one language as one program, as they are typed into one terminal or session.

    Each line keeps the number it has in the document, so that messages say where it is. A line of shell that says
    ``# exits 3`` has to end so; every other one with 0.
    """
    lines: list[str] = []
    for block in chosen:
        if block.language == language:
            lines += [""] * (block.line - 1 - len(lines))
            lines += map(_expecting, block.lines) if language == "sh" else block.lines
    return "\n".join(lines) + "\n"


def _expecting(line: str) -> str:
    code = _EXIT.search(line)
    if code is None:
        return line
    command, wanted = line[: code.start()], code[1]
    told = f'{{ echo "ended with $code instead of {wanted}" >&2; false; }}'
    return f"code=0; {command} || code=$?; [ $code -eq {wanted} ] || {told}"


def _prose(document: str) -> Iterator[tuple[int, str]]:
    """Lines outside blocks, with their numbers."""
    inside = {
        number
        for block in blocks(document)
        for number in range(block.line - 1, block.line + len(block.lines) + 1)
    }
    return ((number, line) for number, line in enumerate(read(document), 1) if number not in inside)


def indented(document: str) -> Iterator[int]:
    """Lines that are blocks without a fence, which would be found by nobody who looks for fences."""
    before = ""
    for number, line in _prose(document):
        if line.startswith("    ") and not before.strip():
            yield number
        before = line


def anchors(document: str) -> set[str]:
    """What ``#…`` may name in it: headings as GitHub makes anchors of them."""
    found: dict[str, int] = {}
    for _, line in _prose(document):
        if re.match(r"#{1,6} ", line):
            words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line.lstrip("#").strip()).lower()
            name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            found[name] = found.get(name, -1) + 1
    return {
        name if not number else f"{name}-{number}"
        for name, last in found.items()
        for number in range(last + 1)
    }


def linked(document: str) -> Iterator[str]:
    """Files of the project that it links to."""
    for _, _, page, _ in _links(document):
        if page.is_file():
            yield _name(page)


def broken_links(document: str) -> Iterator[str]:
    """Links inside the project that lead nowhere, each with what is missing."""
    for number, target, page, anchor in _links(document):
        where = f"{document}:{number}: {target}"
        if not page.exists():
            yield f"{where}: there is no such file"
        elif anchor and page.suffix == ".md" and anchor not in anchors(_name(page)):
            yield f"{where}: that page has no such heading"


def _links(document: str) -> Iterator[tuple[int, str, Path, str]]:
    """Links inside the project: line, as written, file, anchor."""
    for number, line in _prose(document):
        for target in _LINK.findall(_CODE.sub("", line)):
            path, _, anchor = unquote(target).partition("#")
            yield number, target, (ROOT / document).parent / path if path else ROOT / document, anchor


def _name(page: Path) -> str:
    return str(page.resolve().relative_to(ROOT))
