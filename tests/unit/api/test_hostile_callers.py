"""What somebody without a key, or with the wrong one, can have the service do: nothing that lasts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError
from starlette.types import Message

from evidence_service.api import limits
from evidence_service.api.app import create_app
from evidence_service.api.limits import Bounds
from evidence_service.api.oidc import TokenRefusedError
from evidence_service.api.rates import Rate, Rates
from evidence_service.cli import serving
from evidence_service.config import Settings
from evidence_service.errors import UnavailableError
from evidence_service.store.organisations import Holder
from tests.running import operator_key
from tests.unit.api.test_conventions import NOWHERE, Nowhere

KEY = "right"
MIB = 1 << 20
JSON = {"Content-Type": "application/json"}
TOKEN = "eyJ.x.y"
SLOW = Rate(0.001, 3)


@dataclass
class Answer:
    """An answer, and what was taken of the request to give it."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    taken: int = 0


def ask(
    app: Any, method: str, path: str, body: Iterable[bytes] = (), peer: str = "203.0.113.7", **headers: str
) -> Answer:
    """Ask an application itself: what a server in between would buffer is seen."""
    answer, portions = Answer(), list(body)
    fields = {"transfer-encoding": "chunked", "content-type": "application/json"} if portions else {}
    fields |= {name.lower().replace("_", "-"): value for name, value in headers.items()}

    async def receive() -> Message:
        answer.taken += 1
        if portions:
            return {"type": "http.request", "body": portions.pop(0), "more_body": True}
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        answer.body += message.get("body", b"")

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
        "client": (peer, 1),
    }
    asyncio.run(app(scope, receive, send))
    return answer


def bearer(shown: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {shown}"}


@pytest.fixture(scope="module")
def app() -> FastAPI:
    many = Rate(1e6, 10**6)
    return create_app(NOWHERE, operator_key(KEY), rates=Rates(many, many, many))


POSTED = [
    ("POST", "/v1/matters"),
    ("POST", "/v1/registrations"),
    ("POST", "/v1/registration-lists"),
    ("POST", "/v1/capture-lists"),
    ("POST", "/v1/uploads"),
    ("PATCH", "/v1/uploads/sessions/us-1"),
    ("PUT", "/v1/evidence/ev-1/retention"),
]


@pytest.mark.parametrize(("method", "path"), POSTED)
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eA=="}, bearer("wrong")])
def test_nothing_of_a_body_is_read_of_somebody_unknown(
    app: FastAPI, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = ask(app, method, path, [b"x" * MIB] * 4, **headers)
    assert (answer.status, answer.taken) == (401, 0)
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_after_too_many_failures_nothing_is_read_either() -> None:
    app = create_app(NOWHERE, operator_key(KEY), rates=Rates(failures=SLOW))
    answers = [ask(app, "POST", "/v1/matters", [b"{}"], **bearer(f"guess {n}")) for n in range(5)]
    assert [(a.status, a.taken) for a in answers] == [(401, 0)] * 3 + [(429, 0)] * 2


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/livez", 200), ("POST", "/nowhere", 404)])
def test_a_body_nobody_asked_for_is_not_read(app: FastAPI, method: str, path: str, status: int) -> None:
    answer = ask(app, method, path, [b"x" * MIB] * 4)
    assert (answer.status, answer.taken) == (status, 0)


@pytest.mark.parametrize(
    ("path", "mib"),
    [
        ("/v1/matters", 1),
        ("/v1/registrations", 1),
        ("/v1/certificates", 1),
        ("/v1/captures", 4),
        ("/v1/exhibits", 8),
        ("/v1/evidence/ev-1/exhibit", 8),
        ("/v1/capture-lists", 32),
        ("/v1/registration-lists", 32),
    ],
)
def test_each_route_has_a_limit_of_its_own(app: FastAPI, path: str, mib: int) -> None:
    answer = ask(app, "POST", path, [b" " * MIB] * (mib + 2), **bearer(KEY))
    assert (answer.status, answer.taken) == (413, mib + 1)
    assert f"larger than {mib * MIB} bytes" in json.loads(answer.body)["title"]
    assert ask(app, "POST", path, [b" " * MIB] * mib, **bearer(KEY)).status == 422


def test_whoever_asks_whether_it_is_alive_is_answered_when_it_is_busy() -> None:
    app = create_app(NOWHERE, operator_key(KEY))

    @app.get("/meanwhile")
    async def meanwhile() -> dict[str, int]:
        others = [ask_in(app, path) for path in ("/livez", "/v1/receipt-key")]
        return {str(number): answer for number, answer in enumerate([await other for other in others])}

    bounds = next(item for item in app.user_middleware if item.cls is Bounds)
    bounds.kwargs["at_once"] = 1
    answer = ask(app, "GET", "/meanwhile")
    assert json.loads(answer.body) == {"0": 200, "1": 503}
    assert limits.AT_ONCE > 1


async def ask_in(app: FastAPI, path: str) -> int:
    return (await asyncio.to_thread(ask, app, "GET", path)).status


def test_callers_behind_a_trusted_proxy_are_told_apart() -> None:
    app = create_app(NOWHERE, operator_key(KEY), rates=Rates(failures=SLOW))
    settings = Settings(trusted_proxies=["203.0.113.0/29"])
    served = serving._http(app, settings)
    served.load()

    def guess(address: str, peer: str = "203.0.113.7") -> list[int]:
        return [
            ask(
                served.loaded_app, "GET", "/v1/matters", peer=peer, X_Forwarded_For=address, **bearer("x")
            ).status
            for _ in range(4)
        ]

    for address in ("198.51.100.1", "198.51.100.2"):
        assert guess(address) == [401] * 3 + [429]
    assert guess("198.51.100.3", peer="192.0.2.1") == [401] * 3 + [429]
    assert guess("198.51.100.4", peer="192.0.2.1") == [429] * 4, "who is no proxy says nothing about others"


# --- every request that shows something is counted once ---


class Names:
    """Organisations that know one person, in as many of them as it is told."""

    def __init__(self, *organisations: str) -> None:
        self.holders = [Holder(name, "mb-1", "J. Doe", ["operator"], None) for name in organisations]
        self.away = False

    def holders_of_identity(self, _: str, __: str) -> list[Holder]:
        return self.holders

    def holder_of_key(self, _: bytes) -> None:
        if self.away:
            raise OperationalError("SELECT", None, Exception())


class Verifier:
    """An issuer's tokens: of one person, refused, or not to be verified now."""

    problem: Exception | None = None

    def verify(self, _: str) -> tuple[str, str]:
        if self.problem is not None:
            raise self.problem
        return "https://login.example.com", "doe"


def known(names: Names, verifier: Any = None, **rates: Rate) -> FastAPI:
    parts: Any = Nowhere()
    parts.organisations = names
    return create_app(parts, operator_key(KEY), identities=verifier, rates=Rates(**rates))


def statuses(app: FastAPI, headers: Mapping[str, str], *, body: bool, times: int = 5) -> list[int]:
    method, sent = ("POST", [b"{}"]) if body else ("GET", [])
    return [ask(app, method, "/v1/matters", sent, **headers).status for _ in range(times)]


@pytest.mark.parametrize("body", [False, True])
@pytest.mark.parametrize(
    ("shown", "organisation", "members_of", "status"),
    [
        (KEY, "o-other", (), 403),
        (TOKEN, None, (), 403),
        (TOKEN, "o-3", ("o-1", "o-2"), 403),
        (TOKEN, None, ("o-1", "o-2"), 422),
    ],
)
def test_who_is_known_and_refused_is_counted(
    shown: str, organisation: str | None, members_of: tuple[str, ...], status: int, body: bool
) -> None:
    app = known(Names(*members_of), Verifier(), caller=SLOW)
    headers = bearer(shown) | ({} if organisation is None else {"Evidence-Organisation": organisation})
    assert statuses(app, headers, body=body) == [status] * 3 + [429] * 2


@pytest.mark.parametrize("body", [False, True])
@pytest.mark.parametrize("shown", ["a member's key", TOKEN])
def test_who_cannot_be_named_now_is_counted_by_address(shown: str, body: bool) -> None:
    names, verifier = Names(), Verifier()
    names.away, verifier.problem = True, UnavailableError("the issuer is away")
    app = known(names, verifier, public=SLOW, failures=SLOW)
    assert statuses(app, bearer(shown), body=body) == [503] * 3 + [429] * 2
    names.away, verifier.problem = False, TokenRefusedError("it proves nothing")
    assert statuses(app, bearer(shown), body=body) == [401] * 3 + [429] * 2, "these were no failures"


@pytest.mark.parametrize("shown", [KEY, TOKEN])
def test_a_request_with_a_body_is_counted_once(shown: str) -> None:
    app = known(Names("o-1"), Verifier(), caller=SLOW)
    assert statuses(app, bearer(shown), body=True) == [422] * 3 + [429] * 2
