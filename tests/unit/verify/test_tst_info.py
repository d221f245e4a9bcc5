"""The content of a time stamp, byte for byte."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from asn1crypto import tsp, x509

from evidence_service.errors import MalformedError
from evidence_service.verify import tst_info

IMPRINT = bytes(range(64))


def info(**members: object) -> bytes:
    """DER by another library."""
    return tsp.TSTInfo(
        {
            "version": "v1",
            "policy": "1.2.3",
            "message_imprint": {"hash_algorithm": {"algorithm": "sha512"}, "hashed_message": IMPRINT},
            "serial_number": 300,
            "gen_time": datetime(2026, 3, 4, 5, 6, 7, 120_000, tzinfo=UTC),
        }
        | members
    ).dump()


def test_everything_is_read() -> None:
    name = x509.GeneralName("directory_name", x509.Name.build({"common_name": "TSA"}))
    found = tst_info.read(
        info(
            accuracy={"seconds": 1, "millis": 20, "micros": 300},
            ordering=True,
            nonce=-7,
            tsa=name,
            extensions=[{"extn_id": "1.2.3", "critical": False, "extn_value": b"\x05\x00"}],
            policy="2.999.40000.1",
        )
    )
    assert found == tst_info.TstInfo(
        policy="2.999.40000.1",
        sha512=IMPRINT,
        sha3_512=None,
        serial=300,
        gen_time=datetime(2026, 3, 4, 5, 6, 7, 120_000, tzinfo=UTC),
        accuracy_ms=1021,
        nonce=-7,
    )


def test_what_may_be_left_out() -> None:
    found = tst_info.read(info())
    assert (found.accuracy_ms, found.nonce, found.policy) == (None, None, "1.2.3")
    assert tst_info.read(info(accuracy={"micros": 1})).accuracy_ms == 1
    assert tst_info.read(info(policy="0.39")).policy == "0.39"


def test_another_digest_is_none_of_ours() -> None:
    other = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": bytes(32)}
    found = tst_info.read(info(message_imprint=other))
    assert (found.sha512, found.sha3_512) == (None, None)
    newer = {"hash_algorithm": {"algorithm": "sha3_512"}, "hashed_message": bytes(64)}
    found = tst_info.read(info(message_imprint=newer))
    assert (found.sha512, found.sha3_512) == (None, bytes(64))


def _replace(old: bytes, new: bytes) -> bytes:
    data = info()
    assert data.count(old) == 1
    return sequence(content(data).replace(old, new))


def content(data: bytes) -> bytes:
    """What is inside a sequence."""
    return data[3:] if data[1] == 0x81 else data[2:]


def sequence(inside: bytes) -> bytes:
    """A sequence around something of less than 256 bytes."""
    return b"\x30" + (b"\x81" if len(inside) > 127 else b"") + bytes([len(inside)]) + inside


TIME = b"20260304050607.12Z"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (info(version=2), "not of version 1"),
        (b"\x30\x03\x02\x01\x01", "incomplete"),
        (b"\x05\x00", "where 0x30 belongs"),
        (_replace(b"\x18\x12" + TIME, b"\x18\x1020260304050607.Z"), "not a UTC time in DER"),
        (_replace(b"\x18\x12" + TIME, b"\x18\x1320260304050607.120Z"), "not a UTC time in DER"),
        (_replace(b"\x18\x12" + TIME, b"\x18\x0f20260230050607Z"), "not a date that exists"),
        (_replace(b"\x18\x12" + TIME, b"\x18\x1320260304050607+0000"), "not a UTC time in DER"),
        (_replace(b"\x06\x02\x2a\x03", b"\x06\x03\x2a\x80\x03"), "not a minimal object identifier"),
        (_replace(b"\x06\x02\x2a\x03", b"\x06\x02\x2a\x83"), "not an object identifier"),
        (_replace(b"\x06\x02\x2a\x03", b"\x06\x00"), "not an object identifier"),
        (info(accuracy={"millis": 0}), "accuracy"),
        (info(accuracy={"micros": 1000}), "accuracy"),
        (info(accuracy={"seconds": -5}), "accuracy"),
    ],
)
def test_what_is_not_of_the_form(data: bytes, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        tst_info.read(data)


def test_a_part_nobody_knows() -> None:
    longer = sequence(content(info(nonce=1)) + b"\x05\x00")
    with pytest.raises(MalformedError, match="does not know"):
        tst_info.read(longer)
    with pytest.raises(MalformedError, match="accuracy"):
        tst_info.read(_with_odd_accuracy())
    with pytest.raises(MalformedError, match="not two parts"):
        tst_info.read(_with_odd_imprint())


def _with_odd_accuracy() -> bytes:
    data = content(info(accuracy={"seconds": 1}))
    return sequence(data.replace(b"\x30\x03\x02\x01\x01", b"\x30\x05\x02\x01\x01\x05\x00"))


def _with_odd_imprint() -> bytes:
    imprint = tsp.TSTInfo.load(info())["message_imprint"].dump()
    return sequence(content(info()).replace(imprint, sequence(content(imprint) + b"\x05\x00")))
