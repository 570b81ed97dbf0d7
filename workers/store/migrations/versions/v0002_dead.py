"""Attempts at documents, and what the list of the dead needs."""

from __future__ import annotations

from workers.store.migrations.online import alter, build_index, drop_index

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns, then the indexes."""
    alter(
        """
        ALTER TABLE documents
            ADD COLUMN IF NOT EXISTS attempts integer NOT NULL DEFAULT 0,
            ADD COLUMN IF NOT EXISTS last_error text,
            ADD COLUMN IF NOT EXISTS replayed_at timestamptz,
            ADD COLUMN IF NOT EXISTS dropped_at timestamptz
        """,
        "ALTER TABLE questions ADD COLUMN IF NOT EXISTS dropped_at timestamptz",
    )
    build_index(
        "documents_dead",
        "documents (completed_at) WHERE state = 'complete' AND reason IS NOT NULL AND dropped_at IS NULL",
    )
    build_index("questions_dead", "questions (ended_at) WHERE state = 'dead' AND dropped_at IS NULL")


def downgrade() -> None:
    """Drop them again."""
    for name in ("documents_dead", "questions_dead"):
        drop_index(name)
    alter(
        "ALTER TABLE questions DROP COLUMN dropped_at",
        """
        ALTER TABLE documents
            DROP COLUMN attempts, DROP COLUMN last_error, DROP COLUMN replayed_at, DROP COLUMN dropped_at
        """,
    )
