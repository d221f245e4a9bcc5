"""The whole chain of proof on real parts: two authorities, a real EVM, a sealed PDF; and what breaks it."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typst
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from evidence_service.anchor import contract
from evidence_service.anchor.node import Node
from evidence_service.anchor.sender import Sender
from evidence_service.anchor.signer import LocalSigner
from evidence_service.anchor.submission import Submission
from evidence_service.certificate.sealing import seal
from evidence_service.certificate.sealing.pkcs12 import Pkcs12Key
from evidence_service.core import batch, bundle, custody, document, manifest, merkle
from evidence_service.core.digest import digest_of
from evidence_service.sandbox.demo_certificates import new_key
from evidence_service.sandbox.devchain import CHAIN_ID, DevChain
from evidence_service.sandbox.seal_pki import ensure_demo_seal
from evidence_service.timestamp.tsa import Authorities, Authority
from evidence_service.verify.certificate import open_certificate
from evidence_service.verify.cms import read_signed_data
from evidence_service.verify.material import EvidenceFile, Material
from evidence_service.verify.policy import Policy, TrustedChain, Voucher, parse, shipped
from evidence_service.verify.report import Report, Status, Verdict
from evidence_service.verify.steps.anchors import CompareHeader, NodeAnswer
from evidence_service.verify.steps.seal import expected_attachments
from evidence_service.verify.verifier import verify
from tests.sealing import nobody_publishes
from tests.unit.anchor.conftest import MemoryJournal

PAGE = b"<html>the listing</html>"
SALT = bytes(range(32))


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Case:
    """Genuine evidence and the policy that knows who vouches for it."""

    bundle: bytes
    certificate: bytes
    policy: Policy
    trust_file: bytes

    def value(self) -> dict[str, Any]:
        return copy.deepcopy(bundle.parse(self.bundle))


def _manifest(first: dict[str, Any], moment: datetime) -> bytes:
    vector = Path(__file__).parents[2] / "vectors" / "formats.json"
    members = json.loads(bytes.fromhex(json.loads(vector.read_text())["manifest"]))
    at = document.format_time(moment)
    return manifest.build(
        members
        | {
            "evidence_id": "evidence-0001",
            "started_at": at,
            "finished_at": at,
            "files": [manifest.file_record("dom.html", "text/html", "dom.rendered", digest_of(PAGE))],
            "custody": {"events": 1, "head": custody.event_hash(first).hex()},
        }
    )


def _event(
    action: str, previous: dict[str, Any] | None, moment: datetime, after: str | None
) -> dict[str, Any]:
    members = {
        "evidence_id": "evidence-0001",
        "action": action,
        "actor": {"id": "agent", "role": "operator"},
        "at": document.format_time(moment),
        "host": "host",
        "purpose": "test",
        "before": None,
        "after": after,
        "tool": "evidence-service",
        "detail": {},
    }
    return custody.build(members, previous=previous)


def _anchor(node: Node, signer: LocalSigner, header: bytes) -> dict[str, Any]:
    journal = MemoryJournal()
    journal.save(
        Submission(
            submission_id="case",
            chain_id=CHAIN_ID,
            submitter=signer.address,
            contract=contract.expected_address(),
            commitment=batch.commitment(header),
            leaf_count=json.loads(header)["size"],
        )
    )
    sender = Sender(node, signer, journal)
    while not journal.load("case").done:
        assert sender.round() is not None
    return journal.proofs["case"]


@pytest.fixture(scope="module")
def case(
    demo_authorities: list[Authority],
    node: Node,
    signer: LocalSigner,
    tmp_path_factory: pytest.TempPathFactory,
) -> Case:
    moment = now()
    first = _event("capture", None, moment, None)
    sealed = _manifest(first, moment)
    events = [first, _event("seal", first, moment, digest_of(sealed).sha256.hex())]
    tree = merkle.MerkleTree([bytes(32), batch.entry_leaf(digest_of(sealed), SALT), bytes([1] * 32)])
    header = batch.build_header(tree=tree, sequence=1, previous=None, opened_at=moment, closed_at=moment)
    timestamps = []
    asked = Authorities(demo_authorities, minimum=2)
    for of, data in (("manifest", sealed), ("batch_header", header)):
        stamped = asked.stamp(manifest.stamped_digest(data), nonce=lambda: 11, now=now)
        timestamps += [
            {
                "of": of,
                "token": base64.b64encode(token.der).decode(),
                "revocation": dict(token.revocation),
            }
            for token in stamped.tokens
        ]
    value = {
        "manifest": json.loads(sealed),
        "salt": SALT.hex(),
        "inclusion": {"index": 1, "size": 3, "path": [item.hex() for item in tree.path(1)]},
        "batch_header": json.loads(header),
        "timestamps": timestamps,
        "attestations": [],
        "renewals": [],
        "anchors": [_anchor(node, signer, header)],
        "custody": events,
    }
    data = bundle.build(value)
    directory = tmp_path_factory.mktemp("case")
    certificate, root = _certificate(data, demo_authorities[0], directory)
    trust = _trust(demo_authorities, root, value["anchors"][0])
    return Case(data, certificate, parse(trust), trust)


def _certificate(data: bytes, authority: Authority, directory: Path) -> tuple[bytes, bytes]:
    attachments = {"bundle.json": data, **expected_attachments(bundle.parse(data))}
    lines = ['#set document(title: "T", date: datetime(year: 2026, month: 1, day: 1))', "= T"]
    for name, content in attachments.items():
        (directory / name).write_bytes(content)
        lines.append(
            f'#pdf.attach("{name}", relationship: "data", mime-type: "text/plain", description: "x")'
        )
    (directory / "main.typ").write_text("\n".join(lines))
    plain = typst.compile(str(directory / "main.typ"), format="pdf", pdf_standards=["a-3a", "ua-1"])
    files = ensure_demo_seal(directory / "seal")

    def stamp_one(digest: bytes) -> bytes:
        asked = Authorities([authority], minimum=1)
        return asked.stamp(digest, nonce=lambda: 1, now=now).tokens[0].der

    key = Pkcs12Key(files.pkcs12, files.password_file.read_text())
    sealed = seal(
        plain, key, level="PAdES B-T", stamp=stamp_one, revocation=nobody_publishes, reason="Issued"
    )
    return sealed.pdf, files.root_der


def _trust(authorities: list[Authority], seal_root: bytes, anchor: dict[str, Any]) -> bytes:
    from evidence_service.verify.chain import BlockHeader

    header = BlockHeader.parse(base64.b64decode(anchor["header"]))

    def voucher(name: str, root: bytes) -> dict[str, Any]:
        return {"name": name, "roots": [base64.b64encode(root).decode()], "demonstration": True}

    value = {
        "format": "evidence-trust/1",
        "name": "test",
        "authorities": {
            "minimum": 2,
            "trusted": [voucher(item.name, item.roots[0]) for item in authorities],
        },
        "seal_issuers": [voucher("demo seal", seal_root)],
        "chains": [
            {
                "name": "dev chain",
                "chain_id": anchor["chain_id"],
                "contract": anchor["contract"],
                "code_hash": anchor["code_hash"],
                "checkpoints": [{"number": str(header.number), "hash": "0x" + header.hash.hex()}],
            }
        ],
    }
    return json.dumps(value).encode()


def check(report: Report, number: str) -> Status:
    return next(item.status for item in report.checks if item.id == number)


def run(case: Case, data: bytes | None = None, **arguments: Any) -> Report:
    material = Material("case", bundle=case.bundle if data is None else data)
    return verify(material, arguments.pop("policy", case.policy), now=now(), **arguments)


def nodes(*said: Any) -> CompareHeader:
    """Nodes that say these things."""
    return lambda _: [NodeAnswer(f"node-{position}", answer) for position, answer in enumerate(said)]


def test_genuine_evidence_on_demonstration_parts_is_a_demonstration(case: Case) -> None:
    report = run(case)
    assert report.verdict is Verdict.DEMONSTRATION
    assert report.exit_code == 0
    assert {item.status for item in report.checks if item.required} == {Status.PASS}
    assert len(report.findings.timestamps) == 4
    assert report.findings.anchors[0].canonical
    assert len(case.bundle) <= 20 * 1024


def test_a_bundle_stays_small_with_what_was_collected(case: Case) -> None:
    """Two tokens with their lists, one chain, one proof of the state: at most 20 KB."""
    value = case.value()
    value["timestamps"] = [item for item in value["timestamps"] if item["of"] == "manifest"]
    for item in value["timestamps"]:
        path = read_signed_data(base64.b64decode(item["token"])).path
        lists = [base64.b64encode(_list_like(certificate.issuer)).decode() for certificate in path]
        item["revocation"] = {"status": "collected", "crls": lists}
    assert len(value["timestamps"]) == 2
    assert value["anchors"][0]["state"] is not None
    assert len(_build(value)) <= 20 * 1024


def _list_like(issuer: x509.Name) -> bytes:
    """As long as a list of that issuer: its name, two revoked certificates, a signature of RSA-2048."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer)
        .last_update(now())
        .next_update(now() + timedelta(days=7))
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    for _ in range(2):
        entry = x509.RevokedCertificateBuilder(x509.random_serial_number(), now())
        entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.superseded), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(new_key(), hashes.SHA256()).public_bytes(Encoding.DER)


def test_the_certificate_verifies_as_well(case: Case) -> None:
    opened = open_certificate(case.certificate)
    material = Material("c", opened.attachments["bundle.json"], opened)
    report = verify(material, case.policy, now=now())
    assert report.verdict is Verdict.DEMONSTRATION
    assert [check(report, number) for number in ("7.1", "7.2", "7.3")] == [Status.PASS] * 3
    # The seal was made while its certificate was valid; that the verifier's clock moves on changes nothing.
    assert verify(material, case.policy, now=now() + timedelta(days=36500)).verdict is Verdict.DEMONSTRATION


def test_a_certificate_with_other_evidence_attached_is_refused(case: Case) -> None:
    opened = open_certificate(case.certificate)
    for name in ("manifest.json", "batch-header.json", "manifest-1.tst"):
        changed = replace(opened, attachments={**opened.attachments, name: b"{}"})
        report = verify(Material("c", case.bundle, changed), case.policy, now=now())
        assert check(report, "7.3") is Status.FAIL
        assert report.exit_code == 3
    missing = {name: data for name, data in opened.attachments.items() if name != "manifest.json"}
    surplus = {**opened.attachments, "extra.bin": b""}
    for attachments in (missing, surplus):
        changed = replace(opened, attachments=attachments)
        assert verify(Material("c", case.bundle, changed), case.policy, now=now()).exit_code == 3


def test_files_are_compared_when_they_are_given(case: Case) -> None:
    def with_files(*files: EvidenceFile) -> Report:
        return verify(Material("c", case.bundle, files=files), case.policy, now=now())

    assert check(run(case), "1.1") is Status.NOT_CHECKED
    assert check(with_files(EvidenceFile("any/name", digest_of(PAGE))), "1.1") is Status.PASS
    changed = with_files(EvidenceFile("capture/dom.html", digest_of(PAGE + b" ")))
    assert (check(changed, "1.1"), changed.exit_code) == (Status.FAIL, 3)
    assert "was changed" in changed.failures()[0].why
    stranger = with_files(EvidenceFile("other.html", digest_of(b"other")))
    assert "does not belong" in stranger.failures()[0].why


def test_the_shipped_policy_knows_none_of_this_and_says_untrusted(case: Case) -> None:
    report = run(case, policy=shipped())
    assert report.verdict is Verdict.UNTRUSTED
    assert report.exit_code == 4
    assert [item.id for item in report.failures()] == ["4.2", "5.3"]


def test_without_checkpoint_and_node_it_is_not_called_verified(case: Case) -> None:
    blind = replace(case.policy, chains=(replace(case.policy.chains[0], checkpoints={}),))
    report = run(case, policy=blind)
    assert (report.verdict, report.exit_code) == (Verdict.INCOMPLETE, 6)
    assert not report.findings.anchors[0].canonical
    answers = {
        ("canonical",): 0,
        ("not_finalized",): 5,
        ("different",): 3,
        ("different", "different"): 3,
        ("different", "unavailable"): 3,
        ("canonical", "unavailable"): 0,
        ("canonical", "not_finalized"): 5,
        ("unavailable", "unavailable"): 6,
        ("canonical", "different"): 6,
        ("not_finalized", "different"): 6,
    }
    for said, code in answers.items():
        report = run(case, policy=blind, compare_header=nodes(*said))
        assert (said, report.exit_code) == (said, code)
    disagreeing = run(case, policy=blind, compare_header=nodes("canonical", "different"))
    why = next(item.why for item in disagreeing.checks if item.id == "6.1")
    assert "node-0 has this block, final, node-1 has another block" in why


def test_a_checkpoint_and_nodes_are_weighed(case: Case) -> None:
    assert run(case, compare_header=nodes("unavailable")).exit_code == 0
    assert run(case, compare_header=nodes("canonical")).exit_code == 0
    contradicted = run(case, compare_header=nodes("different"))
    assert (check(contradicted, "6.1"), contradicted.exit_code) == (Status.NOT_CHECKED, 6)


def test_a_checkpoint_that_disagrees_is_a_failure(case: Case) -> None:
    points = dict.fromkeys(case.policy.chains[0].checkpoints, "0x" + "00" * 32)
    wrong = replace(case.policy, chains=(replace(case.policy.chains[0], checkpoints=points),))
    report = run(case, policy=wrong)
    assert (check(report, "6.1"), report.exit_code) == (Status.FAIL, 3)


def test_no_policy_turns_a_development_chain_into_evidence(case: Case) -> None:
    def honest(item: Voucher) -> Voucher:
        return replace(item, demonstration=False)

    generous = replace(case.policy, authorities=tuple(map(honest, case.policy.authorities)))
    value = case.value()
    value["manifest"]["purpose"] = "evidence"
    assert run(case, policy=generous).verdict is Verdict.DEMONSTRATION
    assert TrustedChain("x", 1337, "0x", "0x").demonstration
    assert not TrustedChain("x", 1, "0x", "0x").demonstration


def test_a_root_that_is_a_demonstration_is_one_under_every_name() -> None:
    def voucher(name: str, *, demonstration: bool) -> dict[str, Any]:
        return {"name": name, "roots": ["AAAA"], "demonstration": demonstration}

    value = {
        "format": "evidence-trust/1",
        "name": "two names",
        "authorities": {"minimum": 1, "trusted": []},
        "seal_issuers": [voucher("first", demonstration=False), voucher("second", demonstration=True)],
        "chains": [],
    }
    assert [item.demonstration for item in parse(json.dumps(value).encode()).seal_issuers] == [True, True]


def test_one_authority_twice_is_not_two(case: Case) -> None:
    value = case.value()
    value["timestamps"] = [item for item in value["timestamps"] if item["of"] == "manifest"][:1] * 2
    report = run(case, _build(value))
    assert (check(report, "4.2"), report.exit_code) == (Status.FAIL, 4)


def test_pending_evidence_says_so(case: Case) -> None:
    value = case.value()
    value |= {"anchors": []}
    assert run(case, _build(value)).exit_code == 5
    value |= {"inclusion": None, "batch_header": None}
    value["timestamps"] = [item for item in value["timestamps"] if item["of"] == "manifest"]
    report = run(case, _build(value))
    assert (check(report, "3.1"), report.exit_code) == (Status.PENDING, 5)
    assert run(case, _build(value | {"timestamps": []})).exit_code == 5


def _build(value: dict[str, Any]) -> bytes:
    return bundle.build({name: item for name, item in value.items() if name not in ("format", "checksum")})


def _tick(header: dict[str, Any]) -> None:
    header["closed_at"] = header["closed_at"][:-4] + (
        "998Z" if header["closed_at"].endswith("999Z") else "999Z"
    )


def _later(value: dict[str, Any]) -> None:
    at = document.format_time(now() + timedelta(hours=2))
    value["manifest"]["started_at"] = value["manifest"]["finished_at"] = at


FORGERIES: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("title rewritten", lambda v: v["manifest"]["matter"].update(applicant="Somebody else"), "2.2"),
    ("custody event removed", lambda v: v["custody"].pop(), "2.2"),
    ("custody event rewritten", lambda v: v["custody"][0].update(purpose="other"), "2.2"),
    ("salt exchanged", lambda v: v.update(salt="00" * 32), "3.1"),
    ("index moved", lambda v: v["inclusion"].update(index=0), "3.1"),
    ("size of proof and header differ", lambda v: v["inclusion"].update(size=4), "3.1"),
    ("path shortened", lambda v: v["inclusion"]["path"].pop(), "3.1"),
    ("header rewritten", lambda v: _tick(v["batch_header"]), "4.1"),
    ("tokens exchanged", lambda v: v["timestamps"][0].update(of="batch_header"), "4.1"),
    ("token cut", lambda v: v["timestamps"][0].update(token=v["timestamps"][0]["token"][:400]), "4.1"),
    ("token is nonsense", lambda v: v["timestamps"][0].update(token="AAAA"), "4.1"),
    ("another submitter", lambda v: v["anchors"][0].update(submitter="0x" + "11" * 20), "5.1"),
    ("another chain", lambda v: v["anchors"][0].update(chain_id="1"), "5.1"),
    ("another contract", lambda v: v["anchors"][0].update(contract="0x" + "11" * 20), "5.1"),
    ("capture after its time stamps", _later, "2.2"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "number"), FORGERIES, ids=[item[0] for item in FORGERIES])
def test_a_forgery_is_refused_by_its_check(
    case: Case, name: str, change: Callable[[dict[str, Any]], Any], number: str
) -> None:
    value = case.value()
    change(value)
    report = run(case, _build(value))
    assert report.exit_code == 3
    assert report.failures()[0].id == number, report.failures()


# --- the command ---


def evidence(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("evidence")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def files(case: Case, tmp_path: Path) -> Path:
    (tmp_path / "certificate.pdf").write_bytes(case.certificate)
    (tmp_path / "bundle.json").write_bytes(case.bundle)
    (tmp_path / "trust").write_bytes(case.trust_file)
    (tmp_path / "capture").mkdir()
    (tmp_path / "capture" / "dom.html").write_bytes(PAGE)
    return tmp_path


def test_the_command_verifies_certificate_bundle_and_files(files: Path) -> None:
    trust = ["--trust", files / "trust", "--offline"]
    done = evidence("verify", *trust, files / "certificate.pdf", files / "bundle.json", files / "capture")
    assert done.returncode == 0, done.stdout + done.stderr
    # The bundle beside the certificate is the one inside it: one subject.
    assert done.stdout.count("DEMONSTRATION") == 1
    answer = json.loads(evidence("verify", *trust, "--json", files / "certificate.pdf").stdout)
    assert answer["reports"][0]["verdict"] == "demonstration"
    assert evidence("verify", *trust, "--quiet", files / "certificate.pdf").stdout == ""


def test_the_command_asks_a_node(files: Path, chain: DevChain) -> None:
    trust = json.loads((files / "trust").read_text())
    trust["chains"][0]["checkpoints"] = []
    (files / "trust").write_text(json.dumps(trust))
    arguments = ["verify", "--trust", files / "trust", files / "bundle.json"]
    assert evidence(*arguments).returncode == 6
    assert evidence(*arguments, "--rpc", chain.rpc_url).returncode == 0
    assert evidence(*arguments, "--rpc", "http://127.0.0.1:1").returncode == 6


def test_exit_codes_of_the_command(files: Path) -> None:
    assert evidence("verify", files / "certificate.pdf").returncode == 4
    assert evidence("verify", files / "nothing").returncode == 2
    assert evidence("verify", "--trust", files / "bundle.json", files / "bundle.json").returncode == 2
    assert evidence("verify", files / "capture").returncode == 7
    for name in ("certificate.pdf", "bundle.json"):
        changed = bytearray((files / name).read_bytes())
        changed[len(changed) // 3] ^= 1
        (files / name).write_bytes(changed)
        done = evidence("verify", "--trust", files / "trust", files / name)
        assert done.returncode == 3, done.stdout
        assert "Traceback" not in done.stderr
    (files / "bundle.json").write_bytes(b'{"format":"evidence-bundle/9"}')
    assert evidence("verify", files / "bundle.json").returncode == 8
    (files / "bundle.json").write_bytes(b" " * (bundle.LIMIT + 1))
    assert evidence("verify", files / "bundle.json").returncode == 9


def test_inspect_shows_what_is_inside(files: Path) -> None:
    done = evidence("inspect", files / "certificate.pdf")
    assert done.returncode == 0
    assert '"manifest.json"' in done.stdout
    assert '"evidence-0001"' in done.stdout
