"""Everything inside a certificate or bundle, taken apart for reading; nothing here is a judgement."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography import x509

from evidence_service.core import canonical, document
from evidence_service.errors import EvidenceError
from evidence_service.verify import crl
from evidence_service.verify.certificate import OpenedCertificate, signature_value
from evidence_service.verify.chain import BlockHeader
from evidence_service.verify.cms import read_signed_data
from evidence_service.verify.material import Material
from evidence_service.verify.path import common_name
from evidence_service.verify.tst_info import read as read_info


def describe(material: Material) -> dict[str, Any]:
    """A JSON value: attachments, seal, bundle, and what its tokens and headers say.

    A part that cannot be read is shown with the reason, and the rest all the same.
    """
    shown: dict[str, Any] = {"subject": material.subject, "judged": False}
    if material.trouble is not None:
        return {**shown, "unreadable": material.trouble.message}
    opened = material.certificate
    if opened is not None:
        shown["attachments"] = {name: len(data) for name, data in sorted(opened.attachments.items())}
        shown["seal"] = {
            "level": opened.seal.level,
            "path": [_certificate(item) for item in opened.seal.signed.path],
            "time": None
            if opened.seal.timestamp is None
            else document.format_time(opened.seal.timestamp.gen_time),
        }
        shown["revisions"] = _revisions(opened)
    try:
        value = canonical.decode_json(material.bundle, what="bundle")
    except EvidenceError as error:
        return {**shown, "bundle": None, "unreadable": error.message}
    shown["bundle"] = value
    members = value if isinstance(value, dict) else {}
    shown["timestamps"] = [_readable(_token, item) for item in _list(members, "timestamps")]
    shown["anchors"] = [_readable(_header, item) for item in _list(members, "anchors")]
    shown["renewals"] = [_readable(_renewal, item) for item in _list(members, "renewals")]
    shown["attestations"] = [_readable(_attestation, item) for item in _list(members, "attestations")]
    return shown


def _revisions(opened: OpenedCertificate) -> list[dict[str, Any]]:
    """What each revision of the PDF adds, oldest first, and how many bytes it has."""
    result: list[dict[str, Any]] = []
    stamps = {item.revision: item for item in opened.stamps}
    start = 0
    for number, (kind, end) in enumerate(opened.revisions, start=1):
        item: dict[str, Any] = {"adds": kind, "bytes": end - start}
        start = end
        data = [part for part in opened.validation if part.revision == number]
        if kind == "validation":
            item["certificates"] = [
                _readable(_der_certificate, p.data) for p in data if p.kind == "certificate"
            ]
            item["lists"] = [_readable(_der_list, p.data) for p in data if p.kind == "list"]
        if kind == "stamp":
            item["timestamp"] = _readable(_token_facts, signature_value(stamps[number].token))
        result.append(item)
    return result


def _list(value: dict[str, Any], name: str) -> list[Any]:
    found = value.get(name)
    return found if isinstance(found, list) else []


def _readable(reader: Any, item: Any) -> dict[str, Any]:
    try:
        shown: dict[str, Any] = reader(item)
    except EvidenceError as error:
        return {"unreadable": error.message}
    except (TypeError, KeyError, ValueError, AttributeError):
        text = item.hex() if isinstance(item, bytes) else json.dumps(item)
        return {"unreadable": f"not of the form of the format: {text[:80]}"}
    return shown


def _token(item: dict[str, Any]) -> dict[str, Any]:
    return {"of": item["of"], **_stamp(item)}


def _stamp(item: dict[str, Any]) -> dict[str, Any]:
    return {
        **_token_facts(base64.b64decode(item["token"], validate=True)),
        "revocation": _revocation(item.get("revocation", {})),
    }


def _token_facts(token: bytes) -> dict[str, Any]:
    signed = read_signed_data(token)
    info = read_info(signed.content or b"")
    return {
        "time": document.format_time(info.gen_time),
        "sha512": None if info.sha512 is None else info.sha512.hex(),
        "sha3_512": None if info.sha3_512 is None else info.sha3_512.hex(),
        "serial": str(info.serial),
        "policy": info.policy,
        "accuracy_ms": info.accuracy_ms,
        "path": [_certificate(certificate) for certificate in signed.path],
    }


def _revocation(item: dict[str, Any]) -> dict[str, Any]:
    """What was collected about a token, or why nothing was; nothing in a bundle of version 1."""
    return {
        "why": item.get("why"),
        "lists": [_readable(_list_of_revoked, data) for data in item.get("crls", [])],
    }


def _list_of_revoked(text: str) -> dict[str, Any]:
    return _der_list(base64.b64decode(text, validate=True))


def _der_list(data: bytes) -> dict[str, Any]:
    found = crl.read(data)
    return {
        "issuer": common_name(x509.load_der_x509_crl(data).issuer),
        "this_update": document.format_time(found.this_update),
        "next_update": None if found.next_update is None else document.format_time(found.next_update),
        "entries": len(found.entries),
    }


def _renewal(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "document": item["document"],
        "index": item["inclusion"]["index"],
        "timestamps": [_readable(_stamp, token) for token in item["timestamps"]],
    }


def _attestation(item: dict[str, Any]) -> dict[str, Any]:
    size = len(base64.b64decode(item["proof"], validate=True))
    return {"kind": item["kind"], "of": item["of"], "size": size}


def _header(item: dict[str, Any]) -> dict[str, Any]:
    header = BlockHeader.parse(base64.b64decode(item["header"], validate=True))
    return {
        "chain_id": item["chain_id"],
        "contract": item["contract"],
        "submitter": item["submitter"],
        "block_number": str(header.number),
        "block_hash": "0x" + header.hash.hex(),
        "block_time": header.timestamp,
        "state_root": "0x" + header.state_root.hex(),
        "transactions_root": "0x" + header.transactions_root.hex(),
        "receipts_root": "0x" + header.receipts_root.hex(),
    }


def _der_certificate(data: bytes) -> dict[str, str]:
    return _certificate(x509.load_der_x509_certificate(data))


def _certificate(certificate: Any) -> dict[str, str]:
    return {
        "subject": common_name(certificate.subject),
        "issuer": common_name(certificate.issuer),
        "serial": str(certificate.serial_number),
        "from": document.format_time(certificate.not_valid_before_utc),
        "to": document.format_time(certificate.not_valid_after_utc),
    }
