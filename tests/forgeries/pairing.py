"""Genuine certificates with evidence that is not theirs (check 1.1)."""

from __future__ import annotations

from collections.abc import Iterator

from evidence_service.core.digest import digest_of
from tests.forgeries.world import Case, Evidence, World, built

FILES = {"dom.html": b"<html>listing</html>", "images/1.png": b"\x89PNG one", "note.txt": b"two\r\nlines"}


def cases(world: World) -> Iterator[Case]:
    """Every forgery of this kind."""
    value = Evidence(files=FILES).value()
    data = built(value)
    sealed = world.sealed(data)
    trust = world.trust(value)
    other = Evidence(files={"dom.html": b"<html>another listing</html>"}, salt=bytes(32))
    page = FILES["dom.html"]
    wrong: dict[str, dict[str, bytes]] = {
        "evidence of another matter": other.files,
        "evidence of another matter beside its own": {**FILES, "other/dom.html": other.files["dom.html"]},
        "one byte of a file changed": {"dom.html": page[:-1] + b"?"},
        "a byte added to a file": {"dom.html": page + b"\n"},
        "a file cut off": {"dom.html": page[:-1]},
        "a file emptied": {"dom.html": b""},
        "line ends rewritten": {"note.txt": b"two\nlines"},
        "a file nobody listed": {"extra.pdf": b"%PDF-1.7 extra"},
        "a file that holds another's digest as text": {"dom.html": digest_of(page).sha256.hex().encode()},
        "a changed file under another name": {"renamed.html": page + b" "},
    }
    for name, files in wrong.items():
        yield Case(
            f"pairing: {name}", trust, certificate=sealed, files=files, refused_by="1.1", verdict="invalid"
        )
    for name, digest in (
        ("SHA-256 of something else", digest_of(b"else").sha256.hex()),
        ("SHA3-512 of something else", digest_of(b"else").sha3_512.hex()),
    ):
        yield Case(
            f"digest: {name}",
            trust,
            certificate=sealed,
            digests=[digest],
            refused_by="1.1",
            verdict="invalid",
        )
    foreign = built(other.value())
    yield Case(
        "pairing: another matter's bundle with this one's files",
        world.trust(other.value()),
        bundle=foreign,
        files=FILES,
        refused_by="1.1",
        verdict="invalid",
    )
