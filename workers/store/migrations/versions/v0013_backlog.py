"""Indexes of unfinished work that leave out what waits for a batch, which may be most of it."""

from __future__ import annotations

from workers.store.migrations.online import build_index, drop_index

revision = "0013"
down_revision = "0012"

_INDEXES = {
    "documents_under_way": """
        documents (accepted_at)
        WHERE state <> 'complete' AND (state <> 'recognised' OR lane IS DISTINCT FROM 'batch')
    """,
    "questions_undated": "questions (created_at) WHERE state = 'pending' AND deadline_at IS NULL",
}


def upgrade() -> None:
    """Build them."""
    for name, definition in _INDEXES.items():
        build_index(name, definition)


def downgrade() -> None:
    """Drop them again."""
    for name in _INDEXES:
        drop_index(name)
