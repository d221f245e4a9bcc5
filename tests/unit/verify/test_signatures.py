"""Corners of CMS, certificate paths and checks that no forgery of the corpus reaches."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asn1crypto import cms, core
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtensionOID

from evidence_service.core.digest import digest_of
from evidence_service.errors import LimitExceededError, MalformedError
from evidence_service.verify import der
from evidence_service.verify.cms import LIMIT, read_signed_data
from evidence_service.verify.material import EvidenceFile, Material
from evidence_service.verify.path import trusted_path
from evidence_service.verify.policy import parse
from evidence_service.verify.report import Status
from evidence_service.verify.steps.run import Run
from evidence_service.verify.timestamp import read_token
from evidence_service.verify.verifier import verify
from tests.forgeries.keys import Authority, Issuer, SignerParts, authority, certify, key, later
from tests.forgeries.world import FIRST, Evidence, World, built, usual_value

IMPRINT = bytes(64)
NOW = datetime(2026, 4, 1, tzinfo=UTC)


def token(change: object = None, maker: Authority | None = None) -> bytes:
    return (maker or authority(FIRST)).token(IMPRINT, later(), change=change)  # type: ignore[arg-type]


def test_sizes_have_limits() -> None:
    with pytest.raises(LimitExceededError):
        read_signed_data(bytes(LIMIT + 1))
    with pytest.raises(LimitExceededError):
        read_token(bytes(64 * 1024 + 1), imprint=IMPRINT)


def test_digests_of_other_kinds_are_not_read() -> None:
    info = cms.ContentInfo.load(token())
    signer = info["content"]["signer_infos"][0]
    signer["digest_algorithm"] = {"algorithm": "sha3_512"}
    info["content"]["digest_algorithms"] = [{"algorithm": "sha3_512"}]
    with pytest.raises(MalformedError, match="not SHA-256"):
        read_token(info.dump(force=True), imprint=IMPRINT)


def test_parameters_where_there_are_none() -> None:
    info = cms.ContentInfo.load(token())
    scheme = info["content"]["signer_infos"][0]["signature_algorithm"]
    scheme["parameters"] = core.Null()
    with pytest.raises(MalformedError, match="has parameters"):
        read_token(info.dump(force=True), imprint=IMPRINT)


@pytest.mark.parametrize(
    ("subject_key", "hash_name"),
    [(ec.generate_private_key(ec.SECP256K1()), "sha256"), (ed25519.Ed25519PrivateKey.generate(), "sha256")],
    ids=["a curve of another family", "Ed25519"],
)
def test_keys_that_are_not_read(subject_key: object, hash_name: str) -> None:
    root = authority(FIRST).root
    odd = certify("odd", subject_key, root, ca=True, hash_name=hash_name)  # type: ignore[arg-type]

    def travel(parts: SignerParts) -> None:
        parts.certificates.append(odd.der)

    with pytest.raises(MalformedError, match="neither RSA nor on a curve"):
        read_token(token(travel), imprint=IMPRINT)


def test_too_many_certificates() -> None:
    def crowd(parts: SignerParts) -> None:
        parts.certificates += [authority(f"crowd {number}").root.der for number in range(11)]

    with pytest.raises(MalformedError, match="carries 12 certificates"):
        read_token(token(crowd), imprint=IMPRINT)


def test_der_integers_are_minimal() -> None:
    for data in (b"\x02\x00", b"\x02\x02\x00\x01", b"\x02\x02\xff\xff", b"\x01\x01\x01", b"\x05\x01\x00"):
        with pytest.raises(MalformedError, match="not in DER"):
            der.check(data)
    der.check(b"\x02\x02\x00\x80")
    der.check(b"\x02\x02\xff\x7f")
    with pytest.raises(MalformedError, match="not in DER"):
        der.check(b"\x30\x03\x02\x02\x01")


class _Unreadable:
    """A certificate whose extensions cannot be read."""

    def __init__(self, real: x509.Certificate) -> None:
        self._real = real

    def __getattr__(self, name: str) -> object:
        if name == "extensions":
            raise ValueError("broken")
        return getattr(self._real, name)


def test_paths_that_cannot_be_judged() -> None:
    maker = authority(FIRST)
    path = [maker.signer.certificate]
    complete = (maker.signer.certificate, maker.root.certificate)
    assert trusted_path(path, [maker.root.der], at=NOW, timestamping=True) == (complete, "")
    odd = [_Unreadable(maker.signer.certificate)]
    assert "cannot be read" in trusted_path(odd, [maker.root.der], at=NOW, timestamping=True)[1]  # type: ignore[arg-type]
    bare = _without_constraints(maker)
    between = [maker.signer.certificate, bare.certificate]
    assert trusted_path(between, [bare.der], at=NOW, timestamping=True)[0] is None
    assert "may not issue" in trusted_path(between, [bare.der], at=NOW, timestamping=True)[1]
    twin = certify(f"{FIRST} root", key("twin"), None, ca=True)
    assert "does not lead" in trusted_path(path, [twin.der], at=NOW, timestamping=True)[1]


def _without_constraints(maker: Authority) -> Issuer:
    """An old certificate of version 3 that says nothing about being an issuer."""
    own = key("bare")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bare")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(own.public_key())
        .serial_number(5)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
    )
    from cryptography.hazmat.primitives import hashes

    made = Issuer(own, builder.sign(own, hashes.SHA256()))
    assert not [item for item in made.certificate.extensions if item.oid == ExtensionOID.BASIC_CONSTRAINTS]
    return made


def test_a_seal_is_reported_although_the_bundle_is_broken(tmp_path: Path) -> None:
    from evidence_service.verify.certificate import open_certificate

    world = World(tmp_path)
    opened = open_certificate(world.sealed(b"", attachments={"bundle.json": b"{}"}))
    report = verify(Material("c", b"{}", opened), parse(world.trust()), now=NOW)
    assert [(check.id, check.status) for check in report.checks] == [
        ("2.1", Status.FAIL),
        ("7.1", Status.PASS),
        ("7.2", Status.PASS),
    ]
    assert report.findings.seal is not None


def test_copies_of_attachments_are_no_evidence_files(tmp_path: Path) -> None:
    value = json.loads(usual_value())
    data, policy = built(value), parse(World(tmp_path).trust(value))
    copy = EvidenceFile("bundle.json", digest_of(data))
    report = verify(Material("b", data, files=[copy]), policy, now=NOW)
    first = report.checks[0]
    assert (first.id, first.status, report.findings.files[0].status) == (
        "1.1",
        Status.NOT_CHECKED,
        "attachment",
    )
    page = EvidenceFile("dom.html", digest_of(Evidence().files["dom.html"]))
    assert verify(Material("b", data, files=[copy, page]), policy, now=NOW).checks[0].status is Status.PASS


def test_a_limit_is_reported_once(tmp_path: Path) -> None:
    run = Run(parse(World(tmp_path).trust()), NOW)
    run.failed("4.1", LimitExceededError("first"))
    run.failed("5.1", LimitExceededError("second"))
    assert [(check.id, check.why) for check in run.checks] == [("0.1", "first")]


def test_a_transaction_with_too_few_fields() -> None:
    import rlp as other

    from evidence_service.verify import chain

    envelope = b"\x02" + bytes(other.encode([1, 2, 3]))
    with pytest.raises(MalformedError, match="3 fields"):
        chain._check_transaction(envelope, contract=bytes(20), chain_id=1)


def test_both_checks_of_an_anchor_without_state() -> None:
    from evidence_service.core import batch, bundle
    from evidence_service.verify.chain import verify_anchor

    value = Evidence(blocks=({"state": False},)).value()
    header = batch.commitment(bundle.canonical.encode(value["batch_header"]))
    assert not verify_anchor(value["anchors"][0], commitment=header, leaf_count=5).has_state_proof


def test_pending_bundles_attach_less() -> None:
    from evidence_service.verify.steps.seal import expected_attachments

    value = {**json.loads(usual_value()), "batch_header": None, "timestamps": []}
    assert set(expected_attachments(value)) == {"manifest.json"}
