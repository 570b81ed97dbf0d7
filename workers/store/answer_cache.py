"""The answer cache: one row for each distinct question, first as a promise to ask it, then with its answer.

A promise makes one flight of many equal questions. It is made by a claim and ends with that claim's lease;
until then equal questions are put off. The answer makes them due at once; where a promise ends without one,
the first of them to come back promises in its turn.

One lock order everywhere: a question that is being ended, then the cache's row, then questions put off.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text

from linkner.spans import LabelledSpan, Span
from workers.ports import CacheCounts, CachedAnswer, ClaimedQuestion, Recalled
from workers.store.sql import NAME_CHARS, RAW_CHARS, as_json, notify, storable

_HELD = "questions.id = :question_id AND questions.fence = :fence AND questions.state = 'claimed'"

_FIND = text("""
    SELECT key, labels, proposals, model, prompt_version, raw, replayed FROM cached_answers
    WHERE key = :key AND answered_at > now() - make_interval(secs => :max_age_s)
""")

# It locks the row whether or not it promises: no answer can come between it and PUT_OFF. The question is
# locked first, so that no promise outlives one that is being erased.
PROMISE = text(f"""
    INSERT INTO cached_answers AS known (key, question_id, promised_until)
    SELECT :key, id, lease_until FROM questions WHERE {_HELD} FOR KEY SHARE
    ON CONFLICT (key) DO UPDATE
    SET question_id = excluded.question_id, promised_until = excluded.promised_until, answered_at = NULL
    WHERE CASE WHEN known.answered_at IS NULL
        THEN known.promised_until <= now() OR known.question_id = excluded.question_id
        ELSE known.answered_at <= now() - make_interval(secs => :max_age_s)
    END
    RETURNING key
""")

_PUT_OFF = text(f"""
    UPDATE questions
    SET state = 'pending', published_at = NULL, lease_until = NULL, attempts = attempts - 1,
        not_before = known.promised_until, awaits = known.key
    FROM cached_answers AS known
    WHERE known.key = :key AND {_HELD}
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
        SELECT id FROM questions WHERE awaits = :key AND state = 'pending' FOR UPDATE SKIP LOCKED
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


def recall(connection: Connection, claim: ClaimedQuestion, key: bytes, *, max_age_s: float) -> Recalled:
    """See `Store.recall`."""
    wanted = {"key": key, "max_age_s": max_age_s}
    asked = {**wanted, "question_id": claim.question_id, "fence": claim.fence}
    known = _find(connection, wanted)
    if known is not None:
        return known
    if connection.execute(PROMISE, asked).one_or_none() is not None:
        return "ask"
    known = _find(connection, wanted)  # the promise was kept in the meantime
    if known is not None:
        return known
    return "put-off" if connection.execute(_PUT_OFF, asked).rowcount else "stale"


def _find(connection: Connection, wanted: Mapping[str, object]) -> CachedAnswer | None:
    row = connection.execute(_FIND, wanted).one_or_none()
    if row is None:
        return None
    return CachedAnswer(
        key=row.key,
        labels=tuple(row.labels),
        proposals=tuple(LabelledSpan(Span(*place), label) for *place, label in row.proposals or ()),
        model=row.model,
        prompt_version=row.prompt_version,
        raw=row.raw,
        replayed=row.replayed,
    )


def keep(connection: Connection, claim: ClaimedQuestion, answer: CachedAnswer) -> None:
    """Keep the answer and make the questions that await it due. To be called by who ends the question."""
    values = {
        "key": answer.key,
        "question_id": claim.question_id,
        "labels": list(answer.labels),
        "proposals": as_json([(one.span.start, one.span.end, one.label) for one in answer.proposals]),
        "model": storable(answer.model, limit=NAME_CHARS),
        "prompt_version": answer.prompt_version,
        "raw": storable(answer.raw, limit=RAW_CHARS),
        "replayed": answer.replayed,
    }
    connection.execute(_KEEP, values)
    if connection.execute(_WAKE, {"key": answer.key}).rowcount:
        notify(connection, ["classify"])


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
