"""Forged bundles: form, manifest, custody, inclusion, times (checks 0.1, 0.2, 2.1, 2.2, 3.1, 4.3)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from evidence_service.core import bundle, canonical, document, merkle
from evidence_service.core.digest import digest_of
from tests.forgeries.keys import EPOCH, later
from tests.forgeries.world import Case, Evidence, World, built, rechain, usual_value

Change = Callable[[dict[str, Any]], Any]


def cases(world: World) -> Iterator[Case]:
    """Every forgery of this kind."""
    value = json.loads(usual_value())
    trust = world.trust(value)
    for name, number, forge in BYTES:
        yield Case(name, trust, bundle=forge(built(value)), refused_by=number, verdict=_verdict(number))
    for name, number, change in VALUES:
        changed = json.loads(usual_value())
        change(changed)
        yield Case(name, trust, bundle=built(changed), refused_by=number, verdict=_verdict(number))
    for name, evidence in TIMES:
        made = evidence.value()
        yield Case(name, world.trust(made), bundle=built(made), refused_by="4.3", verdict="invalid")
    yield from _inclusion(world)


def _verdict(number: str) -> str:
    return {"0.1": "over_limit", "0.2": "unsupported"}.get(number, "invalid")


def _twice(data: bytes) -> bytes:
    """The member ``salt`` twice, checksum and all else as before."""
    start = data.index(b'"salt":')
    member = data[start : data.index(b",", start) + 1]
    return data[:start] + member + data[start:]


def _unordered(data: bytes) -> bytes:
    members = json.loads(data)
    return json.dumps(dict(reversed(members.items())), separators=(",", ":"), ensure_ascii=False).encode()


def _escaped(data: bytes) -> bytes:
    return data.replace(b'"agent"', b'"\\u0061gent"', 1)


def _with(text: bytes) -> Callable[[bytes], bytes]:
    """Put other JSON in the place of the inclusion's index."""
    return lambda data: data.replace(b'"index":2', b'"index":' + text, 1)


BYTES: list[tuple[str, str, Callable[[bytes], bytes]]] = [
    ("bundle: empty", "2.1", lambda d: b""),
    ("bundle: cut off", "2.1", lambda d: d[:-1]),
    ("bundle: bytes after the end", "2.1", lambda d: d + b"\n"),
    ("bundle: byte order mark", "2.1", lambda d: b"\xef\xbb\xbf" + d),
    ("bundle: indented by an editor", "2.1", lambda d: json.dumps(json.loads(d), indent=1).encode()),
    ("bundle: members in another order", "2.1", _unordered),
    ("bundle: a letter written as an escape", "2.1", _escaped),
    ("bundle: member twice", "2.1", _twice),
    ("bundle: one byte changed", "2.1", lambda d: d.replace(b"Example Brand", b"Example Brant", 1)),
    ("bundle: checksum zeroed", "2.1", lambda d: d.replace(json.loads(d)["checksum"].encode(), b"0" * 64)),
    ("bundle: not UTF-8", "2.1", lambda d: d.replace(b"agent", b"ag\xffnt", 1)),
    ("bundle: lone surrogate", "2.1", lambda d: d.replace(b'"agent"', b'"\\ud800"', 1)),
    ("bundle: NUL as white space", "2.1", lambda d: d.replace(b":{", b":\x00{", 1)),
    ("bundle: a float", "2.1", _with(b"2.0")),
    ("bundle: an exponent", "2.1", _with(b"2e0")),
    ("bundle: NaN", "2.1", _with(b"NaN")),
    ("bundle: minus zero", "2.1", _with(b"-0")),
    ("bundle: 2^53 + 1", "2.1", _with(b"9007199254740993")),
    ("bundle: a number of ten thousand digits", "2.1", _with(b"1" * 10_000)),
    ("bundle: true for a number", "2.1", _with(b"true")),
    ("bundle: an array at the top", "2.1", lambda d: b"[" + d + b"]"),
    ("bundle: nested a hundred thousand deep", "0.1", lambda d: b"[" * 100_000),
    ("bundle: nested deeper than allowed, closed", "0.1", lambda d: b"[" * 33 + b"]" * 33),
    ("bundle: larger than the limit", "0.1", lambda d: b'"' + b"a" * bundle.LIMIT + b'"'),
    ("bundle: another kind of document", "2.1", lambda d: d.replace(b"evidence-bundle/2", b"evidence-letter/1")),
    ("bundle: a later version", "0.2", lambda d: d.replace(b"evidence-bundle/2", b"evidence-bundle/3")),
    ("bundle: a batch header of a later version", "0.2", lambda d: d.replace(b"evidence-batch/1", b"evidence-batch/2")),
    ("bundle: a custody event of a later version", "0.2", lambda d: d.replace(b"evidence-custody/1", b"evidence-custody/2", 1)),
    ("bundle: a manifest of a later version", "0.2", lambda d: d.replace(b"evidence-manifest/1", b"evidence-manifest/2")),
]  # fmt: skip


def _file(value: dict[str, Any], **changes: Any) -> None:
    value["manifest"]["files"][0].update(changes)


def _manifest(**changes: Any) -> Change:
    """Rewrite the manifest and do all that a careful forger without keys can do."""

    def change(value: dict[str, Any]) -> None:
        value["manifest"].update(changes)
        rechain(value)

    return change


def _two_files(value: dict[str, Any], *paths: str) -> None:
    first = value["manifest"]["files"][0]
    value["manifest"]["files"] = [{**first, "path": path} for path in paths]


def _backwards(value: dict[str, Any]) -> None:
    value["custody"][-1]["at"] = document.format_time(EPOCH - timedelta(days=1))
    rechain(value)


def _swap_events(value: dict[str, Any]) -> None:
    events = value["custody"]
    events[0], events[1] = events[1], events[0]


def _no_seal_event(value: dict[str, Any]) -> None:
    value["custody"][2]["action"] = "store"
    rechain(value)


def _other_evidence(value: dict[str, Any]) -> None:
    value["custody"][-1]["evidence_id"] = "evidence-0002"


VALUES: list[tuple[str, str, Change]] = [
    ("form: unknown member", "2.1", lambda v: v.update(note="trust me")),
    ("form: member missing", "2.1", lambda v: v.pop("salt")),
    ("form: unknown member in the manifest", "2.1", lambda v: v["manifest"].update(note="x")),
    ("form: inclusion without batch header", "2.1", lambda v: v.update(batch_header=None)),
    ("form: anchor without batch header", "2.1", lambda v: v.update(batch_header=None, inclusion=None)),
    ("form: digest in upper case", "2.1", lambda v: _file(v, sha256=v["manifest"]["files"][0]["sha256"].upper())),
    ("form: digest too short", "2.1", lambda v: _file(v, sha256="00")),
    ("form: negative size", "2.1", lambda v: _file(v, size=-1)),
    ("form: path leads out", "2.1", lambda v: _file(v, path="../../etc/passwd")),
    ("form: absolute path", "2.1", lambda v: _file(v, path="/etc/passwd")),
    ("form: path of another system", "2.1", lambda v: _file(v, path="c:\\windows\\x")),
    ("form: path with a control character", "2.1", lambda v: _file(v, path="a\nb")),
    ("form: path twice", "2.1", lambda v: _two_files(v, "a", "a")),
    ("form: paths that differ by letter case", "2.1", lambda v: _two_files(v, "A", "a")),
    ("form: files out of order", "2.1", lambda v: _two_files(v, "b", "a")),
    ("form: a date that does not exist", "2.1", _manifest(finished_at="2026-02-30T00:00:00.000Z")),
    ("form: a time in another notation", "2.1", _manifest(finished_at="2026-03-04T05:06:07+00:00")),
    ("form: a time without fractions", "2.1", _manifest(finished_at="2026-03-04T05:06:07Z")),
    ("form: capture ended before it began", "2.1", _manifest(finished_at="2026-03-04T05:06:06.000Z")),
    ("form: an outcome nobody knows", "2.1", _manifest(outcome={"status": "perfect", "reasons": []})),
    ("form: first batch that has one before", "2.1", lambda v: v["batch_header"].update(sequence=1)),
    ("form: later batch that has none before", "2.1", lambda v: v["batch_header"].update(previous=None)),
    ("form: batch closed before it was opened", "2.1", lambda v: v["batch_header"].update(closed_at="2026-03-04T05:06:06.000Z")),
    ("form: base64 with stray bits", "2.1", lambda v: v["anchors"][0].update(header=v["anchors"][0]["header"][:-4] + "AB==")),
    ("form: base64 with line ends", "2.1", lambda v: v["timestamps"][0].update(token="AA\nAA")),
    ("form: chain number with a leading zero", "2.1", lambda v: v["anchors"][0].update(chain_id="01")),
    ("form: no custody log", "2.1", lambda v: v.update(custody=[])),
    ("form: too many tokens", "0.1", lambda v: v.update(timestamps=v["timestamps"] * 6)),
    ("form: too many anchors", "0.1", lambda v: v.update(anchors=v["anchors"] * 9)),
    ("form: too many custody events", "0.1", lambda v: v.update(custody=v["custody"] * 501)),
    ("custody: event removed at the end", "2.2", lambda v: v["custody"].__delitem__(slice(2, None))),
    ("custody: event removed in the middle", "2.2", lambda v: v["custody"].pop(1)),
    ("custody: event rewritten", "2.2", lambda v: v["custody"][0].update(purpose="something else")),
    ("custody: events exchanged", "2.2", _swap_events),
    ("custody: history rewritten and chained again", "2.2", lambda v: (v["custody"][0].update(purpose="x"), rechain(v))),
    ("custody: an event about other evidence", "2.2", _other_evidence),
    ("custody: numbers with a gap", "2.2", lambda v: v["custody"][-1].update(sequence=9)),
    ("custody: an event dated before the one it follows", "2.2", _backwards),
    ("custody: the sealing is not there", "2.2", _no_seal_event),
    ("custody: manifest changed, log left as it was", "2.2", lambda v: v["manifest"]["matter"].update(applicant="Other")),
    ("inclusion: manifest rewritten, custody chained again", "3.1", _manifest(kind="upload")),
    ("inclusion: a file's digest exchanged", "3.1", lambda v: (_file(v, sha256="00" * 32), rechain(v))),
    ("inclusion: file removed from the manifest", "3.1", _manifest(files=[])),
    ("inclusion: demonstration made evidence elsewhere", "3.1", _manifest(kind="digest", purpose="evidence")),
    ("inclusion: capture moved back a year", "3.1", _manifest(started_at="2025-03-04T05:06:07.000Z")),
    ("inclusion: address of the page exchanged", "3.1", lambda v: (v["manifest"]["subject"].update(final_url="http://other.example/"), rechain(v))),
    ("inclusion: salt exchanged", "3.1", lambda v: v.update(salt="ff" * 32)),
    ("inclusion: index moved", "3.1", lambda v: v["inclusion"].update(index=3)),
    ("inclusion: index outside", "3.1", lambda v: v["inclusion"].update(index=5)),
    ("inclusion: size of the proof exchanged", "3.1", lambda v: v["inclusion"].update(size=6)),
    ("inclusion: size exchanged everywhere", "3.1", lambda v: (v["inclusion"].update(size=9), v["batch_header"].update(size=9))),
    ("inclusion: path too short", "3.1", lambda v: v["inclusion"]["path"].pop()),
    ("inclusion: path too long", "3.1", lambda v: v["inclusion"]["path"].append("00" * 32)),
    ("inclusion: sibling exchanged", "3.1", lambda v: v["inclusion"]["path"].__setitem__(0, "00" * 32)),
    ("inclusion: path reversed", "3.1", lambda v: v["inclusion"]["path"].reverse()),
    ("inclusion: root exchanged", "3.1", lambda v: v["batch_header"]["roots"].update(sha256="11" * 32)),
]  # fmt: skip

TIMES = [
    ("times: capture an hour after its time stamps", Evidence(manifest={"finished_at": "2026-03-04T06:06:07.000Z"})),
    ("times: block an hour before the capture", Evidence(block_at=EPOCH - timedelta(hours=1), closed_at=EPOCH)),
    ("times: batch closed after its block", Evidence(closed_at=later(hours=2))),
    (
        "times: time stamps before the block the manifest names",
        Evidence(
            manifest={
                "not_before": {
                    "status": "recorded",
                    "chain_id": "1",
                    "block_number": "19999999",
                    "block_hash": "0x" + "77" * 32,
                    "block_time": document.format_time(later(hours=1)),
                }
            }
        ),
    ),
]  # fmt: skip


def _inclusion(world: World) -> Iterator[Case]:
    """A tree of the forger's own: roots that follow from other rules than RFC 9162."""
    value = json.loads(usual_value())
    sealed = digest_of(canonical.encode(value["manifest"]))
    entry = b"EVENTRY\x01" + sealed.sha256 + sealed.sha3_512 + bytes.fromhex(value["salt"])
    leaf = merkle.leaf_hash(entry)
    plain = digest_of(entry).sha256
    other = bytes([7] * 32)
    roots = {
        "tree: leaf hashed without its prefix": (0, 2, [other], merkle.node_hash(plain, other)),
        "tree: a node passed off as a leaf": (0, 2, [other], merkle.leaf_hash(merkle.node_hash(leaf, other))),
        "tree: pairs sorted": (0, 2, [other], merkle.node_hash(*sorted([leaf, other], reverse=leaf < other))),
        "tree: odd node doubled": (
            2,
            3,
            [leaf, other],
            merkle.node_hash(other, merkle.node_hash(leaf, leaf)),
        ),
        "tree: entry hashed twice": (0, 2, [other], merkle.node_hash(merkle.leaf_hash(leaf), other)),
    }
    for name, (index, size, path, root) in roots.items():
        changed = json.loads(usual_value())
        changed["inclusion"] = {"index": index, "size": size, "path": [node.hex() for node in path]}
        changed["batch_header"].update(size=size, roots={"sha256": root.hex()})
        yield Case(name, world.trust(value), bundle=built(changed), refused_by="3.1", verdict="invalid")
