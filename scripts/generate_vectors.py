"""Write the test vectors of the formats to ``tests/vectors/``.

The vectors are made from fixed inputs by the naive recursions of the specification, not by the code under
test: a tree here is the recursive definition of RFC 9162, canonical JSON is Python's own encoder on ASCII
input, where both agree with RFC 8785. Run it again after a change of this file; a test compares.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

VECTORS = Path(__file__).resolve().parent.parent / "tests" / "vectors"


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha3_256(data: bytes) -> bytes:
    return hashlib.sha3_256(data).digest()


def tree_root(leaves: list[bytes], digest: Callable[[bytes], bytes] = sha256) -> bytes:
    """RFC 9162 section 2.1.1, literally, over leaf hashes."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return digest(b"\x01" + tree_root(leaves[:k], digest) + tree_root(leaves[k:], digest))


def tree_path(index: int, leaves: list[bytes], digest: Callable[[bytes], bytes] = sha256) -> list[bytes]:
    """RFC 9162 section 2.1.3.1, literally."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if index < k:
        return [*tree_path(index, leaves[:k], digest), tree_root(leaves[k:], digest)]
    return [*tree_path(index - k, leaves[k:], digest), tree_root(leaves[:k], digest)]


def make_leaves(count: int) -> list[bytes]:
    return [sha256(b"\x00" + b"vector entry %d" % number) for number in range(count)]


def inclusion_cases() -> dict[str, Any]:
    cases: list[dict[str, Any]] = []

    def add(
        name: str, leaf: bytes, index: int, size: int, path: list[bytes], root: bytes, valid: bool
    ) -> None:
        cases.append(
            {
                "name": name,
                "leaf_hash": leaf.hex(),
                "index": index,
                "size": size,
                "path": [node.hex() for node in path],
                "root": root.hex(),
                "valid": valid,
            }
        )

    for size in (1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17):
        leaves = make_leaves(size)
        for index in sorted({0, 1, size // 2, size - 2, size - 1} & set(range(size))):
            add(
                f"leaf {index} of {size}",
                leaves[index],
                index,
                size,
                tree_path(index, leaves),
                tree_root(leaves),
                True,
            )

    leaves = make_leaves(7)
    root, path = tree_root(leaves), tree_path(3, leaves)
    flipped = bytes([path[0][0] ^ 1]) + path[0][1:]
    duplicated = [*leaves, leaves[6]]
    pair = sha256(b"\x01" + leaves[0] + leaves[1])
    add("another leaf", leaves[2], 3, 7, path, root, False)
    add("index moved by one", leaves[3], 2, 7, path, root, False)
    add("index of another subtree", leaves[3], 5, 7, path, root, False)
    add("index equal to size", leaves[3], 7, 7, path, root, False)
    add("size zero", leaves[3], 0, 0, path, root, False)
    add("size too small for the path", leaves[3], 3, 4, path, root, False)
    add("size too large for the path", leaves[3], 3, 9, path, root, False)
    add("path cut short", leaves[3], 3, 7, path[:-1], root, False)
    add("path with a surplus hash", leaves[3], 3, 7, [*path, leaves[0]], root, False)
    add("path in reverse order", leaves[3], 3, 7, path[::-1], root, False)
    add("empty path in a tree of seven", leaves[3], 3, 7, [], root, False)
    add("surplus hash in a tree of one", leaves[0], 0, 1, [leaves[1]], leaves[0], False)
    add("one bit of the path flipped", leaves[3], 3, 7, [flipped, *path[1:]], root, False)
    add("one bit of the root flipped", leaves[3], 3, 7, path, bytes([root[0] ^ 128]) + root[1:], False)
    add("inner node offered as a leaf", pair, 0, 7, tree_path(0, leaves)[1:], root, False)
    add("odd leaf duplicated, as other trees do", leaves[6], 7, 8, tree_path(7, duplicated), root, False)
    return {"about": "RFC 9162 inclusion proofs over SHA-256; leaf hashes are given", "cases": cases}


def manifest_value() -> dict[str, Any]:
    page, shot = b"<html>vector</html>", b"vector screenshot"
    return {
        "format": "evidence-manifest/1",
        "suite": "sha256+sha3-512",
        "evidence_id": "vector-0001",
        "kind": "platform_capture",
        "purpose": "demonstration",
        "matter": {"id": "m-0001", "reference": "VECTOR/1", "applicant": "Example Brand Ltd", "rights": []},
        "operator": {"id": "agent@example.test", "role": "operator"},
        "subject": {
            "requested_url": "http://shop.example/item/1",
            "final_url": "http://shop.example/item/1.html",
            "redirects": ["http://shop.example/item/1.html"],
            "http_status": 200,
            "peer_address": "192.0.2.10",
            "listing": {"title": {"value": "仿制手表", "read_from": "json-ld script 1"}},
        },
        "outcome": {"status": "captured", "reasons": []},
        "started_at": "2026-01-02T03:04:05.000Z",
        "finished_at": "2026-01-02T03:04:09.250Z",
        "tool": {"name": "evidence-service", "version": "0.1.0"},
        "egress": {"mode": "recording_proxy", "exceptions": []},
        "not_before": {"status": "unavailable", "why": "no chain was reachable"},
        "files": [
            {
                "path": path,
                "media_type": media_type,
                "role": role,
                "size": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "sha3_512": hashlib.sha3_512(data).hexdigest(),
            }
            for path, media_type, role, data in (
                ("dom.html", "text/html", "dom.rendered", page),
                ("screenshot.png", "image/png", "screenshot.full", shot),
            )
        ],
        "custody": {},
    }


def custody_event(sequence: int, previous: str | None, action: str, after: str | None) -> dict[str, Any]:
    return {
        "format": "evidence-custody/1",
        "evidence_id": "vector-0001",
        "sequence": sequence,
        "previous": previous,
        "action": action,
        "actor": {"id": "agent@example.test", "role": "operator"},
        "at": f"2026-01-02T03:04:{10 + sequence:02d}.000Z",
        "host": "vector-host",
        "purpose": "test vector",
        "before": None,
        "after": after,
        "tool": "evidence-service 0.1.0",
        "detail": {},
    }


def format_vectors() -> dict[str, Any]:
    first = custody_event(1, None, "capture", None)
    first_hash = sha256(b"\x03" + canonical(first))
    manifest = {**manifest_value(), "custody": {"events": 1, "head": first_hash.hex()}}
    manifest_bytes = canonical(manifest)
    seal = custody_event(2, first_hash.hex(), "seal", hashlib.sha256(manifest_bytes).hexdigest())
    salt = bytes(range(32))
    entry = (
        b"EVENTRY\x01"
        + hashlib.sha256(manifest_bytes).digest()
        + hashlib.sha3_512(manifest_bytes).digest()
        + salt
    )
    leaves = [*make_leaves(2), sha256(b"\x00" + entry)]
    header = {
        "format": "evidence-batch/1",
        "suite": "sha256-rfc9162",
        "sequence": 1,
        "previous": None,
        "size": 3,
        "roots": {"sha256": tree_root(leaves).hex()},
        "opened_at": "2026-01-02T03:05:00.000Z",
        "closed_at": "2026-01-02T03:06:00.000Z",
    }
    header_bytes = canonical(header)
    bundle = {
        "format": "evidence-bundle/1",
        "manifest": manifest,
        "salt": salt.hex(),
        "inclusion": {"index": 2, "size": 3, "path": [node.hex() for node in tree_path(2, leaves)]},
        "batch_header": header,
        "timestamps": [],
        "anchors": [],
        "custody": [first, seal],
    }
    bundle["checksum"] = hashlib.sha256(canonical(bundle)).hexdigest()
    return {
        "about": "one piece of evidence through every format of version 1; bytes are hexadecimal",
        "manifest": manifest_bytes.hex(),
        "manifest_sha256": hashlib.sha256(manifest_bytes).hexdigest(),
        "manifest_sha3_512": hashlib.sha3_512(manifest_bytes).hexdigest(),
        "manifest_sha512_stamped": hashlib.sha512(manifest_bytes).hexdigest(),
        "custody_hashes": [first_hash.hex(), sha256(b"\x03" + canonical(seal)).hex()],
        "salt": salt.hex(),
        "entry": entry.hex(),
        "leaf_hash": leaves[2].hex(),
        "other_leaf_hashes": [leaf.hex() for leaf in leaves[:2]],
        "batch_header": header_bytes.hex(),
        "batch_header_sha512_stamped": hashlib.sha512(header_bytes).hexdigest(),
        "commitment": sha256(b"\x02" + header_bytes).hex(),
        "bundle": canonical(bundle).hex(),
    }


def stamp_value(token: bytes, *crls: bytes) -> dict[str, Any]:
    """A token that is none, with lists that are none: formats do not look into them."""
    revocation: dict[str, Any] = {"status": "absent", "why": "the authority names no list"}
    if crls:
        revocation = {"status": "collected", "crls": [base64.b64encode(item).decode() for item in crls]}
    return {"token": base64.b64encode(token).decode(), "revocation": revocation}


def renewal_vectors() -> dict[str, Any]:
    """Version 2 of the bundle around the same piece of evidence, renewed once in each way."""
    value = json.loads(bytes.fromhex(format_vectors()["bundle"]))
    del value["checksum"]
    value |= {
        "format": "evidence-bundle/2",
        "timestamps": [
            {"of": "manifest", **stamp_value(b"vector token 1", b"vector list")},
            {"of": "batch_header", **stamp_value(b"vector token 2")},
        ],
        "attestations": [
            {
                "kind": "opentimestamps",
                "of": "batch_header",
                "proof": base64.b64encode(b"vector proof").decode(),
            }
        ],
        "renewals": [],
    }
    steps = []
    for kind, suite, digest, stamped in (
        ("timestamp", "sha256-rfc9162", sha256, hashlib.sha512),
        ("hash_tree", "sha3-256-rfc9162", sha3_256, hashlib.sha3_512),
    ):
        names = ["timestamps", "renewals"]
        if kind == "hash_tree":
            names += ["manifest", "salt", "batch_header", "inclusion", "anchors"]
        covered = canonical({name: value[name] for name in names})
        entry = b"EVRENEW\x01" + sha256(covered) + hashlib.sha3_512(covered).digest()
        entry += bytes.fromhex(value["salt"])
        leaves = [digest(b"\x00other %d" % number) for number in range(4)]
        leaves[1] = digest(b"\x00" + entry)
        document = {
            "format": "evidence-renewal/1",
            "kind": kind,
            "suite": suite,
            "size": 4,
            "root": tree_root(leaves, digest).hex(),
        }
        path = [node.hex() for node in tree_path(1, leaves, digest)]
        steps.append(
            {
                "covered": covered.hex(),
                "entry": entry.hex(),
                "leaf_hashes": [leaf.hex() for leaf in leaves],
                "document": canonical(document).hex(),
                "stamped": stamped(canonical(document)).hexdigest(),
            }
        )
        value["renewals"].append(
            {
                "document": document,
                "inclusion": {"index": 1, "size": 4, "path": path},
                "timestamps": [stamp_value(b"vector token over a renewal")],
            }
        )
    value["checksum"] = hashlib.sha256(canonical(value)).hexdigest()
    return {
        "about": "evidence-bundle/2 with a renewal of each kind; tokens, lists and proof are placeholders",
        "renewals": steps,
        "bundle": canonical(value).hex(),
    }


def canonical_vectors() -> dict[str, Any]:
    accepted = {
        "empty object": "{}",
        "keys in UTF-16 order": '{"\\r":1,"1":2,"\u00e9":3,"\u20ac":4,"\U0001f600":5,"\ufb33":6}',
        "largest integer": "9007199254740991",
        "text with escapes": '"\\b\\t\\n\\f\\r\\"\\\\\\u000f/"',
        "chinese text": '{"标题":"仿制手表"}',
    }
    refused = {
        "space between members": ('{"a":1, "b":2}', "canonical form"),
        "keys out of order": ('{"b":1,"a":2}', "canonical form"),
        "needless escape": ('"\\u0061"', "canonical form"),
        "upper-case escape": ('"\\u000F"', "canonical form"),
        "duplicate key": ('{"a":1,"a":1}', "duplicate key"),
        "float": ("1.5", "not an integer"),
        "exponent": ("1e2", "not an integer"),
        "minus zero": ("-0", "-0"),
        "two to the 53rd": ("9007199254740992", "53 bits"),
        "very long integer": ("1" * 400, "53 bits"),
        "NaN": ("NaN", "not JSON"),
        "infinity": ("-Infinity", "not JSON"),
        "lone surrogate": ('"\\ud800"', "surrogate"),
        "trailing bytes": ("{} ", "canonical form"),
        "second document": ("{}{}", "not JSON"),
        "truncated": ('{"a":', "not JSON"),
        "empty": ("", "not JSON"),
        "byte order mark": ("\ufeff{}", "byte order mark"),
        "nested too deep": ("[" * 40 + "]" * 40, "deeper"),
    }
    return {
        "about": "documents that the canonical parser accepts and refuses, with words of the refusal",
        "accepted": accepted,
        "refused": {name: {"text": text, "because": because} for name, (text, because) in refused.items()},
    }


def signed_receipt(seed: bytes, changes: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """A receipt signed with the key of a seed; ``after`` changes members once it is signed."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    value = {
        "format": "evidence-receipt/1",
        "evidence_id": "ev-vector-0001",
        "kind": "platform_capture",
        "purpose": "demonstration",
        "matter_id": "m-0001",
        "accepted": {"url": "http://shop.example/item/1?标题=仿"},
        "operator": {"id": "agent@example.test", "role": "operator"},
        "accepted_at": "2026-01-02T03:04:05.000Z",
        "batch_by": "2026-01-02T03:14:05.000Z",
        "key_id": sha256(key.public_key().public_bytes_raw()).hex(),
        **changes,
    }
    value["signature"] = base64.b64encode(key.sign(canonical(value))).decode()
    return {**value, **after}


def receipt_vectors() -> dict[str, Any]:
    seed, other = bytes(range(32)), bytes(range(1, 33))
    data = b"vector upload"
    file = {
        "name": "offer.pdf",
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "sha3_512": hashlib.sha3_512(data).hexdigest(),
    }
    upload = {"kind": "upload", "accepted": file}
    rows = "".join(
        f"{position} ev-vector-000{position} {len(data)} {file['sha256']} {file['sha3_512']}\n"
        for position in (1, 3)
    )
    digests = {
        "kind": "digest_list",
        "evidence_id": "rl-vector-0001",
        "accepted": {"digests": 2, "sha256": hashlib.sha256(rows.encode()).hexdigest()},
    }
    mine = signed_receipt(seed, {}, {})
    short = base64.b64encode(base64.b64decode(mine["signature"])[:63]).decode()
    foreign = signed_receipt(other, {"key_id": mine["key_id"]}, {})["signature"]
    cases: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
        "capture": ({}, {}, "holds"),
        "upload": (upload, {}, "holds"),
        "digest": ({**upload, "kind": "digest"}, {}, "holds"),
        "list of digests": (digests, {}, "holds"),
        "list of no digests": (
            {**digests, "accepted": {**digests["accepted"], "digests": 0}},
            {},
            "format",
        ),
        "upload's signature under a digest": (
            {**upload, "kind": "digest"},
            {"signature": signed_receipt(seed, upload, {})["signature"]},
            "signature",
        ),
        "promise at the moment of acceptance": ({"batch_by": mine["accepted_at"]}, {}, "holds"),
        "another address": ({}, {"accepted": {"url": "http://shop.example/item/2"}}, "signature"),
        "a later promise": ({}, {"batch_by": "2026-01-03T03:14:05.000Z"}, "signature"),
        "another key's signature": ({}, {"signature": foreign}, "signature"),
        "signature of the upload": (
            {},
            {"signature": signed_receipt(seed, upload, {})["signature"]},
            "signature",
        ),
        "signature cut short": ({}, {"signature": short}, "format"),
        "promise before the acceptance": ({"batch_by": "2026-01-02T03:04:04.999Z"}, {}, "format"),
        "file under the kind of a capture": ({"accepted": file}, {}, "format"),
        "kind unknown": ({"kind": "hearsay"}, {}, "format"),
        "unknown member": ({"note": "x"}, {}, "format"),
        "digest in capitals": ({"key_id": mine["key_id"].upper()}, {}, "format"),
        "version 2": ({"format": "evidence-receipt/2"}, {}, "version"),
    }
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return {
        "about": "intake receipts; verdict: holds, or what refuses them (format, version, signature)",
        "public_key": public.public_bytes_raw().hex(),
        "rows of the list of digests": rows,
        "cases": [
            {"name": name, "receipt": canonical(signed_receipt(seed, *parts)).hex(), "verdict": verdict}
            for name, (*parts, verdict) in cases.items()
        ],
    }


FILES = {
    "canonical.json": canonical_vectors,
    "inclusion.json": inclusion_cases,
    "formats.json": format_vectors,
    "receipts.json": receipt_vectors,
    "renewals.json": renewal_vectors,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only; exit 1 when a file is not fresh")
    check = parser.parse_args().check
    stale = []
    for name, make in FILES.items():
        fresh = json.dumps(make(), indent=1, ensure_ascii=True) + "\n"
        path = VECTORS / name
        if check and (not path.exists() or path.read_text() != fresh):
            stale.append(name)
        elif not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(fresh)
    if stale:
        print("not fresh:", ", ".join(stale), "- run: python scripts/generate_vectors.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
