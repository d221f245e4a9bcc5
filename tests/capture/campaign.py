"""``make campaign-capture``: every fixture captured for real; outcome, facts, bytes and package are judged.

``--short`` takes eight fixtures, for CI; names as arguments take those.
"""

from __future__ import annotations

import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from evidence_service.capture.browser import BrowserSettings
from evidence_service.capture.recorder import RecorderLimits
from evidence_service.capture.session import CaptureLimits, CaptureResult, capture_listing
from evidence_service.egress.policy import EgressPolicy
from evidence_service.importing.examination import examine_here
from evidence_service.sandbox.marketplace import FIXTURES, Fixture, Marketplace
from tests.capture.oracles import check_warc, validate_wacz
from tests.capture.recorded import differing, miscited

SHORT = (
    "gzip-chunked",
    "spa-state-fetched",
    "websocket",
    "amazon-layout",
    "wall-modal-zh",
    "challenge-ebay",
    "removed-other-zh",
    "broken-missing-picture-zh",
)
AT_ONCE = 2
LIMITS = CaptureLimits(seconds=25.0, settle=2.0, recorder=RecorderLimits(body=6_000_000, total=40_000_000))
_BROKEN = ("partial", "blocked")


@dataclass
class Judged:
    """What was wrong with one capture; all lists are empty when nothing was.

    Attributes:
        cited: facts that cite bytes of the record.
    """

    name: str
    seconds: float = 0.0
    outcome: str = ""
    cited: int = 0
    mislabelled: list[str] = field(default_factory=list)
    bytes_differing: list[str] = field(default_factory=list)
    warcio: list[str] = field(default_factory=list)
    wacz: list[str] = field(default_factory=list)


def judge(name: str) -> Judged:
    """Capture one fixture, in a marketplace of its own, and compare."""
    fixture = next(item for item in FIXTURES if item.name == name)
    began = time.monotonic()
    found = Judged(name)
    with tempfile.TemporaryDirectory(prefix="evidence-campaign-") as root, Marketplace() as marketplace:
        directory = Path(root) / "capture"
        ports = (marketplace.port, marketplace.closed_port)
        result = capture_listing(
            marketplace.fixture_url(fixture),
            directory,
            policy=EgressPolicy(frozenset(("127.0.0.1", port) for port in ports)),
            browser=BrowserSettings(),
            now=lambda: datetime.now(UTC),
            limits=LIMITS,
        )
        found.outcome = result.outcome.status
        found.mislabelled = mislabelled(fixture, result)
        found.cited = sum(fact.span is not None for fact in result.listing.values())
        found.mislabelled += miscited(directory, dict(result.listing))
        found.bytes_differing = differing(
            directory, marketplace.log.entries(), port=marketplace.port, broken=fixture.outcome in _BROKEN
        )
        found.warcio = warcio_failures(directory)
        found.wacz = wacz_failures(directory)
    found.seconds = time.monotonic() - began
    return found


def mislabelled(fixture: Fixture, result: CaptureResult) -> list[str]:
    """Where outcome, its rule or facts are not the fixture's."""
    faults = []
    status, reasons = result.outcome.status, result.outcome.reasons
    if status != fixture.outcome:
        faults.append(f"{status} instead of {fixture.outcome}: {'; '.join(reasons)}")
    elif fixture.rule and not any(f"(rule {fixture.rule})" in reason for reason in reasons):
        faults.append(f"rule {fixture.rule} is not cited: {'; '.join(reasons)}")
    for name, value in fixture.facts.items():
        read = result.listing[name].value if name in result.listing else None
        if read != value:
            faults.append(f"{name} is {read!r} instead of {value!r}")
    return faults


def warcio_failures(directory: Path) -> list[str]:
    """What ``warcio check`` says against the WARC in each package; a capture without a package fails."""
    packages = sorted(directory.glob("*.wacz"))
    faults = [] if packages else ["there is no package"]
    for path in packages:
        with zipfile.ZipFile(path) as package:
            faults += _refused(
                lambda package=package: check_warc(
                    Path(package.extract("archive/data.warc.gz", directory.parent))
                )
            )
    return faults


def wacz_failures(directory: Path) -> list[str]:
    """What ``wacz validate`` and the project's own examination of uploads say against the package."""
    faults = []
    for path in sorted(directory.glob("*.wacz")):
        faults += _refused(lambda path=path: validate_wacz(path))
        with path.open("rb") as file:
            examined = examine_here(file, path.stat().st_size, path.name, "application/wacz", seconds=None)
        faults += [item.told for item in examined.findings if item.severity == "error"]
    return faults


def _refused(check: Callable[[], object]) -> list[str]:
    try:
        check()
    except AssertionError as refusal:
        return [str(refusal)[-300:]]
    return []


def run(names: list[str]) -> int:
    """Judge fixtures, two at once; the number of faults."""
    judged = []
    with ProcessPoolExecutor(AT_ONCE) as pool:
        for found in pool.map(judge, names):
            judged.append(found)
            faults = [*found.mislabelled, *found.bytes_differing, *found.warcio, *found.wacz]
            mark = "; ".join(faults) or "as it has to be"
            print(
                f"{len(judged)}/{len(names)} {found.name} {found.outcome} {found.seconds:.1f} s: {mark}",
                flush=True,
            )
    faults = {
        "warcio_failures": sum(bool(item.warcio) for item in judged),
        "wacz_failures": sum(bool(item.wacz) for item in judged),
        "bytes_differing": sum(len(item.bytes_differing) for item in judged),
        "mislabelled": sum(bool(item.mislabelled) for item in judged),
    }
    print(f"RESULT packages={len(judged)} " + " ".join(f"{name}={count}" for name, count in faults.items()))
    return sum(faults.values())


if __name__ == "__main__":
    arguments = sys.argv[1:]
    chosen = list(SHORT) if arguments == ["--short"] else arguments or [item.name for item in FIXTURES]
    raise SystemExit(1 if run(chosen) else 0)
