"""Indexes of what a deadline may end, which leave out a backlog that waits for a later one."""

from __future__ import annotations

from workers.store.migrations.online import build_index, drop_index

revision = "0014"
down_revision = "0011"

_INDEXES = {
    "documents_accepted": "documents (accepted_at) WHERE state = 'accepted'",
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
