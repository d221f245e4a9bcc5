"""One piece of evidence of the live check, looked at from every side; everything wrong is said in words."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evidence_service.certificate.edition import DEFAULT, parse_edition
from evidence_service.core import bundle
from tests.capture.oracles import check_wacz
from tests.live.record import Comparison, compare, read_package
from tests.live.world import World

_NO_CERTIFICATE = "anchored: certify refused: no certificate is issued"
"""What the service says of a piece of evidence at whose end its rules allow no certificate."""
_WORDS = parse_edition(DEFAULT).texts["en"]


@dataclass(frozen=True, slots=True)
class Case:
    """What is captured, and how it has to end.

    Attributes:
        reason: words that have to be among the outcome's reasons.
        certified: False where the issuer's rules allow no certificate; the bundle is all there is then.
        reached: False where the web server was asked for nothing, because its certificates were refused.
        listing: what the storefront's database says of it.
    """

    name: str
    url: str
    outcome: str
    reason: str = ""
    certified: bool = True
    reached: bool = True
    listing: dict[str, Any] = field(default_factory=dict)


@dataclass
class Tally:
    """What was counted over all of it."""

    captured: int = 0
    outcomes: int = 0
    verified: int = 0
    facts: int = 0
    compared: list[Comparison] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def sum(self, name: str) -> int:
        """A count over all packages."""
        return sum(int(getattr(item, name)) for item in self.compared)

    @property
    def reached(self) -> int:
        """Captures that the web server answered."""
        return len(self.compared)

    @property
    def ids(self) -> set[str]:
        """Of all recorded responses, as the web server's log names them."""
        return set().union(*(item.ids for item in self.compared))


def examine(world: World, case: Case, view: dict[str, Any], output: Path, tally: Tally) -> Iterator[str]:
    """What is wrong with a piece of evidence; ``view`` is what the service says of it."""
    now = f"{view['status']}: {view['waiting_for'] or view['progress']}"
    if case.certified and view["status"] != "certified":
        yield now
        return
    if not case.certified and not now.startswith(_NO_CERTIFICATE):
        yield f"{now}, and not {_NO_CERTIFICATE}"
        return
    folder = _collect(world, case, view["id"], output / case.name)
    manifest = bundle.parse((folder / "bundle.json").read_bytes())["manifest"]
    outcome = manifest["outcome"]
    named = any(case.reason in item for item in outcome["reasons"] or [""])
    if outcome["status"] == case.outcome and named:
        tally.outcomes += 1
    else:
        yield f"{outcome}, and not {case.outcome} with “{case.reason}”"
    refused = list(_verify(world, case, folder))
    tally.verified += not refused
    yield from refused
    yield from _second_fetch(case, folder)
    if not case.reached:
        yield from _refused_certificates(case, folder)
        return
    package = read_package(folder / "files")
    found = compare(package, world.nginx, world.storefront.root)
    tally.compared.append(found)
    yield from found.wrong
    if case.outcome == "captured":
        tally.captured += 1
        yield from _way(world, case, manifest["subject"])
        yield from _facts(case, manifest["subject"]["listing"], tally)


def _collect(world: World, case: Case, evidence_id: str, folder: Path) -> Path:
    """Everything a client gets of it; a certificate only where one is issued."""
    base = f"/v1/evidence/{evidence_id}"
    for item in world.client.call("GET", f"{base}/files").json():
        target = folder / "files" / item["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(world.client.call("GET", f"{base}/files/{item['path']}").content)
    (folder / "bundle.json").write_bytes(world.client.call("GET", f"{base}/bundle").content)
    if case.certified:
        world.evidence("certificate", evidence_id, "--output", folder / "certificate.pdf").check_returncode()
    world.demo.write_trust(bundle.parse((folder / "bundle.json").read_bytes())["anchors"])
    shutil.copy(world.demo.trust_file, folder / "trust.json")
    return folder


def _verify(world: World, case: Case, folder: Path) -> Iterator[str]:
    """The project's verifier, and other people's tools; what is no capture has to say so on its cover."""
    judged = folder / ("certificate.pdf" if case.certified else "bundle.json")
    options = ("--offline", "--json", "--trust", folder / "trust.json")
    done = world.evidence("verify", *options, judged, folder / "files")
    if done.returncode != 0:
        yield f"evidence verify ended with {done.returncode}: {done.stdout[-600:]}{done.stderr[-300:]}"
    try:
        check_wacz(folder / "files" / "capture.wacz", folder)
    except AssertionError as error:
        yield f"warcio or wacz: {str(error)[-600:]}"
    if case.certified:
        yield from _certificate(case, judged)


def _certificate(case: Case, pdf: Path) -> Iterator[str]:
    signature = _run("pdfsig", pdf).stdout
    if "Signature is Valid" not in signature:
        yield f"pdfsig: {signature[-300:]}"
    words = _WORDS[f"outcome.{case.outcome}"]
    if words not in " ".join(_run("pdftotext", "-l", "1", "-raw", pdf, "-").stdout.split()):
        yield f"the certificate's first page does not say “{words}”"


def _run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def _way(world: World, case: Case, subject: dict[str, Any]) -> Iterator[str]:
    """By another scheme and another host to the page."""
    secure, path = world.nginx.https, case.listing["path"]
    wanted = [f"https://127.0.0.1:{secure}{path}"]
    if (subject["redirects"], subject["final_url"]) != (wanted, f"https://localhost:{secure}{path}"):
        yield f"the way was {subject['redirects']} to {subject['final_url']}"


def _facts(case: Case, facts: dict[str, Any], tally: Tally) -> Iterator[str]:
    """A fact is as the storefront's database has it, or unknown; the title is never unknown."""
    for name in ("title", "price", "currency"):
        fact, value = facts.get(name), " ".join(case.listing[name].split())
        if fact is not None and fact["value"] == value:
            tally.facts += 1
        elif fact is not None or name == "title":
            yield f"{name} is {fact}, and the storefront's database says {value}"


def _second_fetch(case: Case, folder: Path) -> Iterator[str]:
    """The other client met what the browser met: the same answer, or certificates it does not accept."""
    points = json.loads((folder / "files" / "environment.json").read_bytes())["points"]
    found = next(item for item in points if item["number"] == 12)
    value = found["value"]
    if not case.reached:
        if found["status"] != "unavailable" or "certificate verify failed" not in value:
            yield f"the second fetch is said to have met {value}"
    elif found["status"] != "pass" or value["status"] != value["recorded_status"]:
        yield f"the second fetch is said to have met {value}"


def _refused_certificates(case: Case, folder: Path) -> Iterator[str]:
    """Certificates that were refused are part of the record."""
    exchanges = json.loads((folder / "files" / "exchanges.json").read_bytes())
    main = next((item for item in exchanges if item["url"] == case.url), None)
    if main is None or main["response"] is not None or not main["chain"]:
        yield f"the refused certificates are not in the record: {main}"
