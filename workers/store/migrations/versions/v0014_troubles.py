"""What each stage ran into last."""

from __future__ import annotations

from workers.store.migrations.online import alter

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Create the table."""
    alter("""
        CREATE TABLE troubles (
            stage text PRIMARY KEY,
            error text NOT NULL,
            seen_at timestamptz NOT NULL DEFAULT now()
        )
    """)


def downgrade() -> None:
    """Drop it."""
    alter("DROP TABLE troubles")
