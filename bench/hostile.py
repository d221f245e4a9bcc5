"""``make bench-hostile``: the worst files we can think of; each has to end in 10 s, in 512 MB, in words.

``RESULT files=… slowest_s=… peak_mb=… over=…``; ends with 1 when one is over.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from evidence_service.core import canonical, manifest
from tests.forgeries import pdfs, records, tokens, updates
from tests.forgeries.chain import text
from tests.forgeries.keys import Authority, authority, certify, key, later
from tests.forgeries.longterm import with_store
from tests.forgeries.renewing import Renewing, collected, day, revocation_list
from tests.forgeries.world import World, built, usual_value

EVIDENCE = Path(sys.executable).with_name("evidence")
SECONDS, MEGABYTES = 10.0, 512.0
MEBI = 1024 * 1024


def hostile(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """Name, file name and content."""
    head = b"%PDF-1.7\n"
    yield "PDF of nothing but brackets", "a.pdf", pdfs._first_revision(b"[" * (60 * MEBI))
    yield "PDF with one endless string", "a.pdf", pdfs._first_revision(b"(" + b"a" * (60 * MEBI))
    yield "PDF with one endless escape", "a.pdf", pdfs._first_revision(b"(" + b"\\" * (60 * MEBI))
    yield "PDF of comments", "a.pdf", pdfs._first_revision(b"%" + b"\n%" * (30 * MEBI))
    yield "PDF of numbers", "a.pdf", pdfs._first_revision(b"[" + b"1 " * (30 * MEBI) + b"]")
    yield "PDF of ends", "a.pdf", head + b"startxref\n1\n%%EOF\n" * 3_000_000
    yield "PDF that is flate in flate", "a.pdf", _stacked()
    yield "PDF larger than the limit", "a.pdf", head + bytes(65 * MEBI)
    room = 4 * MEBI - 100
    yield "JSON of quotes", "bundle.json", b'"' + b'\\"' * (room // 2)
    yield "JSON of brackets", "bundle.json", b"[" * room
    yield "JSON of empty lists", "bundle.json", b"[" + b"[]," * (room // 3) + b"[]]"
    yield "JSON of objects", "bundle.json", b"[" + b'{"a":{}},' * (room // 9) + b"{}]"
    yield "JSON of digits", "bundle.json", b"1" * room
    yield "JSON of keys", "bundle.json", _keys(room)
    yield "JSON of escapes", "bundle.json", b'"' + b"\\u00e9" * (room // 6) + b'"'
    yield "bundle with 5,000 files", "bundle.json", _files()
    yield "bundle with twenty tokens of RSA-8192", "bundle.json", _slow_tokens()
    yield "bundle with tokens of many certificates", "bundle.json", _crowded_tokens()
    yield "bundle with the most lists", "bundle.json", _lists()
    yield "bundle with twenty renewals of 5,000 files", "bundle.json", _renewed_files()
    yield "bundle with renewals of many certificates", "bundle.json", _crowded_renewals()
    for name, _, forge in records.BYTES:
        yield f"corpus, {name}", "bundle.json", forge(built(json.loads(usual_value())))
    for name in tokens.LIMITS:
        value = json.loads(usual_value())
        value["timestamps"][0]["token"] = text(tokens.LIMITS[name](authority("First Authority"), bytes(64)))
        yield f"corpus, {name}", "bundle.json", built(value)
    world = World(folder)
    for name, data in pdfs._limits(world):
        yield f"corpus, {name}", "a.pdf", data
    base = updates.Base(world)
    for name, forge in updates.LIMITS.items():
        yield f"corpus, {name}", "a.pdf", forge(base)
    yield "certificate with the most revoked certificates", "a.pdf", _most_revoked(base)
    yield "archive that unpacks to ten gigabytes", "a.zip", _zip_bomb(folder)
    yield "archive of 20,000 members", "a.zip", _many_members(folder)
    yield (
        "exhibit of 20,000 empty files",
        "a.zip",
        _exhibit({f"evidence/ev-00000001/files/{n}": b"" for n in range(19_990)}),
    )
    yield (
        "exhibit of a thousand bundles",
        "a.zip",
        _exhibit({f"evidence/ev-{n:08d}/bundle.json": b"{}" for n in range(1000)}),
    )
    yield (
        "exhibit whose list is all objects",
        "a.zip",
        _exhibit(
            {
                "exhibit.json": b'{"format":"evidence-exhibit/1","files":['
                + b'{"a":{}},' * (room // 10)
                + b"{}]}",
                "evidence/ev-00000001/bundle.json": b"{}",
            }
        ),
    )


def _exhibit(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in {"exhibit.json": b'{"format":"evidence-exhibit/1"}', **members}.items():
            archive.writestr(name, data)
    return target.getvalue()


def _most_revoked(base: updates.Base) -> bytes:
    """Validation data up to its limit, of lists up to theirs."""
    issuer = base.world.issuer.root
    others = [certify(f"revoked {number}", key("x"), issuer).certificate for number in range(1500)]
    listed = revocation_list(issuer, *((other, later(), None) for other in others))
    return with_store(base.sealed, base.certificates, [listed] * 64)


def _stacked() -> bytes:
    data = bytes(200 * MEBI)
    for _ in range(3):
        data = zlib.compress(data, 9)
    body = b"<</Length %d/Filter[/FlateDecode/FlateDecode/FlateDecode]>>stream\n%s\nendstream" % (
        len(data),
        data,
    )
    return pdfs._first_revision(body)


def _keys(room: int) -> bytes:
    count = room // 14
    return b"{" + b",".join(b'"%08d":0' % number for number in range(count)) + b"}"


def _files() -> bytes:
    value = json.loads(usual_value())
    first = value["manifest"]["files"][0]
    value["manifest"]["files"] = [{**first, "path": f"f{number:05d}"} for number in range(5000)]
    return built(value)


def _slow_tokens() -> bytes:
    value = json.loads(usual_value())
    root = certify("slow root", key("slow", "rsa8192"), None, ca=True)
    maker = Authority(
        "slow", root, certify("slow signer", key("slow", "rsa8192"), root, stamping=True), (root,)
    )
    token = text(maker.token(_imprint(value), later(seconds=30)))
    value["timestamps"] = [{"of": "manifest", "token": token, "revocation": collected()}] * 20
    return built(value)


def _crowded_tokens() -> bytes:
    value = json.loads(usual_value())
    token = text(_crowd().token(_imprint(value), later(seconds=30)))
    value["timestamps"] = [{"of": "manifest", "token": token, "revocation": collected()}] * 20
    return built(value)


def _lists() -> bytes:
    """Eight lists of some 1,600 entries for each of as many tokens as there is room for."""
    maker = authority("First Authority")
    others = [(maker.signer.certificate, later(days=1), None)] * 1600
    long = collected(*[revocation_list(maker.root, *others)] * 8)
    value = json.loads(usual_value())
    value["timestamps"] = [{**value["timestamps"][0], "revocation": long}] * 5
    return built(value)


def _renewed_files() -> bytes:
    value = json.loads(_files())
    imprint = manifest.stamped_digest(canonical.encode(value["manifest"]))
    token = text(authority("First Authority").token(imprint, later(seconds=30)))
    value["timestamps"] = [{"of": "manifest", "token": token, "revocation": collected()}]
    for number in range(20):
        Renewing((authority("First Authority"),), day(number + 1), kind="hash_tree").renew(value)
    return built(value)


def _crowded_renewals() -> bytes:
    value = json.loads(usual_value())
    for number in range(20):
        Renewing((_crowd(),), day(number + 1)).renew(value)
        stamps = value["renewals"][-1]["timestamps"]
        value["renewals"][-1]["timestamps"] = stamps * 6
    return built(value)


@cache
def _crowd() -> Authority:
    """An authority with as many certificates of the slowest kind as there may be."""
    above, travelling = None, []
    for number in range(9):
        above = certify(f"level {number}", key("slow", "rsa8192"), above, ca=True)
        travelling.append(above)
    signer = certify("last", key("slow", "rsa8192"), above, stamping=True)
    return Authority("crowd", travelling[0], signer, tuple(travelling))


def _imprint(value: dict) -> bytes:
    return manifest.stamped_digest(canonical.encode(value["manifest"]))


def _zip_bomb(folder: Path) -> bytes:
    path = folder / "bomb.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target,
        target.open("zeros", "w", force_zip64=True) as member,
    ):
        for _ in range(200):
            member.write(bytes(50 * MEBI))
    return path.read_bytes()


def _many_members(folder: Path) -> bytes:
    path = folder / "many.zip"
    with zipfile.ZipFile(path, "w") as target:
        for number in range(20_001):
            target.writestr(str(number), b"")
    return path.read_bytes()


def measure(path: Path, *command: str) -> tuple[int, float, float, str]:
    """Exit code, seconds, peak megabytes of the command and its child, errors."""
    code = (
        "import resource, subprocess, sys; d = subprocess.run(sys.argv[1:], stdout=-3, stderr=-1, text=True);"
        "print(d.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); print(d.stderr)"
    )
    started = time.perf_counter()
    called = [sys.executable, "-c", code, EVIDENCE, *(command or ("verify", "--offline")), path]
    done = subprocess.run(called, capture_output=True, text=True, check=True)
    taken = time.perf_counter() - started
    first, _, rest = done.stdout.partition("\n")
    returned, memory = first.split()
    return int(returned), taken, int(memory) / 1024, rest


class Tally:
    """What all files came to; one is over when it takes too much, breaks, or ends with a wrong exit code."""

    def __init__(self, *wrong: int) -> None:
        self._wrong = wrong
        self._slowest = self._largest = 0.0
        self._count = self._over = 0

    def note(self, what: str, measured: tuple[int, float, float, str]) -> None:
        """Count one file, as :func:`measure` found it, and print it."""
        code, seconds, megabytes, errors = measured
        bad = seconds > SECONDS or megabytes > MEGABYTES or code in self._wrong or "Traceback" in errors
        self._count, self._over = self._count + 1, self._over + bad
        self._slowest, self._largest = max(self._slowest, seconds), max(self._largest, megabytes)
        print(
            f"{'OVER ' if bad else ''}{what}: exit {code}, {seconds:.2f} s, {megabytes:.0f} MB",
            file=sys.stderr,
        )

    def end(self) -> int:
        """Print the result; the exit code of the bench."""
        print(
            f"RESULT files={self._count} slowest_s={self._slowest:.2f} peak_mb={self._largest:.0f} "
            f"over={self._over}"
        )
        return 1 if self._over else 0


def main() -> int:
    """Measure every file."""
    tally = Tally(0, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for what, file_name, content in hostile(folder):
            path = folder / file_name
            path.write_bytes(content)
            tally.note(what, measure(path))
            path.unlink()
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
