"""Genuine long-term seals: the level each one achieved and what 7.4 and 7.5 say of it, in both implementations."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from asn1crypto import crl as asn1_crl
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from evidence_service.verify import pdf
from evidence_service.verify.certificate import open_certificate
from evidence_service.verify.inspection import describe
from evidence_service.verify.material import Material
from evidence_service.verify.report import Report
from tests.forgeries.keys import Authority, Issuer, authority, certify, key, later, seal_issuer
from tests.forgeries.longterm import with_stamp, with_store
from tests.forgeries.renewing import day, revocation_list
from tests.forgeries.run import report_of, second_opinions
from tests.forgeries.updates import Base
from tests.forgeries.world import FIRST, SECOND, Case, World, usual_authorities, voucher
from tests.sealing import sealed_at

OTHER = authority(SECOND, "rsa2048", "sha512")
REASONS = x509.ReasonFlags


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return Base(World(tmp_path_factory.mktemp("world")))


def said(case: Case) -> tuple[Report, str, dict[str, str]]:
    """What both implementations say: the report, the level, the statuses; they have to agree."""
    report = report_of(case)
    statuses = {check.id: check.status.value for check in report.checks}
    assert report.findings.seal is not None
    (second,) = second_opinions([case])
    seen = (report.verdict.value, report.findings.seal.level, statuses)
    assert (second["verdict"], second["level"], second["checks"]) == seen, second
    return report, report.findings.seal.level, statuses


def _sealed_short(base: Base) -> bytes:
    """The seal's certificate ends after nine days."""
    folder = base.world.directory / "short"
    folder.mkdir(exist_ok=True)
    issuer = seal_issuer("Evidence Service", folder, valid=(later(days=-3), later(days=9)))
    return base.world.sealed(base.data, issuer=issuer)


def _listed(base: Base, *entries: tuple[x509.Certificate, datetime, x509.ReasonFlags | None]) -> list[bytes]:
    return base.listing(*entries)


def _stamper_lost(base: Base) -> bytes:
    """The key of the seal's time stamp was lost after the next stamp, by another authority."""
    lost = (base.maker.signer.certificate, later(days=2), REASONS.key_compromise)
    pdf = with_stamp(with_store(base.sealed, base.certificates, base.lists), base.at(OTHER, days=1))
    return with_store(pdf, (), [revocation_list(base.maker.root, lost, at=later(days=3))])


def _late_data(base: Base) -> bytes:
    """What was missing under the time stamp came after it."""
    pdf = with_stamp(with_store(base.sealed, base.certificates, base.lists[:1]), base.at())
    return with_store(pdf, (), base.lists[1:])


def _dated(base: Base, at: datetime) -> bytes:
    """Lists of another day, current for a week."""
    return with_store(base.sealed, (), [revocation_list(root, at=at) for root in _roots(base)])


def _roots(base: Base) -> tuple[Issuer, Issuer]:
    return base.world.issuer.root, base.maker.root


def _never_due(base: Base) -> bytes:
    """A list that does not say when the next one comes, signed as it is."""
    issuer = base.maker.root
    found = asn1_crl.CertificateList.load(base.lists[1])
    del found["tbs_cert_list"]["next_update"]
    assert isinstance(issuer.key, ec.EllipticCurvePrivateKey)
    found["signature"] = issuer.key.sign(found["tbs_cert_list"].dump(force=True), ec.ECDSA(hashes.SHA256()))
    return with_store(base.sealed, base.certificates, [base.lists[0], found.dump(force=True)])


def _by_middle(base: Base) -> bytes:
    """An authority with an issuer in the middle; the store leads up from what travels in the token."""
    middle, maker = _middle(base)
    sealed = base.world.sealed(base.data, stamp=lambda digest: maker.token(digest, later(minutes=5)))
    lists = [base.lists[0], base.lists[1], revocation_list(middle)]
    return with_stamp(with_store(sealed, (*base.certificates[:2], middle.der), lists), base.at())


def _middle(base: Base) -> tuple[Issuer, Authority]:
    middle = certify("Middle", key("Middle"), base.maker.root, ca=True, path_length=0)
    signer = certify("Middle signer", key("Middle signer"), middle, stamping=True)
    return middle, Authority(FIRST, base.maker.root, signer, (middle,))


Rest = tuple[str, str | None, str | None]
"""Level, status of 7.4, status of 7.5."""
LT: Rest = ("PAdES B-LT", "pass", None)
LTA: Rest = ("PAdES B-LTA", "pass", "pass")
GENUINE: dict[str, tuple[Callable[[Base], bytes], float, Rest]] = {
    "a seal and its time stamp": (lambda b: b.sealed, 30, ("PAdES B-T", None, None)),
    "with validation data": (lambda b: b.stored, 30, LT),
    "with a document time stamp": (lambda b: b.stamped, 30, LTA),
    "years later": (lambda b: b.stamped, 4000, LTA),
    "stamped again twice": (
        lambda b: with_stamp(with_store(with_stamp(with_store(b.stamped), b.at(OTHER, days=9))), b.at(days=99)), 99, LTA),
    "stamped when the lists could not be had": (
        lambda b: with_stamp(with_store(b.sealed, b.certificates), b.at()), 30, ("PAdES B-T", "not_checked", "pass")),
    "a store of nothing": (lambda b: with_store(b.sealed), 30, ("PAdES B-T", None, None)),
    "a store of nothing, stamped": (lambda b: with_stamp(with_store(b.sealed), b.at()), 30, ("PAdES B-T", None, "pass")),
    "validation data twice, then a time stamp": (
        lambda b: with_stamp(with_store(with_store(b.sealed, b.certificates), (), b.lists), b.at()), 30, LTA),
    "data for the newest time stamp after it": (lambda b: with_store(b.stamped, (), [revocation_list(b.maker.root)]), 30, LTA),
    "a list about the seal alone": (
        lambda b: with_store(b.sealed, b.certificates, b.lists[:1]), 30, ("PAdES B-T", "not_checked", None)),
    "data that came after the time stamp": (_late_data, 30, ("PAdES B-LT", "pass", "pass")),
    "lists of the week before": (lambda b: _dated(b, later(days=-8)), 30, ("PAdES B-T", "not_checked", None)),
    "lists of the day before": (lambda b: _dated(b, later(days=-1)), 30, LT),
    "lists of the week after": (lambda b: _dated(b, later(days=5)), 30, LT),
    "lists from after the certificates' end": (
        lambda b: _dated(b, datetime(2041, 1, 1, tzinfo=UTC)), 30, ("PAdES B-T", "not_checked", None)),
    "a list without a date of the next": (_never_due, 30, ("PAdES B-T", "not_checked", None)),
    "the seal's certificate ended": (
        lambda b: with_stamp(with_store(_sealed_short(b), b.certificates, b.lists), b.at()), 400, LTA),
    "the seal's certificate revoked later": (
        lambda b: with_store(b.sealed, b.certificates, _listed(b, (b.seal_certificate(), later(days=1), REASONS.key_compromise))),
        30, LT),
    "the seal's certificate replaced later": (
        lambda b: with_store(b.sealed, b.certificates, _listed(b, (b.seal_certificate(), later(days=1), REASONS.superseded))),
        30, LT),
    "somebody else revoked": (
        lambda b: with_store(b.sealed, b.certificates, _listed(b, (OTHER.signer.certificate, later(days=-1), None))), 30, LT),
    "the seal's time stamp by a key that was lost after the next one": (_stamper_lost, 30, LTA),
    "an issuer in the middle": (_by_middle, 30, LTA),
    "a seal without a time stamp, stamped as a document": (
        lambda b: with_stamp(with_store(b.world.sealed(b.data, stamp=None), b.certificates, b.lists), b.at()), 30,
        ("PAdES B-B", "pass", "pass")),
    "the maker of the service, B-LT": (lambda b: _made(b, "PAdES B-LT", 5), 30, LT),
    "the maker of the service, B-LTA": (lambda b: _made(b, "PAdES B-LTA", 5, 6), 30, LTA),
    "the maker of the service, extended twice": (lambda b: _made(b, "PAdES B-LTA", 5, 6, 7, 9000), 30, LTA),
}  # fmt: skip


def _made(base: Base, level: str, *minutes: float) -> bytes:
    document = base.sealed[: base.sealed.index(b"%%EOF") + 6]
    stamps = [(base.maker, later(minutes=at)) for at in minutes]
    return sealed_at(document, base.world.issuer.key, level, *_roots(base), stamps=stamps)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", GENUINE)
def test_the_level_is_the_one_achieved(base: Base, name: str) -> None:
    make, at, expected = GENUINE[name]
    report, level, statuses = said(Case(name, base.trust, certificate=make(base), now=day(at)))
    assert report.verdict.value == "evidence", report.failures()
    assert (level, statuses.get("7.4"), statuses.get("7.5")) == expected, [c.why for c in report.checks]


def test_a_seal_outlives_its_authority_only_by_a_time_stamp_that_is_trusted(base: Base) -> None:
    """Stamped by somebody unknown, then by somebody known while the seal's certificate was valid."""
    stranger = authority("Stranger")
    folder = base.world.directory / "short"
    folder.mkdir(exist_ok=True)
    issuer = seal_issuer("Evidence Service", folder, valid=(later(days=-3), later(days=9)))
    sealed = base.world.sealed(base.data, issuer=issuer, stamp=base.at(stranger, minutes=5))
    stored = with_store(sealed, base.certificates[:1], base.lists[:1])
    in_time = Case("in time", base.trust, certificate=with_stamp(stored, base.at(days=1)), now=day(400))
    report, level, statuses = said(in_time)
    assert (report.verdict.value, level, statuses["7.4"]) == ("evidence", "PAdES B-T", "not_checked")
    assert next(check.why for check in report.checks if check.id == "7.4").startswith(
        "the validation data is not complete: the time stamp by Stranger signer is not trusted"
    )
    late = Case("late", base.trust, certificate=with_stamp(stored, base.at(days=10)), now=day(400))
    report, _, statuses = said(late)
    assert (report.verdict.value, statuses["7.2"]) == ("untrusted", "fail")


def test_without_trust_in_the_issuer_the_level_is_not_claimed(base: Base) -> None:
    trust = base.world.trust(None, seal_issuers=[])
    report, level, statuses = said(Case("unknown issuer", trust, certificate=base.stored))
    assert (level, statuses["7.2"], statuses["7.4"]) == ("PAdES B-T", "fail", "not_checked")
    why = next(check.why for check in report.checks if check.id == "7.4")
    assert "the seal is not trusted" in why
    assert "1 lists not judged, the policy does not know their issuer" in why


def test_the_words_say_what_was_found(base: Base) -> None:
    revoked = with_store(
        base.sealed, (), _listed(base, (base.seal_certificate(), later(days=1), REASONS.superseded))
    )
    report, _, _ = said(Case("words", base.trust, certificate=with_stamp(revoked, base.at(OTHER))))
    words = {check.id: check.why for check in report.checks}
    assert words["7.1"].endswith("every byte of it covered, 2 later revisions add proofs alone")
    assert words["7.4"] == (
        "2 revocation lists, none revokes what the seal and its stamps rest on; revoked later, which takes "
        "nothing away: Evidence Service seal (2026-03-05)"
    )
    assert words["7.5"] == (
        "1 document time stamps, the last by Second Authority; covered until 2040-01-01T00:00:00.000Z"
    )
    shown = report.to_document()["evidence"]["seal"]
    assert [(item["of"], item["authority"]) for item in shown["archive_timestamps"]] == [("document", SECOND)]


def test_a_demonstration_stamp_makes_it_a_demonstration(base: Base) -> None:
    maker = authority("Demonstration")
    trusted = [*usual_authorities()["trusted"], voucher("Demonstration", maker.root.der, demonstration=True)]
    trust = json.loads(base.trust) | {"authorities": {"minimum": 2, "trusted": trusted}}
    pdf = with_stamp(base.stored, base.at(maker))
    report, level, _ = said(Case("demonstration", json.dumps(trust).encode(), certificate=pdf))
    assert (report.verdict.value, level) == ("demonstration", "PAdES B-LTA")


def test_what_is_cut_off_at_a_revision_lowers_the_level_and_nothing_else(base: Base) -> None:
    whole = with_store(base.stamped)
    ends = [end for _, end in pdf.read(whole).revisions]
    levels = [said(Case("cut", base.trust, certificate=whole[:end]))[1] for end in ends[1:]]
    assert levels == ["PAdES B-T", "PAdES B-LT", "PAdES B-LTA", "PAdES B-LTA"]


def changed(base: Base, whole: bytes, *, step: int, chosen: random.Random) -> list[tuple[int, Case]]:
    """One byte changed behind the seal, each step-th of them."""
    result = []
    for place in range(len(base.sealed) + chosen.randrange(step), len(whole), step):
        forged = bytearray(whole)
        forged[place] ^= chosen.randrange(1, 256)
        result.append((place, Case(f"byte {place}", base.trust, certificate=bytes(forged))))
    return result


def is_refused(case: Case) -> bool:
    return report_of(case).exit_code in (3, 8, 9)


def test_every_changed_byte_after_the_seal_is_detected(base: Base) -> None:
    """A sample here, each one in the campaign."""
    chosen = random.Random(5)
    found = [case for _, case in changed(base, base.stamped, step=31, chosen=chosen)]
    assert [case.name for case in found if not is_refused(case)] == []
    answers = second_opinions(chosen.sample(found, 60))
    assert [item["name"] for item in answers if item["exit_code"] not in (3, 8, 9)] == []


HARMLESS = (
    rb"[ \n]",
    # What no reader asks for: the first entry of a table, size and identifier in the trailer.
    rb"\d{10} \d{5} f",
    rb"/Size \d+",
    rb"/ID \[.*\]",
)


def test_where_validation_data_without_a_time_stamp_can_be_changed_unseen(base: Base) -> None:
    """At level B-LT nothing covers the last revision; what is concluded from stays protected by itself."""
    data = base.stored
    places = {
        place
        for pattern in HARMLESS
        for match in re.finditer(pattern, data)
        for place in range(*match.span())
    }
    for root in base.certificates[:2]:
        # Nobody signs the copy of a root that calls itself by another name, and nothing is concluded from it.
        places |= set(range(data.index(root), data.index(root) + len(root)))
    unseen = [
        (place, report_of(case))
        for place, case in changed(base, data, step=13, chosen=random.Random(6))
        if not is_refused(case)
    ]
    assert [place for place, _ in unseen if place not in places] == []
    assert {report.findings.seal.level for _, report in unseen if report.findings.seal} == {"PAdES B-LT"}


def test_inspect_shows_what_each_revision_adds(base: Base) -> None:
    opened = open_certificate(base.stamped)
    shown = describe(Material("c", opened.attachments["bundle.json"], opened))["revisions"]
    assert [item["adds"] for item in shown] == ["document", "seal", "validation", "stamp"]
    assert sum(item["bytes"] for item in shown) == len(base.stamped)
    assert [item["subject"] for item in shown[2]["certificates"]] == [
        "Evidence Service root",
        f"{FIRST} root",
        f"{FIRST} signer",
    ]
    assert [(item["issuer"], item["entries"]) for item in shown[2]["lists"]] == [
        ("Evidence Service root", 0),
        (f"{FIRST} root", 0),
    ]
    assert shown[3]["timestamp"]["time"] == "2026-03-04T05:16:07.000Z"
    broken = with_store(base.sealed, [base.lists[0]], ())
    opened = open_certificate(broken)
    (unreadable,) = describe(Material("c", opened.attachments["bundle.json"], opened))["revisions"][2][
        "certificates"
    ]
    assert unreadable["unreadable"].startswith("not of the form of the format")
