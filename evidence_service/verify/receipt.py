"""Judge an intake receipt: is it signed with this key, and was what it promises kept.

``docs/spec/formats.md`` section 12. ``cryptography`` is imported only where a signature is checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence_service.core import batch, bundle, document, manifest, receipt
from evidence_service.core.digest import digest_of
from evidence_service.errors import MalformedError, MismatchError
from evidence_service.verify.report import Status

_ROLES = {"upload": "uploaded", "digest": manifest.STATED}
"""Role of the file that a receipt is about, by its kind."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a promise: kept (pass), broken (fail), pending or not checked."""

    status: Status
    why: str
    what_to_do: str = ""


def read_public_key(pem: bytes) -> bytes:
    """The 32 raw bytes of an Ed25519 public key in a PEM file (SubjectPublicKeyInfo, RFC 8410).

    Raises:
        MalformedError: it holds no such key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see the module's docstring
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedError("this is not a public key in PEM form") from error
    if not isinstance(key, Ed25519PublicKey):
        raise MalformedError("this key is not an Ed25519 key; receipts are signed with Ed25519")
    return key.public_bytes_raw()


def check_signature(value: Mapping[str, Any], public_key: bytes) -> None:
    """Check the signature of a parsed receipt.

    Args:
        public_key: 32 raw bytes; the key the receipt names.

    Raises:
        MismatchError: it was not signed with this key as it stands.
    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - see the module's docstring
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            receipt.signature(value), receipt.signed_bytes(value)
        )
    except InvalidSignature as error:
        raise MismatchError(
            "the receipt's signature does not hold: it was changed, or made by somebody else"
        ) from error


def judge_promise(value: Mapping[str, Any], data: bytes | None, *, now: datetime, current: bool) -> Judgement:
    """Whether the entry was in a closed batch by the time the receipt promises.

    Args:
        value: a parsed receipt.
        data: the evidence's proof bundle, None when there is none.
        current: ``data`` is what the service has now, so that what is missing from it does not exist.

    Raises:
        MismatchError: the bundle is another piece of evidence's, contradicts the receipt or itself.
        MalformedError, UnsupportedVersionError, LimitExceededError: not a proof bundle.
    """
    if value["kind"] == receipt.LIST:
        return Judgement(
            Status.NOT_CHECKED,
            f"it promises a batch for each of {value['accepted']['digests']} digests",
            "check the receipts of its rows: the promise is the same, and each has a bundle of its own",
        )
    promised = document.parse_time(value["batch_by"], "receipt.batch_by")
    found = None if data is None else bundle.parse(data)
    if found is not None:
        _check_same(value, found)
    if found is None or found["batch_header"] is None:
        if now <= promised:
            seen = "in no batch yet" if current else "not due yet, and nothing at hand shows a batch"
            return Judgement(
                Status.PENDING, f"{seen}; promised by {value['batch_by']}", "ask again after that time"
            )
        if current:
            return Judgement(
                Status.FAIL,
                f"in no batch although that was promised by {value['batch_by']}",
                "ask the service what the evidence waits for",
            )
        return Judgement(
            Status.NOT_CHECKED,
            "nothing at hand shows whether the promise was kept",
            "give a bundle made after the promised time, or the service's address and key",
        )
    leaf = batch.entry_leaf(digest_of(bundle.manifest_bytes(found)), bytes.fromhex(found["salt"]))
    batch.verify_entry(found["batch_header"], found["inclusion"], leaf)
    closed, header = found["batch_header"]["closed_at"], found["batch_header"]
    words = f"batch {header['sequence']} was closed at {closed}, promised by {value['batch_by']}"
    if closed <= value["batch_by"]:
        return Judgement(
            Status.PASS, words, "the closing time is the service's own word; “evidence verify” bounds it"
        )
    return Judgement(Status.FAIL, words, "the delay is the service's; the evidence itself may be whole")


def _check_same(value: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """The bundle's manifest is of what the receipt says was accepted."""
    sealed = found["manifest"]
    pairs = {
        "evidence id": (value["evidence_id"], sealed["evidence_id"]),
        "kind": (value["kind"], sealed["kind"]),
        "purpose": (value["purpose"], sealed["purpose"]),
        "matter": (value["matter_id"], sealed["matter"]["id"]),
        "operator": (value["operator"], sealed["operator"]),
    }
    accepted = value["accepted"]
    if "url" in accepted:
        pairs["URL"] = (accepted["url"], sealed["subject"]["requested_url"])
    else:
        files = [
            {"name": item["path"], **{name: item[name] for name in ("size", "sha256", "sha3_512")}}
            for item in sealed["files"]
            if item["role"] == _ROLES[value["kind"]]
        ]
        pairs["file"] = ([accepted], files)
    for name, (receipted, preserved) in pairs.items():
        if receipted != preserved:
            raise MismatchError(
                f"receipt and bundle do not belong together: the {name} differs",
                what_to_do="give the bundle of the evidence that the receipt names",
            )
