"""What people read in an exhibit: an index page without script, and instructions in English and Chinese."""

from __future__ import annotations

import base64
import html
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from evidence_service.core import document, exhibit, manifest
from evidence_service.core.digest import digest_of
from evidence_service.exhibit.archive import Member
from evidence_service.exhibit.archive import document as member
from evidence_service.exhibit.redaction import Redaction, Treated
from evidence_service.verify.policy import Policy
from evidence_service.verify.steps.seal import expected_attachments
from evidence_service.verify.timestamp import read_token

LANGUAGES = ("en", "zh")
_TEXTS = Path(__file__).parent / "texts"
_WORDS = {
    None: ("original", "original / 原件"),
    exhibit.MASKED_TEXT: ("masked", "masked, places: {count} / 已遮盖，{count} 处"),
    exhibit.MASKED_AREAS: ("masked", "masked, areas: {count} / 已遮盖，{count} 个区域"),
    exhibit.WITHHELD: ("withheld", "withheld / 未提供"),
}

_AUDIENCES = {"court": "court / 法院", "opponent": "opponent / 对方当事人"}
_HARMLESS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".json", ".jsonl", ".har", ".txt", ".pem", ".pdf")
"""Ends of names that no browser takes for a page; a captured page must not run beside the exhibit."""


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of evidence as the guide describes it.

    Attributes:
        bundle: the parsed bundle; manifest: its manifest's bytes.
        certificates: names of the certificates in its folder.
    """

    bundle: Mapping[str, Any]
    manifest: bytes
    redaction: Redaction
    certificates: Sequence[str]


def proofs(bundle: Mapping[str, Any]) -> dict[str, bytes]:
    """The parts of a bundle as files of their own, for programs of others."""
    return {f"proofs/{name}": data for name, data in expected_attachments(bundle).items()}


def roots(policy: Policy) -> list[Member]:
    """Roots of a policy, in PEM: one file for ``openssl -CAfile``, and one for each seal issuer."""
    found = [b"".join(_pem(root) for item in policy.authorities for root in item.roots)]
    found += [b"".join(map(_pem, item.roots)) for item in policy.seal_issuers]
    names = ["authorities", *(f"seal-issuer-{number}" for number in range(1, len(found)))]
    return [
        member(f"roots/{name}.pem", "root", data) for name, data in zip(names, found, strict=True) if data
    ]


def instructions(described: Mapping[str, Any], parts: Sequence[Part]) -> list[Member]:
    """What to run and what to expect, a file for each language."""
    purposes = {part.bundle["manifest"]["purpose"] for part in parts}
    verdict = "DEMONSTRATION" if "demonstration" in purposes else "EVIDENCE"
    found = []
    for language in LANGUAGES:
        blocks = "".join(_block(language, part) for part in parts)
        text = _text(f"verify.{language}.txt", {**described, "verdict": verdict, "blocks": blocks})
        found.append(member(f"VERIFY.{language}.txt", "instructions", text.encode()))
    return found


def index(described: Mapping[str, Any], parts: Sequence[Part], mask: Mapping[str, str]) -> Member:
    """The page that lists everything; no script, no link out of the exhibit.

    Args:
        mask: address by evidence, with what is masked taken out.
    """
    sections = "".join(_section(part, mask[part.redaction.evidence_id]) for part in parts)
    values = {name: _shown(value) for name, value in described.items() if isinstance(value, str)}
    audience = _AUDIENCES[str(described["audience"])]
    page = _text("index.html", {**values, "audience": audience, "sections": sections})
    return member("index.html", "index", page.encode())


def _block(language: str, part: Part) -> str:
    certificates = "".join(
        _text(f"certificate.{language}.txt", {"certificate": name}) for name in part.certificates
    )
    return _text(
        f"evidence.{language}.txt",
        {
            "evidence_id": part.redaction.evidence_id,
            "folder": exhibit.folder_of(part.redaction.evidence_id).rstrip("/"),
            "digest": digest_of(part.manifest).sha256.hex(),
            "tokens": "".join(_tokens(language, part)) + certificates,
        },
    )


def _tokens(language: str, part: Part) -> list[str]:
    """One command for each token over the manifest, with the time it has to say."""
    found = []
    files = expected_attachments(part.bundle)
    for name in sorted(files):
        if name.startswith("manifest-"):
            facts = read_token(files[name], imprint=manifest.stamped_digest(part.manifest))
            values = {
                "data": "manifest.json",
                "token": name,
                "time": document.format_time(facts.gen_time),
                "authority": _shown(facts.authority, escape=False),
            }
            found.append(_text(f"token.{language}.txt", values))
    return found


def _section(part: Part, address: str) -> str:
    evidence_id = part.redaction.evidence_id
    folder = exhibit.folder_of(evidence_id)
    rows = "".join(_row(folder, item) for item in part.redaction.files)
    links = [*part.certificates, exhibit.BUNDLE_NAME]
    listed = ", ".join(f'<a href="{_link(folder + name)}">{_shown(name)}</a>' for name in links)
    shown = part.bundle["manifest"]
    return (
        f"<h2>{_shown(evidence_id)}</h2><table>"
        f"<tr><th>Address / 网址</th><td><bdi>{_shown(address)}</bdi></td></tr>"
        f"<tr><th>Time / 采集或接收时间</th><td>{_shown(shown['finished_at'])} (UTC)</td></tr>"
        f"<tr><th>Evidence digest (SHA-256) / 证据摘要</th>"
        f"<td><code>{digest_of(part.manifest).sha256.hex()}</code></td></tr>"
        f"<tr><th>Certificate and proofs / 证书与证明</th><td>{listed}</td></tr></table>\n"
        f"<table><tr><th>File / 文件</th><th>In this exhibit / 在本证据包中</th><th>Bytes / 字节</th></tr>"
        f"{rows}</table>\n"
    )


def _row(folder: str, item: Treated) -> str:
    shade, words = _WORDS[item.change]
    name = item.original.name
    if item.derivative is not None:
        place, size = exhibit.derivative_path(name), item.derivative.digest.size
    else:
        place, size = exhibit.ORIGINALS + name, item.original.record["size"]
    if item.change == exhibit.WITHHELD:
        shown = _shown(name)
    elif name.lower().endswith(_HARMLESS):
        shown = f'<a href="{_link(folder + place)}">{_shown(place)}</a>'
    else:
        shown = _shown(place)
    return (
        f'<tr><td><bdi>{shown}</bdi></td><td class="{shade}">{words.format(count=item.count)}</td>'
        f"<td>{size}</td></tr>"
    )


def _link(path: str) -> str:
    return html.escape(quote(path), quote=True)


def _shown(words: str, *, escape: bool = True) -> str:
    """Words of others: control and format characters would turn what stands around them."""
    harmless = "".join(item if item.isprintable() else "\N{REPLACEMENT CHARACTER}" for item in words)
    return html.escape(harmless, quote=True) if escape else harmless


def _text(name: str, values: Mapping[str, Any]) -> str:
    return Template((_TEXTS / name).read_text(encoding="utf-8")).substitute(values)


def _pem(der: bytes) -> bytes:
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", "")).encode()
