"""The second implementation runs where it is meant to: in a browser, without uploading anything."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.running import answering

ROOT = Path(__file__).parents[2]
PAGE = """<!doctype html><script type="importmap">{"imports": {
"@noble/hashes/": "/node_modules/@noble/hashes/", "fflate": "/node_modules/fflate/esm/browser.js"}}</script>
<pre id="answer"></pre><script type="module">
import { parsePolicy, verify } from "/evidence_service/console/verifier/verifier.js";
const load = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
const [pdf, trust, page] = await Promise.all(["certificate.pdf", "trust.json", "dom.html"].map(load));
const genuine = await verify({ subject: "c", pdf, files: [{ name: "dom.html", bytes: page }], digests: [] },
  parsePolicy(trust), new Date("2027-01-01T00:00:00Z"));
pdf[pdf.length >> 1] ^= 1;
const changed = await verify({ subject: "c", pdf, files: [], digests: [] }, parsePolicy(trust), new Date());
document.getElementById("answer").textContent = JSON.stringify({
  genuine: genuine.verdict, checks: genuine.checks.length, changed: changed.verdict });
</script>"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    golden = ROOT / "tests/golden/v1-demonstration"
    (tmp_path / "index.html").write_text(PAGE)
    for name in ("certificate.pdf", "trust.json", "files/dom.html"):
        shutil.copy(golden / name, tmp_path)
    for name in ("node_modules", "evidence_service"):
        (tmp_path / name).symlink_to(ROOT / name)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    with answering(server):
        yield f"http://127.0.0.1:{server.server_port}/"


def test_a_certificate_is_verified_in_the_browser(address: str, tmp_path: Path) -> None:
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    command += ["--virtual-time-budget=60000", "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    answer = json.loads(done.stdout.split('<pre id="answer">')[1].split("</pre>")[0])
    assert answer == {"genuine": "demonstration", "checks": 14, "changed": "invalid"}
