"""Attempts at joining documents."""

from __future__ import annotations

from workers.store.migrations.online import alter

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column."""
    alter("ALTER TABLE documents ADD COLUMN IF NOT EXISTS join_attempts integer NOT NULL DEFAULT 0")


def downgrade() -> None:
    """Drop it again."""
    alter("ALTER TABLE documents DROP COLUMN join_attempts")
