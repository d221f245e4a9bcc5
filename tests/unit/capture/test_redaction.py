"""No secret of a login state, in any encoding, in any disclosed file; the original can be read by its recipients."""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import quopri
import re
import shutil
import subprocess
import uuid
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import brotli
import pyrage
import pytest
from warcio.archiveiterator import ArchiveIterator

from evidence_service.capture.exchange import Exchange, Stored
from evidence_service.capture.files import CaptureFiles
from evidence_service.capture.original import write_encrypted
from evidence_service.capture.package import Page, Redaction, Secrets, write_package
from evidence_service.capture.redaction import Budget, credentials, redact
from evidence_service.errors import ConfigurationError
from tests.capture.oracles import check_wacz

NOW = "2026-01-02T03:04:05.678Z"
CAPTURE = uuid.UUID(int=9)
TOKEN = b'S3cr+t/"t0k&n"<=>~!'
NUMBER = b"8675309420"
# Never told to the capture: the server sets it on the way, and a page repeats it.
SET = b"fresh-session-5ad1"
PASSWORD = b"correct horse"
SECRETS = (TOKEN, NUMBER, SET, PASSWORD)


def forms(secret: bytes) -> Iterator[bytes]:
    """Every encoding a page may give a value, written here without the code that is tested."""
    text = secret.decode()
    yield secret
    yield quote(text, safe="").encode()
    yield re.sub("%..", lambda found: found.group().lower(), quote(text, safe="")).encode()
    yield quote(quote(text, safe=""), safe="").encode()
    yield json.dumps(text)[1:-1].encode()
    yield json.dumps(text)[1:-1].replace("/", "\\/").replace("<", "\\u003c").encode()
    yield html.escape(text).encode()
    yield "".join(f"&#{item};" for item in secret).encode()
    yield "".join(f"&#x{item:X};" for item in secret).encode()
    yield "".join(f"\\x{item:02x}" for item in secret).encode()
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for before in (b"", b"u", b"us"):
        for after in (b"", b":x"):
            yield base64.b64encode(before + secret + after)
            yield base64.urlsafe_b64encode(before + secret + after)


def traces(secret: bytes) -> list[bytes]:
    """What must not be found: the forms, of base64 the part that does not depend on its neighbours."""
    found = list(dict.fromkeys(forms(secret)))
    cores = [base64.b64encode(bytes(shift) + secret)[4 * bool(shift) : -4] for shift in range(3)]
    cores += [item.replace(b"+", b"-").replace(b"/", b"_") for item in cores]
    return [item for item in found if not base64_like(item, secret)] + cores


def base64_like(item: bytes, secret: bytes) -> bool:
    return any(
        base64.b64encode(before + secret + after).translate(None, b"+/") == item.translate(None, b"+/-_")
        for before in (b"", b"u", b"us")
        for after in (b"", b":x")
    )


def page_with(secrets: tuple[bytes, ...]) -> bytes:
    lines = [b"<p>" + form + b"</p>\n" for secret in secrets for form in forms(secret)]
    return b"<title>Shop</title>" + b"".join(lines) * 3 + b"<p>the price is 398.00</p>"


def chunked(data: bytes, size: int) -> bytes:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def messages() -> Iterator[tuple[str, bytes, bytes, str]]:
    """Address, request, response, kind."""
    cookie = b"Cookie: sid=" + TOKEN + b"; a=1\r\nAuthorization: Basic " + base64.b64encode(b"me:" + PASSWORD)
    ask = b"GET / HTTP/1.1\r\nHost: shop.example\r\n" + cookie + b"\r\n\r\n"
    page = page_with(SECRETS)
    setting = (
        b"HTTP/1.1 200 OK\r\nset-cookie: s="
        + SET
        + b"; HttpOnly\r\nSet-Cookie:\r\n folded="
        + NUMBER
        + b"\r\n"
    )
    address = "https://shop.example/"
    yield address, ask, setting + b"Content-Length: %d\r\n\r\n" % len(page) + page, "http"
    yield address + "chunked", ask, setting + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(page, 7), "http"
    for name, coder in (("gzip", gzip.compress), ("br", brotli.compress)):
        body = coder(page)
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (
            name.encode(),
            len(body),
        )
        yield address + name, ask, head + body, "http"
    clean = gzip.compress(b"nothing of interest")
    yield address + "clean", ask, b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + clean, "http"
    yield address + "damaged", ask, b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + TOKEN, "http"
    yield (
        address + "?token=" + quote(TOKEN.decode(), safe=""),
        ask,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        "http",
    )
    frames = bytes(item ^ 0x5A for item in TOKEN)
    yield address + "socket", ask + frames, b"HTTP/1.1 101 Switching\r\n\r\n" + TOKEN, "websocket"
    yield address + "cut", b"GET / HTTP/1.1\r\n" + cookie, b"HTTP/1.1 200 OK\r\nX: " + TOKEN, "http"
    posted = b"POST / HTTP/1.1\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"password=" + PASSWORD)
    yield address + "post", posted, b'HTTP/1.1 200 OK\r\n\r\n{"id": ' + NUMBER + b"}", "http"


def record(wire: Path) -> list[Exchange]:
    exchanges = []
    for number, (url, request, response, kind) in enumerate(messages(), start=1):
        stored, heads = {}, {}
        for side, data in (("request", request), ("response", response)):
            name = f"x{number:04}.{side}"
            (wire / name).write_bytes(data)
            stored[side] = Stored(name, len(data), sha256(data).hexdigest())
            end = data.find(b"\r\n\r\n")
            heads[f"{side}_head"] = end + 4 if end >= 0 else 0
        identifier = f"x{number:04}"
        exchanges.append(Exchange(identifier, url, "GET", NOW, kind=kind, status=200, **stored, **heads))
    return exchanges


@pytest.fixture(scope="module")
def disclosed(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[CaptureFiles, pyrage.x25519.Identity, list[Exchange], Path]:
    folder = tmp_path_factory.mktemp("redaction")
    wire = folder / "wire"
    wire.mkdir()
    exchanges = record(wire)
    files = CaptureFiles(folder / "c")
    files.add("dom.html", "text/html", "dom", page_with(SECRETS))
    files.add("page.mhtml", "multipart/related", "mhtml", quopri.encodestring(page_with(SECRETS)))
    files.add("screenshot.png", "image/png", "screenshot.full", b"\x89PNG")
    files.add_json("exchanges.json", "exchanges.metadata", [item.to_json() for item in exchanges])
    identity = pyrage.x25519.Identity.generate()
    write_package(
        files,
        wire,
        exchanges,
        capture=CAPTURE,
        page=Page(exchanges[6].url, "Shop " + TOKEN.decode(), NOW),
        attachments=files.all(),
        written_at=NOW,
        software="evidence-service 1",
        redaction=Redaction(
            Secrets([TOKEN, NUMBER, *credentials(wire, exchanges)]), [str(identity.to_public())]
        ),
    )
    return files, identity, exchanges, folder


def everything(files: CaptureFiles) -> Iterator[tuple[str, bytes]]:
    """Each disclosed file, and whatever is inside of it, decompressed and decoded."""
    for item in files.all():
        data = (files.directory / item.path).read_bytes()
        yield item.path, data
        if item.path.endswith(".mhtml"):
            yield f"{item.path} decoded", quopri.decodestring(data)
        if item.path.endswith(".har"):
            for entry in json.loads(data)["log"]["entries"]:
                text = entry["response"]["content"].get("text", "")
                coded = entry["response"]["content"].get("encoding") == "base64"
                yield f"{item.path} {entry['_id']}", base64.b64decode(text) if coded else text.encode()
        if item.path.endswith(".wacz"):
            with zipfile.ZipFile(io.BytesIO(data)) as package:
                for name in package.namelist():
                    yield f"{item.path} {name}", package.read(name)
                    if name.endswith(".warc.gz"):
                        yield from in_records(package.read(name))


def in_records(warc: bytes) -> Iterator[tuple[str, bytes]]:
    yield "records", gzip.decompress(warc)
    for record in ArchiveIterator(io.BytesIO(warc), no_record_parse=True):
        block = record.raw_stream.read()
        head, _, body = block.partition(b"\r\n\r\n")
        if b"ontent-Encoding: gzip" in head:
            yield record.rec_headers["WARC-Target-URI"], gzip.decompress(body)
        assert b"ontent-Encoding: br" not in head


def test_no_disclosed_file_has_a_secret_in_any_form(disclosed: tuple, record_property) -> None:
    files = disclosed[0]
    searched, places = 0, list(everything(files))
    for name, data in places:
        for secret in SECRETS:
            for trace in traces(secret):
                searched += 1
                assert trace not in data, (name, secret, trace)
    assert len(places) > 15
    record_property(
        "RESULT", f"redaction_searches={searched} places={len(places)} secrets={len(SECRETS)} hits=0"
    )


def test_the_search_finds_what_is_not_masked(disclosed: tuple) -> None:
    wire = disclosed[3] / "wire"
    page = (wire / "x0001.response").read_bytes()
    for secret in SECRETS:
        for trace in traces(secret):
            assert trace in page, (secret, trace)


def test_other_tools_accept_the_disclosed_package(disclosed: tuple, tmp_path: Path) -> None:
    check_wacz(disclosed[0].directory / "capture.wacz", tmp_path)


def blocks(warc: bytes) -> dict[str, bytes]:
    return {
        record.rec_headers["WARC-Record-ID"].strip("<>"): record.raw_stream.read()
        for record in ArchiveIterator(io.BytesIO(warc), no_record_parse=True)
    }


def decrypted(files: CaptureFiles, identity: pyrage.x25519.Identity, folder: Path) -> bytes:
    path = files.directory / "original.warc.gz.age"
    program = shutil.which("age")
    if program is None:
        return pyrage.decrypt(path.read_bytes(), [identity])
    key = folder / "key.txt"
    key.write_text(str(identity))
    return subprocess.run(
        [program, "--decrypt", "--identity", key, path], check=True, capture_output=True
    ).stdout


def test_the_mapping_joins_the_disclosed_records_to_the_originals(disclosed: tuple, tmp_path: Path) -> None:
    files, identity, exchanges, folder = disclosed
    original = blocks(decrypted(files, identity, tmp_path))
    with zipfile.ZipFile(files.directory / "capture.wacz") as package:
        redacted = blocks(package.read("archive/data.warc.gz"))
    mapping = json.loads((files.directory / "redaction.json").read_text())
    for item in [*mapping["records"], *mapping["files"]]:
        assert item["original_sha256"] == sha256(original[item["record"]]).hexdigest()
        assert item["redacted_sha256"] == sha256(redacted[item["record"]]).hexdigest()
        assert item["masked"] or item["headers"] or item["how"] == "withheld"
        if item["how"] == "masked":
            assert len(original[item["record"]]) == len(redacted[item["record"]])
    named = {item["record"] for item in [*mapping["records"], *mapping["files"]]}
    same = [name for name, block in redacted.items() if name in original and block == original[name]]
    assert not named & set(same)
    how = {(item["exchange"], item["part"]): item["how"] for item in mapping["records"]}
    assert [how.get((f"x{number:04}", "response")) for number in range(1, 11)] == [
        "masked",
        "decoded",
        "decoded",
        "decoded",
        None,
        "withheld",
        None,
        "withheld",
        "masked",
        "masked",
    ]
    assert how["x0010", "request"] == "decoded"
    assert how["x0008", "request"] == "withheld"
    for exchange in exchanges:
        for stored in (exchange.request, exchange.response):
            assert (folder / "wire" / stored.name).read_bytes() in original.values()


def test_what_is_no_secret_stays(disclosed: tuple) -> None:
    files = disclosed[0]
    dom = (files.directory / "dom.html").read_bytes()
    assert b"the price is 398.00" in dom
    assert len(dom) == len(page_with(SECRETS))
    texts = [
        entry["response"]["content"].get("text", "")
        for entry in json.loads((files.directory / "exchanges.har").read_text())["log"]["entries"]
    ]
    assert json.loads(texts[9]) == {"id": 9999999999}
    assert texts[4] == "nothing of interest"
    for page in texts[:4]:
        assert "the price is 398.00" in page


@pytest.mark.parametrize("size", [1, 7, 100, 65536])
def test_a_stream_is_masked_wherever_it_is_cut(size: int) -> None:
    page = page_with(SECRETS)
    secrets = Secrets(SECRETS)
    pieces = [page[at : at + size] for at in range(0, len(page), size)]
    if size == 1:
        pieces, page = pieces[:4000], page[:4000]
    assert b"".join(secrets.mask_stream(pieces, lambda: None)) == secrets.mask(page)


def test_short_values_and_reprs() -> None:
    secrets = Secrets([b"en", b"1", TOKEN])
    assert secrets.mask(b"en 1") == b"en 1"
    assert repr(secrets) == "Secrets(1 values)"
    assert Secrets([]).mask(b"anything") == b"anything"


@pytest.mark.parametrize("recipients", [[], ["age1nonsense"], ["ssh-ed25519 AAAA"]])
def test_without_a_recipient_nothing_is_written(tmp_path: Path, recipients: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        write_encrypted(tmp_path / "x.age", recipients, lambda sink: sink.write(b"secret"))
    assert not (tmp_path / "x.age").exists()


def test_an_error_while_writing_the_original_is_told(tmp_path: Path) -> None:
    def write(_: object) -> None:
        raise OSError(28, "No space left on device")

    recipient = str(pyrage.x25519.Identity.generate().to_public())
    with pytest.raises(OSError, match="No space"):
        write_encrypted(tmp_path / "x.age", [recipient], write)


def test_bodies_that_decode_to_too_much_are_withheld(tmp_path: Path) -> None:
    (tmp_path / "x0001.response").write_bytes(head := b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n")
    with (tmp_path / "x0001.response").open("ab") as writer:
        writer.write(brotli.compress(bytes(3_000_000)))
    data = (tmp_path / "x0001.response").read_bytes()
    stored = Stored("x0001.response", len(data), sha256(data).hexdigest())
    exchange = Exchange(
        "x0001", "https://shop.example/", "GET", NOW, response=stored, response_head=len(head)
    )
    budget = Budget(left=4_000_000)
    redaction = Redaction(Secrets([TOKEN]), [])
    assert redact(tmp_path, exchange, redaction, budget)[1] == {}
    shutil.rmtree(tmp_path / "redacted")
    found, changes = redact(tmp_path, exchange, redaction, budget)
    assert changes["response"].how == "withheld"
    assert found.response is not None and found.response.size == len(head)
