"""In which lane a document is asked about, and until when."""

from __future__ import annotations

from workers.store.migrations.online import add_check, alter, build_index, drop_index

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns; what is there has the defaults of the settings."""
    alter(
        """
        ALTER TABLE documents
            ADD COLUMN IF NOT EXISTS lane text,
            ADD COLUMN IF NOT EXISTS deadline_s double precision
        """,
        "ALTER TABLE questions ADD COLUMN IF NOT EXISTS deadline_at timestamptz",
    )
    add_check("documents", "documents_lane_check", "lane IN ('now', 'batch', 'never')")
    build_index(
        "questions_deadline", "questions (deadline_at) WHERE deadline_at IS NOT NULL AND state = 'pending'"
    )


def downgrade() -> None:
    """Drop them again."""
    drop_index("questions_deadline")
    alter(
        "ALTER TABLE questions DROP COLUMN deadline_at",
        "ALTER TABLE documents DROP COLUMN lane, DROP COLUMN deadline_s",
    )
