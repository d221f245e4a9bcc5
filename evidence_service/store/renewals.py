"""Renewals: which evidence is renewed by which tree. Every method is one transaction; it is durable."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select, text, update

from evidence_service.core import merkle
from evidence_service.errors import MismatchError, NotFoundError
from evidence_service.store import schema
from evidence_service.store.links import Due, find_due
from evidence_service.store.tenancy import Store
from evidence_service.store.trees import TreeFiles

_OPENING_LOCK = 0x72656E65  # "rene"


@dataclass(frozen=True, slots=True)
class Renewal:
    """One tree over many pieces of evidence.

    Attributes:
        kind: ``timestamp`` or ``hash_tree``.
        state: open → built → stamped → recorded, or missed instead of stamped; only forward.
        document: canonical bytes that authorities stamp; None until it is built.
        expires_at: when the first certificate behind what is renewed ends.
        attempt: how often it was tried; next_at: when it is tried next, None when it is recorded.
        waiting_for: why it did not go on, in words; None when it did.
    """

    id: str
    sequence: int
    kind: str
    state: str
    document: bytes | None
    expires_at: datetime
    opened_at: datetime
    attempt: int
    next_at: datetime | None
    waiting_for: str | None


@dataclass(frozen=True, slots=True)
class Member:
    """A piece of evidence in a renewal.

    Attributes:
        generation: how many renewals it had before.
        position: index of its entry in the tree.
        leaf: hash of its entry, which binds what is covered; None until the tree is built.
    """

    evidence_id: str
    generation: int
    renewal_id: str
    position: int
    leaf: bytes | None


class Renewals(Store):
    """Renewals in PostgreSQL, their trees in files.

    Args:
        trees: one for each renewal, under its id.
    """

    def __init__(self, engine: Engine, trees: TreeFiles) -> None:
        super().__init__(engine)
        self._trees = trees

    def open_due(
        self, *, kind: str, until: datetime, every: bool, now: datetime, limit: int
    ) -> Renewal | None:
        """Group what is due into one renewal; None when nothing is.

        What hangs on a certificate that has ended already is left out: stamping it again proves nothing.

        Args:
            until: due is what hangs on a certificate that ends by this moment.
            every: also due is all that has no hash-tree renewal yet, however long its certificates last.
            limit: most pieces of evidence of one tree.
        """
        with self._engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _OPENING_LOCK})
            found = find_due(connection, until=until, every=every, after=now, limit=limit)
            if not found:
                return None
            ends_at = min(item.ends_at for item in found)
            members = [(item.evidence_id, item.generation) for item in found]
            return _open(connection, members, kind=kind, expires_at=ends_at, now=now)

    def set_apart(self, renewal_id: str, evidence_ids: Collection[str], *, now: datetime) -> None:
        """Move members of an open renewal into one of their own: what is damaged holds up nothing else."""
        item, table = self.renewal(renewal_id), schema.renewal_members
        here = table.c.renewal_id == renewal_id
        with self._engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _OPENING_LOCK})
            members = [
                (row.evidence_id, row.generation)
                for row in connection.execute(select(table).where(here).order_by(table.c.position))
            ]
            apart = [member for member in members if member[0] in evidence_ids]
            if apart:
                connection.execute(delete(table).where(here))
                rest = [member for member in members if member not in apart]
                _add_members(connection, renewal_id, rest)
                _open(connection, apart, kind=item.kind, expires_at=item.expires_at, now=now)

    def due(self, *, now: datetime) -> list[Renewal]:
        """Those that are to be worked on, oldest first."""
        table = schema.renewals
        query = select(table).where(table.c.next_at <= now).order_by(table.c.sequence)
        with self._engine.connect() as connection:
            return [Renewal(**row._mapping) for row in connection.execute(query)]

    def unfinished(self) -> list[Renewal]:
        """Those that are not finished, and those that were missed, oldest first."""
        table = schema.renewals
        query = select(table).where(table.c.state != "recorded").order_by(table.c.sequence)
        with self._engine.connect() as connection:
            return [Renewal(**row._mapping) for row in connection.execute(query)]

    def renewal(self, renewal_id: str) -> Renewal:
        """A renewal.

        Raises:
            NotFoundError: there is none with this id.
        """
        query = select(schema.renewals).where(schema.renewals.c.id == renewal_id)
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no renewal {renewal_id}")
        return Renewal(**row._mapping)

    def members(self, renewal_id: str) -> list[Member]:
        """What it renews, in the order of the tree."""
        table = schema.renewal_members
        query = select(table).where(table.c.renewal_id == renewal_id).order_by(table.c.position)
        with self._engine.connect() as connection:
            return [Member(**row._mapping) for row in connection.execute(query)]

    def build(
        self, renewal_id: str, *, tree: merkle.MerkleTree, document: bytes, leaves: Sequence[bytes]
    ) -> None:
        """Keep the tree, then in one transaction document and leaves; once: what is built stays."""
        self._trees.put(renewal_id, tree)
        table, members = schema.renewals, schema.renewal_members
        with self._engine.begin() as connection:
            changed = connection.execute(
                update(table)
                .where(table.c.id == renewal_id, table.c.state == "open")
                .values(state="built", document=document)
            )
            if changed.rowcount == 0:
                return
            for position, leaf in enumerate(leaves):
                connection.execute(
                    update(members)
                    .where(members.c.renewal_id == renewal_id, members.c.position == position)
                    .values(leaf=leaf)
                )

    def advance(self, renewal_id: str, state: str) -> None:
        """Move on to ``stamped``, ``recorded`` or ``missed``; the last two are not worked on any more."""
        before = {"stamped": "built", "recorded": "stamped", "missed": "built"}[state]
        table = schema.renewals
        values: dict[str, Any] = {"state": state, "waiting_for": None}
        if state != "stamped":
            values["next_at"] = None
        with self._engine.begin() as connection:
            connection.execute(
                update(table).where(table.c.id == renewal_id, table.c.state == before).values(**values)
            )

    def note_waiting(self, renewal_id: str, waiting_for: str, *, attempt: int, next_at: datetime) -> None:
        """Say why it did not go on, and when it is tried again."""
        table = schema.renewals
        with self._engine.begin() as connection:
            connection.execute(
                update(table)
                .where(table.c.id == renewal_id, table.c.next_at.is_not(None))
                .values(waiting_for=waiting_for, attempt=attempt, next_at=next_at)
            )

    def of_evidence(self, evidence_id: str) -> list[tuple[Renewal, Member]]:
        """Stamped renewals of a piece of evidence, oldest first."""
        table, members = schema.renewals, schema.renewal_members
        query = (
            select(members, *(column.label(f"r_{column.name}") for column in table.c))
            .join(table, table.c.id == members.c.renewal_id)
            .where(members.c.evidence_id == evidence_id, table.c.state.in_(("stamped", "recorded")))
            .order_by(members.c.generation)
        )
        with self._engine.connect() as connection:
            rows = [row._mapping for row in connection.execute(query)]
        return [
            (
                Renewal(**{name: row[f"r_{name}"] for name in Renewal.__dataclass_fields__}),
                Member(**{name: row[name] for name in Member.__dataclass_fields__}),
            )
            for row in rows
        ]

    def path(
        self, member: Member, *, size: int, root: bytes, algorithm: merkle.Algorithm
    ) -> tuple[bytes, ...]:
        """Inclusion path of a member's entry; a lost or damaged tree is made again from the leaves."""
        leaf, index = member.leaf or b"", member.position
        try:
            path = self._trees.path(member.renewal_id, size=size, index=index)
            merkle.verify_inclusion(leaf, index=index, size=size, path=path, root=root, algorithm=algorithm)
        except MismatchError:
            leaves = [item.leaf or b"" for item in self.members(member.renewal_id)]
            tree = merkle.MerkleTree(leaves, algorithm)
            self._trees.put(member.renewal_id, tree)
            return tree.path(index)
        return path

    def ends(self, *, until: datetime) -> list[Due]:
        """Evidence in no open renewal whose first certificate ends by a moment, soonest first."""
        with self._engine.connect() as connection:
            return find_due(connection, until=until, every=False)


def _open(
    connection: Connection,
    members: Sequence[tuple[str, int]],
    *,
    kind: str,
    expires_at: datetime,
    now: datetime,
) -> Renewal:
    """A new renewal of evidence, by id and generation."""
    last = connection.execute(select(func.max(schema.renewals.c.sequence))).scalar_one()
    sequence = (last or 0) + 1
    opened = Renewal(
        id=f"renewal-{sequence}",
        sequence=sequence,
        kind=kind,
        state="open",
        document=None,
        expires_at=expires_at,
        opened_at=now,
        attempt=0,
        next_at=now,
        waiting_for=None,
    )
    values = {name: getattr(opened, name) for name in Renewal.__dataclass_fields__}
    connection.execute(insert(schema.renewals).values(values))
    _add_members(connection, opened.id, members)
    return opened


def _add_members(connection: Connection, renewal_id: str, members: Sequence[tuple[str, int]]) -> None:
    connection.execute(
        insert(schema.renewal_members),
        [
            {
                "evidence_id": evidence_id,
                "generation": generation,
                "renewal_id": renewal_id,
                "position": position,
            }
            for position, (evidence_id, generation) in enumerate(members)
        ],
    )
