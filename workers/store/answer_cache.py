"""The answer cache: one row for each distinct question, first as a promise to ask it, then with its answer.

A promise makes one flight of many equal questions. It is made by a claim and ends with that claim's lease;
until then equal questions are put off. The answer makes them due at once; where a promise ends without one,
the first of them to come back promises in its turn.

One lock order everywhere: questions that are being ended, then the cache's rows by key, then questions put
off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, TextClause, text

from linkner.spans import LabelledSpan, Span
from workers.ports import CacheCounts, CachedAnswer, ClaimedQuestion, Recalled
from workers.store.sql import NAME_CHARS, RAW_CHARS, as_json, columns, notify, storable

_ASKED = "unnest(CAST(:keys AS bytea[]), CAST(:question_ids AS bigint[]), CAST(:fences AS bigint[]))"
_HELD = "questions.id = asked.id AND questions.fence = asked.fence AND questions.state = 'claimed'"

_FIND = text("""
    SELECT key, labels, proposals, model, prompt_version, raw, replayed FROM cached_answers
    WHERE key = ANY(CAST(:keys AS bytea[])) AND answered_at > now() - make_interval(secs => :max_age_s)
""")

# It locks the rows whether or not it promises: no answer can come between it and PUT_OFF. The questions are
# locked first, so that no promise outlives one that is being erased. Of equal questions the one that made
# the promise before keeps it.
PROMISE = text(f"""
    WITH held AS (
        SELECT asked.key, asked.place, questions.id, questions.lease_until,
            EXISTS (SELECT FROM cached_answers WHERE key = asked.key AND question_id = asked.id) AS promised
        FROM {_ASKED} WITH ORDINALITY AS asked (key, id, fence, place)
        JOIN questions ON {_HELD}
        ORDER BY questions.id FOR KEY SHARE OF questions
    )
    INSERT INTO cached_answers AS known (key, question_id, promised_until)
    SELECT DISTINCT ON (key) key, id, lease_until FROM held ORDER BY key, promised DESC, place
    ON CONFLICT (key) DO UPDATE
    SET question_id = excluded.question_id, promised_until = excluded.promised_until, answered_at = NULL
    WHERE CASE WHEN known.answered_at IS NULL
        THEN known.promised_until <= now() OR known.question_id = excluded.question_id
        ELSE known.answered_at <= now() - make_interval(secs => :max_age_s)
    END
    RETURNING question_id
""")

_PUT_OFF = text(f"""
    UPDATE questions
    SET state = 'pending', published_at = NULL, lease_until = NULL, attempts = attempts - 1,
        not_before = known.promised_until, awaits = known.key
    FROM {_ASKED} AS asked (key, id, fence) JOIN cached_answers AS known ON known.key = asked.key
    WHERE {_HELD}
    RETURNING questions.id
""")

_KEEP = text("""
    INSERT INTO cached_answers (
        key, question_id, promised_until, answered_at, labels, proposals, model, prompt_version, raw, replayed
    )
    VALUES (
        :key, :question_id, now(), now(), CAST(:labels AS text[]), CAST(:proposals AS jsonb), :model,
        :prompt_version, :raw, :replayed
    )
    ON CONFLICT (key) DO UPDATE
    SET question_id = excluded.question_id, answered_at = excluded.answered_at, labels = excluded.labels,
        proposals = excluded.proposals, model = excluded.model, prompt_version = excluded.prompt_version,
        raw = excluded.raw, replayed = excluded.replayed
""")

# A locked question is not waited for: at the latest it comes back when the promise would have ended.
_WAKE = text("""
    UPDATE questions SET not_before = now(), awaits = NULL
    WHERE id IN (
        SELECT id FROM questions WHERE awaits = ANY(CAST(:keys AS bytea[])) AND state = 'pending'
        FOR UPDATE SKIP LOCKED
    )
""")

_PURGE = text("""
    DELETE FROM cached_answers
    WHERE coalesce(answered_at <= now() - make_interval(secs => :older_than_s), promised_until <= now())
        AND (CAST(:model AS text) IS NULL OR model = :model)
""")

_COUNTS = text("""
    SELECT count(answered_at) AS answers,
        count(*) FILTER (WHERE answered_at IS NULL AND promised_until > now()) AS promised,
        coalesce(extract(epoch FROM now() - min(answered_at)), 0)::float8 AS oldest_s,
        pg_total_relation_size('cached_answers') AS bytes
    FROM cached_answers
""")
_SERVED = text("""
    SELECT count(*) AS answered, count(*) FILTER (WHERE cached) AS from_cache
    FROM (SELECT DISTINCT question_id, cached FROM answers) AS questions
""")


def recall(
    connection: Connection, asked: Sequence[tuple[ClaimedQuestion, bytes]], *, max_age_s: float
) -> list[Recalled]:
    """See `Store.recall`."""
    known = _find(connection, asked, max_age_s=max_age_s)
    unknown = [one for one in asked if one[1] not in known]
    promised = _of_questions(connection, PROMISE, unknown, max_age_s=max_age_s)
    others = [one for one in unknown if one[0].question_id not in promised]
    known |= _find(connection, others, max_age_s=max_age_s)  # promises that were kept in the meantime
    waiting = [one for one in others if one[1] not in known]
    put_off = _of_questions(connection, _PUT_OFF, waiting)

    def recalled(question_id: int, key: bytes) -> Recalled:
        if key in known:
            return known[key]
        if question_id in promised:
            return "ask"
        return "put-off" if question_id in put_off else "stale"

    return [recalled(claim.question_id, key) for claim, key in asked]


def _of_questions(
    connection: Connection,
    statement: TextClause,
    asked: Sequence[tuple[ClaimedQuestion, bytes]],
    **values: float,
) -> set[int]:
    """The questions that a statement about these claims says something of."""
    if not asked:
        return set()
    rows = ((key, claim.question_id, claim.fence) for claim, key in asked)
    wanted = {**values, **columns(rows, "keys", "question_ids", "fences")}
    return set(connection.execute(statement, wanted).scalars())


def _find(
    connection: Connection, asked: Sequence[tuple[ClaimedQuestion, bytes]], *, max_age_s: float
) -> dict[bytes, CachedAnswer]:
    if not asked:
        return {}
    wanted = {"keys": [key for _, key in asked], "max_age_s": max_age_s}
    return {row.key: _cached(row) for row in connection.execute(_FIND, wanted)}


def _cached(row: Row[tuple[object, ...]]) -> CachedAnswer:
    return CachedAnswer(
        key=row.key,
        labels=tuple(row.labels),
        proposals=tuple(LabelledSpan(Span(*place), label) for *place, label in row.proposals or ()),
        model=row.model,
        prompt_version=row.prompt_version,
        raw=row.raw,
        replayed=row.replayed,
    )


def keep(connection: Connection, answers: Sequence[tuple[ClaimedQuestion, CachedAnswer]]) -> None:
    """Keep the answers and make the questions that await them due. To be called by who ends the questions."""
    if not answers:
        return
    rows = [_kept(claim, answer) for claim, answer in answers]
    connection.execute(_KEEP, sorted(rows, key=lambda row: bytes(row["key"])))
    if connection.execute(_WAKE, {"keys": [answer.key for _, answer in answers]}).rowcount:
        notify(connection, ["classify"])


def _kept(claim: ClaimedQuestion, answer: CachedAnswer) -> dict[str, Any]:
    return {
        "key": answer.key,
        "question_id": claim.question_id,
        "labels": list(answer.labels),
        "proposals": as_json([(one.span.start, one.span.end, one.label) for one in answer.proposals]),
        "model": storable(answer.model, limit=NAME_CHARS),
        "prompt_version": answer.prompt_version,
        "raw": storable(answer.raw, limit=RAW_CHARS),
        "replayed": answer.replayed,
    }


def counts(connection: Connection) -> CacheCounts:
    """See `Reader.cache`."""
    kept = connection.execute(_COUNTS).one()
    served = connection.execute(_SERVED).one()
    return CacheCounts(
        answers=kept.answers,
        promised=kept.promised,
        oldest_s=kept.oldest_s,
        bytes=kept.bytes,
        answered=served.answered,
        from_cache=served.from_cache,
    )


def purge(connection: Connection, *, older_than_s: float, model: str | None) -> int:
    """See `Store.purge_cache`."""
    return connection.execute(_PURGE, {"older_than_s": older_than_s, "model": model}).rowcount
