"""What a batch will cost about, when it was sent off, and when its cost was recorded."""

from __future__ import annotations

from workers.store.migrations.online import alter

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the columns."""
    alter("""
        ALTER TABLE batches
            ADD COLUMN IF NOT EXISTS estimate jsonb,
            ADD COLUMN IF NOT EXISTS sent_at timestamptz,
            ADD COLUMN IF NOT EXISTS paid_at timestamptz
    """)


def downgrade() -> None:
    """Drop them again."""
    alter("ALTER TABLE batches DROP COLUMN paid_at, DROP COLUMN sent_at, DROP COLUMN estimate")
