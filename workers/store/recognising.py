"""The local model's results on their way in: spans, and the questions to ask about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from linkner.spans import ScoredSpan, Span
from workers.ports import Recognised, Stage
from workers.store.sql import as_json, columns, notify

# Waiting for a row lock reads the row again afterwards: of two equal results the later one finds nothing.
LOCK_ACCEPTED = text("""
    SELECT id FROM documents
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'accepted'
    ORDER BY id FOR UPDATE
""")

_NEW_QUESTION_IDS = text("""
    SELECT nextval(pg_get_serial_sequence('questions', 'id')) FROM generate_series(1, :count)
""")

_INSERT_QUESTIONS = text("""
    INSERT INTO questions (id, document_id, state, reason, ended_at, deadline_at, lane)
    SELECT new.id, document_id,
        CASE WHEN new.reason IS NULL THEN 'pending' ELSE 'dead' END,
        new.reason,
        CASE WHEN new.reason IS NOT NULL THEN now() END,
        coalesce(replayed_at, accepted_at) + make_interval(secs => new.deadline_s),
        new.lane
    FROM unnest(
        CAST(:id AS bigint[]), CAST(:document_id AS bigint[]), CAST(:reason AS text[]),
        CAST(:deadline_s AS float8[]), CAST(:lane AS text[])
    ) AS new (id, document_id, reason, deadline_s, lane)
    JOIN documents ON documents.id = document_id
""")

_INSERT_SPANS = text("""
    INSERT INTO spans (document_id, start, "end", role, label, probability, uncertainty, scores, question_id)
    SELECT *
    FROM ROWS FROM (
        unnest(
            CAST(:document_id AS bigint[]), CAST(:start AS int[]), CAST(:end AS int[]), CAST(:role AS text[]),
            CAST(:label AS text[]), CAST(:probability AS float8[]), CAST(:uncertainty AS float8[])
        ),
        jsonb_array_elements(CAST(:scores AS jsonb)),
        unnest(CAST(:question_id AS bigint[]))
    )
""")

# That a source's policy has put it in a batch is known from here on: `PostgresReader.unfinished` asks for it.
# Any other lane stays the policy's, which may change.
_MOVE_ON = text("""
    UPDATE documents
    SET state = new.state, model = new.model, lane = coalesce(documents.lane, nullif(new.lane, 'now')),
        recognised_at = now(), published_at = NULL, not_before = now()
    FROM unnest(
        CAST(:id AS bigint[]), CAST(:state AS text[]), CAST(:model AS text[]), CAST(:lane AS text[])
    ) AS new (id, state, model, lane)
    WHERE documents.id = new.id
""")


@dataclass(frozen=True, slots=True)
class _Question:
    """A question with the id that it will have."""

    question_id: int
    candidates: tuple[ScoredSpan, ...]
    result: Recognised


def record_recognised(connection: Connection, results: Sequence[Recognised]) -> int:
    """See `Store.record_recognised`. Each span may be a candidate of one question only."""
    by_id = {result.document_id: result for result in results}
    locked = connection.execute(LOCK_ACCEPTED, {"ids": list(by_id)}).scalars().all()
    if not locked:
        return 0
    new = [by_id[document_id] for document_id in locked]
    questions = _insert_questions(connection, new)
    _insert_spans(connection, new, questions)
    states = {result.document_id: "recognised" if _has_open(result) else "classified" for result in new}
    rows = [(result.document_id, states[result.document_id], result.model, result.lane) for result in new]
    connection.execute(_MOVE_ON, columns(rows, "id", "state", "model", "lane"))
    due: dict[str, Stage] = {"recognised": "classify", "classified": "aggregate"}
    notify(connection, {due[state] for state in states.values()})
    return len(new)


def _has_open(result: Recognised) -> bool:
    return bool(result.questions) and result.skip_reason is None


def _insert_questions(connection: Connection, results: Sequence[Recognised]) -> list[_Question]:
    pairs = [(result, candidates) for result in results for candidates in result.questions]
    if not pairs:
        return []
    ids = connection.execute(_NEW_QUESTION_IDS, {"count": len(pairs)}).scalars()
    questions = [
        _Question(question_id, candidates, result)
        for question_id, (result, candidates) in zip(ids, pairs, strict=True)
    ]
    rows: list[tuple[object, ...]] = []
    for new in questions:
        of = new.result
        rows.append((new.question_id, of.document_id, of.skip_reason, of.deadline_s, of.lane))
    names = ("id", "document_id", "reason", "deadline_s", "lane")
    connection.execute(_INSERT_QUESTIONS, columns(rows, *names))
    return questions


def _insert_spans(
    connection: Connection, results: Sequence[Recognised], questions: Sequence[_Question]
) -> None:
    """Predicted entities, and those plausible spans that are asked about: nobody reads the others again."""
    asked: dict[tuple[int, Span], int] = {}
    spans: dict[tuple[int, Span], tuple[str, ScoredSpan]] = {}
    for question in questions:
        for candidate in question.candidates:
            key = (question.result.document_id, candidate.span)
            asked[key] = question.question_id
            spans[key] = ("plausible", candidate)
    for result in results:
        for entity in result.recognition.entities:
            spans[result.document_id, entity.span] = ("entity", entity)
    rows = [_span_row(key, *spans[key], question_id=asked.get(key)) for key in sorted(spans)]
    names = ("document_id", "start", "end", "role", "label", "probability", "uncertainty", "scores")
    arrays = columns(rows, *names, "question_id")
    connection.execute(_INSERT_SPANS, {**arrays, "scores": as_json(arrays["scores"])})


def _span_row(
    key: tuple[int, Span], role: str, scored: ScoredSpan, *, question_id: int | None
) -> tuple[object, ...]:
    document_id, span = key
    return (
        document_id,
        span.start,
        span.end,
        role,
        scored.label,
        scored.probability,
        scored.uncertainty,
        dict(scored.scores),
        question_id,
    )
