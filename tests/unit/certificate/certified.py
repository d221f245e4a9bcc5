"""Facts of certificates to be printed: a whole record of a world of its own, judged by the verification engine."""

from __future__ import annotations

import base64
import copy
import hashlib
import io
import json
import subprocess
import tempfile
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from evidence_service.certificate.edition import parse_edition
from evidence_service.certificate.facts import CertificateFacts, Issuer, Preserved, certificate_facts
from evidence_service.certificate.render import render
from evidence_service.core import document, manifest
from evidence_service.core.digest import digest_of
from evidence_service.verify.material import EvidenceFile, Material
from evidence_service.verify.policy import parse
from evidence_service.verify.report import Report
from evidence_service.verify.verifier import verify
from tests.forgeries.keys import EPOCH, authority, later
from tests.forgeries.world import FIRST, Evidence, World, built, usual_manifest

URL = "https://shop.example/item/4711"
REGISTER = "https://register.example/v1/register"
ISSUER = Issuer("Issuer Ltd", "HRB 4711", "No business with the parties.", "Filing 88-1")
SEEN_AT = document.format_time(EPOCH)

Files = dict[str, tuple[str, bytes]]
"""Path → role and content."""


@cache
def png(width: int = 640, height: int = 900) -> bytes:
    """A picture whose rows differ, so that its parts do."""
    picture = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def fact(value: str, where: str = "JSON-LD block 1") -> dict[str, str]:
    """A member of ``subject.listing``."""
    return {"value": value, "read_from": where}


LISTING = {
    "title": fact("Heritage Quartz Watch"),
    "listing_id": fact("4711"),
    "price": fact("49.90 EUR"),
    "seller_name": fact("Time Traders"),
    "seller_id": fact("seller-99"),
    "platform": fact("shop.example", "host of the final URL"),
    "shop": fact("Traders' corner"),
    "sales_count": fact("1,204 sold"),
    "ships_from": fact("Shenzhen"),
    "warranty_note": fact("a fact this program has no name for"),
    "conflicts": fact("price: 49.90 but 4.99"),
}
DISAGREEMENTS = {
    "price": {
        **LISTING["price"],
        "where": "JSON-LD block 1",
        "disagreements": [{"value": "4.99 EUR", "where": "meta og:price"}],
    }
}


def chain() -> tuple[list[str], bytes]:
    """SHA-256 of each certificate the server sent, and ``certificates.pem``."""
    maker = authority(FIRST)
    ders = [maker.signer.der, maker.root.der]
    names = [hashlib.sha256(der).hexdigest() for der in ders]
    pem = b"# shop.example, verified: yes\n" + b"".join(_pem(der) for der in ders)
    return names, pem


def _pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def exchange(url: str = URL, **changes: Any) -> dict[str, Any]:
    """A member of ``exchanges.json``."""
    return {
        "url": url,
        "tls": {"version": "TLSv1.3", "verified": "yes"},
        "chain": chain()[0],
        "resolved": ["192.0.2.10"],
        "response": {"name": "x1", "size": 1200, "sha256": "ab" * 32},
        "problem": "",
        "truncated": "",
        **changes,
    }


def point(number: int, status: str = "pass", value: Any = "as it should be") -> dict[str, Any]:
    """A member of ``environment.json``."""
    return {
        "number": number,
        "name": f"point {number}",
        "status": status,
        "value": value,
        "raw": "raw",
        "raw_sha256": f"{number:02x}" * 32,
    }


POINTS = [
    *(point(number) for number in range(1, 6)),
    point(6, "fail", {"exceptions": ["10.0.0.7:80"], "policy": "public addresses only"}),
    point(7, "fail", {"exchanges": "3", "not_verified": ["certificate has expired"]}),
    point(8, "unavailable", "one of the two sources that are needed told the time"),
    *(point(number) for number in range(9, 15)),
    point(15, "fail", {"status": "503"}),
]
ACTIONS = [
    {"at": SEEN_AT, "action": "open", "detail": URL},
    {"at": SEEN_AT, "action": "script", "detail": "observe_page.js is run", "sha256": "5c" * 32},
    {"at": SEEN_AT, "action": "somersault", "detail": "an action this program has no word for"},
]


def whole_record() -> Files:
    """The files of a capture."""
    return {
        "screenshot.png": ("screenshot.full", png()),
        "screenshot-before-consent.png": ("screenshot.before_consent", png(640, 480)),
        "screenshots/tile-01.png": ("screenshot.tile", png(640, 400)),
        "dom.html": ("dom", b"<html>listing</html>"),
        "certificates.pem": ("tls.chains", chain()[1]),
        "actions.jsonl": ("actions", "\n".join(json.dumps(item) for item in ACTIONS).encode()),
        "environment.json": ("environment", json.dumps({"at": SEEN_AT, "points": POINTS}).encode()),
        "exchanges.json": ("exchanges.metadata", json.dumps([exchange()]).encode()),
        "listing.json": ("listing", json.dumps(DISAGREEMENTS).encode()),
    }


def capture(listing: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Members of a manifest of a capture that differ from the usual."""
    subject = {
        **usual_manifest()["subject"],
        "requested_url": "https://shop.example/r/4711",
        "final_url": URL,
        "redirects": ["https://shop.example/moved/4711"],
        "peer_address": "192.0.2.10",
        "listing": LISTING if listing is None else listing,
    }
    tool = {"software": "evidence-service 0.1.0", "browser": "Chromium 156", "browser_sha256": "be" * 32}
    not_before = {
        "status": "recorded",
        "chain_id": "1",
        "block_number": "19999990",
        "block_hash": "0x" + "ab" * 32,
        "block_time": document.format_time(EPOCH - timedelta(minutes=1)),
    }
    return {"subject": subject, "tool": tool, "not_before": not_before, **changes}


def upload(*reasons: str) -> dict[str, Any]:
    """Members of a manifest of a file somebody handed in: nothing about it was observed."""
    return {
        "kind": "upload",
        "outcome": {"status": "received", "reasons": list(reasons)},
        "tool": {"software": "evidence-service 0.1.0"},
        "subject": {
            "requested_url": None,
            "final_url": None,
            "redirects": [],
            "http_status": None,
            "peer_address": None,
            "listing": {},
        },
    }


def judged(changes: dict[str, Any], files: Files) -> tuple[Report, bytes]:
    """The engine's report on a record, and its bundle."""
    listed = [
        manifest.file_record(path, "application/octet-stream", role, digest_of(data))
        for path, (role, data) in files.items()
    ]
    value = Evidence(manifest={"files": listed, **changes}).value()
    data = built(value)
    with tempfile.TemporaryDirectory() as folder:
        policy = parse(World(Path(folder)).trust(value))
    given = [EvidenceFile(path, digest_of(content)) for path, (_, content) in files.items()]
    material = Material("evidence-0001", bundle=data, files=given)
    return verify(material, policy, now=EPOCH + timedelta(days=30)), data


@cache
def _usual() -> tuple[Report, bytes]:
    return judged(capture(), whole_record())


def reader(files: Files) -> Callable[[str], bytes]:
    """The way to a record's files."""
    contents = {digest_of(data).sha256.hex(): data for _, data in files.values()}
    return contents.__getitem__


def facts_of(
    found: tuple[Report, bytes], files: Files, edition: str = "generic:en+zh", **options: Any
) -> CertificateFacts:
    """What a certificate of a record is printed from."""
    return certificate_facts(
        found[0],
        Preserved(found[1], reader(files)),
        **{
            "number": "EP-2026-000001",
            "issued_at": later(days=1),
            "issuer": ISSUER,
            "edition": parse_edition(edition),
            "level": "PAdES B-LTA",
            "register": REGISTER,
            **options,
        },
    )


def facts(
    edition: str = "generic:en+zh",
    *,
    changes: dict[str, Any] | None = None,
    files: Files | None = None,
    **options: Any,
) -> CertificateFacts:
    """Facts of a whole capture; ``changes`` are to its manifest, ``files`` come in place of its files."""
    kept = whole_record() if files is None else files
    found = _usual() if changes is None and files is None else judged(changes or capture(), kept)
    return facts_of(found, kept, edition, **options)


def bare(edition: str = "generic:en+zh") -> CertificateFacts:
    """Facts of an upload of which nothing was observed, by an issuer who states nothing."""
    silent = Issuer("not stated", "not stated", "not stated", "")
    kept: Files = {"photo.jpg": ("upload", b"picture")}
    return facts_of(judged(upload(), kept), kept, edition, issuer=silent, register=None)


def changed(found: CertificateFacts, **members: Any) -> CertificateFacts:
    """The same facts with some values replaced, as no engine confirmed them: for tests of the renderer alone."""
    values = {**copy.deepcopy(dict(found.values)), **members}
    return CertificateFacts(values, found.screenshots, found.attachments, found.issued_at)


@cache
def rendered(edition: str, *, complete: bool = True) -> bytes:
    """The PDF of the whole capture, or of the bare upload, in an edition."""
    return render(facts(edition) if complete else bare(edition))


@cache
def pages_of(edition: str, *, complete: bool = True) -> tuple[str, ...]:
    """The text of that PDF, page by page."""
    return tuple(text_of(rendered(edition, complete=complete)).split("\f")[:-1])


@cache
def words_of(edition: str, *, complete: bool = True) -> str:
    """The text of that PDF, without white space."""
    return squeezed("".join(pages_of(edition, complete=complete)))


def text_of(pdf: bytes, *options: str) -> str:
    """What the pages say, in the order in which it is written: a cell ends before the next begins."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "certificate.pdf"
        path.write_bytes(pdf)
        done = subprocess.run(
            ["pdftotext", "-raw", *options, str(path), "-"], capture_output=True, text=True, check=True
        )
    return done.stdout


def squeezed(text: str) -> str:
    """A text without white space: lines break where the page ends, not where the text does."""
    return "".join(text.split())
