"""Questions: claimed under a lease and a fence token, then answered, given back or ended.

One lock order everywhere: documents, then questions, both by id. Whoever ends a question holds the document's
row while it looks for questions that are still open. Without that, two callers ending a document's last two
questions at once would each see the other's as open, and nobody would move the document on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, Row, TextClause, text

from linkner.spans import Span
from workers.ports import ATTEMPTS_EXHAUSTED, Answered, ClaimedQuestion
from workers.store import answer_cache, spending
from workers.store.sql import NAME_CHARS, RAW_CHARS, columns, notify, storable, storable_error

_CLAIMABLE = "(state = 'pending' AND not_before <= now() OR state = 'claimed' AND lease_until <= now())"
_HELD = "id = :question_id AND fence = :fence AND state = 'claimed'"

# Rows are locked in the order of their ids, here as everywhere: two callers with ids in common only wait.
CLAIM = text(f"""
    WITH free AS (
        SELECT id FROM questions
        WHERE id = ANY(CAST(:ids AS bigint[])) AND attempts < :max_attempts AND {_CLAIMABLE}
        ORDER BY id FOR NO KEY UPDATE
    ), claimed AS (
        UPDATE questions
        SET state = 'claimed', fence = fence + 1, attempts = attempts + 1,
            lease_until = now() + make_interval(secs => :lease_s)
        FROM free WHERE questions.id = free.id
        RETURNING questions.id, document_id, fence, attempts
    )
    SELECT claimed.*, documents.source, documents.text,
        ARRAY(SELECT start FROM spans WHERE question_id = claimed.id ORDER BY start, "end") AS starts,
        ARRAY(SELECT "end" FROM spans WHERE question_id = claimed.id ORDER BY start, "end") AS ends
    FROM claimed JOIN documents ON documents.id = claimed.document_id
    ORDER BY claimed.id
""")

_FIND_EXHAUSTED = text(f"""
    SELECT id, document_id FROM questions
    WHERE id = ANY(CAST(:ids AS bigint[])) AND attempts >= :max_attempts AND {_CLAIMABLE}
    ORDER BY document_id, id
""")

_END_EXHAUSTED = text(f"""
    UPDATE questions SET state = 'dead', reason = :reason, ended_at = now(), lease_until = NULL
    WHERE id = :question_id AND attempts >= :max_attempts AND {_CLAIMABLE}
""")

LOCK_DOCUMENTS = text("""
    SELECT id FROM documents WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR UPDATE
""")

ANSWER = text("""
    WITH held AS (
        SELECT questions.id, claim.fence
        FROM unnest(CAST(:question_ids AS bigint[]), CAST(:fences AS bigint[])) AS claim (id, fence)
        JOIN questions ON questions.id = claim.id
        WHERE questions.fence = claim.fence AND questions.state = 'claimed'
        ORDER BY questions.id FOR NO KEY UPDATE OF questions
    )
    UPDATE questions SET state = 'answered', ended_at = now(), lease_until = NULL
    FROM held WHERE questions.id = held.id
    RETURNING questions.id, held.fence
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

# What a batch said of a question counts once: where that was an error, the next batch takes the question.
_RELEASE = text(f"""
    UPDATE questions
    SET state = 'pending', published_at = NULL, lease_until = NULL,
        batch_id = CASE WHEN CAST(:error AS text) IS NULL THEN batch_id END,
        not_before = now() + make_interval(secs => :delay_s),
        attempts = attempts - CASE WHEN CAST(:error AS text) IS NULL THEN 1 ELSE 0 END,
        last_error = coalesce(:error, last_error)
    WHERE {_HELD}
""")

MOVE_ON = text("""
    UPDATE documents SET state = 'classified', published_at = NULL, not_before = now()
    WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'recognised' AND NOT EXISTS (
        SELECT FROM questions WHERE document_id = documents.id AND state IN ('pending', 'claimed')
    )
""")


def claim(
    connection: Connection, question_ids: Collection[int], *, lease_s: float, max_attempts: int
) -> list[ClaimedQuestion]:
    """See `Store.claim`. A question that was put off is not taken before its time."""
    wanted = {"ids": list(question_ids), "max_attempts": max_attempts}
    for row in connection.execute(_FIND_EXHAUSTED, wanted).all():
        ending = {"question_id": row.id, "max_attempts": max_attempts, "reason": ATTEMPTS_EXHAUSTED}
        _end(connection, row.document_id, _END_EXHAUSTED, ending)
    return [_claimed(row) for row in connection.execute(CLAIM, {**wanted, "lease_s": lease_s})]


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


def record_answers(connection: Connection, answered: Sequence[Answered]) -> list[bool]:
    """See `Store.record_answers`.

    Labels of spans that the question did not ask about are left out, and proposals of those that it did.
    """
    documents = {"ids": sorted({one.claim.document_id for one in answered})}
    connection.execute(LOCK_DOCUMENTS, documents)
    claims = [(one.claim.question_id, one.claim.fence) for one in answered]
    held = columns(claims, "question_ids", "fences")
    ended = {(row.id, row.fence) for row in connection.execute(ANSWER, held)}
    written = [one for one, claim in zip(answered, claims, strict=True) if claim in ended]
    if written:
        connection.execute(_INSERT_ANSWERS, [_answer_row(one) for one in written])
        paid = [(one.claim.question_id, one.claim.source, one.call) for one in written if one.call]
        spending.record_calls(connection, paid)
        answer_cache.keep(connection, [(one.claim, one.keep) for one in written if one.keep])
        _move_on(connection, documents["ids"])
    return [claim in ended for claim in claims]


def _answer_row(answered: Answered) -> dict[str, object]:
    claim, answer = answered.claim, answered.answer
    said = [(span.start, span.end, label, False) for span, label in answer.labels.items()]
    said += [(one.span.start, one.span.end, one.label, True) for one in answer.proposals]
    return {
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
    }


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
    connection.execute(LOCK_DOCUMENTS, {"ids": [document_id]})
    if connection.execute(ending, values).rowcount == 0:
        return False
    _move_on(connection, [document_id])
    return True


def _move_on(connection: Connection, document_ids: list[int]) -> None:
    if connection.execute(MOVE_ON, {"ids": document_ids}).rowcount:
        notify(connection, ["aggregate"])
