"""Authors, and what erasing documents needs: a way from a document to its rows, and a feed that tells of it.

Rows that outlive their document, or whose check would read a whole table for each that is erased, lose their
foreign key.
"""

from __future__ import annotations

from workers.store.migrations.online import alter, alter_each, build_index, drop_index

revision = "0011"
down_revision = "0010"

_FREED = {
    "calls": "question_id",
    "cached_answers": "question_id",
    "answers": "document_id",
    "feed": "document_id",
}
_INDEXES = {
    "documents_by_author": "documents (author, id) WHERE author IS NOT NULL",
    "documents_by_age": "documents (accepted_at)",
    "questions_by_document": "questions (document_id)",
    "cached_answers_by_question": "cached_answers (question_id)",
    "feed_by_document": "feed (document_id)",
    "feed_erased": "feed (created_at) WHERE erased",
}


def upgrade() -> None:
    """Add the columns, give up the keys, build the indexes."""
    alter_each(
        "ALTER TABLE documents ADD COLUMN IF NOT EXISTS author text",
        "ALTER TABLE feed ADD COLUMN IF NOT EXISTS erased boolean NOT NULL DEFAULT false",
        *(
            f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_{column}_fkey"
            for table, column in _FREED.items()
        ),
    )
    for name, definition in _INDEXES.items():
        build_index(name, definition)


def downgrade() -> None:
    """Undo it; the keys stay given up, as rows may have lost what they refer to."""
    for name in _INDEXES:
        drop_index(name)
    alter(
        "DELETE FROM feed WHERE erased",
        "ALTER TABLE feed DROP COLUMN erased",
        "ALTER TABLE documents DROP COLUMN author",
    )
