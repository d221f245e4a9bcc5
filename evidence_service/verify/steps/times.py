"""Step 4: outside clocks saw the record."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from evidence_service.core import bundle, document, manifest
from evidence_service.errors import EvidenceError
from evidence_service.verify.report import Family, Status
from evidence_service.verify.steps.run import Run, Stamp, collected_lists
from evidence_service.verify.timestamp import TimestampFacts, read_token

CLOCK_TOLERANCE = timedelta(minutes=10)
"""How far the capture's own clock may run ahead of an authority's before the times contradict each other."""


def check_timestamps(
    run: Run, value: Mapping[str, Any], manifest_bytes: bytes, header: bytes | None
) -> list[Stamp]:
    """Checks 4.1 and 4.2; the tokens when 4.1 passed."""
    stamped = {"manifest": manifest_bytes, "batch_header": header}
    tokens: list[tuple[Mapping[str, Any], TimestampFacts]] = []
    # (4.1) every token in the bundle, not just enough of them: a broken one is a sign of tampering.
    try:
        for item in value["timestamps"]:
            data = stamped[item["of"]]
            if data is None:
                continue
            imprint = manifest.stamped_digest(data)
            tokens.append((item, read_token(base64.b64decode(item["token"]), imprint=imprint)))
    except EvidenceError as error:
        run.failed("4.1", error)
        return []
    stamps = [
        Stamp(item["of"], run.timestamp(item["of"], facts), collected_lists(item)) for item, facts in tokens
    ]
    own = any(stamp.of == "manifest" for stamp in stamps)
    is_digest = value["manifest"]["kind"] == "digest"
    if not own and is_digest and stamps:
        # The header was read, so the manifest is in its batch: whoever stamped the one stamped the other.
        run.first_over = "batch_header"
        words = "the batch header: the manifest has none of its own, its time is proved through the batch"
    elif own:
        words = "the manifest or batch header"
    else:
        where = "the manifest, nor over the header of a batch it is in," if is_digest else "the manifest"
        run.add("4.1", Status.PENDING, f"no time stamp over {where} yet", "get the bundle again later")
        return []
    run.passed("4.1", f"{len(tokens)} tokens, each over the SHA-512 of {words}")
    _check_authorities(run, stamps)
    return stamps


def _check_authorities(run: Run, stamps: list[Stamp]) -> None:
    # (4.2) distinct authorities of the policy, of the first link.
    vouching: dict[str, bool] = {}
    reasons = []
    for stamp in stamps:
        judged = stamp.judged
        if judged.voucher is None:
            reasons.append(f"{judged.facts.authority}: {judged.why}")
        elif stamp.of == run.first_over:
            vouching[judged.voucher.name] = judged.voucher.demonstration
    run.demonstrations.extend(vouching.values())
    if len(vouching) < run.policy.minimum:
        run.add(
            "4.2",
            Status.FAIL,
            f"{len(vouching)} of the {run.policy.minimum} required authorities are trusted"
            + (f" ({'; '.join(dict.fromkeys(reasons))})" if reasons else ""),
            "use a trust file that names these authorities, if you have reason to trust them",
            family=Family.TRUST,
        )
        return
    through = " through the batch" if run.first_over == "batch_header" else ""
    run.passed("4.2", f"stamped{through} by {', '.join(sorted(vouching))}", family=Family.TRUST)


def check_times(run: Run, found: Mapping[str, Any], header: Mapping[str, Any] | None) -> None:
    """Check 4.3: the clock that anybody can set must not contradict the clocks that nobody here can."""
    finished = document.parse_time(found["finished_at"], "manifest.finished_at")
    blocks = [(f"block {item.block_number}", item.block_time) for item in run.anchors]
    stamps = [(f"{item.authority}'s time stamp", item.gen_time) for item in run.timestamps]
    outside = stamps + blocks
    if not outside:
        run.add("4.3", Status.NOT_CHECKED, "there is no outside time to compare with", required=False)
        return
    problems = [
        f"the capture says it ended {finished - moment} after {name}"
        for name, moment in outside
        if finished > moment + CLOCK_TOLERANCE
    ]
    before = found["not_before"]
    if before["status"] == "recorded":
        not_before = document.parse_time(before["block_time"], "manifest.not_before.block_time")
        problems += [
            f"{name} is earlier than the block the manifest names as already existing"
            for name, moment in outside
            if moment + CLOCK_TOLERANCE < not_before
        ]
    if header is not None:
        closed = document.parse_time(header["closed_at"], "batch header.closed_at")
        about_batch = blocks + (stamps if run.first_over == "batch_header" else [])
        problems += [
            f"{name} is earlier than the batch it is about"
            for name, moment in about_batch
            if moment + CLOCK_TOLERANCE < closed
        ]
    if problems:
        run.add("4.3", Status.FAIL, "; ".join(problems), "ask the issuer how its clock was kept")
    else:
        run.passed("4.3", f"capture clock, {len(run.timestamps)} tokens and {len(run.anchors)} blocks agree")


def check_attestations(run: Run, value: Mapping[str, Any]) -> None:
    """Check 4.6: proofs that another program judges."""
    found = bundle.attestations(value)
    if found:
        run.add(
            "4.6",
            Status.NOT_CHECKED,
            f"{len(found)} OpenTimestamps proofs over the batch header, not judged by this program",
            "write the proof, decoded from base64, to a file and run: ots verify -f batch-header.json FILE",
            required=False,
        )
