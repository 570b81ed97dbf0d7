"""The Outbox port on PostgreSQL: due ids to the queues, and the sweep over what went missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, TextClause, text

from linkner.errors import UnavailableError
from workers.ports import DEADLINE, Sender, Stage
from workers.store.asking import MOVE_ON
from workers.store.database import connection_of_its_own, in_transaction, unavailable_as_such
from workers.store.finishing import fail_overdue
from workers.store.sql import CHANNEL

_SWEEP_LIMIT = 10_000
"""Most rows of one kind that one sweep looks for: its transactions stay short, the next sweep goes on."""

_DUE_DOCUMENTS = """
    SELECT id FROM documents
    WHERE state = '{state}' AND published_at IS NULL AND not_before <= now()
    ORDER BY not_before, id LIMIT :limit FOR UPDATE SKIP LOCKED
"""

DUE: dict[Stage, TextClause] = {
    "recognise": text(_DUE_DOCUMENTS.format(state="accepted")),
    "classify": text("""
        SELECT id FROM questions
        WHERE lane = 'now' AND state = 'pending' AND published_at IS NULL AND not_before <= now()
        ORDER BY not_before, id LIMIT :limit FOR UPDATE SKIP LOCKED
    """),
    "aggregate": text(_DUE_DOCUMENTS.format(state="classified")),
}

_MARK_DOCUMENTS = text("UPDATE documents SET published_at = now() WHERE id = ANY(:ids)")
_MARK_QUESTIONS = text("UPDATE questions SET published_at = now() WHERE id = ANY(:ids)")

# A sweep passes over rows that are locked: somebody works on them.
FREE_LEASES = text("""
    UPDATE questions SET state = 'pending', published_at = NULL, lease_until = NULL
    WHERE id IN (
        SELECT id FROM questions WHERE state = 'claimed' AND lease_until <= now()
        ORDER BY lease_until LIMIT :limit FOR UPDATE SKIP LOCKED
    )
""")

_LOST = """
    UPDATE {table} SET published_at = NULL
    WHERE id IN (
        SELECT id FROM {table}
        WHERE published_at <= now() - make_interval(secs => :republish_after_s) AND {unfinished}
        ORDER BY published_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
"""
LOST_DOCUMENTS = text(_LOST.format(table="documents", unfinished="state IN ('accepted', 'classified')"))
LOST_QUESTIONS = text(_LOST.format(table="questions", unfinished="state = 'pending'"))

_OVERDUE = "deadline_at IS NULL AND created_at <= now() - make_interval(secs => :deadline_s)"
_OVERDUE_BY_ITS_OWN = "deadline_at <= now()"

# Each part has an index of its own, which a condition with OR would use neither of.
_LOCK_OVERDUE = text(f"""
    SELECT id FROM documents
    WHERE id IN (
        (
            SELECT document_id FROM questions WHERE state = 'pending' AND {_OVERDUE}
            ORDER BY created_at LIMIT :limit
        )
        UNION ALL
        (
            SELECT document_id FROM questions WHERE state = 'pending' AND {_OVERDUE_BY_ITS_OWN}
            ORDER BY deadline_at LIMIT :limit
        )
    )
    ORDER BY id FOR UPDATE SKIP LOCKED
""")

_END_OVERDUE = text(f"""
    UPDATE questions SET state = 'dead', reason = :reason, ended_at = now()
    WHERE document_id = ANY(CAST(:ids AS bigint[])) AND state = 'pending'
        AND ({_OVERDUE} OR {_OVERDUE_BY_ITS_OWN})
""")

_SLICE = text("""
    SELECT max(id) AS last, count(*) AS size
    FROM (
        SELECT id FROM documents WHERE state = 'recognised' AND id > :after ORDER BY id LIMIT :limit
    ) AS slice
""")

# Two ranges of two indexes, and what the second lacks. NOT EXISTS would be planned by statistics: where there
# are none yet PostgreSQL reads all open questions of the slice for each of its documents.
_LOCK_ENDED = text("""
    SELECT id FROM documents
    WHERE state = 'recognised' AND id = ANY(ARRAY(
        SELECT id FROM documents WHERE state = 'recognised' AND id > :after AND id <= :last
        EXCEPT
        SELECT document_id FROM questions
        WHERE document_id > :after AND document_id <= :last AND state IN ('pending', 'claimed')
    ))
    ORDER BY id FOR UPDATE SKIP LOCKED
""")


class PostgresOutbox:
    """The relay's view of PostgreSQL. `wait` belongs to one thread; the rest is thread-safe.

    Every method raises UnavailableError where the database cannot answer now.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._listening: psycopg.Connection[Any] | None = None
        self._looked_to = 0

    def publish_due(self, stage: Stage, *, limit: int, send: Sender) -> int:
        """See the port. Oldest first; the rows stay locked until `send` has returned."""
        return in_transaction(self._engine, _publish_due, stage, limit=limit, send=send)

    def sweep(
        self, *, republish_after_s: float, deadline_s: float, document_deadline_s: float
    ) -> Mapping[str, int]:
        """See the port; kinds: `freed`, `lost_documents`, `lost_questions`, `overdue_documents`,
        `overdue_questions`, `ended`.

        `ended`, which whoever ends a question leaves nothing for, are looked for in a slice of the documents
        that wait, each time in the next one.
        """
        lost = {"republish_after_s": republish_after_s, "limit": _SWEEP_LIMIT}
        return {
            "freed": in_transaction(self._engine, _update, FREE_LEASES, {"limit": _SWEEP_LIMIT}),
            "lost_documents": in_transaction(self._engine, _update, LOST_DOCUMENTS, lost),
            "lost_questions": in_transaction(self._engine, _update, LOST_QUESTIONS, lost),
            "overdue_documents": in_transaction(
                self._engine, fail_overdue, deadline_s=document_deadline_s, limit=_SWEEP_LIMIT
            ),
            "overdue_questions": in_transaction(self._engine, _end_overdue, deadline_s=deadline_s),
            "ended": self._move_on_ended(),
        }

    def _move_on_ended(self) -> int:
        moved, self._looked_to = in_transaction(self._engine, _move_on_ended, after=self._looked_to)
        return moved

    def wait(self, *, timeout_s: float) -> bool:
        """See the port. True at once after (re)connecting: what came before may have gone unheard."""
        try:
            with unavailable_as_such():
                if self._listening is None:
                    self._listening = _listen(self._engine)
                    return True
                heard = any(True for _ in self._listening.notifies(timeout=timeout_s, stop_after=1))
                for _ in self._listening.notifies(timeout=0):
                    pass  # one look serves them all
                return heard
        except UnavailableError:
            self.close()
            raise

    def close(self) -> None:
        """Give up the connection that `wait` listens on; the next `wait` opens another."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None


def _publish_due(connection: Connection, stage: Stage, *, limit: int, send: Sender) -> int:
    ids = connection.execute(DUE[stage], {"limit": limit}).scalars().all()
    if ids:
        send(ids)
        connection.execute(_MARK_QUESTIONS if stage == "classify" else _MARK_DOCUMENTS, {"ids": list(ids)})
    return len(ids)


def _update(connection: Connection, statement: TextClause, values: Mapping[str, object]) -> int:
    return connection.execute(statement, values).rowcount


def _end_overdue(connection: Connection, *, deadline_s: float) -> int:
    overdue = {"deadline_s": deadline_s, "limit": _SWEEP_LIMIT}
    ids = list(connection.execute(_LOCK_OVERDUE, overdue).scalars())
    if not ids:
        return 0
    ending = {"ids": ids, "deadline_s": deadline_s, "reason": DEADLINE}
    ended = connection.execute(_END_OVERDUE, ending).rowcount
    connection.execute(MOVE_ON, {"ids": ids})
    return ended


def _move_on_ended(connection: Connection, *, after: int) -> tuple[int, int]:
    """How many of the slice of documents after that id moved on, and where the next slice begins."""
    found = connection.execute(_SLICE, {"after": after, "limit": _SWEEP_LIMIT}).one()
    if not found.size:
        return 0, 0
    ids = list(connection.execute(_LOCK_ENDED, {"after": after, "last": found.last}).scalars())
    moved = connection.execute(MOVE_ON, {"ids": ids}).rowcount if ids else 0
    return moved, found.last if found.size == _SWEEP_LIMIT else 0


def _listen(engine: Engine) -> psycopg.Connection[Any]:
    """A connection that hears CHANNEL."""
    connection = connection_of_its_own(engine)
    connection.execute(f"LISTEN {CHANNEL}")
    return connection
