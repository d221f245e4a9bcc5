"""A world of our own: authorities, a chain, a seal issuer; evidence made in it is genuine unless changed."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import typst

from evidence_service.certificate.sealing import seal
from evidence_service.core import batch, bundle, canonical, custody, document, manifest, merkle
from evidence_service.core.digest import digest_of
from evidence_service.verify.steps.seal import expected_attachments
from tests.forgeries.chain import CODE_HASH, CONTRACT, Block, header_of, text
from tests.forgeries.keys import EPOCH, Authority, SealIssuer, authority, later, seal_issuer
from tests.forgeries.renewing import (
    ENDS,
    MIDDLE_ENDS,
    Renewing,
    collected,
    day,
    revocation_list,
    until,
)
from tests.sealing import no_stamp, nobody_publishes

FIRST, SECOND = "First Authority", "Second Authority"
MAINNET = 1


@dataclass
class Case:
    """What a verifier is given, and what it has to say.

    Attributes:
        refused_by: number of the check that has to fail, None for genuine evidence.
        verdict: the whole answer.
    """

    name: str
    trust: bytes
    certificate: bytes | None = None
    bundle: bytes | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    digests: list[str] = field(default_factory=list)
    now: datetime = EPOCH + timedelta(days=30)
    refused_by: str | None = None
    verdict: str = "evidence"


@dataclass
class Evidence:
    """A piece of evidence about to be made; every part can be set otherwise before :meth:`value` is called.

    Attributes:
        files: path → content.
        manifest: members of the manifest that differ from the usual.
        leaves: entries of its batch, and ``index`` among them.
        stamping: authority and what it stamps.
        blocks: changes made to the block of each anchor; one anchor each.
        lists: makes the revocation lists collected for an authority's token.
        attestations: number of proofs of another kind.
        renewals: made in this order over all that is there before.
    """

    files: dict[str, bytes] = field(default_factory=lambda: {"dom.html": b"<html>listing</html>"})
    manifest: dict[str, Any] = field(default_factory=dict)
    salt: bytes = bytes(range(32))
    leaves: int = 5
    index: int = 2
    events_before: int = 2
    events_after: int = 1
    stamping: tuple[tuple[Authority, str], ...] = ()
    blocks: tuple[dict[str, Any], ...] = ({},)
    lists: Callable[[Authority], tuple[bytes, ...]] = lambda maker: ()
    attestations: int = 0
    renewals: tuple[Renewing, ...] = ()
    closed_at: datetime = field(default_factory=lambda: later(minutes=1))
    block_at: datetime = field(default_factory=lambda: later(minutes=2))

    def value(self) -> dict[str, Any]:
        """The bundle's value, without ``format`` and ``checksum``."""
        events = [event("capture", None, number) for number in range(1)]
        for number in range(1, self.events_before):
            events.append(event("hash", events[-1], number))
        members = {
            **usual_manifest(),
            "files": [
                manifest.file_record(path, "application/octet-stream", "upload", digest_of(data))
                for path, data in self.files.items()
            ],
            "custody": {"events": len(events), "head": custody.event_hash(events[-1]).hex()},
            **self.manifest,
        }
        sealed = manifest.build(members)
        events.append(event("seal", events[-1], 20, after=digest_of(sealed).sha256.hex()))
        for number in range(self.events_after):
            events.append(event("stamp", events[-1], 21 + number))
        leaf = batch.entry_leaf(digest_of(sealed), self.salt)
        others = [hashlib.sha256(b"leaf %d" % number).digest() for number in range(self.leaves)]
        others[self.index] = leaf
        tree = merkle.MerkleTree(others)
        header = batch.build_header(
            tree=tree, sequence=7, previous=bytes(32), opened_at=EPOCH, closed_at=self.closed_at
        )
        stamped = {"manifest": sealed, "batch_header": header}
        at = {"manifest": later(seconds=30), "batch_header": later(seconds=90)}
        value = {
            "manifest": json.loads(sealed),
            "salt": self.salt.hex(),
            "inclusion": {
                "index": self.index,
                "size": self.leaves,
                "path": [node.hex() for node in tree.path(self.index)],
            },
            "batch_header": json.loads(header),
            "timestamps": [
                {
                    "of": of,
                    "token": text(maker.token(manifest.stamped_digest(stamped[of]), at[of])),
                    "revocation": collected(*self.lists(maker)),
                }
                for maker, of in self.stamping or usual_stamping()
            ],
            "anchors": [
                self.block(batch.commitment(header)).but(**changes).anchor() for changes in self.blocks
            ],
            "custody": events,
            "attestations": [
                {"kind": "opentimestamps", "of": "batch_header", "proof": text(b"proof %d" % number)}
                for number in range(self.attestations)
            ],
            "renewals": [],
        }
        for item in self.renewals:
            item.renew(value)
        return value

    def block(self, commitment: bytes) -> Block:
        """The block that anchors it."""
        return Block(commitment, self.leaves, int(self.block_at.timestamp()))


def usual_stamping() -> tuple[tuple[Authority, str], ...]:
    """Both authorities stamp both documents."""
    makers = (authority(FIRST), authority(SECOND, "rsa2048", "sha512"))
    return tuple((maker, of) for of in ("manifest", "batch_header") for maker in makers)


def one_list(maker: Authority) -> tuple[bytes, ...]:
    """What the authority's issuer says: nobody is revoked."""
    return (revocation_list(maker.root),)


def old_makers(ends: timedelta = ENDS) -> tuple[Authority, ...]:
    """Both authorities, with signers that end."""
    return until(FIRST, "p256", "sha256", ends), until(SECOND, "rsa2048", "sha512", ends)


def old_evidence(**options: Any) -> Evidence:
    """Evidence with revocation lists whose time stamps end after a year; to be renewed."""
    stamping = tuple((maker, of) for of in ("manifest", "batch_header") for maker in old_makers())
    return Evidence(**{"stamping": stamping, "lists": one_list, "attestations": 1, **options})


def usual_renewals() -> tuple[Renewing, ...]:
    """Renewed in time twice, once in each way."""
    new = (authority(FIRST), authority(SECOND, "rsa2048", "sha512"))
    return (
        Renewing(old_makers(MIDDLE_ENDS), day(300), suite="sha256-rfc9162"),
        Renewing(new, day(900), kind="hash_tree"),
    )


def usual_manifest() -> dict[str, Any]:
    """Members of a manifest but its files and custody."""
    vector = Path(__file__).parents[1] / "vectors" / "formats.json"
    members = json.loads(bytes.fromhex(json.loads(vector.read_text())["manifest"]))
    at = document.format_time(EPOCH)
    changes = {"purpose": "evidence", "started_at": at, "finished_at": at, "evidence_id": "evidence-0001"}
    return {**members, **changes}


def event(action: str, previous: dict[str, Any] | None, seconds: int, after: str | None = None) -> Any:
    """One custody event."""
    return custody.build(
        {
            "evidence_id": "evidence-0001",
            "action": action,
            "actor": {"id": "agent", "role": "operator"},
            "at": document.format_time(later(seconds=seconds)),
            "host": "host",
            "purpose": "preserve",
            "before": None,
            "after": after,
            "tool": "evidence-service",
            "detail": {},
        },
        previous=previous,
    )


def rechain(value: dict[str, Any]) -> None:
    """Do what a careful forger does after changing the manifest: make custody fit it again."""
    events = value["custody"]
    count = value["manifest"]["custody"]["events"]
    for position in range(1, len(events)):
        if position == count:
            sealed = canonical.encode(value["manifest"])
            events[position]["after"] = digest_of(sealed).sha256.hex()
        events[position]["previous"] = custody.event_hash(events[position - 1]).hex()


def built(value: dict[str, Any]) -> bytes:
    """Bytes of a bundle whose checksum fits, without asking whether the rest is allowed."""
    members = {"format": bundle.FORMAT, **copy.deepcopy(value)}
    members["checksum"] = bundle.checksum(members)
    return canonical.encode(members)


def first_version(value: dict[str, Any]) -> dict[str, Any]:
    """The same in version 1, which has no place for lists, attestations and renewals."""
    rest = {name: member for name, member in value.items() if name not in ("attestations", "renewals")}
    stamps = [{"of": item["of"], "token": item["token"]} for item in value["timestamps"]]
    return {**rest, "format": bundle.FIRST_FORMAT, "timestamps": stamps}


class World:
    """One policy and those it trusts.

    Args:
        directory: for the seal's key file.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.issuer = seal_issuer("Evidence Service", directory)

    def trust(self, value: dict[str, Any] | None = None, **changes: Any) -> bytes:
        """A trust file that knows this world, with the blocks of a bundle as checkpoints."""
        anchors = [] if value is None else value["anchors"]
        chain_ids = {item["chain_id"] for item in anchors} or {str(MAINNET)}
        members = {
            "format": "evidence-trust/1",
            "name": "A world of our own",
            "authorities": usual_authorities(),
            "seal_issuers": [voucher("Evidence Service", self.issuer.root.der)],
            "chains": [
                {
                    "name": f"Chain {chain_id}",
                    "chain_id": chain_id,
                    "contract": "0x" + CONTRACT.hex(),
                    "code_hash": "0x" + CODE_HASH.hex(),
                    "checkpoints": [
                        dict(zip(("number", "hash"), header_of(item), strict=True))
                        for item in anchors
                        if item["chain_id"] == chain_id
                    ],
                }
                for chain_id in sorted(chain_ids)
            ],
            **changes,
        }
        return json.dumps(members).encode()

    def sealed(
        self,
        data: bytes,
        *,
        attachments: dict[str, bytes] | None = None,
        issuer: SealIssuer | None = None,
        stamp: Callable[[bytes], bytes] | bool | None = True,
        body: str = "",
        reason: str = "Issued",
    ) -> bytes:
        """A certificate around a bundle.

        Args:
            attachments: instead of those the bundle implies.
            stamp: makes the signature time stamp; True for the first authority, None for none.
            body: more Typst markup.
            reason: that the signature states.
        """
        parts = attachments
        if parts is None:
            parts = {"bundle.json": data, **expected_attachments(bundle.parse(data)), "verify.txt": b"how"}
        return self.seal(plain(parts, body), issuer=issuer, stamp=stamp or None, reason=reason)

    def seal(
        self,
        document: bytes,
        *,
        issuer: SealIssuer | None = None,
        stamp: Callable[[bytes], bytes] | bool | None = True,
        reason: str = "Issued",
    ) -> bytes:
        """A PDF with a seal; the options are those of :meth:`sealed`."""
        if stamp is True:
            maker = authority(FIRST)
            stamp = lambda digest: maker.token(digest, later(minutes=5))  # noqa: E731
        return seal(
            document,
            (issuer or self.issuer).key,
            level="PAdES B-T" if stamp else "PAdES B-B",
            stamp=stamp or no_stamp,
            revocation=nobody_publishes,
            reason=reason,
        ).pdf

    def case(self, name: str, evidence: Evidence | None = None, **options: Any) -> Case:
        """A genuine certificate as a case."""
        made = evidence or Evidence()
        value = made.value()
        data = built(value)
        return Case(name, self.trust(value), certificate=self.sealed(data, **options), files=dict(made.files))


def usual_authorities() -> dict[str, Any]:
    """A member of the trust file: both authorities of this world."""
    trusted = [
        voucher(FIRST, authority(FIRST).root.der),
        voucher(SECOND, authority(SECOND, "rsa2048", "sha512").root.der),
    ]
    return {"minimum": 2, "trusted": trusted}


def trust_without_chains() -> bytes:
    """A trust file that knows the authorities and nothing else."""
    members = {
        "format": "evidence-trust/1",
        "name": "Authorities alone",
        "authorities": usual_authorities(),
        "seal_issuers": [],
        "chains": [],
    }
    return json.dumps(members).encode()


def voucher(name: str, *roots: bytes, demonstration: bool = False) -> dict[str, Any]:
    """A member of the trust file."""
    return {"name": name, "roots": [text(root) for root in roots], "demonstration": demonstration}


def plain(parts: dict[str, bytes], body: str = "") -> bytes:
    """A PDF before it is sealed."""
    lines = ['#set document(title: "Certificate", date: datetime(year: 2026, month: 3, day: 4))']
    lines += ['#set text(lang: "en")', "= Certificate", body]
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for path, content in parts.items():
            (root / path).write_bytes(content)
            lines.append(
                f'#pdf.attach("{path}", relationship: "data", mime-type: "text/plain", description: "x")'
            )
        (root / "main.typ").write_text("\n".join(lines))
        return bytes(typst.compile(str(root / "main.typ"), format="pdf", pdf_standards=["a-3a", "ua-1"]))


@cache
def renewed_value() -> str:
    """Old evidence, renewed twice, as JSON text."""
    return json.dumps(old_evidence(renewals=usual_renewals()).value())


@cache
def usual_value() -> str:
    """The usual evidence as JSON text; parse it for a copy of one's own."""
    return json.dumps(Evidence().value())


def write_cases(cases: Iterable[Case], directory: Path) -> Path:
    """Write cases as files for the second implementation; the list of them is returned."""
    rows = []
    for number, case in enumerate(cases):
        folder = directory / str(number)
        folder.mkdir(parents=True)
        for name, data in (("c.pdf", case.certificate), ("b.json", case.bundle), ("trust.json", case.trust)):
            if data is not None:
                (folder / name).write_bytes(data)
        files = []
        for position, (path, data) in enumerate(case.files.items()):
            (folder / f"file-{position}").write_bytes(data)
            files.append({"name": path, "path": str(folder / f"file-{position}")})
        rows.append(
            {
                "name": case.name,
                "pdf": None if case.certificate is None else str(folder / "c.pdf"),
                "bundle": None if case.bundle is None else str(folder / "b.json"),
                "files": files,
                "digests": case.digests,
                "trust": str(folder / "trust.json"),
                "now": document.format_time(case.now),
            }
        )
    target = directory / "cases.json"
    target.write_text(json.dumps(rows))
    return target


def sealed_again(case: Case, data: bytes) -> Case:
    """The case with a bare bundle instead of its certificate."""
    return replace(case, certificate=None, bundle=data)


def token_of(value: dict[str, Any], position: int) -> bytes:
    """DER of a token of a bundle's value."""
    return base64.b64decode(value["timestamps"][position]["token"])
