"""A million entries in closed batches, and how long it takes to find one of them by digest."""

from __future__ import annotations

import hashlib
import http.client
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, text

from evidence_service.core import batch, merkle
from evidence_service.core.digest import Digest, digest_of
from evidence_service.service.parts import Parts
from evidence_service.store.records import Matter
from evidence_service.store.schema import DEFAULT_ORGANISATION
from evidence_service.store.trees import TreeFiles

BATCH = 100_000
LOOKUPS = 2_000
_WARM = 50
_EVIDENCE = (
    "COPY evidence (id, organisation_id, matter_id, kind, operator, certificate_wanted, status, progress, "
    "outcome, manifest, salt, registered_at, batch_id, leaf_index, created_at, batch_by) FROM STDIN"
)
_REGISTRATIONS = (
    "COPY registrations (id, organisation_id, matter_id, name, media_type, size, sha256, sha3_512, operator, "
    "accepted_at, batch_by, entered) FROM STDIN"
)
_TERMS = "COPY evidence_terms (evidence_id, organisation_id, kind, term) FROM STDIN"
_ENTRIES = "COPY entries (batch_id, leaf_index, sha256) FROM STDIN"


def fill(engine: Engine, parts: Parts, entries: int, *, organisation: str, matter: str) -> list[bytes]:
    """Enter registered digests, every second one of another organisation; some digests to look for.

    As the owner, past row-level security, for COPY. The manifests are short: nothing reads them but the hash.

    Returns:
        Content digests and manifest digests, taken at random from those of the organisation.
    """
    trees = TreeFiles(parts.capturing.directory.parent / "trees")
    parts.within(DEFAULT_ORGANISATION).records.add_matter(
        Matter("m-other", "other", "Other SA", (), parts.now())
    )
    chosen: list[bytes] = []
    last: Batch | None = None
    for first in range(0, entries, BATCH):
        numbers = range(first, min(first + BATCH, entries))
        last = _close(trees, numbers, last, parts.now())
        chosen += _enter(engine, last, organisation, matter)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE evidence, registrations, evidence_terms, entries, batches"))
    random.Random(7).shuffle(chosen)
    return chosen[:LOOKUPS]


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of so many digests, with its tree on disk."""

    sequence: int
    numbers: range
    closed_at: datetime
    manifests: list[bytes]
    salts: list[bytes]
    digests: list[Digest]
    header: bytes

    @property
    def commitment(self) -> bytes:
        """What is anchored, 32 bytes."""
        return batch.commitment(self.header)


def _close(trees: TreeFiles, numbers: range, last: Batch | None, now: datetime) -> Batch:
    manifests = [f'{{"manifest":{number}}}'.encode() for number in numbers]
    salts = [hashlib.sha256(b"salt %d" % number).digest() for number in numbers]
    digests = [digest_of(data) for data in manifests]
    tree = merkle.MerkleTree(merkle.leaf_hashes(map(batch.entry, digests, salts)))
    sequence = 1 if last is None else last.sequence + 1
    header = batch.build_header(
        tree=tree,
        sequence=sequence,
        previous=None if last is None else last.commitment,
        opened_at=now,
        closed_at=now,
    )
    closed = Batch(sequence, numbers, now, manifests, salts, digests, header)
    trees.put(closed.commitment.hex(), tree)
    return closed


def _enter(engine: Engine, closed: Batch, organisation: str, matter: str) -> list[bytes]:
    now, batch_id, numbers, digests = (
        closed.closed_at,
        f"batch-{closed.sequence}",
        closed.numbers,
        closed.digests,
    )
    contents = [digest_of(b"content %d" % number) for number in numbers]
    ids = [f"ev-{hashlib.sha256(b'%d' % number).hexdigest()[:20]}" for number in numbers]
    owners = [
        (organisation, matter) if number % 2 else (DEFAULT_ORGANISATION, "m-other") for number in numbers
    ]
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute(
            "SET session_replication_role = replica"
        )  # thousands of references are checked by nobody
        cursor.execute(
            "INSERT INTO batches (id, sequence, status, header, commitment, size, closed_at) "
            "VALUES (%s, %s, 'anchored', %s, %s, %s, %s)",
            (batch_id, closed.sequence, closed.header, closed.commitment, len(numbers), now),
        )
        cursor.executemany(
            "INSERT INTO batch_owners (organisation_id, batch_id) VALUES (%s, %s)",
            [(owner, batch_id) for owner in sorted({owner for owner, _ in owners})],
        )
        with cursor.copy(_EVIDENCE) as copy:
            for index, name in enumerate(ids):
                copy.write_row(
                    (name, *owners[index], "digest", "agent", False, "anchored", "anchored", "received",
                     closed.manifests[index], closed.salts[index], now, batch_id, index, now, now)
                )  # fmt: skip
        with cursor.copy(_REGISTRATIONS) as copy:
            for name, owner, found in zip(ids, owners, contents, strict=True):
                copy.write_row(
                    (name, *owner, "file", "image/jpeg", found.size, found.sha256, found.sha3_512,
                     "agent", now, now, True)
                )  # fmt: skip
        with cursor.copy(_TERMS) as copy:
            for name, (owner, _), found in zip(ids, owners, contents, strict=True):
                copy.write_row((name, owner, "sha256", found.sha256.hex()))
        with cursor.copy(_ENTRIES) as copy:
            for index, found in enumerate(digests):
                copy.write_row((batch_id, index, found.sha256))
        cursor.execute("SET session_replication_role = origin")
        raw.commit()
    finally:
        raw.close()
    mine = [index for index, (owner, _) in enumerate(owners) if owner == organisation][
        :: max(1, BATCH // 1000)
    ]
    return [found[index].sha256 for index in mine for found in (digests, contents)]


def lookups(parts: Parts, organisation: str, digests: Sequence[bytes]) -> list[float]:
    """Seconds of each, at the store: the row, its batch and its checked inclusion path."""
    within = parts.within(organisation)

    def ask(sha256: bytes) -> None:
        [found] = within.proofs.of_digest(organisation, sha256, limit=51)
        assert found.path is not None, "without a path"

    return list(_timed(ask, digests))


def lookups_over_http(port: int, key: str, digests: Sequence[bytes]) -> list[float]:
    """The same as a client sees it, one request after the other on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port)

    def ask(sha256: bytes) -> None:
        path = f"/v1/proofs?sha256={sha256.hex()}"
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        [found] = json.loads(answer.read())["items"]
        assert answer.status == 200, answer.status
        assert found["path"], "without a path"

    try:
        return list(_timed(ask, digests))
    finally:
        connection.close()


def _timed(ask: Callable[[bytes], None], digests: Sequence[bytes]) -> Iterator[float]:
    for sha256 in digests[:_WARM]:  # statements are prepared meanwhile
        ask(sha256)
    for sha256 in digests:
        started = time.perf_counter()
        ask(sha256)
        yield time.perf_counter() - started
