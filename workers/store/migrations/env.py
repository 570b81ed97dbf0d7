"""Alembic's entry: runs the migrations on the connection that `workers.store.migrating.migrate` gives."""

from __future__ import annotations

from alembic import context

from workers.store.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
