"""Which facts an edition has to state, and which of them this record does not have.

The rows are those of the table of facts by jurisdiction; ``jurisdiction.json`` says of each whether it is
required (``R``), optional (``O``) or not needed (``-``). What is missing is printed as missing, with the
reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evidence_service.certificate.edition import Edition

_Values = Mapping[str, Any]
_Missing = Callable[[_Values], list[str]]
"""Gives keys of texts ``missing.…``, one for each part of the fact that the record does not have."""

_UNSTATED = ("", "not stated")


def _nothing(values: _Values) -> list[str]:
    return []


def _when(key: str, missing: Callable[[_Values], bool]) -> _Missing:
    return lambda values: [f"missing.{key}"] if missing(values) else []


def _issuer(values: _Values) -> list[str]:
    stated = values["issuer"]
    return [f"missing.{name}" for name in ("registration", "independence") if stated[name] in _UNSTATED]


def _applicant(values: _Values) -> list[str]:
    return ["missing.identity", "missing.agent"]


def _addresses(values: _Values) -> list[str]:
    subject = values["manifest"]["subject"]
    parts = ("requested_url", "final_url", "http_status", "peer_address")
    missing = [f"missing.{name}" for name in parts if subject[name] is None]
    main = values["main"]
    if main is None:
        missing.append("missing.chain")
    elif not main["tls"]:
        missing.append("missing.tls")
    return missing


def _listing(values: _Values) -> list[str]:
    listing = values["manifest"]["subject"]["listing"]
    sellers = ("seller_id", "seller_name", "shop_id", "shop")
    missing = [name for name in ("listing_id", "title", "price", "platform") if name not in listing]
    if not any(name in listing for name in sellers):
        missing.append("seller")
    return [f"missing.fact.{name}" for name in missing]


def _corroboration(values: _Values) -> list[str]:
    roles = {item["role"] for item in values["manifest"]["files"]}
    parts = (("screenshot", "screenshot"), ("source", "dom"), ("log", "actions"))
    return [
        f"missing.{name}"
        for name, role in parts
        if not any(found == role or found.startswith(f"{role}.") for found in roles)
    ]


def _form(*names: str) -> _Missing:
    return lambda values: [] if set(names) & set(values["forms"]) else ["missing.form"]


_ENVIRONMENT = _when("environment", lambda values: not values["environment"])

ROWS: Mapping[str, tuple[str, _Missing]] = {
    "certificate": ("section.cover", _nothing),
    "issuer": ("section.scope", _issuer),
    "filings": ("section.scope", _when("filings", lambda values: values["issuer"]["filings"] == "")),
    "applicant": ("section.scope", _applicant),
    "operator": ("section.how", _nothing),
    "addresses": ("section.captured", _addresses),
    "listing": ("section.captured", _listing),
    "environment": ("annex.log", _ENVIRONMENT),
    "cleanliness": ("section.how", _ENVIRONMENT),
    "generation": ("section.how", _nothing),
    "files": ("annex.files", _nothing),
    "corroboration": ("section.how", _corroboration),
    "custody": ("section.custody", _nothing),
    "timestamps": (
        "section.integrity",
        lambda values: [
            "missing.qualified" if values["timestamps"] else "missing.timestamps",
        ],
    ),
    "chain": ("section.integrity", _when("anchors", lambda values: not values["anchors"])),
    "court_chain": ("section.integrity", _nothing),
    "verification": ("section.verify", _nothing),
    "evidence_list": ("annex.forms", _form("cn-evidence-list")),
    "translation": (
        "section.cover",
        _when("translation", lambda values: "zh" not in values["edition"]["languages"]),
    ),
    "declarant": ("annex.forms", _form("us-902-13", "us-902-14", "us-vt-1913", "custodian")),
    "perjury": ("annex.forms", _form("us-902-13", "us-902-14")),
    "vermont": ("annex.forms", _form("us-vt-1913")),
    "seal": ("section.scope", lambda values: ["missing.qtsp"]),
}
"""Row → where it stands (key of the heading's text), and what is missing of it."""


def stated(edition: Edition, values: _Values) -> list[dict[str, Any]]:
    """The rows an edition states: ``{"row", "need", "section", "missing"}``, those not needed left out."""
    needs = edition.definition["facts"]
    return [
        {"row": row, "need": needs[row], "section": section, "missing": missing(values)}
        for row, (section, missing) in ROWS.items()
        if needs[row] != "-"
    ]
