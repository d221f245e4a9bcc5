"""A target for every parser of untrusted bytes: it reads them or refuses them, and nothing else may happen."""

from __future__ import annotations

import base64
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from evidence_service.core import bundle, canonical, exhibit, manifest, receipt
from evidence_service.errors import ConfigurationError, EvidenceError
from evidence_service.importing import email_message, har, isobmff, matroska, wacz, warc
from evidence_service.importing.detection import compare, detect
from evidence_service.importing.findings import Notes
from evidence_service.verify import archive, crl, der, pdf, policy, rlp, tst_info
from evidence_service.verify.chain import BlockHeader
from evidence_service.verify.cms import read_signed_data
from evidence_service.verify.material import Material
from evidence_service.verify.timestamp import read_token
from evidence_service.verify.trie import keccak256, verify_trie_proof
from evidence_service.verify.verifier import verify
from tests.forgeries import updates
from tests.forgeries.exhibits import Package, finished, redactions
from tests.forgeries.keys import EPOCH, authority
from tests.forgeries.renewing import day, revocation_list
from tests.forgeries.world import (
    FIRST,
    World,
    built,
    first_version,
    renewed_value,
    token_of,
    trust_without_chains,
    usual_value,
)
from tests.unit.importing import archives, test_detection, test_email, test_har, test_video, test_wacz

RECEIPTS = Path(__file__).parents[1] / "vectors" / "receipts.json"


def _refused_or_read(parse: Callable[[bytes], object]) -> Callable[[bytes], None]:
    def target(data: bytes) -> None:
        try:
            parse(data)
        except EvidenceError:
            return

    return target


def _canonical(data: bytes) -> None:
    value = canonical.decode(data, what="value")
    assert canonical.encode(value) == data


def _exhibit(data: bytes) -> None:
    """Either of an exhibit's documents; the first byte says which."""
    parse = exhibit.parse_list if data[:1] == b"l" else exhibit.parse_redactions
    parse(data[1:])


def _policy(data: bytes) -> None:
    try:
        policy.parse(data)
    except ConfigurationError:
        return


def _trie(data: bytes) -> None:
    """The first byte says how the rest is cut into nodes; the root fits, so that they are looked into."""
    cut = data[0] if data else 0
    nodes = [data[1 : 1 + cut], data[1 + cut :]] if cut else [data[1:]]
    verify_trie_proof(keccak256(nodes[0]), b"\x01\x02", nodes)


def _archive(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        path = Path(file.name)
        for item in archive.members(path):
            with archive.open_member(archive.opened(path), item) as reader:
                reader.read()


def _engine(data: bytes) -> None:
    """A bundle whose checksum is made to fit goes through every step: whatever it is, there is a report."""
    value = canonical.decode_json(data, what="bundle", limit=bundle.LIMIT)
    if isinstance(value, dict):
        value["checksum"] = bundle.checksum(value)
        trusted = policy.parse(trust_without_chains())
        verify(Material("fuzz", bundle=canonical.encode(value)), trusted, now=day(1100))


def _examined(examiner: Callable[[io.BytesIO, int, Notes], object]) -> Callable[[bytes], None]:
    """An examination: whatever the file is, there are findings, and each can be written down."""

    def target(data: bytes) -> None:
        notes = Notes()
        examiner(io.BytesIO(data), len(data), notes)
        json.dumps([notes.facts(), [item.told for item in notes.findings()]]).encode()

    return target


def _detected(data: bytes) -> None:
    compare(detect(io.BytesIO(data)), "name.warc.gz", "image/png", Notes())


TARGETS: dict[str, Callable[[bytes], None]] = {
    "canonical": _refused_or_read(_canonical),
    "bundle": _refused_or_read(bundle.parse),
    "manifest": _refused_or_read(manifest.parse),
    "receipt": _refused_or_read(receipt.parse),
    "exhibit": _refused_or_read(_exhibit),
    "policy": _policy,
    "rlp": _refused_or_read(rlp.decode),
    "header": _refused_or_read(BlockHeader.parse),
    "trie": _refused_or_read(_trie),
    "der": _refused_or_read(der.check),
    "cms": _refused_or_read(read_signed_data),
    "token": _refused_or_read(lambda data: read_token(data, imprint=bytes(64))),
    "tst_info": _refused_or_read(tst_info.read),
    "crl": _refused_or_read(crl.read),
    "engine": _refused_or_read(_engine),
    "pdf": _refused_or_read(pdf.read),
    "archive": _refused_or_read(_archive),
    "detection": _detected,
    "warc": _examined(lambda file, _, notes: warc.examine(file, notes)),
    "wacz": _examined(wacz.examine),
    "har": _examined(har.examine),
    "mp4": _examined(isobmff.examine),
    "matroska": _examined(matroska.examine),
    "email": _examined(email_message.examine),
}


def seeds(name: str, directory: Path) -> list[bytes]:
    """Genuine inputs to begin with."""
    value = json.loads(usual_value())
    token = token_of(value, 0)
    world = World(directory)
    anchor = value["anchors"][0]
    node = base64.b64decode(anchor["receipt"]["proof"][0])
    found = {
        "bundle": [built(value), built(first_version(value)), built(json.loads(renewed_value()))],
        "exhibit": [
            b"l" + finished(Package(b"", manifest_sha256="00" * 32), {"index.html": b""})[exhibit.LIST_NAME],
            b"r" + redactions(),
        ],
        "crl": [revocation_list(authority(FIRST).root, (authority(FIRST).signer.certificate, EPOCH, None))],
        "engine": [built(json.loads(renewed_value()))],
        "canonical": [built(value)],
        "manifest": [canonical.encode(value["manifest"])],
        "receipt": [bytes.fromhex(case["receipt"]) for case in json.loads(RECEIPTS.read_text())["cases"]],
        "policy": [world.trust(value)],
        "rlp": [node],
        "header": [base64.b64decode(anchor["header"])],
        "trie": [b"\x00" + node],
        "der": [token],
        "cms": [token],
        "token": [token],
        "tst_info": [read_signed_data(token).content or b""],
        "pdf": [world.sealed(built(value)), updates.Base(world).stamped],
        "archive": [_zip()],
        "detection": [bytes(data[:3000]) for data in test_detection.GENUINE.values()],
        "warc": [archives.warc(), archives.info() + archives.response() + archives.request()],
        "wacz": [archives.wacz(), archives.wacz(test_wacz.zipnum()), test_wacz.signed(test_wacz.by_domain)],
        "har": [test_har.made()],
        "mp4": [test_video.mp4()],
        "matroska": [test_video.webm(), test_video.webm(unknown=True)],
        "email": [test_email.made(test_email.PARTS)],
    }
    return found[name]


def _zip() -> bytes:
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("a/b", b"b" * 300)
        target.writestr("c", b"c")
    return buffer.getvalue()
