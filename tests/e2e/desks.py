"""Where the commands of a document are executed: a folder and an installation that have what it talks about."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence_service.cli.uploading import PORTION
from evidence_service.core import bundle
from tests.documentation import Block
from tests.e2e.conftest import RECIPIENT, Result
from tests.e2e.test_verify_without_us import authorities
from tests.running import ROOT, certified, wait
from tests.unit.importing.test_video import mp4

LISTING = "200102"
CASE = {"reference": "Case 7", "applicant": "Brand Ltd"}
"""The matter of documents that order something."""
REFERENCE = "2026-0417"
"""What a document calls a matter by whose evidence is there already."""
_NUMBER = re.compile(r"\bEP-2026-\d{6}\b")
# What a document's Python may use: it stands on the first line, which is the document's title.
_SESSION = 'import os; base_url, key = os.environ["EVIDENCE_API_URL"], os.environ["EVIDENCE_API_KEY"]; '
# A status of 400 and more is a failure of curl, whether a document has it say so or not.
_CURL = "fail-with-body\nsilent\nshow-error\n"
# A failed command names its line; the line is the document's.
_TRAP = "trap 'code=$?; echo \"line $LINENO ended with $code\" >&2' ERR\n"


@dataclass(frozen=True, slots=True)
class Certified:
    """A piece of evidence with a certificate."""

    evidence_id: str
    number: str


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a document's commands."""

    code: int
    errors: str

    @property
    def line(self) -> int:
        """The line of the document that failed; 0 when the shell did not say."""
        said = r'^(?:line (\d+) ended with|  File ".*commands\.py", line (\d+))'
        found = ["".join(numbers) for numbers in re.findall(said, self.errors, re.MULTILINE)]
        return int(found[-1]) if found else 0


class Desks:
    """Makes a desk for each document, and executes commands at it.

    One listing is captured for all documents. A document that names certificates gets evidence of its own, one
    piece for each number: what it supersedes or withdraws is nobody else's.
    """

    def __init__(self, result: Result, directory: Path) -> None:
        self._result = result
        self._directory = directory
        self._given = directory / "given"
        self._own: dict[str, dict[str, Certified]] = {}

    def prepare(self, documents: Mapping[str, str]) -> None:
        """Make what the documents (path → text) need."""
        self._write_given()
        self._member, self._key, _ = self._key_of("J. Roe", "operator")
        _, _, self._reviewer = self._key_of("R. Reviewer", "reviewer")
        client = self._result.client
        self.matter = client.create("/v1/matters", json=CASE)["id"]
        old = client.create("/v1/matters", json=CASE | {"reference": REFERENCE})["id"]
        named = [
            # One of a document's pieces is enough for a batch of a whole matter.
            (path, number, old if REFERENCE in text and not place else self.matter)
            for path, text in documents.items()
            for place, number in enumerate(sorted({*_NUMBER.findall(text)}))
        ]
        with ThreadPoolExecutor() as pool:
            captured = pool.submit(self._capture_list)
            request = pool.submit(self._ask_for_deletion)
            own = list(pool.map(lambda item: self._upload(*item), named))
            self.captured, self._request = captured.result(), request.result()
        self._link = self._make_link()
        for (path, number, _), made in zip(named, own, strict=True):
            self._own.setdefault(path, {})[number] = made
        self._fetch(own)

    def execute(self, document: str, shell: str, python: str, blocks: list[Block]) -> Done:
        """Execute a document's commands, then its Python, at a desk of its own."""
        desk = self._directory / re.sub(r"\W", "-", document)
        shutil.copytree(self._given, desk, symlinks=True)
        self._write_plan(desk, blocks)
        (desk / "commands.sh").write_text(self.fill_in(document, shell))
        (desk / "commands.py").write_text(f"{_SESSION}{self.fill_in(document, python)}")
        done = Done(0, "")
        for program in (["bash", "-eE", "-o", "pipefail", "commands.sh"], ["python", "commands.py"]):
            if done.code == 0:
                ended = subprocess.run(
                    program,
                    cwd=desk,
                    env=self._environment(desk),
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=600,
                    check=False,
                )
                done = Done(ended.returncode, ended.stderr)
        return done

    def fill_in(self, document: str, text: str) -> str:
        """Put what there is here in the place of what a document can only name."""
        demo = self._result.demo
        own = self._own.get(document, {})
        evidence = next(iter(own.values()), self.captured).evidence_id
        service = f"http://127.0.0.1:{demo.api_port}"
        nodes = iter([*demo.rpc_urls] * 2)
        for pattern, value in (
            (r"https://shop\.example/item/1\b", demo.marketplace.listing_url(LISTING)),
            (r"https://(?:issuer|register|evidence)\.example(?:\.org)?\b(?!\.com)", service),
            (r"http://127\.0\.0\.1:8080\b", service),
            (r"https://node-(?:one|two)\.example", lambda _: next(nodes, demo.rpc_urls[0])),
            (r"\bev-…", evidence),
            (r"\bm-…", self.matter),
            (r"\bage1…", RECIPIENT),
            (r"\bmb-…", self._member),
            (r"\bk-…", self._key),
            (r"\brq-…", self._request),
            (r"\blk-…", self._link),
            (r"(?<= )/backups/", "backups/"),
            (_NUMBER.pattern, lambda found: own[found[0]].number),
            (r"--person agent(?:-1)?\b", "--person demo-agent"),
            # The policy that is shipped does not know a demonstration.
            (r"\bevidence verify (?!.*(?:--trust|-eq 4))", "evidence verify --trust trust.json "),
        ):
            text = re.sub(pattern, value, text)
        return text

    def _environment(self, desk: Path) -> dict[str, str]:
        (desk / ".trap").write_text(_TRAP)
        (desk / ".curlrc").write_text(_CURL)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EVIDENCE_")}
        return kept | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(desk),
            "BASH_ENV": str(desk / ".trap"),
            "EVIDENCE_API_URL": f"http://127.0.0.1:{self._result.demo.api_port}",
            "EVIDENCE_API_KEY": self._result.demo.api_key,
            "KEY": self._result.demo.api_key,
            "CUSTODIAN": self._result.demo.api_key,
            "REVIEWER": self._reviewer,
            "EVIDENCE_CONFIG": str(self._result.demo.settings_file),
        }

    # --- what lies on every desk ---

    def _write_given(self) -> None:
        given = self._given
        given.mkdir(parents=True)
        vectors = ROOT / "tests" / "vectors" / "importing"
        for name in ("page.wacz", "other.wacz"):
            shutil.copy(vectors / "py-wacz-0.6.0.wacz", given / name)
        photo = given / "photos" / "0417.jpg"
        photo.parent.mkdir()
        photo.write_bytes(b"a photo")
        digests = [hashlib.new(name, photo.read_bytes()).hexdigest() for name in ("sha256", "sha3_512")]
        row = ",".join(["0417.jpg", str(photo.stat().st_size), *digests])
        (given / "digests.csv").write_text(f"name,size,sha256,sha3_512\n{row}\n")
        (given / "note.txt").write_text("Notes of Jane Doe\n")
        for name in ("phone.mp4", "phone-video.mp4"):
            (given / name).write_bytes(mp4())
        # Of two portions; a link, because what is given is copied for each document.
        recording = self._directory / "recording.mp4"
        recording.write_bytes(mp4() + struct.pack(">I4s", PORTION, b"free") + bytes(PORTION - 8))
        (given / "recording.mp4").symlink_to(recording)
        state: dict[str, Any] = {"cookies": [], "origins": []}
        cookie = {"name": "session", "value": "of nobody", "domain": "127.0.0.1", "path": "/"}
        state["cookies"].append(
            cookie | {"expires": -1, "httpOnly": True, "secure": False, "sameSite": "Lax"}
        )
        (given / "state.json").write_text(json.dumps(state))
        (given / "steps.json").write_text(json.dumps([{"action": "wait_for", "selector": "h1"}]))
        listing = self._result.demo.marketplace.listing_url(LISTING)
        (given / "listings.csv").write_text(f"url,label\n{listing},first\n")
        (given / ".venv").symlink_to(Path(sys.executable).parents[1])
        for name in ("docs", "deploy", "constraints.txt"):
            (given / name).symlink_to(ROOT / name)

    def _capture_list(self) -> Certified:
        """The list as documents order it. Its results lie beside it: the same command again captures nothing."""
        case = ["--reference", CASE["reference"], "--applicant", CASE["applicant"]]
        done = subprocess.run(
            ["evidence", "capture", "--list", "listings.csv", *case],
            cwd=self._given,
            env=self._environment(self._given),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        results = self._given / "listings.csv.results.csv"
        shutil.copy(results, self._given / "results.csv")
        (evidence_id,) = re.findall(r"\bev-[0-9a-f]{20}\b", results.read_text())
        return self._certified(evidence_id)

    def _upload(self, document: str, number: str, matter: str) -> Certified:
        client = self._result.client
        note = f"Notes of Jane Doe, for {number} in {document}\n".encode()
        query = {"matter_id": matter, "name": "note.txt"}
        return self._certified(client.create("/v1/uploads", params=query, content=note)["id"])

    def _certified(self, evidence_id: str) -> Certified:
        client = self._result.client
        view = wait(client, evidence_id, certified)
        assert view["status"] == "certified", view
        number = client.call("GET", f"/v1/evidence/{evidence_id}/certificate").json()["number"]
        return Certified(evidence_id, number)

    def _key_of(self, name: str, role: str) -> tuple[str, str, str]:
        """A new member's id, the id of their key, and the key."""
        client = self._result.client
        member = client.create(
            "/v1/organisation/members", json={"name": name, "roles": [role], "identity": None}
        )["id"]
        order = {"label": "first", "scopes": None, "expires_at": None}
        made = client.create(f"/v1/organisation/members/{member}/keys", json=order)
        return member, made["id"], made["key"]

    def _ask_for_deletion(self) -> str:
        """The id of a request that another person is to decide about."""
        client = self._result.client
        query = {"matter_id": self.matter, "name": "letter.txt", "certificate": False}
        evidence_id = client.create("/v1/uploads", params=query, content=b"to be deleted")["id"]
        wait(client, evidence_id, lambda view: view["status"] == "anchored")
        asked = client.create(f"/v1/evidence/{evidence_id}/deletion", json={"reason": "settled"})
        return str(asked["id"])

    def _make_link(self) -> str:
        """The id of a link to the evidence that documents call ev-…."""
        order = {"what": "bundle", "recipient": "a court", "purpose": "an exhibit", "expires_in": 3600}
        path = f"/v1/evidence/{self.captured.evidence_id}/release-links"
        return str(self._result.client.create(path, json=order)["id"])

    def _fetch(self, own: list[Certified]) -> None:
        """What a client gets from the service, under the names that documents give it."""
        client, given = self._result.client, self._given
        base = f"/v1/evidence/{self.captured.evidence_id}"
        for name, path in (
            ("certificate.pdf", f"{base}/certificate.pdf"),
            ("bundle.json", f"{base}/bundle"),
            ("receipt.json", f"{base}/receipt"),
            ("screenshot.png", f"{base}/files/screenshot.png"),
            ("evidence/dom.html", f"{base}/files/dom.html"),
            ("receipt-key.pem", "/v1/receipt-key"),
        ):
            (given / name).parent.mkdir(exist_ok=True)
            (given / name).write_bytes(client.call("GET", path).content)
        proofs = [self._result.bundle.read_bytes()]
        for item in (self.captured, *own):
            proofs.append(client.call("GET", f"/v1/evidence/{item.evidence_id}/bundle").content)
        self._result.demo.write_trust(anchor for proof in proofs for anchor in bundle.parse(proof)["anchors"])
        shutil.copy(self._result.trust, given / "trust.json")
        (given / "authority.pem").write_bytes(authorities(self._result.trust))
        output = given / "demo-output"
        (output / "certificates").mkdir(parents=True)
        shutil.copy(given / "trust.json", output)
        shutil.copy(given / "certificate.pdf", output / "certificates" / "certificate-DEMO-2026-000001.pdf")

    @staticmethod
    def _write_plan(desk: Path, blocks: list[Block]) -> None:
        """The plan that a document has its reader write."""
        for block in blocks:
            if block.language == "json" and '"texts"' in block.text:
                (desk / "plan.json").write_text(block.text)
