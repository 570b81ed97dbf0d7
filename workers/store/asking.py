"""Questions: claimed under a lease and a fence token, then answered, given back or ended.

One lock order everywhere: the document, then its question. Whoever ends a question holds the document's row
while it looks for questions that are still open. Without that, two callers ending a document's last two
questions at once would each see the other's as open, and nobody would move the document on.
"""

from __future__ import annotations

from sqlalchemy import Connection, Row, TextClause, text

from linkner.spans import Span
from workers.ports import ATTEMPTS_EXHAUSTED, Answer, CachedAnswer, Call, ClaimedQuestion
from workers.store import answer_cache, spending
from workers.store.sql import NAME_CHARS, RAW_CHARS, columns, notify, storable, storable_error

_CLAIMABLE = "(state = 'pending' AND not_before <= now() OR state = 'claimed' AND lease_until <= now())"
_HELD = "id = :question_id AND fence = :fence AND state = 'claimed'"

CLAIM = text(f"""
    WITH claimed AS (
        UPDATE questions
        SET state = 'claimed', fence = fence + 1, attempts = attempts + 1,
            lease_until = now() + make_interval(secs => :lease_s)
        WHERE id = :question_id AND attempts < :max_attempts AND {_CLAIMABLE}
        RETURNING id, document_id, fence, attempts
    )
    SELECT claimed.*, documents.source, documents.text,
        ARRAY(SELECT start FROM spans WHERE question_id = :question_id ORDER BY start, "end") AS starts,
        ARRAY(SELECT "end" FROM spans WHERE question_id = :question_id ORDER BY start, "end") AS ends
    FROM claimed JOIN documents ON documents.id = claimed.document_id
""")

_FIND_EXHAUSTED = text(f"""
    SELECT document_id FROM questions
    WHERE id = :question_id AND attempts >= :max_attempts AND {_CLAIMABLE}
""")

_END_EXHAUSTED = text(f"""
    UPDATE questions SET state = 'dead', reason = :reason, ended_at = now(), lease_until = NULL
    WHERE id = :question_id AND attempts >= :max_attempts AND {_CLAIMABLE}
""")

LOCK_DOCUMENT = text("SELECT id FROM documents WHERE id = :document_id FOR UPDATE")

ANSWER = text(f"""
    UPDATE questions SET state = 'answered', ended_at = now(), lease_until = NULL WHERE {_HELD}
""")

_INSERT_ANSWERS = text("""
    INSERT INTO answers (
        question_id, start, "end", document_id, label, model, prompt_version, raw,
        prompt_tokens, completion_tokens, replayed, cached, proposed
    )
    SELECT :question_id, new.start, new."end", :document_id, new.label, :model, :prompt_version,
        :raw, :prompt_tokens, :completion_tokens, :replayed, :cached, new.proposed
    FROM unnest(
        CAST(:start AS int[]), CAST(:end AS int[]), CAST(:label AS text[]), CAST(:proposed AS boolean[])
    ) AS new (start, "end", label, proposed)
    LEFT JOIN spans ON spans.question_id = :question_id
        AND spans.start = new.start AND spans."end" = new."end"
    WHERE new.proposed = (spans.question_id IS NULL)
""")

_END = text(f"""
    UPDATE questions
    SET state = 'dead', reason = :reason, last_error = :error, ended_at = now(), lease_until = NULL
    WHERE {_HELD}
""")

_RELEASE = text(f"""
    UPDATE questions
    SET state = 'pending', published_at = NULL, lease_until = NULL,
        not_before = now() + make_interval(secs => :delay_s),
        attempts = attempts - CASE WHEN CAST(:error AS text) IS NULL THEN 1 ELSE 0 END,
        last_error = coalesce(:error, last_error)
    WHERE {_HELD}
""")

MOVE_ON = text("""
    UPDATE documents SET state = 'classified', published_at = NULL
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'recognised' AND NOT EXISTS (
        SELECT FROM questions WHERE document_id = documents.id AND state IN ('pending', 'claimed')
    )
""")


def claim(
    connection: Connection, question_id: int, *, lease_s: float, max_attempts: int
) -> ClaimedQuestion | None:
    """See `Store.claim`. A question that was put off is not taken before its time."""
    wanted = {"question_id": question_id, "max_attempts": max_attempts}
    row = connection.execute(CLAIM, {**wanted, "lease_s": lease_s}).one_or_none()
    if row is not None:
        return _claimed(row)
    document_id = connection.execute(_FIND_EXHAUSTED, wanted).scalar_one_or_none()
    if document_id is not None:
        _end(connection, document_id, _END_EXHAUSTED, {**wanted, "reason": ATTEMPTS_EXHAUSTED})
    return None


def _claimed(row: Row[tuple[object, ...]]) -> ClaimedQuestion:
    return ClaimedQuestion(
        question_id=row.id,
        document_id=row.document_id,
        fence=row.fence,
        attempts=row.attempts,
        source=row.source,
        text=row.text,
        candidates=tuple(Span(start, end) for start, end in zip(row.starts, row.ends, strict=True)),
    )


def record_answer(
    connection: Connection,
    claim: ClaimedQuestion,
    answer: Answer,
    *,
    keep: CachedAnswer | None = None,
    call: Call | None = None,
) -> bool:
    """See `Store.record_answer`.

    Labels of spans that the question did not ask about are left out, and proposals of those that it did.
    """
    if not _end(connection, claim.document_id, ANSWER, _held(claim)):
        return False
    said = [(span.start, span.end, label, False) for span, label in answer.labels.items()]
    said += [(one.span.start, one.span.end, one.label, True) for one in answer.proposals]
    connection.execute(
        _INSERT_ANSWERS,
        {
            **columns(said, "start", "end", "label", "proposed"),
            "question_id": claim.question_id,
            "document_id": claim.document_id,
            "model": storable(answer.model, limit=NAME_CHARS),
            "prompt_version": answer.prompt_version,
            "raw": storable(answer.raw, limit=RAW_CHARS),
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "replayed": answer.replayed,
            "cached": answer.cached,
        },
    )
    if call is not None:
        spending.record_call(connection, call, question_id=claim.question_id, source=claim.source)
    if keep is not None:
        answer_cache.keep(connection, claim, keep)
    return True


def end_question(connection: Connection, claim: ClaimedQuestion, *, reason: str, error: str) -> bool:
    """See `Store.end_question`."""
    values = {**_held(claim), "reason": reason, "error": storable_error(error)}
    return _end(connection, claim.document_id, _END, values)


def release(connection: Connection, claim: ClaimedQuestion, *, delay_s: float, error: str | None) -> bool:
    """See `Store.release`."""
    values = {**_held(claim), "delay_s": delay_s, "error": storable_error(error)}
    return connection.execute(_RELEASE, values).rowcount == 1


def _held(claim: ClaimedQuestion) -> dict[str, object]:
    return {"question_id": claim.question_id, "fence": claim.fence}


def _end(connection: Connection, document_id: int, ending: TextClause, values: dict[str, object]) -> bool:
    """Run `ending` on a question under its document's lock; move the document on if it was the last one."""
    connection.execute(LOCK_DOCUMENT, {"document_id": document_id})
    if connection.execute(ending, values).rowcount == 0:
        return False
    if connection.execute(MOVE_ON, {"ids": [document_id]}).rowcount:
        notify(connection, ["aggregate"])
    return True
