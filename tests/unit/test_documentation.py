"""How documents are read: what a test of them would overlook if this were wrong."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import documentation
from tests.documentation import Block, anchors, blocks, broken_links, indented, script

PAGE = """# Keep [this](b.md), `that` and more

1. Indented:
   ```sh
   cd /
   false   # exits 1: as it says
   ```

```python
print("from Python")
```
```
of no language
```
See [there](b.md#second-heading), [gone](c.md), [no heading](b.md#third), [here](#keep-this-that-and-more), `[code](x.md)`.
"""


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(documentation, "ROOT", tmp_path)
    (tmp_path / "a.md").write_text(PAGE)
    (tmp_path / "b.md").write_text("# First\n## Second heading\n## Second heading\n```sh\n# Third\n```\n")
    return "a.md"


def test_every_block_is_found_with_its_line_and_language(page: str) -> None:
    found = list(blocks(page))
    assert [(block.line, block.language) for block in found] == [(5, "sh"), (10, "python"), (13, "")]
    assert found[0].lines == ("cd /", "false   # exits 1: as it says")
    assert found[0].name == "a.md: cd /"


def test_a_block_without_an_end_is_refused(page: str, tmp_path: Path) -> None:
    (tmp_path / page).write_text("```sh\ntrue\n")
    with pytest.raises(ValueError, match=r"a\.md:1: a block that does not end"):
        list(blocks(page))


def test_broken_links_are_named(page: str) -> None:
    assert list(broken_links(page)) == [
        "a.md:15: c.md: there is no such file",
        "a.md:15: b.md#third: that page has no such heading",
    ]
    assert anchors("b.md") == {"first", "second-heading", "second-heading-1"}


def run(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-e", "-c", text], capture_output=True, text=True, check=False)


def test_programs_keep_the_documents_lines(page: str) -> None:
    text = script(list(blocks(page)), "sh")
    assert text.splitlines()[4] == "cd /"
    assert run(text).returncode == 0
    assert script(list(blocks(page)), "python") == "\n" * 9 + 'print("from Python")\n'


def test_a_block_without_a_fence_is_found(page: str, tmp_path: Path) -> None:
    (tmp_path / page).write_text("Type\n\n    false\n\n```sh\n\n    true\n```\n- a list\n    that goes on\n")
    assert list(indented(page)) == [3]


@pytest.mark.parametrize(
    "line", ["false", "true   # exits 3", "false  # exits 3", "python -c 'raise SystemExit(4)'"]
)
def test_a_line_that_ends_otherwise_than_it_says_fails(line: str) -> None:
    assert run(script([Block("a.md", 2, "sh", (line,))], "sh")).returncode != 0
