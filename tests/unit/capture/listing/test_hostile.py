"""Pages that were made to hurt: the work stays bounded, and what was left out is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from evidence_service.capture.listing import Source, read_listing
from evidence_service.capture.listing import page as page_module
from evidence_service.capture.listing.markup import MAX_TAGS, tags
from evidence_service.capture.outcome import Observation, classify

URL = "https://shop.example/item/1"
PAGES = {
    "ten megabytes of text": lambda: "<p>" + "text 文 " * 1_250_000,
    "blocks": lambda: '<script type="application/ld+json">{"@type":"Product","name":"x"}</script>' * 100_000,
    "open quotes": lambda: "<a b=\"c' " * 50_000,
    "open angle brackets": lambda: "<" * 300_000,
    "open comments": lambda: "<!-- " * 100_000,
    "open scripts": lambda: "<script>" * 100_000,
    "nested elements": lambda: "<div>" * 50_000,
    "nested items": lambda: '<div itemscope itemprop="a">' * 50_000,
    "nested arrays": lambda: f'<script type="application/ld+json">{"[" * 1_000_000}</script>',
    "a long string": lambda: (
        '<script type="application/ld+json">{"@type":"Product","name":"' + "\\" * 1_000_000
    ),
    "assignments": lambda: f"<script>{'g_config = {a:' * 30_000}</script>",
    "metas": lambda: '<meta property="og:title" content="x">' * 50_000,
    "titles": lambda: "<title>" * 100_000,
    "attributes": lambda: f"<meta {'a=b ' * 500_000}>",
}


def test_hostile_pages_are_read_in_bounded_work() -> None:
    """The child's limit of time is far above what it takes, and far below what unbounded work would."""
    script = (
        "import re, resource\n"
        "from pathlib import Path\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))\n"
        "from tests.unit.capture.listing.test_hostile import PAGES, read\n"
        "for name, page in PAGES.items():\n"
        "    print(name, flush=True)\n"
        "    read(page())\n"
        # Not ru_maxrss: Linux begins it with the size of the process that started this one.
        "print(int(re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text())[1]) // 1024)\n"
    )
    root = Path(__file__).parents[4]
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=root, timeout=120, check=False,
        env={"PYTHONPATH": str(root), "PATH": ""},
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert done.returncode == 0, (lines[-1:], done.stderr[-500:])
    assert int(lines[-1]) < 512


def read(page: str) -> None:
    """What a capture does with a page."""
    facts = read_listing(page, URL, [Source("urn:uuid:1", "text/html", page.encode())])
    seen = Observation(URL, URL, 200, "words " * 1_000, page, 0, facts=facts)
    assert classify(seen).status in ("captured", "removed", "challenge")


def test_what_is_not_read_is_said() -> None:
    block = '<script type="application/ld+json">{"@type": "Product", "name": "First"}</script>'
    facts = read_listing(block * (page_module.MAX_BLOCKS + 1), URL)
    assert facts["title"].value == "First"
    assert "JSON-LD blocks" in facts["unread"].value


def test_tags_end_at_their_limit() -> None:
    assert sum(1 for _ in tags("<p>" * (MAX_TAGS + 10))) == MAX_TAGS
