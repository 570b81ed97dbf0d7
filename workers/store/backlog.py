"""What is under way: how much, and how long it has waited."""

from __future__ import annotations

from sqlalchemy import Connection, TextClause, text

from workers.ports import Backlog, Waits
from workers.store import troubles

_UNFINISHED = text("""
    SELECT count(*)
    FROM (
        SELECT FROM documents
        WHERE state <> 'complete' AND (state <> 'recognised' OR lane IS DISTINCT FROM 'batch')
        LIMIT CAST(:up_to AS bigint)
    ) AS unfinished
""")
_UNFINISHED_DOCUMENTS = text("""
    SELECT state AS name, count(*) AS n FROM documents WHERE state <> 'complete' GROUP BY state
""")
_OPEN_QUESTIONS = text("""
    SELECT state AS name, count(*) AS n FROM questions WHERE state IN ('pending', 'claimed') GROUP BY state
""")
DEAD_DOCUMENTS = text("""
    SELECT reason AS name, count(*) AS n FROM documents
    WHERE state = 'complete' AND reason IS NOT NULL AND dropped_at IS NULL GROUP BY reason
""")
PARKED = text("SELECT count(*) FROM parked_messages")
OLDEST_UNFINISHED_S = text("""
    SELECT coalesce(extract(epoch FROM now() - min(accepted_at)), 0)::float8
    FROM documents WHERE state <> 'complete'
""")

# Each part is the first row of an index of its own.
_WAITS = text("""
    SELECT stage, coalesce(extract(epoch FROM now() - due), 0)::float8 AS due_s,
        coalesce(extract(epoch FROM now() - published), 0)::float8 AS published_s
    FROM (
        VALUES (
            'recognise',
            (
                SELECT min(not_before) FROM documents
                WHERE state = 'accepted' AND published_at IS NULL AND not_before <= now()
            ),
            (SELECT min(published_at) FROM documents WHERE state = 'accepted' AND published_at IS NOT NULL)
        ), (
            'classify',
            (
                SELECT min(not_before) FROM questions
                WHERE lane = 'now' AND state = 'pending' AND published_at IS NULL AND not_before <= now()
            ),
            (SELECT min(published_at) FROM questions WHERE state = 'pending' AND published_at IS NOT NULL)
        ), (
            'aggregate',
            (
                SELECT min(not_before) FROM documents
                WHERE state = 'classified' AND published_at IS NULL AND not_before <= now()
            ),
            (SELECT min(published_at) FROM documents WHERE state = 'classified' AND published_at IS NOT NULL)
        )
    ) AS oldest (stage, due, published)
""")
_BATCH_DUE_S = text("""
    SELECT coalesce(extract(epoch FROM now() - min(not_before)), 0)::float8 FROM questions
    WHERE lane = 'batch' AND batch_id IS NULL AND state = 'pending' AND not_before <= now()
""")


def unfinished(connection: Connection, *, up_to: int | None) -> int:
    """See `Reader.unfinished`."""
    count: int = connection.execute(_UNFINISHED, {"up_to": up_to}).scalar_one()
    return count


def by_name(connection: Connection, query: TextClause) -> dict[str, int]:
    """The `n` of each row by its `name`."""
    return {row.name: row.n for row in connection.execute(query)}


def backlog(connection: Connection) -> Backlog:
    """See `Reader.backlog`. Each part has an index of its own."""
    return Backlog(
        documents=by_name(connection, _UNFINISHED_DOCUMENTS),
        questions=by_name(connection, _OPEN_QUESTIONS),
        dead_documents=by_name(connection, DEAD_DOCUMENTS),
        parked=connection.execute(PARKED).scalar_one(),
        oldest_unfinished_s=connection.execute(OLDEST_UNFINISHED_S).scalar_one(),
        unfinished=unfinished(connection, up_to=None),
        waits={row.stage: Waits(row.due_s, row.published_s) for row in connection.execute(_WAITS)},
        batch_due_s=connection.execute(_BATCH_DUE_S).scalar_one(),
        troubles=troubles.last(connection),
    )
