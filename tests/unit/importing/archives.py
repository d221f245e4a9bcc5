"""WARC and WACZ files of our own making, genuine ones and ones with a defect each."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence

PAGE = "https://shop.example/item/1"
BODY = b"<!doctype html><title>A bag</title><p>12.00 EUR</p>"
HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: demo\r\nContent-Type: text/html\r\nContent-Length: %d\r\n"
    b"Set-Cookie: a=1; Expires=Wed, 25 Nov 2026 08:30:00 GMT\r\nDate: Tue, 24 Nov 2026 08:30:00 GMT\r\n\r\n"
    % len(BODY)
)
REQUEST = b"GET /item/1 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: demo\r\n\r\n"
RESPONSE_ID, REQUEST_ID, INFO_ID = (f"<urn:uuid:00000000-0000-4000-8000-00000000000{n}>" for n in (1, 2, 3))


def sha256(data: bytes) -> str:
    return "sha256:" + base64.b32encode(hashlib.sha256(data).digest()).decode()


def record(block: bytes, version: str = "1.1", **fields: str | None) -> bytes:
    """A record; ``None`` leaves a field out. Underscores in names stand for hyphens."""
    lines = {
        "WARC-Record-ID": RESPONSE_ID,
        "WARC-Date": "2026-11-24T08:30:00.123Z",
        "WARC-Block-Digest": sha256(block),
        "Content-Length": str(len(block)),
        **{name.replace("_", "-"): value for name, value in fields.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"WARC/{version}\r\n{head}\r\n".encode() + block + b"\r\n\r\n"


def info() -> bytes:
    fields = {"WARC_Type": "warcinfo", "WARC_Record_ID": INFO_ID, "Content_Type": "application/warc-fields"}
    return record(b"software: test\r\n", **fields)


def response(head: bytes = HEAD, body: bytes = BODY, **fields: str | None) -> bytes:
    return record(
        head + body,
        **{
            "WARC_Type": "response",
            "WARC_Target_URI": PAGE,
            "WARC_IP_Address": "192.0.2.7",
            "Content_Type": "application/http;msgtype=response",
            "WARC_Payload_Digest": sha256(body),
            **fields,
        },
    )


def request(**fields: str | None) -> bytes:
    return record(
        REQUEST,
        **{
            "WARC_Type": "request",
            "WARC_Record_ID": REQUEST_ID,
            "WARC_Target_URI": PAGE,
            "WARC_Concurrent_To": RESPONSE_ID,
            "Content_Type": "application/http;msgtype=request",
            **fields,
        },
    )


def compressed(*records: bytes) -> bytes:
    """A gzip member for each record, as ISO 28500, annex D.2 wants them."""
    return b"".join(gzip.compress(item, mtime=0) for item in records)


def warc() -> bytes:
    """A genuine one."""
    return compressed(info(), response(), request())


def line(**changes: object) -> bytes:
    """A line of an index."""
    value = {
        "url": PAGE,
        "mime": "text/html",
        "status": "200",
        "digest": sha256(BODY),
        "filename": "data.warc.gz",
        **changes,
    }
    return f"example,shop)/item/1 20261124083000 {json.dumps(value)}\n".encode()


def index(**changes: object) -> bytes:
    """The index of :func:`warc`."""
    first, second = compressed(info()), compressed(response())
    return line(**{"offset": str(len(first)), "length": str(len(second)), **changes})


def pages(url: str = PAGE) -> bytes:
    lines = [
        {"format": "json-pages-1.0", "id": "pages", "title": "All"},
        {"id": "1", "url": url, "title": "A bag"},
    ]
    return b"".join(json.dumps(item).encode() + b"\n" for item in lines)


Declare = Callable[[str, bytes], dict[str, object]]


def declared(path: str, data: bytes) -> dict[str, object]:
    """What the data package says of a member."""
    name = path.rpartition("/")[2]
    return {
        "name": name,
        "path": path,
        "hash": f"sha256:{hashlib.sha256(data).hexdigest()}",
        "bytes": len(data),
    }


def doubled(data: bytes) -> str:
    """The hash that js-wacz declares of a file it reads from disk: what is read at a time counts twice."""
    engine, reader = hashlib.sha256(), io.BytesIO(data)
    while chunk := reader.read(65536):
        engine.update(chunk)
        engine.update(chunk)
    return f"sha256:{engine.hexdigest()}"


def members(**changes: bytes | None) -> dict[str, bytes]:
    """Members of a genuine WACZ without its data package; ``None`` leaves one out. Names by their stem."""
    found = {
        "archive/data.warc.gz": changes.get("warc", warc()),
        "indexes/index.cdxj": changes.get("index", index()),
        "pages/pages.jsonl": changes.get("pages", pages()),
    }
    return {name: data for name, data in found.items() if data is not None}


def wacz(
    content: Mapping[str, bytes] | None = None,
    *,
    declare: Declare = declared,
    package: Mapping[str, object] | None = None,
    digest: Mapping[str, object] | None = None,
    left_out: Sequence[str] = (),
    compress: int = zipfile.ZIP_STORED,
    more: Mapping[str, bytes] | None = None,
) -> bytes:
    """A WACZ, genuine unless told otherwise.

    Args:
        package, digest: members of the data package and its digest that are different.
        more: members that the data package does not list.
    """
    content = members() if content is None else content
    description = json.dumps(
        {
            "profile": "data-package",
            "wacz_version": "1.1.1",
            "software": "test",
            "resources": [declare(name, data) for name, data in content.items()],
            **(package or {}),
        }
    ).encode()
    value = {
        "path": "datapackage.json",
        "hash": f"sha256:{hashlib.sha256(description).hexdigest()}",
        **(digest or {}),
    }
    everything = {
        **content,
        "datapackage.json": description,
        "datapackage-digest.json": json.dumps(value).encode(),
        **(more or {}),
    }
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", compress) as target:
        for name, data in everything.items():
            if name not in left_out:
                target.writestr(zipfile.ZipInfo(name), data, compress)
    return sink.getvalue()


def package_hash(data: bytes) -> str:
    """The declared hash of a WACZ's data package."""
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        return str(json.loads(package.read("datapackage-digest.json"))["hash"])
