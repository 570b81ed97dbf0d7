"""Schema changes while workers run: no lock is waited for long, and each step may be run again.

A statement that waits for a table's lock holds up everyone who comes after it, so it gives up soon and
`workers.store.migrating.migrate` tries again. Indexes are built without a lock, outside any transaction; what
an interruption leaves of one is removed first. A release only adds (expand); what no code uses any more is
removed by the release after (contract), so that workers one version apart share one schema.
"""

from __future__ import annotations

from alembic import op

LOCK_TIMEOUT = "3s"


def alter(*statements: str) -> None:
    """Run statements that lock a table only for a moment: nothing that reads or writes its rows."""
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    for statement in statements:
        op.execute(statement)


def alter_each(*statements: str) -> None:
    """The same, each in a transaction of its own: what locks two tables must not hold a third meanwhile.

    Each has to be one that may be run again.
    """
    with op.get_context().autocommit_block():
        op.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        try:
            for statement in statements:
                op.execute(statement)
        finally:
            op.execute("SET lock_timeout = DEFAULT")


def add_check(table: str, name: str, condition: str) -> None:
    """Add a CHECK constraint beside the writers: it holds for new rows at once, the others are read later.

    Together with its column it would have the whole table read under the lock that adds the column.
    """
    alter_each(
        f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}",
        f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID",
        f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}",
    )


def build_index(name: str, definition: str) -> None:
    """Build the index `name` on `definition` ("table (columns) WHERE …") beside the writers."""
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {definition}")


def drop_index(name: str) -> None:
    """Drop the index `name` beside the writers, where it is there."""
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
