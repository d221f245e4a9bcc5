"""Alembic environment: runs on the connection that :mod:`evidence_service.store.postgres` hands over."""

from __future__ import annotations

from alembic import context

from evidence_service.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
