"""Every way to lead a capture where it must not go, against listeners that would really receive it.

``python -m tests.capture.ssrf_campaign [--short] [NAME …]`` ends in
``RESULT cases=… leaked=0 slowest_refusal_ms=…`` and fails when anything leaked, a refusal took a second or longer,
or an attempt was not really made.
"""

from __future__ import annotations

import argparse
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Error as PlaywrightError

from evidence_service.capture.browser import BrowserSession, BrowserSettings
from evidence_service.capture.exchange import Exchange
from evidence_service.capture.recorder import Recorder
from evidence_service.capture.recording.settings import RecorderLimits
from evidence_service.egress.http import exchange
from evidence_service.egress.policy import EgressPolicy, check_url
from evidence_service.errors import RefusedError, UnavailableError
from tests.capture.ssrf_cases import CASES, FORMS, PUBLIC_ZONES, ZONES, Case
from tests.capture.ssrf_world import PUBLIC, World, enter_namespace, open_network
from tests.nameserver import Nameserver
from tests.unit.capture.recording.pki import Pki

FORBIDDEN = ("169.254.169.254", "10.0.0.1", "127.0.0.3", "192.168.0.1", "[fc00::1]", "172.16.9.9")
PATIENCE = 8.0
_REFUSAL_MS = 1000.0
_QUIET = 0.6
"""Seconds a page has for what the recorder cannot see."""


@dataclass(slots=True)
class Verdict:
    """How one case ended; ``why`` is empty when it held."""

    name: str
    refusal_ms: float = 0.0
    why: str = ""


def leak_of(case: Case) -> str:
    """The case's forbidden address: one of several kinds, the same one in each run."""
    host = FORBIDDEN[sum(case.name.encode()) % len(FORBIDDEN)]
    return f"{scheme_of(case)}://{host}/leak/{case.name}"


def scheme_of(case: Case) -> str:
    """Of the case's page and its target."""
    return "https" if case.secure else "http"


class Attacker:
    """The public server's answers."""

    def __init__(self) -> None:
        self.ports = {"recorder": 0, "devtools": 0}
        self._cases = {case.name: case for case in CASES}

    def __call__(self, request: bytes) -> bytes:
        target = request.split(b" ", 2)[1].decode("latin-1")
        if found := re.fullmatch(r"/redirect(\d*)(/leak/([^?]+))", target):
            code = found[1] or "302"
            return _response(f"{code} Moved", "text/plain", f"Location: {leak_of(self._cases[found[3]])}", "")
        if found := re.fullmatch(r"/case/redirect-301-again(/leak/([^?]+))", target):
            return _response("301 Moved", "text/plain", f"Location: {leak_of(self._cases[found[2]])}", "")
        case = self._cases.get(target.removeprefix("/case/").partition("?")[0])
        if case is None:
            return _response("404 Not Found", "text/plain", "", "nothing")
        places = {"leak": leak_of(case), "path": f"/leak/{case.name}", **self.ports}
        page = case.page.format(**places).replace(
            "tried=1", f"fetch('{scheme_of(case)}://attack.test/tried/{case.name}',{{mode:'no-cors'}})"
        )
        return _response(case.status.format(**places), case.kind, case.head.format(**places), page)


def _response(status: str, kind: str, head: str, body: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}; charset=utf-8", "Access-Control-Allow-Origin: *"]
    data = body.encode()
    lines += [head] if head else []
    lines += [f"Content-Length: {len(data)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + data


def rebinding(count: int) -> tuple[tuple[str, str], ...]:
    """Public when it is first asked, inside from then on."""
    return (("A", PUBLIC),) if count == 0 else (("A", "10.0.0.9"),)


class Campaign:
    """Runs cases one after the other with the real recorder and the real browser."""

    def __init__(self, world: World, attacker: Attacker, policy: EgressPolicy, roots: Path) -> None:
        self._world = world
        self._roots = roots
        self._attacker = attacker
        self._policy = policy

    def run(self, cases: Sequence[Case]) -> list[Verdict]:
        wire = Path(tempfile.mkdtemp(prefix="ssrf-"))
        limits = RecorderLimits(exchanges=100_000, seconds=900.0)
        try:
            with Recorder(
                wire, self._policy, now=lambda: datetime.now(UTC), limits=limits, roots=self._roots
            ) as recorder:
                self._world.sniffer.infrastructure.add(recorder.port)
                self._attacker.ports["recorder"] = recorder.port
                with BrowserSession(
                    BrowserSettings(),
                    proxy_port=recorder.port,
                    spki=recorder.spki,
                    context={},
                ) as session:
                    self._world.sniffer.infrastructure.add(session.devtools_port)
                    self._attacker.ports["devtools"] = session.devtools_port
                    return [self._case(case, session, recorder) for case in cases]
        finally:
            shutil.rmtree(wire, ignore_errors=True)

    def _case(self, case: Case, session: BrowserSession, recorder: Recorder) -> Verdict:
        known = len(recorder.exchanges)
        url = (case.url or f"{scheme_of(case)}://attack.test/case/{case.name}").format(
            path=f"/leak/{case.name}"
        )
        with suppress(PlaywrightError):
            session.page.goto(url, wait_until="commit", timeout=5_000)
        if case.seen == "recorder":
            refused = _wait_for(
                lambda: [item for item in recorder.exchanges[known:] if _is_refusal(item, case)]
            )
            return _judge(case, refused, recorder.exchanges[known:])
        # The page says in the record that its script ran; then it has a while for what nobody is to see.
        told = _wait_for(lambda: [item for item in recorder.exchanges[known:] if _is_told(item, case)])
        time.sleep(_QUIET)
        refused = [item for item in recorder.exchanges[known:] if _is_refusal(item, case)]
        if refused:
            return _judge(case, refused, ())
        return Verdict(case.name, why="" if told else "the page's script did not run")


def _is_told(item: Exchange, case: Case) -> bool:
    return item.url.endswith(f"/tried/{case.name}") and item.status is not None


def _is_refusal(item: Exchange, case: Case) -> bool:
    return f"/leak/{case.name}" in f"{item.url}?" and bool(item.problem) and bool(item.finished_at)


def _wait_for(find: Callable[[], list[Exchange]]) -> list[Exchange]:
    until = time.monotonic() + PATIENCE
    while not (found := find()) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def _judge(case: Case, refused: Sequence[Exchange], seen: Sequence[Exchange]) -> Verdict:
    if not refused:
        return Verdict(case.name, why=f"no attempt reached the recorder: {[item.url for item in seen]}")
    slowest = max(_milliseconds(item) for item in refused)
    for item in refused:
        if item.response is not None or item.peer is not None:
            return Verdict(case.name, slowest, f"{item.url} was answered by {item.peer}")
        if "not public" not in item.problem and "refused" not in item.problem:
            return Verdict(case.name, slowest, f"{item.url} was not refused by the policy: {item.problem}")
    return Verdict(case.name, slowest)


def _milliseconds(item: Exchange) -> float:
    began, ended = (datetime.fromisoformat(text) for text in (item.started_at, item.finished_at))
    return (ended - began).total_seconds() * 1000


def doors(policy: EgressPolicy) -> list[Verdict]:
    """The API's check of a URL, and what the service fetches by itself: every form and every name, at each."""
    verdicts = []
    for name, host in [*FORMS.items(), *((host, host) for host in ZONES)]:
        url = f"http://{host}/leak/door"
        for door, knock in (
            ("order", lambda url=url: check_url(url, policy)),
            ("fetch", lambda url=url: exchange(url, limit=100, policy=policy)),
        ):
            began = time.monotonic()
            try:
                knock()
                why = "it was not refused"
            except RefusedError:
                why = ""
            except UnavailableError as error:
                # The library itself takes some of the forms for no address at all.
                why = "" if "InvalidURL" in error.message else error.message
            verdicts.append(Verdict(f"{door}-{name}", (time.monotonic() - began) * 1000, why))
    return verdicts


def control(world: World) -> str:
    """Leak on purpose; what is wrong when it was not seen."""
    for family, address in ((socket.AF_INET, "169.254.169.254"), (socket.AF_INET6, "fc00::1")):
        with socket.create_connection((address, 80), timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            connection.recv(100)
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"leak", (address, 3478))
    time.sleep(0.5)
    seen = [leak.what for leak in world.leaks]
    world.forget()
    for wanted in (
        "TCP to 169.254.169.254 port 80", "UDP to 169.254.169.254 port 3478", "a connection at 169.254.169.254 port 80",
        "TCP to fc00::1 port 80", "UDP to fc00::1 port 3478", "4 bytes by UDP at port 3478",
    ):  # fmt: skip
        if wanted not in seen:
            return f"a leak made on purpose was not seen: {wanted}; seen: {seen}"
    return ""


def run(cases: Sequence[Case], *, with_doors: bool) -> int:
    """Run inside the network namespace; the exit code."""
    open_network()
    attacker = Attacker()
    zones = {**ZONES, **PUBLIC_ZONES, "rebind.test": rebinding, "rebind-page.test": rebinding}
    with (
        tempfile.TemporaryDirectory() as directory,
        Nameserver(zones) as server,
        World(
            attacker, (pki := Pki(Path(directory))).server("attack.test").context(Path(directory))
        ) as world,
    ):
        if problem := control(world):
            print(problem)
            return 1
        port = int(server.address.rpartition(":")[2])
        world.sniffer.infrastructure.add(port)
        policy = EgressPolicy(nameservers=(server.address,))
        verdicts = doors(policy) if with_doors else []
        verdicts += Campaign(world, attacker, policy, pki.roots).run(cases)
        time.sleep(_QUIET)
        leaks = [leak.what for leak in world.leaks]
    return report(verdicts, leaks)


def report(verdicts: Sequence[Verdict], leaks: Sequence[str]) -> int:
    """Print what failed, then the result; the exit code."""
    for verdict in verdicts:
        if verdict.why:
            print(f"FAILED {verdict.name}: {verdict.why}")
    for what in dict.fromkeys(leaks):
        print(f"LEAKED {what} ({leaks.count(what)} times)")
    slowest = max((verdict.refusal_ms for verdict in verdicts), default=0.0)
    failed = sum(1 for verdict in verdicts if verdict.why)
    print(
        f"RESULT cases={len(verdicts)} leaked={len(leaks)} slowest_refusal_ms={slowest:.0f} failed={failed}"
    )
    return 1 if failed or leaks or slowest >= _REFUSAL_MS else 0


def main(arguments: Sequence[str]) -> int:
    """Choose the cases, and run them in a network of their own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="the form that runs with every change")
    parser.add_argument("--inside", action="store_true", help="the network namespace was made already")
    parser.add_argument("names", nargs="*", help="cases; all when none is named")
    chosen = parser.parse_args(arguments)
    if not chosen.inside:
        return enter_namespace("tests.capture.ssrf_campaign", arguments)
    cases = [
        case
        for case in CASES
        if (not chosen.names or case.name in chosen.names) and (case.short or not chosen.short)
    ]
    return run(cases, with_doors=not chosen.names)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
