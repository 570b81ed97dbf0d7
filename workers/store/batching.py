"""Questions that are asked in batches: gathered, and opened again where their answer came too late.

A question in a batch is still `pending`, and has the batch's id. So its deadline holds as for any other, and
its answer is recorded as any other's is: claimed first, under a fence. When a batch is closed, what it did
not answer is free for the next one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from sqlalchemy import Connection, Engine, text

from linkner.spans import Span
from workers.ports import DEADLINE, BatchedQuestion, BatchView, Call, StoredBatch
from workers.store.database import in_transaction
from workers.store.dead import replay_questions
from workers.store.spending import record_calls
from workers.store.sql import as_json, storable_error

_DUE = "lane = 'batch' AND batch_id IS NULL AND state = 'pending' AND not_before <= now()"

_COUNT_DUE = text(f"""
    SELECT count(*) AS waiting, coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8 AS oldest_s
    FROM (SELECT created_at FROM questions WHERE {_DUE} ORDER BY not_before, id LIMIT :at_most) AS due
""")

_CREATE = text("INSERT INTO batches DEFAULT VALUES RETURNING id, name")

_GATHER = text(f"""
    UPDATE questions SET batch_id = :batch_id
    WHERE id IN (
        SELECT id FROM questions WHERE {_DUE} ORDER BY not_before, id LIMIT :at_most FOR UPDATE SKIP LOCKED
    )
""")

_OPEN = text("""
    SELECT id, name, provider_id, extract(epoch FROM now() - coalesce(sent_at, created_at))::float8 AS age_s
    FROM batches WHERE state IN ('preparing', 'submitted') ORDER BY id
""")

_MEMBERS = text("""
    SELECT questions.id, document_id, source, text,
        CASE WHEN questions.state IN ('answered', 'dead') THEN questions.state ELSE 'open' END AS state,
        ARRAY(SELECT start FROM spans WHERE question_id = questions.id ORDER BY start, "end") AS starts,
        ARRAY(SELECT "end" FROM spans WHERE question_id = questions.id ORDER BY start, "end") AS ends
    FROM questions JOIN documents ON documents.id = document_id
    WHERE batch_id = :batch_id
    ORDER BY questions.id
""")

_SENDING = text("""
    UPDATE batches SET sent_at = now(), estimate = CAST(:estimate AS jsonb)
    WHERE id = :batch_id AND state = 'preparing'
""")

_SUBMITTED = text("""
    UPDATE batches
    SET state = 'submitted', provider_id = :provider_id, submitted_at = coalesce(submitted_at, now())
    WHERE id = :batch_id AND state <> 'closed'
""")

ERASED_SOURCE = "erased"
"""The source of a call whose document was erased while a batch asked about it."""

_SOURCES = text("""
    SELECT questions.id, source FROM questions JOIN documents ON documents.id = document_id
    WHERE questions.id = ANY(CAST(:ids AS bigint[]))
""")

_PAID = text("""
    UPDATE batches SET paid_at = now() WHERE id = :batch_id AND state <> 'closed' AND paid_at IS NULL
""")

_CLOSE = text("""
    UPDATE batches SET state = 'closed', ended_at = now(), error = :error
    WHERE id = :batch_id AND state <> 'closed'
""")
# A dead one may be tried again.
_FREE = text("""
    UPDATE questions SET batch_id = NULL, not_before = greatest(not_before, now())
    WHERE batch_id = :batch_id AND state <> 'answered'
""")

_KNOWN = text("""
    SELECT key FROM cached_answers
    WHERE key = ANY(CAST(:keys AS bytea[])) AND answered_at > now() - make_interval(secs => :max_age_s)
""")

_LATEST = text("""
    SELECT name, batches.state, provider_id, batches.created_at, batches.ended_at, error,
        count(questions.id) FILTER (WHERE questions.state IN ('pending', 'claimed')) AS waiting,
        count(questions.id) FILTER (WHERE questions.state = 'answered') AS answered
    FROM (SELECT * FROM batches ORDER BY id DESC LIMIT :limit) AS batches
    LEFT JOIN questions ON batch_id = batches.id
    GROUP BY batches.id, name, batches.state, provider_id, batches.created_at, batches.ended_at, error
    ORDER BY batches.id DESC
""")

_LATE = text("""
    SELECT id FROM questions
    WHERE id = ANY(CAST(:ids AS bigint[])) AND batch_id = :batch_id AND state = 'dead' AND reason = :reason
    ORDER BY id
""")


class PostgresBatches:
    """ports.Batches in PostgreSQL; thread-safe.

    Every method raises UnavailableError where the database cannot answer now.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def gather(self, *, at_least: int, at_most: int, after_s: float) -> StoredBatch | None:
        """See the port."""
        return in_transaction(self._engine, _gather, at_least=at_least, at_most=at_most, after_s=after_s)

    def open(self) -> list[StoredBatch]:
        """See the port."""
        return in_transaction(self._engine, _open)

    def members(self, batch_id: int) -> list[BatchedQuestion]:
        """See the port."""
        return in_transaction(self._engine, _members, batch_id)

    def sending(self, batch_id: int, *, estimate: Mapping[str, Decimal]) -> bool:
        """See the port."""
        return in_transaction(self._engine, _sending, batch_id, estimate=estimate)

    def submitted(self, batch_id: int, *, provider_id: str) -> bool:
        """See the port."""
        return in_transaction(self._engine, _submitted, batch_id, provider_id=provider_id)

    def paid(self, batch_id: int, calls: Sequence[tuple[int, Call]]) -> bool:
        """See the port."""
        return in_transaction(self._engine, _paid, batch_id, calls)

    def close(self, batch_id: int, *, error: str | None) -> None:
        """See the port."""
        in_transaction(self._engine, _close, batch_id, error=error)

    def known(self, keys: Collection[bytes], *, max_age_s: float) -> set[bytes]:
        """See the port."""
        return in_transaction(self._engine, _known, keys, max_age_s=max_age_s)

    def latest(self, *, limit: int) -> list[BatchView]:
        """The latest batches first, ended or not."""
        return in_transaction(self._engine, _latest, limit=limit)

    def reopen_late(self, batch_id: int, question_ids: Collection[int]) -> int:
        """See the port."""
        return in_transaction(self._engine, _reopen_late, batch_id, question_ids)


def _gather(connection: Connection, *, at_least: int, at_most: int, after_s: float) -> StoredBatch | None:
    due = connection.execute(_COUNT_DUE, {"at_most": at_most}).one()
    if not due.waiting or (due.waiting < at_least and due.oldest_s < after_s):
        return None
    created = connection.execute(_CREATE).one()
    connection.execute(_GATHER, {"batch_id": created.id, "at_most": at_most})
    return StoredBatch(created.id, created.name, provider_id=None, age_s=0.0)


def _open(connection: Connection) -> list[StoredBatch]:
    return [StoredBatch(row.id, row.name, row.provider_id, row.age_s) for row in connection.execute(_OPEN)]


def _members(connection: Connection, batch_id: int) -> list[BatchedQuestion]:
    return [
        BatchedQuestion(
            question_id=row.id,
            document_id=row.document_id,
            source=row.source,
            text=row.text,
            state=row.state,
            candidates=tuple(Span(start, end) for start, end in zip(row.starts, row.ends, strict=True)),
        )
        for row in connection.execute(_MEMBERS, {"batch_id": batch_id})
    ]


def _sending(connection: Connection, batch_id: int, *, estimate: Mapping[str, Decimal]) -> bool:
    costs = as_json({source: str(cost) for source, cost in estimate.items()})
    return connection.execute(_SENDING, {"batch_id": batch_id, "estimate": costs}).rowcount == 1


def _submitted(connection: Connection, batch_id: int, *, provider_id: str) -> bool:
    written = connection.execute(_SUBMITTED, {"batch_id": batch_id, "provider_id": provider_id})
    return written.rowcount == 1


def _paid(connection: Connection, batch_id: int, calls: Sequence[tuple[int, Call]]) -> bool:
    if not connection.execute(_PAID, {"batch_id": batch_id}).rowcount:
        return False
    found = connection.execute(_SOURCES, {"ids": [question_id for question_id, _ in calls]})
    sources = {row.id: row.source for row in found}
    record_calls(connection, [(id_, sources.get(id_, ERASED_SOURCE), call) for id_, call in calls])
    return True


def _close(connection: Connection, batch_id: int, *, error: str | None) -> None:
    closed = connection.execute(_CLOSE, {"batch_id": batch_id, "error": storable_error(error)})
    if closed.rowcount:
        connection.execute(_FREE, {"batch_id": batch_id})


def _known(connection: Connection, keys: Collection[bytes], *, max_age_s: float) -> set[bytes]:
    found = connection.execute(_KNOWN, {"keys": list(keys), "max_age_s": max_age_s})
    return set(found.scalars())


def _latest(connection: Connection, *, limit: int) -> list[BatchView]:
    return [BatchView(**row._mapping) for row in connection.execute(_LATEST, {"limit": limit})]


def _reopen_late(connection: Connection, batch_id: int, question_ids: Collection[int]) -> int:
    wanted = {"batch_id": batch_id, "ids": list(question_ids), "reason": DEADLINE}
    late = connection.execute(_LATE, wanted).scalars().all()
    return replay_questions(connection, late, keep_attempts=True)
