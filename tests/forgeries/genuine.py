"""Genuine certificates with varied content: a verifier that refuses one of them is wrong."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from cryptography import x509

from evidence_service.core import document
from evidence_service.core.digest import digest_of
from tests.forgeries.chain import SUBMITTER
from tests.forgeries.keys import EPOCH, Authority, authority, later
from tests.forgeries.longterm import with_stamp, with_store
from tests.forgeries.renewing import Renewing, day, revocation_list
from tests.forgeries.world import (
    FIRST,
    SECOND,
    Case,
    Evidence,
    World,
    built,
    first_version,
    old_evidence,
    usual_manifest,
    usual_stamping,
    voucher,
)

WORDS = (
    "Heritage Quartz Watch",
    "维特思 ProX2 头戴式降噪蓝牙耳机",
    "سماعة رأس لاسلكية",
    "👜 Designer Bag 😀",
    "Ärmel & Söhne <b>GmbH</b>",
    '"quoted" \\ back\\slash \t tab',
    "line\nbreak",
    "\u202eright to left\u202c",
    "a" * 400,
    "e\u0301 and \u00e9",
    "\u2028\u2029\u0000\u007f",
    "Ω≈ç√∫˜µ≤≥÷",
)
_KINDS = (0, 1, 2, 3, 4)
_REASONS = (None, x509.ReasonFlags.key_compromise, x509.ReasonFlags.superseded, x509.ReasonFlags.unspecified)


def cases(world: World, count: int, seed: int = 1) -> Iterator[Case]:
    """Certificates, each different; the same for the same seed."""
    chosen = random.Random(seed)
    for number in range(count):
        evidence = _evidence(chosen)
        value = evidence.value()
        if not value["renewals"] and chosen.random() < 0.4:
            value = first_version(value)
        options: dict[str, Any] = {}
        maker = authority(FIRST)
        if chosen.random() < 0.2:
            options["stamp"] = None
        elif chosen.random() < 0.3:
            maker = authority(SECOND, "rsa2048", "sha512")
            options["stamp"] = lambda digest, maker=maker: maker.token(digest, later(minutes=6))
        if chosen.random() < 0.3:
            options["body"] = "#pagebreak()\n".join("#lorem(40)" for _ in range(chosen.randrange(1, 6)))
        files = dict(chosen.sample(sorted(evidence.files.items()), chosen.randrange(len(evidence.files) + 1)))
        digests = []
        if chosen.random() < 0.3:
            digest = digest_of(chosen.choice(sorted(evidence.files.values())))
            digests = [chosen.choice([digest.sha256, digest.sha3_512]).hex()]
        certificate = world.sealed(built(value), **options)
        if chosen.random() < 0.35 and options.get("stamp", True):
            certificate = _archived(world, certificate, maker, chosen)
        case = Case(
            f"genuine {number}",
            _trust(world, value, chosen),
            certificate=certificate,
            files={f"some/folder/{path}": data for path, data in files.items()},
            digests=digests,
            now=day(chosen.choice((30, 500, 3000))),
        )
        if value["manifest"]["purpose"] == "demonstration":
            case.verdict = "demonstration"
        if chosen.random() < 0.2:
            case.certificate, case.bundle = None, built(value)
        yield case


def _archived(world: World, certificate: bytes, maker: Authority, chosen: random.Random) -> bytes:
    """With validation data and document time stamps; the last revision is a time stamp, which covers it all.

    Args:
        maker: of the seal's time stamp.
    """
    makers = (authority(FIRST), authority(SECOND, "rsa2048", "sha512"))
    known = [world.issuer.root.der]
    for position in range(chosen.choice((1, 1, 2, 3))):
        at = later(days=7 * position, minutes=10)
        if chosen.random() < 0.2:
            certificate = with_store(certificate)
        lists = [
            revocation_list(item, at=at)
            for item in (maker.root, world.issuer.root)[: chosen.choice((0, 1, 2))]
        ]
        added = [item.der for item in (maker.root, maker.signer) if item.der not in known]
        known += added
        certificate = with_store(certificate, [*added, *(known[:1] if not position else ())], lists)
        maker = chosen.choice(makers)
        certificate = with_stamp(certificate, lambda digest, maker=maker, at=at: maker.token(digest, at))
    return certificate


def _trust(world: World, value: dict[str, Any], chosen: random.Random) -> bytes:
    """The usual policy, sometimes asking for less or naming strangers as well."""
    changes: dict[str, Any] = {}
    if chosen.random() < 0.3:
        stranger = authority("Stranger")
        changes["authorities"] = {
            "minimum": chosen.choice((1, 2)),
            "trusted": [
                voucher("Stranger", stranger.root.der),
                voucher(FIRST, stranger.root.der, authority(FIRST).root.der),
                voucher(SECOND, authority(SECOND, "rsa2048", "sha512").root.der),
            ],
        }
    return world.trust(value, **changes)


def _evidence(chosen: random.Random) -> Evidence:
    text = lambda: chosen.choice(WORDS)  # noqa: E731
    names = ["dom.html", "images/图片 1.png", "Ä.txt", "a b/c.bin", "log.jsonl", "z", "deep/er/than/that.dat"]
    files = {
        name: chosen.randbytes(chosen.choice((0, 1, 7, 1000, 70_000)))
        for name in chosen.sample(names, chosen.randrange(1, len(names) + 1))
    }
    leaves = chosen.choice((1, 2, 3, 4, 5, 8, 31, 100))
    renewals = _renewals(chosen)
    stamping = list(old_evidence().stamping if renewals or chosen.random() < 0.2 else usual_stamping())
    if chosen.random() < 0.3:
        # More tokens than needed, among them one of an authority nobody trusts.
        stamping.append((authority("Stranger two", "p384", "sha384"), "manifest"))
    if chosen.random() < 0.3:
        stamping = [item for item in stamping if item[1] == "manifest"]
    kind = chosen.choice(("platform_capture", "upload", "digest"))
    if kind == "digest" and len({of for _, of in stamping}) == 2 and chosen.random() < 0.6:
        # As it is registered in bulk: its time is proved through the batch.
        stamping = [item for item in stamping if item[1] == "batch_header"]
    usual = usual_manifest()
    subject = {
        **usual["subject"],
        "listing": {
            f"fact {number}": {"value": text(), "read_from": text()} for number in range(chosen.randrange(6))
        },
    }
    changes: dict[str, Any] = {
        "subject": subject,
        "matter": {**usual["matter"], "applicant": text(), "rights": [text()] * chosen.randrange(4)},
        "purpose": chosen.choice(("evidence", "evidence", "demonstration")),
        "kind": kind,
    }
    if chosen.random() < 0.5:
        changes["not_before"] = {
            "status": "recorded",
            "chain_id": "1",
            "block_number": "19999990",
            "block_hash": "0x" + "ab" * 32,
            "block_time": document.format_time(EPOCH - timedelta(minutes=1)),
        }
    return Evidence(
        files=files,
        manifest=changes,
        salt=chosen.randbytes(32),
        leaves=leaves,
        index=chosen.randrange(leaves),
        events_before=chosen.randrange(1, 5),
        events_after=chosen.randrange(4),
        stamping=tuple(stamping),
        lists=_lists(chosen) if chosen.random() < 0.6 else lambda maker: (),
        attestations=chosen.choice((0, 0, 1, 5)),
        renewals=renewals,
        blocks=tuple(_block(chosen, chain_id) for chain_id in (1, 137)[: chosen.choice((1, 1, 2))]),
    )


def _lists(chosen: random.Random) -> Callable[[Authority], tuple[bytes, ...]]:
    """Lists of both root and time, some with entries that revoke nothing in question."""
    others = [authority(f"Revoked {number}").signer.certificate for number in range(chosen.randrange(4))]
    entries: list[Any] = [(other, later(days=-3), chosen.choice(list(_REASONS))) for other in others]
    closed = chosen.random() < 0.5
    point = x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier("http://crl.example/1.crl")],
        relative_name=None,
        only_contains_user_certs=False,
        only_contains_ca_certs=False,
        only_some_reasons=None,
        indirect_crl=False,
        only_contains_attribute_certs=False,
    )
    extensions = chosen.choice(((), ((x509.CRLNumber(7), False),), ((point, True),)))

    def make(maker: Authority) -> tuple[bytes, ...]:
        # Closing down after the stamp takes nothing away from it.
        own = [(maker.signer.certificate, later(days=20), x509.ReasonFlags.superseded)] if closed else []
        first = revocation_list(maker.root, *entries, extensions=extensions)
        second = revocation_list(maker.root, *entries, *own, at=later(days=21))
        return (first, second)[: chosen.choice((1, 2))]

    return make


def _renewals(chosen: random.Random) -> tuple[Renewing, ...]:
    """None mostly, else up to three, the first within a year."""
    if chosen.random() < 0.6:
        return ()
    new = (authority(FIRST), authority(SECOND, "rsa2048", "sha512"))
    makers = (*new, authority("Stranger two", "p384", "sha384"))[: chosen.choice((2, 3))]
    count = chosen.choice((1, 2, 3))
    result = []
    for day_number in (200, 300, 1500)[:count]:
        kind = chosen.choice(("timestamp", "hash_tree"))
        suites = ("sha256-rfc9162", "sha3-256-rfc9162") if kind == "timestamp" else ("sha3-256-rfc9162",)
        leaves = chosen.choice((1, 2, 7, 64))
        members = {"leaves": leaves, "index": chosen.randrange(leaves), "lists": chosen.random() < 0.5}
        result.append(Renewing(makers, day(day_number), kind=kind, suite=chosen.choice(suites), **members))
    return tuple(result)


def _block(chosen: random.Random, chain_id: int) -> dict[str, Any]:
    transactions = chosen.choice((1, 2, 3, 20, 150))
    kind = chosen.choice(_KINDS)
    return {
        "chain_id": chain_id,
        "transactions": transactions,
        "position": chosen.randrange(transactions),
        "kind": kind,
        "logs_before": chosen.randrange(3),
        "state": chosen.random() < 0.8,
        "extra_fields": chosen.randrange(6),
        "submitter": chosen.choice((SUBMITTER, bytes(19) + b"\x07")),
        "number": chosen.choice((1, 200, 20_000_000, 2**40)),
    }
