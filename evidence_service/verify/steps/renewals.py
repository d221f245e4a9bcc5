"""Check 4.5: old time stamps were stamped again while those who vouched for them still could be asked."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from evidence_service.core import bundle, canonical, document, merkle, renewal
from evidence_service.errors import EvidenceError, MismatchError
from evidence_service.verify.report import ConfirmedRenewal, Family, Status
from evidence_service.verify.steps.run import Run, Stamp, collected_lists
from evidence_service.verify.steps.times import CLOCK_TOLERANCE
from evidence_service.verify.timestamp import JudgedToken, TimestampFacts, read_token


def check_renewals(run: Run, value: Mapping[str, Any], stamps: Sequence[Stamp]) -> list[Stamp]:
    """Check 4.5; the tokens of the renewals when they belong to this record.

    Args:
        stamps: tokens of 4.1; none when it did not pass.
    """
    first = [stamp.judged for stamp in stamps if stamp.of == run.first_over]
    renewals = bundle.renewals(value)
    if not first:
        return []
    if not renewals:
        _check_end(run, first)
        return []
    try:
        links = _read(value, renewals, [judged.facts for judged in first])
    except EvidenceError as error:
        run.failed("4.5", error)
        return []
    result: list[Stamp] = []
    chain = [first]
    for item, link in zip(renewals, links, strict=True):
        found = [run.judge("renewal", facts) for facts in link]
        chain.append([judged for judged, _ in found])
        kind, suite = item["document"]["kind"], item["document"]["suite"]
        run.renewals.append(ConfirmedRenewal(kind, suite, tuple(confirmed for _, confirmed in found)))
        result += [
            Stamp("renewal", judged, collected_lists(token))
            for judged, token in zip(chain[-1], item["timestamps"], strict=True)
        ]
        run.demonstrations += [judged.voucher.demonstration for judged in chain[-1] if judged.voucher]
    _check_chain(run, chain)
    return result


def _check_end(run: Run, first: Sequence[JudgedToken]) -> None:
    ends = [judged.ends for judged in first if judged.voucher is not None]
    if ends and max(ends) < run.now:
        run.add(
            "4.5",
            Status.NOT_CHECKED,
            f"the certificates of the authorities ended on {max(ends):%Y-%m-%d}; the time stamps are judged "
            "at their own time, and there is no renewal",
            "ask the issuer whether the evidence was renewed",
            required=False,
        )


def _read(
    value: Mapping[str, Any], renewals: Sequence[Mapping[str, Any]], before: list[TimestampFacts]
) -> list[list[TimestampFacts]]:
    """The tokens of each renewal, once it is known to be about this record and to follow the one before."""
    links = []
    coverage = renewal.Coverage(value)
    for position, item in enumerate(renewals):
        covered = coverage.of(item["document"]["kind"], position)
        _check_inclusion(renewal.entry(covered, bytes.fromhex(value["salt"])), item, number=position + 1)
        kind = item["document"]["kind"]
        imprint = renewal.stamped_digest(canonical.encode(item["document"]), kind)
        link = [
            read_token(base64.b64decode(token["token"]), imprint=imprint, sha3=kind == "hash_tree")
            for token in item["timestamps"]
        ]
        latest = max(facts.gen_time for facts in before)
        if min(facts.gen_time for facts in link) + CLOCK_TOLERANCE < latest:
            raise MismatchError(f"renewal {position + 1} is dated before what it renews")
        links.append(link)
        before = link
    return links


def _check_inclusion(entry: bytes, item: Mapping[str, Any], *, number: int) -> None:
    found, proof = item["document"], item["inclusion"]
    if proof["size"] != found["size"]:
        raise MismatchError(
            f"the proof of renewal {number} is for another number of entries than its document"
        )
    algorithm = renewal.ALGORITHMS[found["suite"]]
    root = merkle.root_from_path(
        merkle.leaf_hash(entry, algorithm),
        index=proof["index"],
        size=proof["size"],
        path=[bytes.fromhex(node) for node in proof["path"]],
        algorithm=algorithm,
    )
    if root.hex() != found["root"]:
        raise MismatchError(f"renewal {number} is not about this record as it stands")


def _check_chain(run: Run, chain: Sequence[Sequence[JudgedToken]]) -> None:
    """Each link by enough trusted authorities, and renewed before too few of them were left."""
    minimum = run.policy.minimum
    ends = [_ends(link) for link in chain]
    problems = [
        f"{len(link)} of the {minimum} required authorities of renewal {number} are trusted"
        for number, link in enumerate(ends)
        if number and len(link) < minimum
    ]
    for number, (older, newer) in enumerate(zip(ends, chain[1:], strict=False), start=1):
        times = [judged.facts.gen_time for judged in newer if judged.voucher is not None]
        if not times or len(older) < minimum:
            continue
        if sum(end >= max(times) for end in older.values()) < minimum:
            last = f"{_until(older, minimum):%Y-%m-%d}"
            problems.append(
                f"renewal {number} came on {max(times):%Y-%m-%d}, after what it renews ended on {last}"
            )
    if problems:
        run.add(
            "4.5",
            Status.FAIL,
            "; ".join(problems),
            "use a trust file that names the authorities of the renewals, if you have reason to trust them; "
            "what was renewed too late stays so",
            family=Family.TRUST,
        )
        return
    names = ", ".join(sorted(ends[-1]))
    until = document.format_time(_until(ends[-1], minimum))
    run.passed(
        "4.5", f"{len(chain) - 1} renewals, the last by {names}; covered until {until}", family=Family.TRUST
    )


def _ends(link: Sequence[JudgedToken]) -> dict[str, datetime]:
    """When each trusted authority's last token of a link ends."""
    result: dict[str, datetime] = {}
    for judged in link:
        if judged.voucher is not None:
            name = judged.voucher.name
            result[name] = max(judged.ends, result.get(name, judged.ends))
    return result


def _until(ends: Mapping[str, datetime], minimum: int) -> datetime:
    """How long at least ``minimum`` authorities cover a link."""
    return sorted(ends.values(), reverse=True)[minimum - 1]
