"""Revocation lists: the one form that is read, and against another reader."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from asn1crypto import core
from asn1crypto import crl as asn1_crl
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from evidence_service.core.stamp import CRL_LIMIT
from evidence_service.errors import EvidenceError, LimitExceededError, MalformedError, MismatchError
from evidence_service.verify import crl
from tests.forgeries.keys import EPOCH, authority, certify, key, later
from tests.forgeries.renewing import revocation_list
from tests.forgeries.world import FIRST

MAKER = authority(FIRST)
STRANGER = authority("Stranger").signer.certificate
PATH = [MAKER.signer.certificate, MAKER.root.certificate]
FULL = revocation_list(
    MAKER.root,
    (STRANGER, later(days=-3), x509.ReasonFlags.superseded),
    (MAKER.signer.certificate, later(days=2), None),
    extensions=((x509.CRLNumber(3), False),),
)


def changed(change: Callable[[Any], None]) -> bytes:
    """The list with members of its content exchanged; its signature no longer fits."""
    value = asn1_crl.CertificateList.load(FULL)
    value["tbs_cert_list"]["version"].native  # noqa: B018 - parses the members
    change(value["tbs_cert_list"])
    return bytes(value.dump(force=True))


def test_what_is_read_is_what_another_reader_reads() -> None:
    found, other = crl.read(FULL), x509.load_der_x509_crl(FULL)
    assert found.issuer == other.issuer.public_bytes()
    assert (found.this_update, found.next_update) == (other.last_update_utc, other.next_update_utc)
    assert [item.serial for item in found.entries] == [item.serial_number for item in other]
    assert [item.revoked_at for item in found.entries] == [item.revocation_date_utc for item in other]
    assert [item.reason for item in found.entries] == [4, None]
    assert found.is_signed_by(MAKER.root.certificate)
    assert not found.is_signed_by(MAKER.signer.certificate)


def test_an_empty_list_revokes_nobody() -> None:
    found = crl.read(revocation_list(MAKER.root))
    assert found.entries == ()
    assert crl.revoked(found, PATH, at=EPOCH) == []


def test_dates_far_away_and_long_ago() -> None:
    def without_next(value: Any) -> None:
        value["this_update"] = asn1_crl.Time({"general_time": datetime(2051, 1, 2, 3, 4, 5, tzinfo=UTC)})
        del value["next_update"]
        value["revoked_certificates"][0]["revocation_date"] = asn1_crl.Time(
            {"utc_time": datetime(1951, 1, 1, tzinfo=UTC)}
        )

    found = crl.read(changed(without_next))
    assert (found.this_update, found.next_update) == (datetime(2051, 1, 2, 3, 4, 5, tzinfo=UTC), None)
    assert found.entries[0].revoked_at == datetime(1951, 1, 1, tzinfo=UTC)


def _extension(critical: bool, value: bytes = b"\x05\x00", identifier: str = "1.2.3") -> dict[str, Any]:
    return {"extn_id": identifier, "critical": critical, "extn_value": value}


def _set(name: str, value: Any) -> Callable[[Any], None]:
    return lambda tbs: tbs.__setitem__(name, value)


MALFORMED: list[tuple[str, Callable[[Any], None], str]] = [
    ("an empty list of entries", _set("revoked_certificates", []), "there and empty"),
    ("an empty list of extensions", _set("crl_extensions", []), "extensions is there and empty"),
    ("an extension twice", _set("crl_extensions", [_extension(False)] * 2), "twice"),
    ("version 1", lambda tbs: tbs.__delitem__("version"), "belongs"),
    ("version 3", _set("version", 2), "version 2"),
]


@pytest.mark.parametrize(
    ("change", "words"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED]
)
def test_other_forms_are_refused(change: Callable[[Any], None], words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        crl.read(changed(change))


def _raw(*parts: bytes) -> bytes:
    """A SEQUENCE of these elements."""
    content = b"".join(parts)
    return core.Sequence(contents=content).dump()


def _tbs(*fields: bytes) -> bytes:
    """A list whose content has these fields; signature and algorithm are the usual ones."""
    value = asn1_crl.CertificateList.load(FULL)
    return _raw(_raw(*fields), value["signature_algorithm"].dump(), value["signature"].dump())


def _fields() -> list[bytes]:
    tbs = asn1_crl.CertificateList.load(FULL)["tbs_cert_list"]
    names = ("version", "signature", "issuer", "this_update", "next_update")
    return [tbs[name].dump() for name in names]


def test_parts_that_do_not_belong() -> None:
    fields = _fields()
    null, extension = b"\x05\x00", _raw(b"\x06\x02\x2a\x03", b"\x04\x02\x05\x00")
    for name, made in {
        "does not know": _tbs(*fields, null),
        "not one list": _tbs(*fields, b"\xa0\x04" + null * 2),
        "has 1 parts": _tbs(*fields, _raw(_raw(b"\x02\x01\x05"))),
        "has 4 parts": _tbs(*fields, _raw(_raw(b"\x02\x01\x05", fields[3], _raw(extension), null))),
        "not of the form": _tbs(
            *fields, b"\xa0" + _raw(_raw(_raw(b"\x06\x02\x2a\x03", null, b"\x04\x00")))[1:]
        ),
        "is not of version 2": _tbs(*fields[:3]),
        "time that exists": _tbs(*fields[:3], b"\x17\x0d260230000000Z"),
        "0x04 where 0x18 belongs": _tbs(*fields[:3], b"\x04\x00"),
        "0x31 where 0x30 belongs": _tbs(*fields[:2], b"\x31\x00", *fields[3:]),
        "whole number of bytes": FULL.replace(b"\x03\x48\x00\x30", b"\x03\x48\x01\x30")
        .replace(b"\x03\x47\x00\x30", b"\x03\x47\x01\x30")
        .replace(b"\x03\x49\x00\x30", b"\x03\x49\x01\x30"),
    }.items():
        with pytest.raises(MalformedError, match=name):
            crl.read(made)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"\x0a\x02\x01\x01", "reason that does not exist"),
        (b"\x0a\x01\x07", "reason that does not exist"),
        (b"\x0a\x01\x0b", "reason that does not exist"),
        (b"\x0a\x00", "reason that does not exist"),
        (b"\x02\x01\x01", "0x02 where 0x0a belongs"),
        (b"\x0a\x01\x01\x00", "after its end"),
    ],
)
def test_reasons_that_are_none(value: bytes, words: str) -> None:
    fields = _fields()
    reason = _raw(b"\x06\x03\x55\x1d\x15", b"\x04" + bytes([len(value)]) + value)
    with pytest.raises(MalformedError, match=words):
        crl.read(_tbs(*fields, _raw(_raw(b"\x02\x01\x05", fields[3], _raw(reason)))))


def test_whom_a_list_is_about() -> None:
    found = crl.read(FULL)
    assert crl.revoked(found, PATH, at=EPOCH) == [MAKER.signer.certificate]
    # Without the root nobody can tell who signed it.
    assert crl.revoked(found, PATH[:1], at=EPOCH) is None
    with pytest.raises(MismatchError, match="none of the token's certificates"):
        crl.revoked(found, [authority("Stranger").root.certificate], at=EPOCH)
    twin = certify(f"{FIRST} root", key("twin"), None, ca=True)
    with pytest.raises(MismatchError, match="not signed by the issuer it names"):
        crl.revoked(found, [MAKER.signer.certificate, twin.certificate], at=EPOCH)


def test_a_certificate_whose_extensions_cannot_be_read_signs_nothing() -> None:
    class Unreadable:
        def __getattr__(self, name: str) -> object:
            if name == "extensions":
                raise x509.DuplicateExtension("twice", x509.ObjectIdentifier("1.2.3"))
            return getattr(MAKER.root.certificate, name)

    assert not crl.read(FULL).is_signed_by(Unreadable())  # type: ignore[arg-type]


def test_an_old_certificate_without_a_version_is_read() -> None:
    # Version 1 has no [0] before its serial number; the issuer's name stands one place earlier.
    value = asn1_old()
    assert crl._issuer_name(value) == value.issuer.public_bytes()


def asn1_old() -> x509.Certificate:
    """The root as a certificate of version 1."""
    from asn1crypto import x509 as asn1_x509

    value = asn1_x509.Certificate.load(MAKER.root.certificate.public_bytes(Encoding.DER))
    tbs = value["tbs_certificate"]
    del tbs["extensions"]
    tbs["version"] = "v1"
    return x509.load_der_x509_certificate(value.dump(force=True))


@given(st.integers(0, len(FULL) - 1), st.integers(0, 7))
def test_any_flipped_bit_is_refused(place: int, bit: int) -> None:
    data = bytearray(FULL)
    data[place] ^= 1 << bit
    with pytest.raises(EvidenceError):
        crl.revoked(crl.read(bytes(data)), PATH, at=EPOCH)


def test_a_list_has_a_limit() -> None:
    with pytest.raises(LimitExceededError, match="limit is 65536"):
        crl.read(bytes(CRL_LIMIT + 1))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        crl.read(data)
