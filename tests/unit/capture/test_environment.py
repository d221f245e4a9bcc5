"""Fifteen points: each can pass, fail or be unavailable with its reason, and keeps what it was judged from."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from evidence_service.capture.browser import BrowserIdentity, BrowserSettings
from evidence_service.capture.environment import Checks, Examination, Fetched, Seen, machine, others
from evidence_service.capture.environment.points import MOST_RAW, NAMES, lines, point, unavailable
from evidence_service.egress.policy import EgressPolicy
from evidence_service.egress.resolver import Resolution
from evidence_service.errors import AuthorityUnavailableError
from tests.nameserver import Nameserver
from tests.running import answering

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
BODY = b"<html><title>A  known\npage</title>"
SEEN = Seen(flags=("--headless=new",), user=61184, sandbox=True, scripts={"measure": "ab" * 32})


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def page() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    server.status, server.asked = 200, 0
    with answering(server):
        yield server


def address(page: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{page.server_port}/"


def allowing(page: ThreadingHTTPServer) -> EgressPolicy:
    return EgressPolicy(frozenset({("127.0.0.1", page.server_port)}))


def examined(url: str, seen: Seen = SEEN, **given: Any) -> dict[int, dict[str, Any]]:
    arguments = {"policy": EgressPolicy(), "checks": Checks(), "clocks": {}, "now": lambda: NOW, **given}
    examination = Examination(url, **arguments)
    found = examination.finish(
        seen, browser=BrowserIdentity("chromium", "Chromium 1", "cd" * 32), settings=BrowserSettings()
    )
    assert [item["number"] for item in found["points"]] == list(range(1, 16))
    for item in found["points"]:
        assert item["name"] == NAMES[item["number"]]
        assert item["status"] in ("pass", "fail", "unavailable")
        assert item["value"]
        if len(item["raw"]) < MOST_RAW:
            assert item["raw_sha256"] == hashlib.sha256(item["raw"].encode()).hexdigest()
    return {item["number"]: item for item in found["points"]}


def test_raw_output_is_bounded_and_its_digest_is_of_all_of_it() -> None:
    found = point(9, "pass", "x", "é" * 10_000)
    assert len(found["raw"]) == MOST_RAW
    assert found["raw_sha256"] == hashlib.sha256(("é" * 10_000).encode()).hexdigest()
    assert unavailable(8, "x" * 1000)["value"] == "x" * 400
    assert lines({"a": 1, "b": "c"}) == "a: 1\nb: c\n"


def test_what_nobody_was_asked_for_is_unavailable_and_says_why() -> None:
    found = examined("http://shop.test/")
    assert {number for number, item in found.items() if item["status"] == "unavailable"} == {
        5,
        6,
        7,
        8,
        10,
        12,
        13,
        14,
        15,
    }
    assert "second_nameserver" in found[5]["value"]
    assert "control_url" in found[10]["value"]
    assert "control_url" in found[15]["value"]
    assert "second_fetch" in found[12]["value"]
    assert found[2]["value"]["user"] == "number 61184"
    assert found[2]["value"]["sandbox"] == "yes"
    assert found[11]["value"] == {
        "in a world of their own": [f"measure {'ab' * 32}"],
        "in the page's own world": [],
    }


def test_everything_can_pass(page: ThreadingHTTPServer) -> None:
    with Nameserver({"shop.test": (("A", "8.8.8.8"),)}) as server:
        found = examined(
            address(page),
            Seen(
                flags=(), user=0, sandbox=False, scripts={"measure": "ab" * 32}, tls=[{"verified": "yes", "version": "TLSv1.3"}],
                peer=("8.8.8.8", 443), asked=Fetched.of(200, BODY), outcome=("captured", ()),
                not_before={"status": "recorded", "block_number": "5"},
            ),
            policy=allowing(page),
            checks=Checks(server.address, address(page), second_fetch=True),
            clocks={"A": lambda: NOW, "B": lambda: NOW + timedelta(seconds=2)},
        )  # fmt: skip
    # The page is on loopback: an exception (6), and a literal that nobody is asked for (5).
    assert {number for number, item in found.items() if item["status"] != "pass"} == {5, 6}
    assert found[12]["value"]["same_bytes"] == "yes"
    assert found[12]["value"]["title"] == "A known page"
    assert found[15]["value"]["same_as_before"] == "yes"
    assert found[8]["value"]["B"].endswith("+2.0 s from this clock")
    assert found[2]["value"]["sandbox"] == "no"
    assert page.asked == 3


def test_a_profile_with_a_login_state_is_not_called_empty(page: ThreadingHTTPServer) -> None:
    assert examined(address(page))[2]["value"]["profile"] == "new and empty"
    found = examined(address(page), replace(SEEN, logged_in=True))[2]
    assert found["value"]["profile"] == "new, the supplied login state loaded into it"


def test_a_page_of_control_that_is_not_there(page: ThreadingHTTPServer) -> None:
    page.status = 404
    found = examined("http://shop.test/", policy=allowing(page), checks=Checks(control_url=address(page)))
    assert [found[number]["status"] for number in (10, 15)] == ["fail", "fail"]
    found = examined("http://shop.test/", checks=Checks(control_url=address(page)))
    assert [found[number]["status"] for number in (10, 15)] == ["unavailable", "unavailable"]
    assert "not public" in found[10]["value"]


def test_a_second_fetch_is_compared_and_follows_nothing(page: ThreadingHTTPServer) -> None:
    page.status = 302
    seen = Seen(flags=(), user=1, sandbox=True, scripts={}, asked=Fetched.of(200, b"<title>Other</title>"))
    found = examined(address(page), seen, policy=allowing(page), checks=Checks(second_fetch=True))[12]
    assert found["status"] == "pass"
    assert (found["value"]["status"], found["value"]["recorded_status"]) == ("302", "200")
    assert (found["value"]["same_bytes"], found["value"]["same_title"]) == ("no", "no")
    assert page.asked == 1
    refused = examined(address(page), checks=Checks(second_fetch=True))[12]
    assert refused["status"] == "unavailable"
    assert page.asked == 1


def failing() -> datetime:
    raise AuthorityUnavailableError("it is down")


@pytest.mark.parametrize(
    ("sources", "status"),
    [
        ({}, "unavailable"),
        ({"A": lambda: NOW}, "unavailable"),
        ({"A": lambda: NOW, "B": failing}, "unavailable"),
        ({"A": lambda: NOW, "B": lambda: NOW - timedelta(seconds=9)}, "pass"),
        ({"A": lambda: NOW, "B": lambda: NOW - timedelta(seconds=11)}, "fail"),
        ({"A": lambda: NOW, "B": lambda: NOW, "C": failing}, "pass"),
    ],
)
def test_the_clock_needs_two_others(sources: dict[str, Callable[[], datetime]], status: str) -> None:
    found = others.clocks(sources, lambda: NOW)
    assert found["status"] == status
    if "B" in sources and sources["B"] is failing:
        assert "it is down" in found["raw"]


def test_two_resolvers_agree_disagree_or_are_not_both_there() -> None:
    policy = EgressPolicy(resolver=lambda host, port: Resolution(("8.8.8.8", "8.8.4.4"), "system"))
    zones = {"same.test": (("A", "8.8.4.4"),), "other.test": (("A", "9.9.9.9"),)}
    with Nameserver(zones) as server:
        assert others.resolvers("same.test", 80, policy, server.address)["status"] == "pass"
        found = others.resolvers("other.test", 80, policy, server.address)
        assert found["status"] == "fail"
        assert found["value"]["system"] == ["8.8.4.4", "8.8.8.8"]
        assert others.resolvers("missing.test", 80, policy, server.address)["status"] == "unavailable"
        assert others.resolvers("8.8.8.8", 80, policy, server.address)["status"] == "unavailable"
    assert others.resolvers("same.test", 80, policy, "")["status"] == "unavailable"


def test_a_hosts_file_that_names_the_captured_host(tmp_path: Path) -> None:
    hosts, resolver = tmp_path / "hosts", tmp_path / "resolv.conf"
    hosts.write_text("127.0.0.1 localhost\n8.8.8.8 Shop.Test. alias # comment\n# 9.9.9.9 other.test\n")
    resolver.write_text("# x\nnameserver 9.9.9.9\nsearch test\nnameserver\n")
    found = machine.hosts_file("shop.test", hosts, resolver)
    assert found["status"] == "fail"
    assert found["value"]["entries_for_the_host"] == ["8.8.8.8 Shop.Test. alias"]
    assert found["value"]["nameservers"] == ["9.9.9.9"]
    assert machine.hosts_file("other.test", hosts, resolver)["status"] == "pass"
    assert machine.hosts_file("other.test", tmp_path / "missing", resolver)["status"] == "unavailable"


def test_the_route_fails_with_an_exception_and_says_so() -> None:
    excepting = EgressPolicy(frozenset({("127.0.0.1", 8000)}))
    found = machine.route(excepting, ("127.0.0.1", 8000))
    assert found["status"] == "fail"
    assert found["value"]["exceptions"] == ["127.0.0.1:8000"]
    assert found["value"]["source"] == "127.0.0.1"
    assert machine.route(EgressPolicy(), None)["status"] == "unavailable"
    assert machine.route(EgressPolicy(), ("8.8.8.8", 443))["status"] == "pass"


def test_a_certificate_that_was_not_verified_fails_the_point() -> None:
    seen = Seen(
        flags=(), user=1, sandbox=True, scripts={}, tls=[{"verified": "yes", "version": "TLSv1.3"}, {"verified": "it is expired"}],
        outcome=("partial", ("the time was over",)),
    )  # fmt: skip
    found = examined("https://shop.test/", seen)
    assert found[7]["status"] == "fail"
    assert found[7]["value"]["not_verified"] == ["it is expired"]
    assert found[13]["status"] == "fail"
    assert found[13]["value"]["reasons"] == ["the time was over"]


def test_names_of_variables_and_processes_and_never_what_they_hold(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy.test")
    found = machine.proxies(machine.variable_names())
    assert found["value"]["variables_ignored"] == ["HTTPS_PROXY"]
    process, net = tmp_path / "12", tmp_path / "net"
    process.mkdir()
    net.mkdir()
    (process / "comm").write_text("server\n")
    (process / "cmdline").write_text("server\0--password=secret")
    (net / "tcp").write_text("sl local\n 0: 0100007F:1F90 00000000:0000 0A x\n 1: 0100007F:0050 1:1 01 x\n")
    inventory = machine.inventory(tmp_path, tmp_path / "no-packages")
    assert inventory["status"] == "pass"
    assert inventory["value"]["listening_tcp_ports"] == ["8080"]
    assert inventory["value"]["system_packages_sha256"] == "unknown"
    assert "server" in inventory["raw"]
    assert "secret" not in repr((found, inventory))
    assert machine.inventory(tmp_path / "absent")["status"] == "unavailable"


def test_the_process_says_when_the_machine_started(tmp_path: Path) -> None:
    assert float(machine.process()["value"]["machine_up_seconds"]) > 0
    assert machine.process(tmp_path)["value"]["machine_up_seconds"] == "unknown"


def test_a_capture_does_not_wait_for_what_is_slow() -> None:
    release = threading.Event()

    def slow() -> datetime:
        release.wait(10)
        return NOW

    found = examined("http://shop.test/", clocks={"A": slow, "B": slow}, patience=0.05)
    release.set()
    assert found[8]["status"] == "unavailable"
    assert "by the time the page was captured" in found[8]["value"]


def test_nothing_is_waited_for_when_a_capture_fails() -> None:
    release = threading.Event()

    def slow() -> datetime:
        release.wait(10)
        return NOW

    examination = Examination(
        "http://shop.test/", policy=EgressPolicy(), checks=Checks(), clocks={"A": slow}, now=lambda: NOW
    )
    examination.close()
    assert not release.is_set()
    release.set()


@pytest.mark.parametrize(
    ("document", "title"),
    [
        (b"<title>" * 150_000, ""),
        (b"<title " * 150_000, ""),
        (b"<TITLE lang=zh>\xe5\x8c\x85</Title>", "包"),
        (b"<titles>no</titles>", ""),
        (b"<title></title>", ""),
    ],
)
def test_a_title_is_found_in_one_pass(document: bytes, title: str) -> None:
    assert others.title_of(document) == title
