"""What the files of a record tell a certificate: the page's own exchange, log, environment, pictures.

A file is only read when its two digests are those of the manifest the verification engine confirmed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cryptography import x509

from evidence_service.core import document, manifest
from evidence_service.core.digest import digest_of
from evidence_service.errors import MismatchError

ReadObject = Callable[[str], bytes]
"""SHA-256 (hexadecimal) → content."""

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_SHOWN = ("screenshot.full", "screenshot.before_consent", "screenshot.after_consent", "screenshot.step")
_VIEWS = "screenshot.tile"
MOST_PICTURES = 24
"""Pictures that are read for a certificate; the rest stays in the record and is named there."""


class Screenshot(NamedTuple):
    """A picture of the record: its role, its bytes (PNG) and its path in the manifest."""

    role: str
    data: bytes
    path: str


class Record:
    """The files of one piece of evidence.

    Args:
        found: the manifest, as confirmed.
        read: gives a file's bytes by its SHA-256.
    """

    def __init__(self, found: Mapping[str, Any], read: ReadObject) -> None:
        self._found, self._read = found, read

    def with_role(self, role: str) -> bytes | None:
        """The first file of a role, None when there is none.

        Raises:
            MismatchError: it is not what the manifest lists.
        """
        item = next(iter(manifest.files_with_role(self._found, role)), None)
        return None if item is None else self._checked(item)

    def screenshots(self) -> tuple[tuple[Screenshot, ...], list[dict[str, Any]]]:
        """Pictures to print, the full page first, and the files of those that are not.

        Views taken while scrolling show what the full page shows; they are printed when there is none.
        """
        shown = [item for role in _SHOWN for item in manifest.files_with_role(self._found, role)]
        views = list(manifest.files_with_role(self._found, _VIEWS))
        if not any(item["role"] == _SHOWN[0] for item in shown):
            shown, views = shown + views, []
        printed = tuple(
            Screenshot(item["role"], self._checked(item), item["path"]) for item in shown[:MOST_PICTURES]
        )
        return printed, shown[MOST_PICTURES:] + views

    def actions(self) -> list[dict[str, Any]]:
        """The log of what was done in the browser, in its order."""
        data = self.with_role("actions")
        return [] if data is None else [json.loads(line) for line in data.decode().splitlines()]

    def environment(self) -> tuple[str | None, list[dict[str, Any]]]:
        """When the machine was looked at, and points: ``number, name, status, value, raw_sha256, told``.

        ``told`` is what made a point fail or kept it from being looked at, in the record's own words.
        """
        data = self.with_role("environment")
        value = {"points": []} if data is None else json.loads(data)
        return value.get("at"), [_point(point) for point in value["points"]]

    def exchanges(self) -> list[dict[str, Any]]:
        """Every HTTP exchange, as ``exchanges.json`` has it."""
        data = self.with_role("exchanges.metadata")
        return [] if data is None else list(json.loads(data))

    def disagreements(self) -> list[dict[str, str]]:
        """What other places of the page say that cannot both be true, one entry a place."""
        data = self.with_role("listing")
        facts = {} if data is None else json.loads(data)
        return [
            {
                "name": name,
                "value": fact["value"],
                "where": fact["where"],
                "other": other["value"],
                "other_where": other["where"],
            }
            for name, fact in facts.items()
            for other in fact.get("disagreements", ())
        ]

    def main(self, exchanges: list[dict[str, Any]], actions: list[dict[str, Any]]) -> dict[str, Any] | None:
        """The exchange that carried the page itself, with the certificate chain its server sent."""
        named = [item["exchange"] for item in actions if item["action"] == "page"]
        final = str(self._found["subject"]["final_url"] or "").split("#", maxsplit=1)[0].rstrip("/")
        main = next(
            (
                item
                for item in exchanges
                # A page's scripts may ask for its own address; records of old do not say which one it was.
                if (item["id"] == named[-1] if named else item["url"].rstrip("/") == final)
            ),
            None,
        )
        if main is None:
            return None
        kept = self._certificates() if main["chain"] else {}
        return {
            "tls": "; ".join(f"{name}: {value}" for name, value in main["tls"].items()),
            "certificates": [_certificate(name, kept.get(name)) for name in main["chain"]],
            "resolved": " ".join(main["resolved"]),
            "exchanges": len(exchanges),
        }

    def _certificates(self) -> dict[str, bytes]:
        """SHA-256 → DER of every certificate in ``certificates.pem``; text between them is a comment."""
        found = {}
        for block in _PEM.findall(self.with_role("tls.chains") or b""):
            try:
                der = base64.b64decode(b"".join(block.split()), validate=True)
            except binascii.Error:
                continue
            found[hashlib.sha256(der).hexdigest()] = der
        return found

    def _checked(self, item: Mapping[str, Any]) -> bytes:
        data = self._read(item["sha256"])
        digest = digest_of(data)
        if (digest.sha256.hex(), digest.sha3_512.hex()) != (item["sha256"], item["sha3_512"]):
            raise MismatchError(f"{item['path']} is not the file the manifest lists")
        return data


def calls(actions: list[dict[str, Any]], exchanges: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The log in figures; None when nothing was logged."""
    if not actions and not exchanges:
        return None
    sizes = [item["response"]["size"] for item in exchanges if item["response"]]
    return {
        "steps": len(actions),
        "first": actions[0]["at"] if actions else None,
        "last": actions[-1]["at"] if actions else None,
        "exchanges": len(exchanges),
        "hosts": len({urlsplit(item["url"]).netloc for item in exchanges}),
        "bytes": sum(sizes),
        "incomplete": sum(1 for item in exchanges if item["problem"] or item["truncated"]),
    }


def _certificate(sha256: str, der: bytes | None) -> dict[str, Any]:
    """What a certificate says of itself; a server may have sent what no parser accepts."""
    unread = {"sha256": sha256, "subject": None, "issuer": None, "not_before": None, "not_after": None}
    if der is None:
        return unread
    try:
        found = x509.load_der_x509_certificate(der)
        return {
            "sha256": sha256,
            "subject": found.subject.rfc4514_string(),
            "issuer": found.issuer.rfc4514_string(),
            "not_before": document.format_time(found.not_valid_before_utc),
            "not_after": document.format_time(found.not_valid_after_utc),
        }
    except ValueError:
        return unread


_DECIDING = {4: "entries_for_the_host", 6: "exceptions", 7: "not_verified", 13: "reasons"}
"""The member of a point's value that made it fail; of every other point all members are told."""


def _point(point: Mapping[str, Any]) -> dict[str, Any]:
    value = point["value"]
    told = value
    if isinstance(value, dict) and point["status"] == "fail":
        told = value.get(_DECIDING.get(point["number"], ""), value)
    return {
        "number": point["number"],
        "name": point["name"],
        "status": point["status"],
        "value": _plain(value),
        "raw_sha256": point.get("raw_sha256"),
        "told": "" if point["status"] == "pass" else _plain(told),
    }


def _plain(value: Any) -> str:
    """A value of the environment as one line of text."""
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_plain(member)}" for name, member in value.items())
    if isinstance(value, list):
        return ", ".join(str(member) for member in value) or "none"
    return str(value)
