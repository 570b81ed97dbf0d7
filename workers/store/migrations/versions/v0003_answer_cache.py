"""The answer cache: what equal questions share, which of them wait for it, and which answers came from it."""

from __future__ import annotations

from workers.store.migrations.online import alter, build_index, drop_index

revision = "0003"
down_revision = "0002"

_CACHE = """
    CREATE TABLE IF NOT EXISTS cached_answers (
        key bytea PRIMARY KEY,
        question_id bigint NOT NULL REFERENCES questions,
        promised_until timestamptz NOT NULL DEFAULT now(),
        answered_at timestamptz,
        labels text[],
        model text,
        prompt_version text,
        raw text,
        replayed boolean
    )
"""


def upgrade() -> None:
    """Create the table; what is there is marked as not from it."""
    alter(
        _CACHE,
        "ALTER TABLE questions ADD COLUMN IF NOT EXISTS awaits bytea",
        "ALTER TABLE answers ADD COLUMN IF NOT EXISTS cached boolean NOT NULL DEFAULT false",
        "ALTER TABLE entities ADD COLUMN IF NOT EXISTS cached boolean NOT NULL DEFAULT false",
    )
    build_index("questions_awaiting", "questions (awaits) WHERE awaits IS NOT NULL AND state = 'pending'")


def downgrade() -> None:
    """Forget the cache; questions that wait for it come back by themselves."""
    drop_index("questions_awaiting")
    alter(
        "ALTER TABLE entities DROP COLUMN cached",
        "ALTER TABLE answers DROP COLUMN cached",
        "ALTER TABLE questions DROP COLUMN awaits",
        "DROP TABLE cached_answers",
    )
