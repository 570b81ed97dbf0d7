"""Entities that the LLM adds to the candidates of a question."""

from __future__ import annotations

from workers.store.migrations.online import alter, build_index, drop_index

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns; what is there was asked about."""
    alter(
        "ALTER TABLE answers ADD COLUMN IF NOT EXISTS proposed boolean NOT NULL DEFAULT false",
        "ALTER TABLE cached_answers ADD COLUMN IF NOT EXISTS proposals jsonb",
    )
    build_index("answers_proposed", "answers (document_id) WHERE proposed")


def downgrade() -> None:
    """Forget what was proposed."""
    drop_index("answers_proposed")
    alter(
        "DELETE FROM answers WHERE proposed",
        "ALTER TABLE answers DROP COLUMN proposed",
        "ALTER TABLE cached_answers DROP COLUMN proposals",
    )
