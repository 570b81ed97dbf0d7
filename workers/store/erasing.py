"""Documents erased with all that was found, asked and answered about them; what calls cost stays.

One lock order, that of `workers.store.asking` and `workers.store.answer_cache`: documents by id, then their
questions, then the cache's rows. Whoever has an erased document in hand finds no row to write to, as after a
stale fence: a late answer brings nothing back. Batches are small, so that nobody waits for long.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, TextClause, text

from workers.ports import Erased, Selection
from workers.store.database import in_transaction
from workers.store.finishing import LOCK_FEED

_COUNT = "SELECT count(*) FROM documents WHERE {chosen}"
_LOCK = "SELECT id FROM documents WHERE id > :after AND {chosen} ORDER BY id LIMIT :limit FOR UPDATE"

# Those that somebody holds are left to the next time.
_LOCK_OLD = text("""
    SELECT id FROM documents
    WHERE accepted_at <= now() - make_interval(secs => :older_than_s) AND state = 'complete'
    ORDER BY accepted_at LIMIT :limit FOR UPDATE SKIP LOCKED
""")

_CHOSEN = {
    "source": "source = :source",
    "external_id": "external_id = :external_id",
    "author": "author = :author",
    "accepted_before": "accepted_at < :accepted_before",
}

_LOCK_QUESTIONS = text("""
    SELECT id FROM questions WHERE document_id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR UPDATE
""")
_ERASE = [
    text(statement)
    for statement in (
        "DELETE FROM cached_answers WHERE question_id = ANY(CAST(:question_ids AS bigint[]))",
        "DELETE FROM answers WHERE question_id = ANY(CAST(:question_ids AS bigint[]))",
        "DELETE FROM spans WHERE document_id = ANY(CAST(:ids AS bigint[]))",
        "DELETE FROM entities WHERE document_id = ANY(CAST(:ids AS bigint[]))",
        "DELETE FROM questions WHERE document_id = ANY(CAST(:ids AS bigint[]))",
        "DELETE FROM feed WHERE document_id = ANY(CAST(:ids AS bigint[]))",
    )
]

# Only of a document that the feed has shown is there anything to tell.
_REMOVE = text("""
    DELETE FROM documents WHERE id = ANY(CAST(:ids AS bigint[])) RETURNING id, revision
""")
_TELL = text("""
    INSERT INTO feed (document_id, revision, erased)
    SELECT id, 0, true FROM unnest(CAST(:ids AS bigint[])) AS id ORDER BY id
""")

_FORGET = [
    text(statement)
    for statement in (
        """
        DELETE FROM feed WHERE seq IN (
            SELECT seq FROM feed WHERE erased AND created_at <= now() - make_interval(secs => :older_than_s)
            ORDER BY created_at LIMIT :limit
        )
        """,
        """
        DELETE FROM parked_messages WHERE id IN (
            SELECT id FROM parked_messages
            WHERE parked_at <= now() - make_interval(secs => :older_than_s) LIMIT :limit
        )
        """,
    )
]


class PostgresErasure:
    """The Erasure port on PostgreSQL; thread-safe.

    Every method is one transaction, and raises UnavailableError where the database cannot answer now.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def count(self, selection: Selection) -> int:
        """See the port."""
        return in_transaction(self._engine, _count, selection)

    def erase(self, selection: Selection, *, after: int, limit: int) -> Erased:
        """See the port."""
        return in_transaction(self._engine, _erase_selected, selection, after=after, limit=limit)

    def retire(self, *, older_than_s: float, limit: int) -> int:
        """See the port."""
        return in_transaction(self._engine, _retire, older_than_s=older_than_s, limit=limit)


def _chosen(selection: Selection, statement: str) -> tuple[TextClause, dict[str, object]]:
    """The statement with the conditions of the selection, and their values."""
    values = {name: value for name in _CHOSEN if (value := getattr(selection, name)) is not None}
    return text(statement.format(chosen=" AND ".join(_CHOSEN[name] for name in values))), values


def _count(connection: Connection, selection: Selection) -> int:
    found: int = connection.execute(*_chosen(selection, _COUNT)).scalar_one()
    return found


def _erase_selected(connection: Connection, selection: Selection, *, after: int, limit: int) -> Erased:
    lock, values = _chosen(selection, _LOCK)
    ids = connection.execute(lock, {**values, "after": after, "limit": limit}).scalars().all()
    return Erased(_erase(connection, ids), max(ids, default=after))


def _retire(connection: Connection, *, older_than_s: float, limit: int) -> int:
    old = {"older_than_s": older_than_s, "limit": limit}
    ids = connection.execute(_LOCK_OLD, old).scalars().all()
    for statement in _FORGET:
        connection.execute(statement, old)
    return _erase(connection, ids)


def _erase(connection: Connection, ids: Sequence[int]) -> int:
    """Erase these documents, which are locked, and tell the feed; how many."""
    if not ids:
        return 0
    questions = connection.execute(_LOCK_QUESTIONS, {"ids": list(ids)}).scalars().all()
    for statement in _ERASE:
        connection.execute(statement, {"ids": list(ids), "question_ids": list(questions)})
    removed = connection.execute(_REMOVE, {"ids": list(ids)}).all()
    shown = [row.id for row in removed if row.revision]
    if shown:
        connection.execute(LOCK_FEED)
        connection.execute(_TELL, {"ids": shown})
    return len(removed)
