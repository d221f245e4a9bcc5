"""Tokens of OpenID providers: really signed, keys really served, and everything a forger would try."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from sqlalchemy import Engine

from evidence_service import bootstrap
from evidence_service.api.app import create_app
from evidence_service.api.oidc import MOST, Identities, Provider, TokenRefusedError
from evidence_service.config import Settings
from evidence_service.egress.http import guarded
from evidence_service.egress.policy import EgressPolicy
from evidence_service.errors import UnavailableError
from evidence_service.store.tenancy import API_ROLE
from tests.running import answering, as_role, operator_key, serving
from tests.unit.api.conftest import KEY, Service
from tests.unit.api.test_conventions import check_problem

AUDIENCE = "https://evidence.example"
RSA, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
SHORT = rsa.generate_private_key(public_exponent=65537, key_size=1024)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
MAKERS: dict[str, Any] = {"RSA": RSAAlgorithm, "EC": ECAlgorithm, "OKP": OKPAlgorithm}


def jwk(kind: str, key: Any, kid: str, **more: Any) -> dict[str, Any]:
    return {**MAKERS[kind].to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **more}


class Provided:
    """An OpenID provider on this machine.

    Attributes:
        documents: path → what it answers with; None: it is away.
        asked: paths in the order they were asked for.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        provided = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provided.asked.append(self.path)
                document = provided.documents.get(self.path)
                self.send_response(503 if document is None else 200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(b"" if document is None else json.dumps(document).encode())

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.issuer = f"http://127.0.0.1:{self.port}/realm"
        self.documents: dict[str, Any] = {
            "/realm/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "jwks_uri": f"http://127.0.0.1:{self.port}/keys",
            }
        }
        self.serve(jwk("RSA", RSA, "rsa"), jwk("EC", EC, "ec"), jwk("OKP", ED, "ed"))

    def serve(self, *keys: dict[str, Any]) -> None:
        self.documents["/keys"] = {"keys": list(keys)}

    def token(self, *, key: Any = RSA, alg: str = "RS256", kid: str | None = "rsa", **more: Any) -> str:
        headers = {**({} if kid is None else {"kid": kid}), **more.pop("headers", {})}
        return jwt.encode(self.claims(**more), key, algorithm=alg, headers=headers)

    def claims(self, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": "doe", "aud": AUDIENCE, "iat": now, "exp": now + 300}
        return {name: value for name, value in (claims | more).items() if value is not None}


class Seconds:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def provided() -> Iterator[Provided]:
    found = Provided()
    with answering(found.server):
        yield found


def identities(provided: Provided, clock: Seconds | None = None, **more: Any) -> Identities:
    policy = EgressPolicy(exceptions=frozenset({("127.0.0.1", provided.port)}))
    provider = Provider(provided.issuer, AUDIENCE, ("RS256", "ES256", "EdDSA"))
    return Identities([replace(provider, **more)], guarded(policy), clock=clock or Seconds())


@pytest.mark.parametrize(
    ("key", "alg", "kid"),
    [(RSA, "RS256", "rsa"), (EC, "ES256", "ec"), (ED, "EdDSA", "ed"), (EC, "ES256", None)],
)
def test_a_token_of_each_kind_of_key(provided: Provided, key: Any, alg: str, kid: str | None) -> None:
    known = identities(provided)
    for _ in range(3):
        token = provided.token(key=key, alg=alg, kid=kid, aud=["other", AUDIENCE])
        assert known.verify(token) == (provided.issuer, "doe")
    assert provided.asked == ["/realm/.well-known/openid-configuration", "/keys"], "asked once"


def raw(header: Any, claims: Any, sign: Callable[[bytes], bytes] = lambda _: b"x") -> str:
    """A token put together by hand."""
    parts = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in (header, claims)]
    body = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    return (body + b"." + base64.urlsafe_b64encode(sign(body)).rstrip(b"=")).decode()


def forged_by_hmac(provided: Provided) -> str:
    public = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "typ": "JWT", "kid": "rsa"}
    return raw(header, provided.claims(), lambda body: hmac.digest(public, body, hashlib.sha256))


def twice(provided: Provided) -> str:
    claims = json.dumps(provided.claims())[:-1] + ', "sub": "admin"}'
    return raw({"alg": "RS256", "typ": "JWT", "kid": "rsa"}, claims.encode())


NOW = int(time.time())
FORGERIES: dict[str, tuple[Callable[[Provided], str], str]] = {
    "alg none": (lambda p: raw({"alg": "none", "typ": "JWT"}, p.claims(), lambda _: b""), "algorithm"),
    "alg None": (lambda p: raw({"alg": "None"}, p.claims(), lambda _: b""), "algorithm"),
    "HS256 with the public key": (forged_by_hmac, "algorithm"),
    "an algorithm that is not configured": (lambda p: p.token(alg="RS512"), "algorithm"),
    "no algorithm": (lambda p: raw({"typ": "JWT"}, p.claims()), "algorithm"),
    "another key under the kid": (lambda p: p.token(key=OTHER), "signature"),
    "another algorithm's kid": (lambda p: p.token(kid="ec"), "signature"),
    "an unknown kid": (lambda p: p.token(kid="../../etc/passwd"), "signature"),
    "a kid that is no text": (lambda p: raw({"alg": "RS256", "kid": ["rsa"]}, p.claims()), "signature"),
    "its own key in the header": (lambda p: p.token(key=OTHER, headers={"jwk": jwk("RSA", OTHER, "rsa")}), "signature"),
    "a jku of the forger": (lambda p: p.token(key=OTHER, headers={"jku": f"http://127.0.0.1:{p.port}/evil"}), "signature"),
    "an x5u of the forger": (lambda p: p.token(key=OTHER, headers={"x5u": f"http://127.0.0.1:{p.port}/evil"}), "signature"),
    "a changed claim": (lambda p: raw({"alg": "RS256", "kid": "rsa"}, p.claims(sub="admin"), lambda _: base64.urlsafe_b64decode(p.token().split(".")[2] + "==")), "signature"),
    "another audience": (lambda p: p.token(aud="https://other.example"), "not accepted"),
    "no audience": (lambda p: p.token(aud=None), "not accepted"),
    "another issuer": (lambda p: p.token(iss="https://evil.example"), "issuer this service does not know"),
    "an issuer that only begins so": (lambda p: p.token(iss=p.issuer + "/"), "issuer this service does not know"),
    "no issuer": (lambda p: p.token(iss=None), "issuer this service does not know"),
    "expired": (lambda p: p.token(exp=NOW - 3600), "expired"),
    "no end": (lambda p: p.token(exp=None), "exp"),
    "not valid yet": (lambda p: p.token(nbf=NOW + 3600), "nbf"),
    "issued in the future": (lambda p: p.token(iat=NOW + 3600), "iat"),
    "no time of issue": (lambda p: p.token(iat=None), "iat"),
    "nobody": (lambda p: p.token(sub=None), "sub"),
    "nobody's name": (lambda p: p.token(sub=""), "sub"),
    "a critical extension": (lambda p: p.token(headers={"crit": ["x"], "x": 1}), "crit"),
    "an unencoded payload": (lambda p: raw({"alg": "RS256", "b64": False}, p.claims()), "crit"),
    "another kind of token": (lambda p: p.token(headers={"typ": "logout+jwt"}), "typ"),
    "claims twice": (twice, "cannot be read"),
    "a huge token": (lambda p: p.token(groups=["x" * 100] * 200), f"longer than {MOST}"),
    "nesting": (lambda p: raw(b"[" * 9000, b"{}"), "cannot be read"),
    "no JSON": (lambda p: raw(b"\xff", b"{}"), "cannot be read"),
    "no object": (lambda p: raw([], {}), "cannot be read"),
    "no base64": (lambda p: "eyJ!.x.y", "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_token_proves_nothing(provided: Provided, name: str) -> None:
    provided.serve(jwk("RSA", RSA, "rsa"), jwk("EC", EC, "ec"))
    make, words = FORGERIES[name]
    with pytest.raises(TokenRefusedError, match=words) as caught:
        identities(provided).verify(make(provided))
    assert "/evil" not in provided.asked
    assert provided.token().split(".")[0] not in caught.value.message


@pytest.mark.parametrize(
    ("published", "token"),
    [
        ([{"kty": "oct", "kid": "rsa", "k": "c2VjcmV0"}], {}),
        ([jwk("RSA", SHORT, "rsa")], {"key": SHORT}),
        ([jwk("RSA", RSA, "rsa", use="enc")], {}),
        ([jwk("RSA", RSA, "rsa", alg="PS256")], {}),
        ([{"kty": "RSA", "kid": "rsa", "n": "AQ", "e": 7}], {}),
        (["rsa", None], {}),
    ],
)
def test_keys_that_sign_nothing(provided: Provided, published: Any, token: dict[str, Any]) -> None:
    provided.serve(*published)
    with pytest.raises(TokenRefusedError, match="signature"):
        identities(provided).verify(provided.token(**token))


def test_tokens_are_taken_of_authorised_parties_alone(provided: Provided) -> None:
    known = identities(provided, parties=frozenset({"console"}))
    assert known.verify(provided.token(azp="console")) == (provided.issuer, "doe")
    assert known.verify(provided.token(client_id="console")) == (provided.issuer, "doe")
    for claims in ({}, {"azp": "other"}, {"azp": "other", "client_id": "console"}):
        with pytest.raises(TokenRefusedError, match="azp"):
            known.verify(provided.token(**claims))


def test_keys_are_changed_without_a_restart_and_withdrawn_ones_end(provided: Provided) -> None:
    clock = Seconds()
    known = identities(provided, clock)
    known.verify(provided.token())
    provided.serve(jwk("RSA", OTHER, "new"))
    new = provided.token(key=OTHER, kid="new")
    with pytest.raises(TokenRefusedError, match="signature"):
        known.verify(new)  # asked a moment ago: whoever names unknown keys causes no flood of questions
    for _ in range(20):
        with pytest.raises(TokenRefusedError):
            known.verify(provided.token(kid="unknown"))
    assert provided.asked.count("/keys") == 1
    clock.now += 31
    assert known.verify(new) == (provided.issuer, "doe")
    assert provided.asked.count("/keys") == 2
    with pytest.raises(TokenRefusedError, match="signature"):
        known.verify(provided.token())  # its key is not published any more


def test_while_new_keys_are_fetched_no_token_is_called_wrong(provided: Provided) -> None:
    clock, fetching, going_on = Seconds(), threading.Event(), threading.Event()
    ask = guarded(EgressPolicy(exceptions=frozenset({("127.0.0.1", provided.port)})))

    def slow(url: str, **more: Any) -> Any:
        if clock.now > 1000:
            fetching.set()
            assert going_on.wait(30)
        return ask(url, **more)

    known = Identities([Provider(provided.issuer, AUDIENCE, ("RS256",))], slow, clock=clock)
    known.verify(provided.token())
    provided.serve(jwk("RSA", RSA, "rsa"), jwk("RSA", OTHER, "new"))
    clock.now += 31
    new = provided.token(key=OTHER, kid="new")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(known.verify, new)
        try:
            assert fetching.wait(30)
            with pytest.raises(UnavailableError, match="being fetched"):
                known.verify(new)
            assert known.verify(provided.token()) == (provided.issuer, "doe"), "a known key waits for nothing"
        finally:
            going_on.set()
        assert first.result(30) == known.verify(new) == (provided.issuer, "doe")


def test_withdrawn_keys_end_although_nobody_shows_a_new_one(provided: Provided) -> None:
    clock = Seconds()
    known = identities(provided, clock)
    known.verify(provided.token())
    provided.serve()
    clock.now += 301
    with pytest.raises(TokenRefusedError, match="signature"):
        known.verify(provided.token())


def test_an_issuer_that_is_away_is_not_the_token_s_fault(provided: Provided) -> None:
    clock = Seconds()
    known = identities(provided, clock)
    keys = provided.documents.pop("/keys")
    for _ in range(2):  # the second time it is not asked again
        with pytest.raises(UnavailableError, match="cannot be had"):
            known.verify(provided.token())
    assert provided.asked.count("/keys") == 1
    provided.documents["/keys"] = keys
    clock.now += 31
    known.verify(provided.token())
    del provided.documents["/keys"]
    clock.now += 301
    assert known.verify(provided.token()) == (provided.issuer, "doe"), "remembered keys outlast its absence"


@pytest.mark.parametrize(
    ("path", "document", "words"),
    [
        (
            "/realm/.well-known/openid-configuration",
            {"issuer": "https://evil.example", "jwks_uri": "x"},
            "another issuer",
        ),
        ("/realm/.well-known/openid-configuration", {}, "another issuer"),
        ("/realm/.well-known/openid-configuration", [], "no JSON object"),
        ("/keys", {"keys": "x"}, "set of keys"),
        ("/keys", {"keys": ["x" * 300_000]}, "larger than"),
    ],
)
def test_nonsense_of_an_issuer_is_its_absence(
    provided: Provided, path: str, document: Any, words: str
) -> None:
    provided.documents[path] = document
    with pytest.raises(UnavailableError, match=words):
        identities(provided).verify(provided.token())


def test_keys_are_asked_for_under_the_egress_policy(provided: Provided) -> None:
    provider = Provider(provided.issuer, AUDIENCE, ("RS256",))
    with pytest.raises(UnavailableError, match="not public"):
        Identities([provider], guarded(EgressPolicy())).verify(provided.token())
    assert provided.asked == []


# --- over the API ---


@pytest.fixture
def client(service: Service, provided: Provided, engine: Engine, tmp_path: Path) -> Iterator[httpx.Client]:
    """The same service, in another process's place, with the provider's tokens."""
    narrow = as_role(engine, API_ROLE)
    parts = bootstrap.parts(Settings(data_directory=tmp_path, purpose="demonstration"), narrow)
    app = create_app(parts, operator_key(KEY), identities=identities(provided))
    with serving(app) as url, httpx.Client(base_url=url, trust_env=False) as client:
        yield client
    narrow.dispose()


def add(service: Service, name: str, provided: Provided, *roles: str) -> None:
    identity = {"issuer": provided.issuer, "subject": "doe"}
    body = {"name": name, "roles": list(roles), "identity": identity}
    assert service.http.post("/v1/organisation/members", json=body).status_code == 201


def bearer(token: str, organisation: str | None = None) -> dict[str, str]:
    more = {} if organisation is None else {"Evidence-Organisation": organisation}
    return {"Authorization": f"Bearer {token}", **more}


def test_a_token_works_for_the_organisations_its_holder_is_a_member_of(
    service: Service, provided: Provided, client: httpx.Client
) -> None:
    token = provided.token()
    check_problem(client.get("/v1/evidence", headers=bearer(token)), 403, "forbidden")
    add(service, "J. Doe", provided, "operator")
    assert client.get("/v1/evidence", headers=bearer(token, "o-default")).status_code == 200
    assert client.get("/v1/evidence", headers=bearer(token)).status_code == 200
    assert client.get("/v1/organisation/log", headers=bearer(token)).status_code == 403, "as his roles allow"
    body = {"reference": "R", "applicant": "A"}
    assert client.post("/v1/matters", json=body, headers=bearer(token)).status_code == 201
    other = {
        "name": "Other",
        "administrator": {"name": "J. D.", "identity": {"issuer": provided.issuer, "subject": "doe"}},
    }
    second = service.http.post("/v1/organisations", json=other).json()["id"]
    assert client.get("/v1/organisation", headers=bearer(token, second)).status_code == 200
    problem = check_problem(client.get("/v1/organisation", headers=bearer(token)), 422, "refused")
    assert second in problem["what_to_do"] and "o-default" in problem["what_to_do"]
    for name in (second, "o-default"):
        assert client.get("/v1/organisation", headers=bearer(token, name)).json()["id"] == name
    assert client.get("/v1/evidence", headers=bearer(token, second)).status_code == 403
    third = service.http.post("/v1/organisations", json={"name": "Third"}).json()["id"]
    answers = [client.get("/v1/organisation", headers=bearer(token, name)) for name in (third, "o-none")]
    titles = {check_problem(answer, 403, "forbidden")["title"] for answer in answers}
    assert len(titles) == 1, "whether there is such an organisation is not told"
    assert client.get("/v1/organisation", headers=bearer(KEY, third)).status_code == 403
    assert client.get("/v1/organisation", headers=bearer(KEY, "o-default")).status_code == 200
    [member] = [
        m for m in service.http.get("/v1/organisation/members").json()["items"] if m["name"] == "J. Doe"
    ]
    service.http.delete(f"/v1/organisation/members/{member['id']}")
    assert client.get("/v1/evidence", headers=bearer(token, "o-default")).status_code == 403


def test_nobody_works_for_an_organisation_that_he_never_named(
    service: Service, provided: Provided, client: httpx.Client
) -> None:
    token = provided.token()
    other = {
        "name": "Other",
        "administrator": {"name": "J. D.", "identity": {"issuer": provided.issuer, "subject": "doe"}},
    }
    second = service.http.post("/v1/organisations", json=other).json()["id"]
    problem = check_problem(client.get("/v1/organisation", headers=bearer(token)), 403, "forbidden")
    assert "Evidence-Organisation" in problem["title"] and second in problem["title"]
    add(service, "J. Doe", provided, "operator")
    problem = check_problem(client.get("/v1/organisation", headers=bearer(token)), 403, "forbidden")
    assert second in problem["title"] and "o-default" in problem["title"], "two others' word is not his own"
    for name in ("o-default", None, None):
        assert client.get("/v1/organisation", headers=bearer(token, name)).json()["id"] == "o-default"
    [member] = [
        m for m in service.http.get("/v1/organisation/members").json()["items"] if m["name"] == "J. Doe"
    ]
    assert member["confirmed_at"] is not None
    log = service.http.get("/v1/organisation/log").json()["items"]
    [told] = [item for item in log if item["action"] == "confirm_member"]
    assert (told["actor"], told["subject"]) == ("J. Doe", member["id"])
    assert told["detail"] == {"name": "J. Doe", "issuer": provided.issuer, "subject": "doe"}


def test_a_bad_token_is_401_and_an_absent_issuer_503(provided: Provided, client: httpx.Client) -> None:
    del provided.documents["/keys"]
    answer = client.get("/v1/evidence", headers=bearer(provided.token()))
    check_problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    answer = client.get("/v1/evidence", headers=bearer(provided.token(iss="https://evil.example")))
    check_problem(answer, 401, "unauthorised")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
