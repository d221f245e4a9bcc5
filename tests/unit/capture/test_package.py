"""Packages of every odd kind of exchange: accepted by other tools, the same for the same input, complete."""

from __future__ import annotations

import json
import uuid
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from warcio.archiveiterator import ArchiveIterator

from evidence_service.capture.cdxj import surt
from evidence_service.capture.exchange import Exchange, Stored, record_id
from evidence_service.capture.files import CaptureFiles
from evidence_service.capture.package import Page, write_package
from evidence_service.core.digest import digest_of
from evidence_service.errors import MismatchError
from evidence_service.importing.examination import examine_here
from tests.capture.oracles import check_wacz

NOW = "2026-01-02T03:04:05.678Z"
CAPTURE = uuid.UUID(int=7)
SHOP = "https://shop.example"
TLS = {"verified": "yes", "version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256"}
GET = b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"

# request, response, members of the exchange; heads end where the recorder finds an empty line.
CASES: dict[str, tuple[bytes | None, bytes | None, dict[str, object]]] = {
    "plain": (GET, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nhello", {"tls": TLS}),
    "no response": (GET, None, {"problem": "the server closed", "truncated": "disconnect"}),
    "empty response": (GET, b"", {"problem": "the server sent nothing"}),
    "nothing at all": (None, None, {"problem": "10.0.0.1 is not public"}),
    "head without end": (GET, b"HTTP/1.1 200 OK\r\nContent-Ty", {"truncated": "disconnect"}),
    "no HTTP": (GET, b"SSH-2.0-OpenSSH\r\n\r\n", {"problem": "not HTTP"}),
    "early hints": (GET, b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nok", {}),
    "line feeds only": (GET, b"HTTP/1.1 200 OK\nX: 1\n\nbody\r\n\r\nmore", {}),
    "blank line in the head": (GET, b"HTTP/1.1 200 OK\r\nX: 1\r\n \t\r\nY: 2\r\n\r\nbody", {}),
    "bytes in headers": (GET, b"HTTP/1.1 200 \xe6\x88\x90\xff\r\nX: \xfe\xc3\xa9\r\n\r\nbody", {}),
    "coded with brotli": (GET, b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n\x0b\x02\x80hello\x03", {}),
    "HTTP/1.0": (GET, b"HTTP/1.0 200 OK\r\n\r\nold", {"tls": {**TLS, "version": "TLSv1"}}),
    "no content": (GET, b"HTTP/1.1 204 No Content\r\n\r\n", {"status": 204}),
    "cut": (GET, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf", {"truncated": "length"}),
    "post": (
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 201 C\r\n\r\n",
        {"method": "POST", "status": 201},
    ),
    "odd method": (b"MKCALENDAR / HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 No\r\n\r\n", {"method": "MKCALENDAR"}),
    "odd address": (GET, b"HTTP/1.1 200 OK\r\n\r\n", {"url": f"{SHOP}/商品 1?q=“a”&b=|{{}}\udc80\r\nX: y"}),
    "web socket": (
        GET + b"\x81\x85\x00\x00\x00\x00hello",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi",
        {"url": "wss://shop.example/socket", "kind": "websocket", "status": 101, "order": "x0001.order"},
    ),
    "refused web socket": (GET, b"HTTP/1.1 403 No\r\n\r\nno", {"kind": "websocket", "status": 403}),
    "tunnel": (None, None, {"kind": "tunnel", "url": "https://bank.example:443", "sent": 5, "received": 9}),
    "by the browser": (GET, b"HTTP/1.1 200 OK\r\n\r\nhello", {"source": "browser"}),
    "killed": (GET, b"HTTP/1.1 200 OK\r\n\r\nhel", {"hashed": False, "truncated": "disconnect"}),
}


def exchange(wire: Path, number: int, name: str) -> Exchange:
    request, response, members = CASES[name]
    values = dict(members)
    hashed = values.pop("hashed", True)
    identifier = f"x{number:04}"

    def store(side: str, data: bytes | None) -> tuple[Stored | None, int]:
        if data is None:
            return None, 0
        (wire / f"{identifier}.{side}").write_bytes(data)
        stored = Stored(f"{identifier}.{side}", len(data), sha256(data).hexdigest() if hashed else "")
        at = data.find(b"\r\n\r\n", data.find(b"\r\n\r\nHTTP/") + 1)
        return stored, at + 4 if at >= 0 else 0

    if "order" in values:
        values["order"] = f"{identifier}.order"
        (wire / f"{identifier}.order").write_text(f'["{NOW}", "request", 11]\n')
    sent, received = store("request", request), store("response", response)
    found = Exchange(
        id=identifier,
        url=f"{SHOP}/",
        method="GET",
        started_at=NOW,
        request=sent[0],
        request_head=sent[1],
        response=received[0],
        response_head=received[1],
        status=200 if response else None,
        content_type="Text/HTML; charset=utf-8",
        peer=("203.0.113.7", 443),
        resolved=("203.0.113.7",),
        resolver="192.0.2.53",
    )
    return replace(found, **values)


def package(directory: Path, wire: Path, exchanges: list[Exchange]) -> CaptureFiles:
    files = CaptureFiles(directory)
    files.add("screenshots/tile 1.png", "image/png", "screenshot.tile", b"\x89PNG")
    files.add("dom.html", "text/html", "dom", "<title>页</title>".encode())
    write_package(
        files,
        wire,
        exchanges,
        capture=CAPTURE,
        page=Page(f"{SHOP}/", "页面", NOW),
        attachments=files.all(),
        written_at=NOW,
        software="evidence-service 1",
    )
    return files


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Exchange]]:
    """A package of every case, extracted after the tools accepted it: its folder, its exchanges."""
    folder = tmp_path_factory.mktemp("package")
    wire = folder / "wire"
    wire.mkdir()
    exchanges = [exchange(wire, number, name) for number, name in enumerate(CASES, start=1)]
    files = package(folder / "c", wire, exchanges)
    check_wacz(files.directory / "capture.wacz", folder)
    with zipfile.ZipFile(files.directory / "capture.wacz") as archive:
        archive.extractall(folder)
    return folder, exchanges


def records(folder: Path) -> dict[str, tuple[str, dict[str, list[str]], bytes]]:
    """Type, fields and block of each record by its id."""
    found = {}
    with (folder / "archive" / "data.warc.gz").open("rb") as stream:
        for record in ArchiveIterator(stream, no_record_parse=True):
            fields: dict[str, list[str]] = {}
            for name, value in record.rec_headers.headers:
                fields.setdefault(name, []).append(value)
            found[fields["WARC-Record-ID"][0]] = (record.rec_type, fields, record.raw_stream.read())
    return found


def of(folder: Path, name: str, part: str) -> tuple[str, dict[str, list[str]], bytes]:
    number = list(CASES).index(name) + 1
    return records(folder)[f"<{record_id(CAPTURE, f'x{number:04}', part)}>"]


@pytest.mark.parametrize("name", CASES)
def test_every_byte_of_an_exchange_is_in_a_record(odd: tuple[Path, list[Exchange]], name: str) -> None:
    folder, _ = odd
    request, response, members = CASES[name]
    for part, data in (("request", request), ("response", response)):
        if data:
            assert of(folder, name, part)[2] == data
    kind, fields, block = of(folder, name, "metadata")
    assert kind == "metadata"
    told = json.loads(block)
    assert told["problem"] == members.get("problem", "")
    assert told["resolver"] == "192.0.2.53"
    assert len(fields.get("WARC-Concurrent-To", [])) == bool(request) + bool(response)


def test_fields_say_what_is_known_of_the_connection(odd: tuple[Path, list[Exchange]]) -> None:
    folder, _ = odd
    kind, fields, _ = of(folder, "plain", "response")
    assert kind == "response"
    assert fields["WARC-Target-URI"] == [f"{SHOP}/"]
    assert fields["WARC-Date"] == [NOW]
    assert fields["WARC-IP-Address"] == ["203.0.113.7"]
    assert fields["WARC-Protocol"] == ["tls/1.3", "http/1.1"]
    assert fields["WARC-Cipher-Suite"] == ["TLS_AES_128_GCM_SHA256"]
    assert "WARC-Truncated" not in fields
    assert of(folder, "plain", "request")[1]["WARC-Concurrent-To"] == fields["WARC-Record-ID"]
    assert of(folder, "HTTP/1.0", "response")[1]["WARC-Protocol"] == ["tls/1.0", "http/1.0"]
    assert "WARC-Protocol" not in of(folder, "by the browser", "response")[1]
    assert of(folder, "cut", "response")[1]["WARC-Truncated"] == ["length"]


@pytest.mark.parametrize("name", ["head without end", "no HTTP"])
def test_bytes_that_are_no_message_are_a_resource(odd: tuple[Path, list[Exchange]], name: str) -> None:
    kind, fields, _ = of(odd[0], name, "response")
    assert kind == "resource"
    assert fields["Content-Type"] == ["application/octet-stream"]
    assert fields["WARC-Target-URI"][0].startswith("urn:evidence:exchanges/x00")


@pytest.mark.parametrize("name", ["early hints", "line feeds only", "blank line in the head", "web socket"])
def test_no_payload_digest_where_readers_would_see_another_payload(
    odd: tuple[Path, list[Exchange]], name: str
) -> None:
    assert "WARC-Payload-Digest" not in of(odd[0], name, "response")[1]
    assert "WARC-Payload-Digest" in of(odd[0], "plain", "response")[1]


def test_an_odd_address_cannot_add_a_field(odd: tuple[Path, list[Exchange]]) -> None:
    _, fields, _ = of(odd[0], "odd address", "response")
    (uri,) = fields["WARC-Target-URI"]
    assert uri.isascii() and " " not in uri
    assert "X" not in fields


def test_the_order_of_a_web_socket_is_kept(odd: tuple[Path, list[Exchange]]) -> None:
    kind, fields, block = of(odd[0], "web socket", "order")
    assert (kind, json.loads(block)[1]) == ("resource", "request")
    assert fields["Content-Type"] == ["application/jsonl"]


def test_the_info_names_software_and_capture_but_no_machine(odd: tuple[Path, list[Exchange]]) -> None:
    kind, fields, block = next(iter(records(odd[0]).values()))
    assert (kind, fields["WARC-Filename"]) == ("warcinfo", ["data.warc.gz"])
    names = {line.split(b": ")[0] for line in block.splitlines()}
    assert names == {b"software", b"format", b"conformsTo", b"isPartOf"}
    assert f"isPartOf: urn:uuid:{CAPTURE}".encode() in block


def test_attachments_are_resources_with_targets_of_their_own(odd: tuple[Path, list[Exchange]]) -> None:
    found = {
        fields["WARC-Target-URI"][0]: (fields["Content-Type"][0], block)
        for kind, fields, block in records(odd[0]).values()
        if kind == "resource"
    }
    assert found["urn:evidence:screenshots/tile%201.png"] == ("image/png", b"\x89PNG")
    assert found["urn:evidence:dom.html"] == ("text/html", "<title>页</title>".encode())


def test_the_index_is_sorted_and_points_at_its_records(odd: tuple[Path, list[Exchange]]) -> None:
    folder, _ = odd
    lines = (folder / "indexes" / "index.cdx").read_bytes().splitlines()
    assert lines == sorted(lines)
    warc = folder / "archive" / "data.warc.gz"
    for line in lines:
        key, stamp, text = line.decode().split(" ", 2)
        entry = json.loads(text)
        assert stamp == "20260102030405"
        with warc.open("rb") as stream:
            stream.seek(int(entry["offset"]))
            record = next(iter(ArchiveIterator(stream, no_record_parse=True)))
            assert record.rec_headers["WARC-Target-URI"] == entry["url"]
            assert record.rec_headers["WARC-Block-Digest"] == entry["recordDigest"]
            assert record.rec_headers.get_header("WARC-Payload-Digest") in (entry["digest"], None)
        assert key.startswith(("example,shop)/", "urn:evidence:", "wss://shop.example/socket"))
    posted = next(json.loads(line.split(b" ", 2)[2]) for line in lines if b"__wb_method=post" in line)
    assert (posted["method"], posted["status"]) == ("POST", "201")
    indexed = [kind for kind, _, _ in records(folder).values() if kind in ("response", "resource")]
    assert len(lines) == len(indexed)


def test_our_own_examination_finds_nothing_but_what_the_recorder_says(
    odd: tuple[Path, list[Exchange]],
) -> None:
    folder, _ = odd
    found = {}
    for name in ("capture.wacz", "exchanges.har"):
        path = folder / "c" / name
        with path.open("rb") as file:
            examined = examine_here(file, path.stat().st_size, name, "", seconds=60)
        found[name] = {item.code for item in examined.findings}
    assert found == {
        "capture.wacz": {"warc.declared_truncated", "wacz.unsigned"},
        "exchanges.har": {"har.cookies_absent", "har.no_answer"},
    }


def test_the_list_of_contents_is_complete(odd: tuple[Path, list[Exchange]]) -> None:
    folder, _ = odd
    data = (folder / "datapackage.json").read_bytes()
    listed = json.loads(data)
    assert (listed["wacz_version"], listed["profile"]) == ("1.1.1", "data-package")
    assert {item["path"]: (item["hash"], item["bytes"]) for item in listed["resources"]} == {
        path: (f"sha256:{sha256((folder / path).read_bytes()).hexdigest()}", (folder / path).stat().st_size)
        for path in ("archive/data.warc.gz", "indexes/index.cdx", "pages/pages.jsonl")
    }
    digest = json.loads((folder / "datapackage-digest.json").read_text())
    assert digest == {"path": "datapackage.json", "hash": f"sha256:{sha256(data).hexdigest()}"}
    header, page = map(json.loads, (folder / "pages" / "pages.jsonl").read_text().splitlines())
    assert header["format"] == "json-pages-1.0"
    assert (page["url"], page["title"], page["ts"]) == (f"{SHOP}/", "页面", NOW)
    with zipfile.ZipFile(folder / "c" / "capture.wacz") as archive:
        assert archive.getinfo("archive/data.warc.gz").compress_type == zipfile.ZIP_STORED


def test_the_same_capture_gives_the_same_bytes(odd: tuple[Path, list[Exchange]], tmp_path: Path) -> None:
    folder, exchanges = odd
    files = package(tmp_path / "again", folder / "wire", exchanges)
    data = (files.directory / "capture.wacz").read_bytes()
    assert data == (folder / "c" / "capture.wacz").read_bytes()
    (item,) = (item for item in files.all() if item.role == "package.wacz")
    assert (item.media_type, item.digest) == ("application/wacz", digest_of(data))


def test_stored_bytes_that_changed_are_refused(tmp_path: Path) -> None:
    found = exchange(tmp_path, 1, "plain")
    (tmp_path / "x0001.response").write_bytes(CASES["plain"][1].replace(b"hello", b"HELLO"))
    with pytest.raises(MismatchError, match="changed after it was received"):
        package(tmp_path / "c", tmp_path, [found])


@pytest.mark.parametrize(
    ("address", "key"),
    [
        # As the `surt` package, which other tools use, gives them.
        ("http://www.Example.com/A/B/?b=2&a=1#f", "com,example)/a/b?a=1&b=2"),
        ("https://example.com:8443/x/", "com,example:8443)/x"),
        ("http://127.0.0.1:8080/item", "1,0,0,127:8080)/item"),
        ("https://a.b.c:443", "c,b,a)/"),
        ("http://[::1]:80/x", "::1)/x"),
        ("http://u:p@ex.com/a//b?", "com,ex)/a/b"),
        ("https://shop.de/%E4%B8%AD?q=%e4", "de,shop)/%e4%b8%ad?q=%e4"),
        ("http://www2.ex.co.uk/", "uk,co,ex)/"),
        ("http://ex.com/item?b&a=&c=3&B=1", "com,ex)/item?a=&b&b=1&c=3"),
        ("urn:evidence:dom.html", "urn:evidence:dom.html"),
        ("http://ex.com:99999/", "com,ex)/"),
    ],
)
def test_keys_are_those_other_tools_look_up(address: str, key: str) -> None:
    assert surt(address) == key
