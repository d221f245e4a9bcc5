"""Each defect of a WACZ has its code; what other software wrote is told apart from what was changed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.unit.importing import archives
from tests.unit.importing.archives import declared, doubled, index, members, package_hash, pages, wacz
from tests.unit.importing.examined import codes, examined, wrong

MADE_BY_OTHERS = Path(__file__).parents[2] / "vectors" / "importing"
ORIGIN = "archive/data.warc.gz"


def altered(name: str, data: bytes) -> dict[str, object]:
    found = declared(name, data)
    return {**found, "hash": doubled(data)} if name == ORIGIN else found


def only(member: str, **changes: object) -> archives.Declare:
    return lambda name, data: {**declared(name, data), **(changes if name == member else {})}


def overlapping() -> bytes:
    data = wacz()
    second = data.rfind(b"PK\x01\x02")
    return data[: second + 42] + bytes(4) + data[second + 46 :]


def with_comment() -> bytes:
    sink = io.BytesIO(wacz())
    with zipfile.ZipFile(sink, "a") as target:
        target.comment = b"hello"
    return sink.getvalue()


def damaged() -> bytes:
    data = bytearray(wacz())
    data[data.index(archives.pages()) + 5] ^= 1
    return bytes(data)


CASES: dict[str, Callable[[], bytes]] = {
    "zip.refused": overlapping,
    "zip.surplus": with_comment,
    "zip.member_damaged": damaged,
    "wacz.datapackage": lambda: wacz(package={"resources": []}),
    "wacz.version": lambda: wacz(package={"wacz_version": "0.9"}),
    "wacz.resource_missing": lambda: wacz(left_out=["pages/pages.jsonl"]),
    "wacz.resource_size": lambda: wacz(declare=only(ORIGIN, bytes=1)),
    "wacz.resource_hash": lambda: wacz(declare=only(ORIGIN, hash="sha256:" + "0" * 64)),
    "wacz.resource_hash_doubled": lambda: wacz(declare=altered),
    "wacz.resource_unhashed": lambda: wacz(declare=only(ORIGIN, hash=None)),
    "wacz.member_unlisted": lambda: wacz(more={"extra.txt": b"x"}),
    "wacz.digest_missing": lambda: wacz(left_out=["datapackage-digest.json"]),
    "wacz.digest": lambda: wacz(digest={"hash": "sha256:" + "0" * 64}),
    "wacz.unsigned": wacz,
    "wacz.signature": lambda: wacz(digest={"signedData": {"hash": "sha256:00", "signature": ""}}),
    "wacz.signature_not_checked": lambda: signed(anonymous),
    "wacz.archive_missing": lambda: wacz(members(warc=None)),
    "wacz.archive_compressed": lambda: wacz(compress=zipfile.ZIP_DEFLATED),
    "wacz.index_missing": lambda: wacz(members(index=None)),
    "wacz.index": lambda: wacz(members(index=b"nonsense\n")),
    "wacz.index_record": lambda: wacz(members(index=index(offset="7"))),
    "wacz.index_length": lambda: wacz(members(index=index(length="7"))),
    "wacz.index_digest": lambda: wacz(members(index=index(digest=archives.sha256(b"other")))),
    "wacz.record_unindexed": lambda: wacz(members(index=b"!meta\n")),
    "wacz.pages_missing": lambda: wacz(members(pages=None)),
    "wacz.pages": lambda: wacz(members(pages=b"{}\n[]\n")),
    "wacz.page_record": lambda: wacz(members(pages=pages("https://shop.example/other"))),
    "warc.empty": lambda: wacz(members(warc=b"")),
    "warc.block_digest": lambda: wacz(
        members(
            warc=archives.info()
            + archives.record(b"x", WARC_Block_Digest=archives.sha256(b"y"), WARC_Type="metadata")
        )
    ),
}


def signed(sign: Callable[[str], dict[str, str]], **changes: str) -> bytes:
    label = package_hash(wacz())
    return wacz(digest={"signedData": {"hash": label, **sign(label), **changes}})


KEY = ec.generate_private_key(ec.SECP384R1())
OTHER = ec.generate_private_key(ec.SECP256R1())
AT = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)


def anonymous(label: str) -> dict[str, str]:
    """As a browser signs: the two numbers, one after the other."""
    r, s = utils.decode_dss_signature(KEY.sign(label.encode(), ec.ECDSA(hashes.SHA256())))
    public = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "signature": base64.b64encode(r.to_bytes(48) + s.to_bytes(48)).decode(),
        "publicKey": base64.b64encode(public).decode(),
    }


def certificate(valid: datetime = AT) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sign.example")])
    built = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(OTHER.public_key())
        .serial_number(1).not_valid_before(valid).not_valid_after(valid + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("sign.example")]), critical=False)
    )  # fmt: skip
    return built.sign(OTHER, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def by_domain(label: str) -> dict[str, str]:
    return {
        "signature": base64.b64encode(OTHER.sign(label.encode(), ec.ECDSA(hashes.SHA256()))).decode(),
        "domain": "sign.example",
        "domainCert": certificate() * 1,
        "created": "2026-11-24T09:00:00Z",
        "timeSignature": "AA==",
    }


@pytest.mark.parametrize("code", CASES)
def test_a_defect_is_named(code: str) -> None:
    assert code in codes(CASES[code]())


def test_nothing_is_wrong_with_what_is_genuine() -> None:
    found = examined(wacz())
    assert (found.kind, found.media_type) == ("wacz", "application/wacz")
    assert wrong(wacz()) == set()
    assert found.facts["resources with the declared hash"] == 3
    assert found.facts["index entries that point at a record"] == 1
    assert found.facts["index digests compared"] == 1


def test_the_doubled_hash_is_told_apart_from_a_changed_file() -> None:
    data = archives.warc()
    changed = {**members(), ORIGIN: data + archives.compressed(archives.record(b"", WARC_Type="metadata"))}
    found = wrong(wacz(changed, declare=lambda name, _: altered(name, members()[name])))
    assert "wacz.resource_hash" in found
    assert "wacz.resource_hash_doubled" not in found


def test_the_doubled_hash_over_several_chunks() -> None:
    content = {**members(), "extra.bin": hashlib.shake_128(b"x").digest(200_000)}
    data = wacz(content, declare=lambda name, data: {**declared(name, data), "hash": doubled(data)})
    found = [item for item in examined(data).findings if item.severity == "error"]
    assert [item.code for item in found] == ["wacz.resource_hash_doubled"] * 4
    assert hashlib.sha256(content["extra.bin"]).hexdigest() in found[-1].what


@pytest.mark.parametrize("sign", [anonymous, by_domain])
def test_a_signature_holds_as_far_as_it_can_be_checked(sign: Callable[[str], dict[str, str]]) -> None:
    data = signed(sign)
    assert wrong(data) == set()
    assert "wacz.signature_not_checked" in codes(data)
    assert str(examined(data).facts["signature"]).startswith("holds under")


@pytest.mark.parametrize(
    ("sign", "changes"),
    [
        (anonymous, {"signature": base64.b64encode(bytes(96)).decode()}),
        (anonymous, {"publicKey": "AAAA"}),
        (anonymous, {"publicKey": "not base64"}),
        (by_domain, {"domain": "other.example"}),
        (by_domain, {"created": "2027-11-24T09:00:00Z"}),
        (by_domain, {"created": "never"}),
        (by_domain, {"domainCert": certificate(AT - timedelta(days=9))}),
        (by_domain, {"domainCert": "nonsense"}),
        (by_domain, {"hash": "sha256:" + "0" * 64}),
    ],
)
def test_a_signature_that_does_not_hold(
    sign: Callable[[str], dict[str, str]], changes: dict[str, str]
) -> None:
    assert "wacz.signature" in wrong(signed(sign, **changes))


@pytest.mark.parametrize("name", ["../out", "/abs", "C:/x", "a\\b"])
def test_names_that_lead_out_are_refused(name: str) -> None:
    assert "zip.refused" in wrong(wacz(more={name: b""}))


def test_times_in_names_are_usual() -> None:
    content = {**members(), "raw/request_2026-11-24T08:30:00Z": b"GET"}
    assert wrong(wacz(content)) == set()


def test_a_bomb_is_refused() -> None:
    assert "limit" in wrong(wacz(more={"zeros": bytes(90_000_000)}, compress=zipfile.ZIP_DEFLATED))


def zipnum(**changes: object) -> dict[str, bytes]:
    first = gzip.compress(index())
    value = {
        "offset": 0,
        "length": len(first),
        "digest": f"sha256:{hashlib.sha256(first).hexdigest()}",
        "filename": "index.cdx.gz",
        **changes,
    }
    second = b'!meta 0 {"format": "cdxj-gzip-1.0"}\n' + f"a 2026 {json.dumps(value)}\n".encode()
    return {**members(index=None), "indexes/index.cdx.gz": first, "indexes/index.idx": second}


def test_an_index_of_two_levels() -> None:
    assert wrong(wacz(zipnum())) == set()
    assert "wacz.index_digest" in wrong(wacz(zipnum(digest="sha256:" + "0" * 64)))
    assert "wacz.index_record" in wrong(wacz(zipnum(length=10**6)))
    assert "wacz.index" in wrong(wacz(zipnum(offset=3, digest=None, length=9)))


def test_a_cut_archive_is_still_known() -> None:
    assert wrong(wacz()[:-30]) == {"zip.refused"}


# What other software wrote (tests/vectors/importing/README.md).


def test_a_package_of_js_wacz_has_its_known_defect_and_no_other() -> None:
    data = (MADE_BY_OTHERS / "js-wacz-0.1.6.wacz").read_bytes()
    (finding,) = [item for item in examined(data).findings if item.severity != "note"]
    assert (finding.code, finding.where) == ("wacz.resource_hash_doubled", ORIGIN)
    assert "each chunk counted twice, the known defect of Scoop's writer" in finding.what


def test_a_package_of_py_wacz_has_nothing_wrong() -> None:
    assert wrong((MADE_BY_OTHERS / "py-wacz-0.6.0.wacz").read_bytes()) == set()
