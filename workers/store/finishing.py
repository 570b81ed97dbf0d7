"""Documents on their way out: what linking needs, the final entities, and the feed.

The feed's cursor is a sequence number, which PostgreSQL gives out when a row is inserted and not when it is
committed: a reader could see number 2, go on after it, and never see number 1, committed a moment later. So
whoever inserts into the feed first takes one lock and keeps it until it has committed: numbers are then given
out in commit order. It is the last thing that a transaction does, hence held only for the commit itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import groupby

from sqlalchemy import Connection, Row, text

from linkner.linking import PROPOSED
from linkner.spans import Entity, LabelledSpan, ScoredSpan, Span
from workers.ports import DEADLINE, NO_ANSWER, Joinable
from workers.store.database import FEED_LOCK
from workers.store.sql import columns, storable_error

_JOIN_ATTEMPTS = text("""
    SELECT id, join_attempts FROM documents
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'classified'
    ORDER BY id
""")

_BEGIN_JOIN = text("""
    UPDATE documents SET join_attempts = join_attempts + 1
    WHERE id IN (
        SELECT id FROM documents
        WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'classified'
        ORDER BY id FOR UPDATE
    )
""")

_DEFER_JOIN = text("""
    UPDATE documents
    SET published_at = NULL, not_before = now() + make_interval(secs => :delay_s), last_error = :error
    WHERE id = :document_id AND state = 'classified'
""")

_RELEASE_JOINS = text("""
    UPDATE documents
    SET published_at = NULL, not_before = now() + make_interval(secs => :delay_s),
        join_attempts = given.attempts
    FROM unnest(CAST(:id AS bigint[]), CAST(:attempts AS int[])) AS given (id, attempts)
    WHERE documents.id = given.id AND documents.id IN (
        SELECT id FROM documents
        WHERE id = ANY(CAST(:id AS bigint[])) AND state = 'classified'
        ORDER BY id FOR UPDATE
    )
""")

_JOINABLE = text("""
    SELECT documents.id, spans.start, spans."end", spans.role, spans.label, spans.probability,
        spans.uncertainty, spans.scores, spans.question_id, answers.label AS answer, questions.reason
    FROM documents
    LEFT JOIN spans ON spans.document_id = documents.id
    LEFT JOIN questions ON questions.id = spans.question_id
    LEFT JOIN answers ON answers.question_id = spans.question_id
        AND answers.start = spans.start AND answers."end" = spans."end"
    WHERE documents.id = ANY(CAST(:ids AS bigint[])) AND documents.state = 'classified'
    ORDER BY documents.id, spans.start, spans."end"
""")

_PROPOSED = text("""
    SELECT DISTINCT document_id, start, "end", label FROM answers
    WHERE document_id = ANY(CAST(:ids AS bigint[])) AND proposed
    ORDER BY document_id, start, "end", label
""")

# A document's fence is the sum of its questions': each claim and each replay raises one. None can be claimed
# while the document is classified, and a replay opens it again: then, and only then, the fence is another.
FENCES = text("""
    SELECT document_id, CAST(sum(fence) AS bigint) AS fence FROM questions
    WHERE document_id = ANY(CAST(:ids AS bigint[]))
    GROUP BY document_id
""")

LOCK_UNFINISHED = text("""
    SELECT id FROM documents
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state = :state
    ORDER BY id FOR UPDATE
""")

# Found by age in the index of documents under way; one that was replayed has its time from then on.
_LOCK_OVERDUE = text("""
    SELECT id FROM documents
    WHERE state = 'accepted' AND accepted_at <= now() - make_interval(secs => :deadline_s)
        AND coalesce(replayed_at, accepted_at) <= now() - make_interval(secs => :deadline_s)
    ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED
""")

_INSERT_ENTITIES = text("""
    INSERT INTO entities (
        document_id, start, "end", label, text, decided_by, reason, probability, uncertainty,
        llm_model, prompt_version, replayed, cached, revision
    )
    SELECT new.document_id, new.start, new."end", new.label,
        substring(documents.text FROM new.start + 1 FOR new."end" - new.start),
        new.decided_by, new.reason, new.probability, new.uncertainty,
        coalesce(asked.model, added.model), coalesce(asked.prompt_version, added.prompt_version),
        coalesce(asked.replayed, added.replayed, false), coalesce(asked.cached, added.cached, false),
        documents.revision + 1
    FROM unnest(
        CAST(:document_id AS bigint[]), CAST(:start AS int[]), CAST(:end AS int[]), CAST(:label AS text[]),
        CAST(:decided_by AS text[]), CAST(:reason AS text[]), CAST(:probability AS float8[]),
        CAST(:uncertainty AS float8[])
    ) AS new (document_id, start, "end", label, decided_by, reason, probability, uncertainty)
    JOIN documents ON documents.id = new.document_id
    LEFT JOIN spans ON new.decided_by = 'llm' AND new.reason IS NULL
        AND spans.document_id = new.document_id AND spans.start = new.start AND spans."end" = new."end"
    LEFT JOIN answers AS asked ON asked.question_id = spans.question_id
        AND asked.start = new.start AND asked."end" = new."end"
    LEFT JOIN LATERAL (
        SELECT * FROM answers
        WHERE new.reason = :proposed AND answers.proposed AND answers.document_id = new.document_id
            AND answers.start = new.start AND answers."end" = new."end" AND answers.label = new.label
        ORDER BY question_id LIMIT 1
    ) AS added ON true
""")

_FINISH = text("""
    UPDATE documents
    SET state = 'complete', revision = revision + 1, completed_at = now(), published_at = NULL,
        reason = CAST(:reason AS text), last_error = coalesce(:error, last_error)
    WHERE id = ANY(CAST(:ids AS bigint[]))
""")

LOCK_FEED = text(f"SELECT pg_advisory_xact_lock({FEED_LOCK})")

_FEED = text("""
    INSERT INTO feed (document_id, revision)
    SELECT id, revision FROM documents WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id
""")


def join_attempts(connection: Connection, document_ids: Collection[int]) -> dict[int, int]:
    """See `Store.join_attempts`."""
    rows = connection.execute(_JOIN_ATTEMPTS, {"ids": list(document_ids)})
    return {row.id: row.join_attempts for row in rows}


def begin_join(connection: Connection, document_ids: Collection[int]) -> int:
    """See `Store.begin_join`."""
    return connection.execute(_BEGIN_JOIN, {"ids": list(document_ids)}).rowcount


def defer_join(connection: Connection, document_id: int, *, delay_s: float, error: str) -> bool:
    """See `Store.defer_join`."""
    values = {"document_id": document_id, "delay_s": delay_s, "error": storable_error(error)}
    return connection.execute(_DEFER_JOIN, values).rowcount == 1


def release_joins(connection: Connection, attempts: Mapping[int, int], *, delay_s: float) -> int:
    """See `Store.release_joins`."""
    values = {**columns(attempts.items(), "id", "attempts"), "delay_s": delay_s}
    return connection.execute(_RELEASE_JOINS, values).rowcount


def joinable(connection: Connection, document_ids: Collection[int]) -> list[Joinable]:
    """See `Store.joinable`. Fences come first: one must not be newer than what is read after it."""
    fences = _fences(connection, document_ids)
    rows = connection.execute(_JOINABLE, {"ids": list(document_ids)})
    proposals: dict[int, list[LabelledSpan]] = defaultdict(list)
    for row in connection.execute(_PROPOSED, {"ids": list(document_ids)}):
        proposals[row.document_id].append(LabelledSpan(Span(row.start, row.end), row.label))
    by_document = groupby(rows, key=lambda row: row.id)
    return [
        _joinable(id_, list(group), fence=fences[id_], proposals=tuple(proposals[id_]))
        for id_, group in by_document
    ]


def _fences(connection: Connection, document_ids: Collection[int]) -> defaultdict[int, int]:
    """The documents' fences; 0 without questions, as nothing that is joined then changes."""
    rows = connection.execute(FENCES, {"ids": list(document_ids)})
    return defaultdict(int, {row.document_id: row.fence for row in rows})


def _joinable(
    document_id: int,
    rows: Sequence[Row[tuple[object, ...]]],
    *,
    fence: int,
    proposals: tuple[LabelledSpan, ...],
) -> Joinable:
    """One document from its spans' rows; a document without spans has one row of nulls."""
    rows = [row for row in rows if row.start is not None]
    scored = {Span(row.start, row.end): row for row in rows}
    asked = {span: row for span, row in scored.items() if row.question_id is not None}
    return Joinable(
        document_id=document_id,
        entities=tuple(_scored(row) for row in rows if row.role == "entity"),
        plausible=tuple(_scored(row) for row in rows if row.role == "plausible"),
        answers={span: row.answer for span, row in asked.items() if row.answer is not None},
        unanswered={span: row.reason or NO_ANSWER for span, row in asked.items() if row.answer is None},
        fence=fence,
        proposals=proposals,
    )


def _scored(row: Row[tuple[object, ...]]) -> ScoredSpan:
    return ScoredSpan(
        span=Span(row.start, row.end),
        label=row.label,
        probability=row.probability,
        uncertainty=row.uncertainty,
        scores=row.scores,
    )


def complete(
    connection: Connection, entities: Mapping[int, Sequence[Entity]], *, fences: Mapping[int, int]
) -> int:
    """See `Store.complete`. The surface of each entity is cut from the stored text, in code points."""
    locked = _lock(connection, entities, state="classified")
    now = _fences(connection, locked)  # under the lock, which whoever opens documents again needs as well
    ready = [document_id for document_id in locked if fences.get(document_id) == now[document_id]]
    rows = [_entity_row(document_id, entity) for document_id in ready for entity in entities[document_id]]
    names = ("document_id", "start", "end", "label", "decided_by", "reason", "probability", "uncertainty")
    if rows:
        connection.execute(_INSERT_ENTITIES, {**columns(rows, *names), "proposed": PROPOSED})
    return _finish(connection, ready)


def _entity_row(document_id: int, entity: Entity) -> tuple[object, ...]:
    return (
        document_id,
        entity.span.start,
        entity.span.end,
        entity.label,
        entity.decided_by,
        entity.reason,
        entity.probability,
        entity.uncertainty,
    )


def fail_recognition(
    connection: Connection, document_ids: Collection[int], *, reason: str, error: str | None
) -> int:
    """See `Store.fail_recognition`."""
    locked = _lock(connection, document_ids, state="accepted")
    return _finish(connection, locked, reason=reason, error=error)


def fail_join(connection: Connection, document_id: int, *, reason: str, error: str) -> bool:
    """See `Store.fail_join`."""
    locked = _lock(connection, [document_id], state="classified")
    return _finish(connection, locked, reason=reason, error=error) == 1


def fail_overdue(connection: Connection, *, deadline_s: float, limit: int) -> int:
    """End documents that have waited for recognition since before the deadline; how many."""
    overdue = connection.execute(_LOCK_OVERDUE, {"deadline_s": deadline_s, "limit": limit}).scalars().all()
    return _finish(connection, overdue, reason=DEADLINE)


def _lock(connection: Connection, document_ids: Collection[int], *, state: str) -> Sequence[int]:
    """Those documents that are still in the state: whoever comes second waits, then finds none."""
    return connection.execute(LOCK_UNFINISHED, {"ids": list(document_ids), "state": state}).scalars().all()


def _finish(
    connection: Connection,
    document_ids: Sequence[int],
    *,
    reason: str | None = None,
    error: str | None = None,
) -> int:
    if document_ids:
        values = {"ids": list(document_ids), "reason": reason, "error": storable_error(error)}
        connection.execute(_FINISH, values)
        connection.execute(LOCK_FEED)
        connection.execute(_FEED, {"ids": list(document_ids)})
    return len(document_ids)
