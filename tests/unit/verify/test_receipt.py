"""Is a receipt genuine, and was its promise kept."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evidence_service.core import batch, bundle, canonical, merkle, receipt
from evidence_service.core.digest import digest_of
from evidence_service.errors import MalformedError, MismatchError
from evidence_service.verify.receipt import check_signature, judge_promise, read_public_key
from evidence_service.verify.report import Status

TESTS = Path(__file__).parents[2]
VECTORS = json.loads((TESTS / "vectors" / "receipts.json").read_text())
FORMATS = json.loads((TESTS / "vectors" / "formats.json").read_text())
KEY = bytes.fromhex(VECTORS["public_key"])
CASES: dict[str, dict[str, Any]] = {
    case["name"]: case for case in VECTORS["cases"] if case["verdict"] in ("holds", "signature")
}
BEFORE = datetime(2026, 1, 2, 3, 10, tzinfo=UTC)
AFTER = datetime(2026, 1, 2, 4, tzinfo=UTC)


@pytest.mark.parametrize("name", CASES)
def test_signature_of_the_vector(name: str) -> None:
    value = receipt.parse(bytes.fromhex(CASES[name]["receipt"]))
    if CASES[name]["verdict"] == "holds":
        check_signature(value, KEY)
    else:
        with pytest.raises(MismatchError, match="signature does not hold"):
            check_signature(value, KEY)


def test_every_flipped_bit_of_a_signature_is_found() -> None:
    value = receipt.parse(bytes.fromhex(CASES["upload"]["receipt"]))
    signature = receipt.signature(value)
    members = {name: member for name, member in value.items() if name != "signature"}
    for bit in range(0, 512, 7):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(MismatchError):
            check_signature(receipt.parse(receipt.build(members, bytes(changed))), KEY)


def test_only_ed25519_public_keys_are_read() -> None:
    pem = Ed25519PublicKey.from_public_bytes(KEY).public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    assert read_public_key(pem) == KEY
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(MalformedError, match="not an Ed25519 key"):
        read_public_key(other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(MalformedError, match="not a public key"):
        read_public_key(b"no key")


def made(kind: str, /, *, closed_at: str | None = "2026-01-02T03:06:00.000Z", **changes: Any) -> bytes:
    """A bundle of the evidence that the vector's receipt is of."""
    value = receipt.parse(bytes.fromhex(CASES[kind]["receipt"]))
    original = json.loads(bytes.fromhex(FORMATS["bundle"]))
    described = original["manifest"]
    described |= {
        "evidence_id": value["evidence_id"],
        "kind": value["kind"],
        "operator": value["operator"],
    }
    if kind == "capture":
        described["subject"]["requested_url"] = value["accepted"]["url"]
    else:
        accepted = dict(value["accepted"])
        described["files"] = [
            {"path": accepted.pop("name"), "media_type": "a/b", "role": "uploaded", **accepted}
        ]
    described |= changes
    data = canonical.encode(described)
    salt = bytes.fromhex(original["salt"])
    others = [hashlib.sha256(bytes([number])).digest() for number in range(2)]
    tree = merkle.MerkleTree([others[0], batch.entry_leaf(digest_of(data), salt), others[1]])
    inclusion, header = None, None
    if closed_at is not None:
        inclusion = {"index": 1, "size": 3, "path": [node.hex() for node in tree.path(1)]}
        header = {**original["batch_header"], "roots": {"sha256": tree.root.hex()}, "closed_at": closed_at}
    members = {"manifest": described, "inclusion": inclusion, "batch_header": header}
    members |= {"attestations": [], "renewals": []}
    return bundle.build({**original, **members})


def judged(kind: str, data: bytes | None, *, now: datetime = AFTER, current: bool = False) -> Any:
    value = receipt.parse(bytes.fromhex(CASES[kind]["receipt"]))
    return judge_promise(value, data, now=now, current=current)


@pytest.mark.parametrize("kind", ["capture", "upload"])
def test_a_batch_that_was_closed_in_time_keeps_the_promise(kind: str) -> None:
    found = judged(kind, made(kind))
    assert found.status is Status.PASS
    assert "promised by 2026-01-02T03:14:05.000Z" in found.why
    assert judged(kind, made(kind, closed_at="2026-01-02T03:14:05.000Z")).status is Status.PASS


def test_a_batch_that_was_closed_late_breaks_it() -> None:
    found = judged("capture", made("capture", closed_at="2026-01-02T03:14:05.001Z"), now=BEFORE)
    assert found.status is Status.FAIL
    assert "2026-01-02T03:14:05.001Z" in found.why


@pytest.mark.parametrize("data", [None, made("capture", closed_at=None)], ids=["nothing", "no batch"])
def test_without_a_batch_it_depends_on_the_time_and_on_who_says_so(data: bytes | None) -> None:
    assert judged("capture", data, now=BEFORE).status is Status.PENDING
    assert judged("capture", data, now=BEFORE, current=True).status is Status.PENDING
    assert judged("capture", data).status is Status.NOT_CHECKED
    assert judged("capture", data, current=True).status is Status.FAIL


MATTER = {"id": "m-0002", "reference": "VECTOR/1", "applicant": "Example Brand Ltd", "rights": []}


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("capture", {"evidence_id": "ev-vector-0002"}, "evidence id"),
        ("capture", {"kind": "upload"}, "kind"),
        ("capture", {"purpose": "evidence"}, "purpose"),
        ("capture", {"matter": MATTER}, "matter"),
        ("capture", {"operator": {"id": "somebody else", "role": "operator"}}, "operator"),
        ("upload", {"files": []}, "file"),
    ],
)
def test_a_bundle_of_something_else_is_refused(kind: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(MismatchError, match=f"do not belong together: the {words} differs"):
        judged(kind, made(kind, **changes))


def test_a_bundle_of_another_address_is_refused() -> None:
    subject = json.loads(bytes.fromhex(FORMATS["manifest"]))["subject"]
    with pytest.raises(MismatchError, match="the URL differs"):
        judged("capture", made("capture", subject=subject))


def beside(role: str) -> dict[str, Any]:
    """What was uploaded, and a file more."""
    files = bundle.parse(made("upload"))["manifest"]["files"]
    more = {**files[0], "path": "examination.json", "media_type": "application/json", "role": role}
    return {"files": sorted([*files, more], key=lambda item: item["path"])}


def test_a_receipt_is_about_what_was_uploaded_not_about_its_examination() -> None:
    assert judged("upload", made("upload", **beside("examination"))).status is Status.PASS
    with pytest.raises(MismatchError, match="the file differs"):
        judged("upload", made("upload", **beside("uploaded")))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda value: value["inclusion"].update(size=4), "the proof is for 4 entries"),
        (lambda value: value["inclusion"].update(index=0), "does not lead"),
        (lambda value: value["batch_header"]["roots"].update(sha256="00" * 32), "does not lead"),
    ],
)
def test_an_inclusion_that_does_not_hold_is_refused(change: Any, words: str) -> None:
    value = bundle.parse(made("capture"))
    change(value)
    with pytest.raises(MismatchError, match=words):
        judged("capture", bundle.build(value))


def test_the_promise_of_a_list_is_judged_by_its_rows() -> None:
    value = receipt.parse(bytes.fromhex(CASES["list of digests"]["receipt"]))
    found = judge_promise(value, None, now=AFTER, current=True)
    assert found.status is Status.NOT_CHECKED
    assert "for each of" in found.why
    assert "receipts of its rows" in found.what_to_do
