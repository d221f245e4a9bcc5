"""The verification engine: bytes, policy and time in, a report out. No input or output of its own.

The numbered steps are those of ``docs/spec/verification.md``; the same numbers are in reports and tests.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from evidence_service.core import batch, bundle, custody, digest, document, manifest, merkle
from evidence_service.errors import (
    EvidenceError,
    LimitExceededError,
    MismatchError,
    UnavailableError,
    UnsupportedVersionError,
)
from evidence_service.verify.certificate import OpenedCertificate, trust_seal
from evidence_service.verify.chain import AnchorFacts, verify_anchor
from evidence_service.verify.policy import NEVER_EVIDENCE, Policy
from evidence_service.verify.report import (
    Check,
    ConfirmedAnchor,
    ConfirmedSeal,
    ConfirmedTimestamp,
    Family,
    Findings,
    Report,
    Status,
)
from evidence_service.verify.timestamp import TimestampFacts, read_token, trust_token

CLOCK_TOLERANCE = timedelta(minutes=10)
"""How far the capture's own clock may run ahead of an authority's before the times contradict each other."""

CompareHeader = Callable[[AnchorFacts], str]
"""Asks the outside world about a header: ``canonical``, ``different`` or ``not_finalized``.

Raises UnavailableError when nobody answers."""


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file given for comparison.

    Attributes:
        name: path as given; matched with the manifest by its ending.
        digest: of its whole content.
    """

    name: str
    digest: digest.Digest


@dataclass(frozen=True, slots=True)
class Material:
    """What is to be verified.

    Attributes:
        subject: name for the report.
        bundle: bytes of the proof bundle.
        certificate: the opened certificate the bundle was taken from, None for a bare bundle.
        files: evidence files given with it.
        trouble: why the certificate could not be opened; the bundle is empty then.
    """

    subject: str
    bundle: bytes = b""
    certificate: OpenedCertificate | None = None
    files: Sequence[EvidenceFile] = ()
    trouble: EvidenceError | None = None


@dataclass(slots=True)
class _Run:
    """Checks and findings of one verification as they accumulate."""

    policy: Policy
    now: datetime
    checks: list[Check] = field(default_factory=list)
    timestamps: list[ConfirmedTimestamp] = field(default_factory=list)
    anchors: list[ConfirmedAnchor] = field(default_factory=list)
    seal: ConfirmedSeal | None = None
    demonstrations: list[bool] = field(default_factory=list)

    def add(
        self,
        number: str,
        status: Status,
        why: str,
        what_to_do: str = "",
        *,
        family: Family = Family.INTEGRITY,
        required: bool = True,
    ) -> None:
        self.checks.append(Check(number, NAMES[number], status, why, what_to_do, family, required))

    def passed(self, number: str, why: str, *, family: Family = Family.INTEGRITY) -> None:
        self.add(number, Status.PASS, why, family=family)

    def failed(self, number: str, error: EvidenceError) -> None:
        """Record what an evidence error means for this check."""
        if isinstance(error, LimitExceededError):
            self.add("0.1", Status.FAIL, error.message, error.what_to_do, family=Family.FORMAT)
        elif isinstance(error, UnsupportedVersionError):
            self.add("0.2", Status.FAIL, error.message, error.what_to_do, family=Family.FORMAT)
        else:
            self.add(number, Status.FAIL, error.message, error.what_to_do)


NAMES = {
    "0.1": "within the verifier's limits",
    "0.2": "known format version",
    "1.1": "evidence files match the manifest",
    "2.1": "bundle and manifest are whole and strictly formed",
    "2.2": "custody log is unbroken and bound to the manifest",
    "3.1": "manifest is included in the batch",
    "4.1": "time stamps are intact and over these bytes",
    "4.2": "time stamps are by trusted authorities",
    "4.3": "recorded times agree with one another",
    "5.1": "anchoring transaction is in a block header",
    "5.2": "contract's state in that block holds the record",
    "5.3": "chain and contract are those of the policy",
    "6.1": "block header is canonical",
    "7.1": "certificate's seal is intact and covers the whole file",
    "7.2": "certificate was sealed by a trusted issuer",
    "7.3": "certificate's attachments agree with its bundle",
}
"""Every check there is, by number."""


def verify(
    material: Material, policy: Policy, *, now: datetime, compare_header: CompareHeader | None = None
) -> Report:
    """Run every check in order and report.

    Args:
        now: the time of verification; a bare bundle and an unstamped seal are judged at it.
        compare_header: used for check 6.1 where the policy has no checkpoint; None when offline.
    """
    run = _Run(policy, now)
    if material.trouble is not None:
        run.failed("7.1", material.trouble)
        return _report(material, run, Findings())
    # (2.1) strict form first: nothing else is looked at in a bundle that is not one.
    try:
        value = bundle.parse(material.bundle)
    except EvidenceError as error:
        run.failed("2.1", error)
        _check_seal(run, material, None)
        return _report(material, run, Findings())
    run.passed("2.1", f"format {bundle.FORMAT}, canonical, checksum holds")
    manifest_bytes = bundle.manifest_bytes(value)
    found = value["manifest"]
    _check_files(run, found, material.files)
    events = _check_custody(run, value, manifest_bytes)
    header = _check_inclusion(run, value, manifest_bytes)
    _check_timestamps(run, value, manifest_bytes, header)
    anchors = _check_anchors(run, value, header)
    _check_times(run, found, value["batch_header"])
    _check_canonical(run, anchors, compare_header)
    _check_seal(run, material, value)
    run.demonstrations.append(found["purpose"] != "evidence")
    findings = Findings(
        manifest=found,
        manifest_bytes=manifest_bytes,
        custody=events,
        batch_header=value["batch_header"] if header is not None else None,
        commitment="" if header is None else batch.commitment(header).hex(),
        timestamps=tuple(run.timestamps),
        anchors=tuple(run.anchors),
        seal=run.seal,
    )
    return _report(material, run, findings)


def _report(material: Material, run: _Run, findings: Findings) -> Report:
    return Report(
        subject=material.subject,
        checks=tuple(sorted(run.checks, key=lambda check: check.id)),
        findings=findings,
        demonstration=not run.demonstrations or any(run.demonstrations),
        trusts=run.policy.lines(),
    )


# --- 1: files ---------------------------------------------------------------------------------------


def _check_files(run: _Run, value: Mapping[str, Any], files: Sequence[EvidenceFile]) -> None:
    # (1.1)
    if not files:
        run.add(
            "1.1",
            Status.NOT_CHECKED,
            f"no evidence files were given; the manifest lists {len(value['files'])}",
            "give the evidence files or their folder as well to compare them",
            required=False,
        )
        return
    listed = value["files"]
    by_digest = {(item["sha256"], item["sha3_512"], item["size"]): item for item in listed}
    problems, matched = [], set()
    for given in files:
        key = (given.digest.sha256.hex(), given.digest.sha3_512.hex(), given.digest.size)
        if key in by_digest:
            matched.add(by_digest[key]["path"])
        elif any(_same_path(given.name, item["path"]) for item in listed):
            problems.append(f"{given.name} was changed: its digests are not those of the manifest")
        else:
            problems.append(f"{given.name} does not belong to this evidence")
    if problems:
        run.add(
            "1.1",
            Status.FAIL,
            "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else ""),
            "compare with the originals in the exhibit, or leave out files that are not part of it",
        )
        return
    missing = [item["path"] for item in listed if item["path"] not in matched]
    note = f"; not given: {', '.join(missing[:6])}" if missing else ""
    run.passed("1.1", f"{len(matched)} of {len(listed)} listed files given and unchanged{note}")


def _same_path(given: str, listed: str) -> bool:
    return given == listed or given.replace("\\", "/").endswith("/" + listed)


# --- 2: custody -------------------------------------------------------------------------------------


def _check_custody(run: _Run, value: Mapping[str, Any], manifest_bytes: bytes) -> list[dict[str, Any]]:
    # (2.2)
    events: list[dict[str, Any]] = value["custody"]
    sha256 = digest.digest_of(manifest_bytes).sha256
    try:
        custody.verify_chain(events, evidence_id=value["manifest"]["evidence_id"])
        custody.verify_binding(events, manifest=value["manifest"], manifest_sha256=sha256)
    except MismatchError as error:
        run.failed("2.2", error)
        return []
    sealed = value["manifest"]["custody"]["events"]
    run.passed("2.2", f"{len(events)} events in a chain, {sealed} of them bound by the manifest")
    return events


# --- 3: inclusion -----------------------------------------------------------------------------------


def _check_inclusion(run: _Run, value: Mapping[str, Any], manifest_bytes: bytes) -> bytes | None:
    """Check 3.1; the batch header's bytes when the manifest is in that batch."""
    if value["batch_header"] is None:
        run.add(
            "3.1",
            Status.PENDING,
            "the evidence is not in a closed batch yet",
            "get the bundle again after its batch has been anchored",
        )
        return None
    header, proof = value["batch_header"], value["inclusion"]
    leaf = batch.entry_leaf(digest.digest_of(manifest_bytes), bytes.fromhex(value["salt"]))
    try:
        if proof["size"] != header["size"]:
            raise MismatchError(f"the proof is for {proof['size']} entries, the batch has {header['size']}")
        merkle.verify_inclusion(
            leaf,
            index=proof["index"],
            size=proof["size"],
            path=[bytes.fromhex(node) for node in proof["path"]],
            root=batch.header_root(header),
        )
    except MismatchError as error:
        run.failed("3.1", error)
        return None
    run.passed("3.1", f"entry {proof['index'] + 1} of {proof['size']} in batch {header['sequence']}")
    return bundle.header_bytes(value)


# --- 4: authorities' time ---------------------------------------------------------------------------


def _check_timestamps(
    run: _Run, value: Mapping[str, Any], manifest_bytes: bytes, header: bytes | None
) -> None:
    stamped = {"manifest": manifest_bytes, "batch_header": header}
    tokens: list[tuple[str, TimestampFacts]] = []
    # (4.1) every token in the bundle, not just enough of them: a broken one is a sign of tampering.
    try:
        for item in value["timestamps"]:
            data = stamped[item["of"]]
            if data is None:
                continue
            imprint = manifest.stamped_digest(data)
            tokens.append((item["of"], read_token(base64.b64decode(item["token"]), imprint=imprint)))
    except EvidenceError as error:
        run.failed("4.1", error)
        return
    if not any(of == "manifest" for of, _ in tokens):
        run.add("4.1", Status.PENDING, "no time stamp over the manifest yet", "get the bundle again later")
        return
    run.passed("4.1", f"{len(tokens)} tokens, each over the SHA-512 of the manifest or batch header")
    # (4.2) distinct authorities of the policy, over the manifest itself.
    vouching: dict[str, bool] = {}
    reasons = []
    for of, facts in tokens:
        voucher, why = trust_token(facts, run.policy.authorities)
        if voucher is None:
            reasons.append(f"{facts.authority}: {why}")
        elif of == "manifest":
            vouching[voucher.name] = voucher.demonstration
        run.timestamps.append(
            ConfirmedTimestamp(
                of=of,
                gen_time=facts.gen_time,
                authority=facts.authority if voucher is None else voucher.name,
                trusted=voucher is not None,
                serial=str(facts.serial),
                policy=facts.policy,
                accuracy_ms=facts.accuracy_ms,
            )
        )
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
    run.passed("4.2", f"stamped by {', '.join(sorted(vouching))}", family=Family.TRUST)


def _check_times(run: _Run, found: Mapping[str, Any], header: Mapping[str, Any] | None) -> None:
    # (4.3) the clock that anybody can set must not contradict the clocks that nobody here can.
    finished = document.parse_time(found["finished_at"], "manifest.finished_at")
    outside = [(f"{item.authority}'s time stamp", item.gen_time) for item in run.timestamps]
    outside += [(f"block {item.block_number}", item.block_time) for item in run.anchors]
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
        problems += [
            f"block {item.block_number} is earlier than the batch it anchors"
            for item in run.anchors
            if item.block_time + CLOCK_TOLERANCE < closed
        ]
    if problems:
        run.add("4.3", Status.FAIL, "; ".join(problems), "ask the issuer how its clock was kept")
    else:
        run.passed("4.3", f"capture clock, {len(run.timestamps)} tokens and {len(run.anchors)} blocks agree")


# --- 5 and 6: the chain -----------------------------------------------------------------------------


def _check_anchors(run: _Run, value: Mapping[str, Any], header: bytes | None) -> list[AnchorFacts]:
    if header is None or not value["anchors"]:
        if header is not None or value["batch_header"] is None:
            run.add(
                "5.1", Status.PENDING, "not anchored yet", "get the bundle again after its batch is final"
            )
        return []
    facts = []
    # (5.1) (5.2) one engine call; every anchor present has to hold.
    try:
        for anchor in value["anchors"]:
            facts.append(
                verify_anchor(
                    anchor, commitment=batch.commitment(header), leaf_count=value["batch_header"]["size"]
                )
            )
    except EvidenceError as error:
        run.failed("5.1", error)
        return []
    run.passed("5.1", "; ".join(f"{item.transaction_hash} in block {item.block_number}" for item in facts))
    if all(item.has_state_proof for item in facts):
        run.passed("5.2", "contract code and record proved from the state root")
    else:
        run.add(
            "5.2",
            Status.NOT_CHECKED,
            "the node no longer had the state of the block; the event alone proves the anchoring",
            required=False,
        )
    _check_chain_policy(run, value, facts)
    return facts


def _check_chain_policy(run: _Run, value: Mapping[str, Any], facts: Sequence[AnchorFacts]) -> None:
    # (5.3)
    unknown = []
    for item, anchor in zip(facts, value["anchors"], strict=True):
        chain = run.policy.chain(item.chain_id, item.contract)
        if chain is None or anchor["code_hash"] != chain.code_hash:
            unknown.append(f"chain {item.chain_id}, contract {item.contract}")
        run.demonstrations.append(item.chain_id in NEVER_EVIDENCE)
        run.anchors.append(
            ConfirmedAnchor(
                chain_id=item.chain_id,
                chain_name=None if chain is None else chain.name,
                contract=item.contract,
                submitter=item.submitter,
                transaction_hash=item.transaction_hash,
                block_number=item.block_number,
                block_hash=item.block_hash,
                block_time=datetime.fromtimestamp(item.block_time, UTC),
                has_state_proof=item.has_state_proof,
                canonical=False,
            )
        )
    if unknown:
        run.add(
            "5.3",
            Status.FAIL,
            f"the policy does not name {'; '.join(unknown)}",
            "use a trust file that names this chain and contract, if you have reason to trust them",
            family=Family.TRUST,
        )
    else:
        names = ", ".join(str(item.chain_name) for item in run.anchors)
        run.passed("5.3", f"{names}: chain, contract and code named by the policy", family=Family.TRUST)


def _check_canonical(run: _Run, facts: Sequence[AnchorFacts], compare_header: CompareHeader | None) -> None:
    # (6.1) the step between "in a header" and "on the blockchain"; never skipped silently.
    if not facts:
        return
    answers = []
    for position, item in enumerate(facts):
        answer, why = _standing(run.policy, item, compare_header)
        answers.append((answer, why))
        if answer == "canonical":
            run.anchors[position] = _as_canonical(run.anchors[position])
    why = "; ".join(words for _, words in answers)
    kinds = {answer for answer, _ in answers}
    if "different" in kinds:
        run.add("6.1", Status.FAIL, why, "ask another node; if all agree, the anchor is not on this chain")
    elif "unknown" in kinds:
        run.add(
            "6.1",
            Status.NOT_CHECKED,
            why,
            "give a node with --rpc URL, or a trust file with a checkpoint for this block",
        )
    elif "not_finalized" in kinds:
        run.add("6.1", Status.PENDING, why, "verify again when the block is final")
    else:
        run.passed("6.1", why)


def _standing(policy: Policy, facts: AnchorFacts, compare_header: CompareHeader | None) -> tuple[str, str]:
    block = f"block {facts.block_number} of chain {facts.chain_id}"
    chain = policy.chain(facts.chain_id, facts.contract)
    checkpoint = None if chain is None else chain.checkpoints.get(facts.block_number)
    if checkpoint is not None and checkpoint != facts.block_hash:
        return "different", f"{block} has another hash in the policy's checkpoints"
    if compare_header is not None:
        try:
            answer = compare_header(facts)
        except UnavailableError as error:
            if checkpoint is None:
                return "unknown", f"{block} was not compared: {error.message}"
        else:
            words = {"canonical": "is", "different": "is not", "not_finalized": "is not yet final"}[answer]
            return answer, f"{block} {words} the one the node has"
    if checkpoint is not None:
        return "canonical", f"{block} is a checkpoint of the policy"
    return "unknown", f"{block} was compared with no node and no checkpoint"


def _as_canonical(anchor: ConfirmedAnchor) -> ConfirmedAnchor:
    return ConfirmedAnchor(
        **{name: getattr(anchor, name) for name in ConfirmedAnchor.__slots__ if name != "canonical"},
        canonical=True,
    )


# --- 7: the certificate's seal ----------------------------------------------------------------------


def _check_seal(run: _Run, material: Material, value: Mapping[str, Any] | None) -> None:
    opened = material.certificate
    if opened is None:
        return
    # (7.1) opening a certificate is what checks it; it was refused before this point otherwise.
    seal = opened.seal
    run.passed("7.1", f"{seal.level}, signed by {seal.signer}, every byte of the file covered")
    moment = run.now
    if seal.timestamp is not None:
        voucher, _ = trust_token(seal.timestamp, run.policy.authorities)
        if voucher is not None:
            moment = seal.timestamp.gen_time
        run.timestamps.append(
            ConfirmedTimestamp(
                of="seal",
                gen_time=seal.timestamp.gen_time,
                authority=seal.timestamp.authority if voucher is None else voucher.name,
                trusted=voucher is not None,
                serial=str(seal.timestamp.serial),
                policy=seal.timestamp.policy,
                accuracy_ms=seal.timestamp.accuracy_ms,
            )
        )
    # (7.2)
    issuer, why = trust_seal(seal, run.policy.seal_issuers, at=moment)
    run.seal = ConfirmedSeal(
        signer=seal.signer,
        level=seal.level,
        trusted=issuer is not None,
        issuer=None if issuer is None else issuer.name,
        signing_time=None if seal.timestamp is None else seal.timestamp.gen_time,
    )
    if issuer is None:
        run.add(
            "7.2",
            Status.FAIL,
            f"the policy does not know the issuer of {seal.signer}: {why}",
            "use a trust file that names this issuer, if you have reason to trust it",
            family=Family.TRUST,
        )
    else:
        run.demonstrations.append(issuer.demonstration)
        run.passed("7.2", f"issued under {issuer.name}", family=Family.TRUST)
    if value is not None:
        _check_attachments(run, opened.attachments, value)


def _check_attachments(run: _Run, attachments: Mapping[str, bytes], value: Mapping[str, Any]) -> None:
    # (7.3) what people read beside the bundle must be what the bundle says.
    expected = expected_attachments(value)
    wrong = [name for name, data in attachments.items() if name in expected and expected[name] != data]
    absent = [name for name in expected if name not in attachments]
    surplus = [name for name in attachments if name not in expected and name not in FREE_ATTACHMENTS]
    problems = [
        *(f"{name} differs from the bundle" for name in wrong),
        *(f"{name} is missing" for name in absent),
        *(f"{name} should not be there" for name in surplus),
    ]
    if problems:
        run.add("7.3", Status.FAIL, "; ".join(problems[:5]), "get the certificate again from its issuer")
    else:
        run.passed("7.3", f"{len(attachments)} attachments, each as the bundle says")


BUNDLE_NAME = "bundle.json"
FREE_ATTACHMENTS = frozenset({BUNDLE_NAME, "verify.txt"})
"""Attachments that are not copies of parts of the bundle."""


def expected_attachments(value: Mapping[str, Any]) -> dict[str, bytes]:
    """The parts of a bundle that a certificate attaches once more, for people with ordinary tools.

    ``manifest.json`` and ``batch-header.json`` are the exact bytes that were stamped.
    """
    result = {"manifest.json": bundle.manifest_bytes(value)}
    if value["batch_header"] is not None:
        result["batch-header.json"] = bundle.header_bytes(value)
    counters = {"manifest": 0, "batch_header": 0}
    for item in value["timestamps"]:
        counters[item["of"]] += 1
        name = f"{item['of'].replace('_', '-')}-{counters[item['of']]}.tst"
        result[name] = base64.b64decode(item["token"])
    return result
