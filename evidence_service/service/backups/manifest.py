"""The manifest ``evidence-backup/1``: what a backup holds, with SHA-256, signed with the receipt key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from evidence_service.core import canonical, document, receipt
from evidence_service.errors import EvidenceError, MismatchError, NotFoundError

FORMAT = "evidence-backup/1"
NAME, SIGNATURE = "manifest.json", "manifest.sig"
RECEIPT_KEY, LOGIN_KEY = KEYS = "receipt-key.pem", "login-state.key"
OBJECTS, TREES = "objects.txt", "trees.txt"
CONTENT, LOCK, INCOMPLETE = "content", "lock", "incomplete-"
_LIMIT = 16 * 1024 * 1024
_IDENTIFIER = document.text(maximum=63, minimum=1, pattern=r"[a-z_][a-z0-9_]*")

_FILE = {"size": document.integer(), "sha256": document.hexadecimal(32)}
_TABLE = document.record(
    {
        **_FILE,
        "name": _IDENTIFIER,
        "columns": document.list_of(_IDENTIFIER, maximum=400),
        "rows": document.integer(),
    }
)
_LIST = document.record({**_FILE, "count": document.integer(), "bytes": document.integer()})
_SHAPE = document.record(
    {
        "format": document.choice(FORMAT),
        "name": document.text(maximum=80, minimum=1),
        "made_at": document.timestamp,
        "software": document.text(maximum=200),
        "revision": document.text(maximum=40, minimum=1),
        "tables": document.list_of(_TABLE, maximum=500),
        "sequences": document.list_of(
            document.record({"name": _IDENTIFIER, "value": document.integer(minimum=-(2**53) + 1)}),
            maximum=500,
        ),
        "objects": _LIST,
        "trees": _LIST,
        "keys": document.list_of(
            document.record({**_FILE, "name": document.text(maximum=80, pattern=r"[a-z][a-z.-]*")}),
            maximum=10,
        ),
        "public_key": document.hexadecimal(32),
    }
)


@dataclass(frozen=True, slots=True)
class Backup:
    """A whole backup, as its checked manifest describes it.

    Attributes:
        root: the directory of all backups; folder: of this one.
        value: the manifest.
    """

    root: Path
    folder: Path
    value: Mapping[str, Any]

    def path(self, sha256: bytes) -> Path:
        """Where a file of the shared content lies."""
        name = sha256.hex()
        return self.root / CONTENT / name[:2] / name[2:]

    @property
    def key_id(self) -> str:
        """Name of the key that signed it, as in receipts."""
        return receipt.key_id(bytes.fromhex(self.value["public_key"]))

    def files(self) -> dict[str, Mapping[str, Any]]:
        """Name in the folder → size and SHA-256."""
        return {
            OBJECTS: self.value["objects"],
            TREES: self.value["trees"],
            **{table_file(item["name"]): item for item in self.value["tables"]},
            **{key_file(item["name"]): item for item in self.value["keys"]},
        }


def table_file(name: str) -> str:
    """Name of the file with a table's rows."""
    return f"{name}.copy.zst"


def key_file(name: str) -> str:
    """Name of the file with an encrypted key."""
    return f"{name}.age"


def signed_bytes(manifest: bytes) -> bytes:
    """What the signature is over: no receipt begins like this."""
    return FORMAT.encode() + b"\n" + manifest


def build(value: Mapping[str, Any]) -> bytes:
    """Canonical bytes of a manifest."""
    document.check_format(value, FORMAT, what="backup's manifest")
    _SHAPE(value, "manifest")
    return canonical.encode(value)


def names(root: Path) -> list[str]:
    """Whole backups in a directory, oldest first; one that was interrupted is none."""
    return sorted(path.parent.name for path in root.glob(f"[0-9]*/{NAME}"))


def read(root: Path, name: str | None = None, *, public_key: bytes | None = None) -> Backup:
    """A backup whose manifest holds; what it names is not looked at yet.

    Args:
        name: of the backup; None takes the newest.
        public_key: of the receipt key that has to have signed it, 32 bytes; None takes the manifest's word.

    Raises:
        NotFoundError: there is no whole backup, or none of this name.
        MalformedError, UnsupportedVersionError, LimitExceededError: the manifest is none.
        MismatchError: the signature does not hold, or is by another key.
    """
    found = names(root)
    if not found or (name is not None and name not in found):
        wanted = "a whole backup" if name is None else f"a whole backup {name}"
        raise NotFoundError(
            f"{root} does not hold {wanted}",
            what_to_do=f"whole ones: {', '.join(found) or 'none'}; an interrupted one cannot be restored",
        )
    folder = root / (name or found[-1])
    try:
        data, signature = (folder / NAME).read_bytes(), (folder / SIGNATURE).read_bytes()
    except FileNotFoundError as error:
        raise MismatchError(f"{error.filename} is missing") from error
    try:
        value = canonical.decode(data, what="backup's manifest", limit=_LIMIT)
        document.check_format(value, FORMAT, what="backup's manifest")
        _SHAPE(value, "manifest")
    except EvidenceError as error:
        raise type(error)(f"{folder / NAME}: {error.message}", what_to_do=error.what_to_do) from error
    signer = bytes.fromhex(value["public_key"])
    if public_key is not None and public_key != signer:
        raise MismatchError(
            f"{folder / NAME} is signed with the key {receipt.key_id(signer)}, "
            f"not with {receipt.key_id(public_key)}",
            what_to_do="find out who made it; give the public key of the service that did",
        )
    try:
        Ed25519PublicKey.from_public_bytes(signer).verify(signature, signed_bytes(data))
    except InvalidSignature as error:
        raise MismatchError(f"{folder / NAME} or {SIGNATURE} beside it was changed") from error
    if value["name"] != folder.name:
        raise MismatchError(f"{folder} holds the manifest of {value['name']}")
    return Backup(root, folder, value)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as reader:
        return hashlib.file_digest(reader, "sha256").hexdigest()
