"""What looks at the store often reads neither all that waits for its batch nor all that is finished.

Sequential scans are switched off: with so few rows PostgreSQL would prefer them to any index.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, event, text

from workers.store import outbox
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader

BACKLOG = 500
FEW = 60

_FILL = """
    WITH waiting AS (
        INSERT INTO documents (source, external_id, text, state, lane, accepted_at, recognised_at)
        SELECT 'test', number::text, 'Anna in Oslo', 'recognised', 'batch', now() - interval '2 hours', now()
        FROM generate_series(1, :count) AS number
        RETURNING id
    )
    INSERT INTO questions (document_id, lane, created_at, deadline_at)
    SELECT id, 'batch', now() - interval '2 hours', now() + interval '1 day' FROM waiting ORDER BY id
"""
_FINISHED = (
    """
    INSERT INTO documents (source, external_id, text, state, revision)
    SELECT 'test', number::text, 'Anna in Oslo', 'complete', 1 FROM generate_series(1, :count) AS number
    """,
    "INSERT INTO questions (document_id, state) SELECT id, 'answered' FROM documents",
    """
    INSERT INTO answers (
        question_id, start, "end", document_id, label, model, prompt_version, raw, prompt_tokens,
        completion_tokens, replayed
    )
    SELECT id, 0, 4, document_id, 'person', 'm', 'p', 'person', 1, 1, false FROM questions
    """,
    """
    INSERT INTO entities (
        document_id, start, "end", label, text, decided_by, probability, uncertainty, replayed, revision
    )
    SELECT id, 0, 4, 'person', 'Anna', 'local', 0.5, 0.5, false, 1 FROM documents
    """,
)
_ROWS_READ = (
    "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
)
_FORGET_STATISTICS = (
    "DELETE FROM pg_statistic",
    "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relname IN ('documents', 'questions')",
)
_END = "UPDATE questions SET state = 'answered' WHERE document_id = ANY(:ids)"


@contextmanager
def rows_read(engine: Engine) -> Iterator[list[int]]:
    """How many rows each transaction reads; PostgreSQL counts on from one transaction to the next."""
    before: list[int] = []
    read: list[int] = []

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        before.append(int(connection.exec_driver_sql(_ROWS_READ).scalar_one()))

    def commit(connection: Connection) -> None:
        read.append(int(connection.exec_driver_sql(_ROWS_READ).scalar_one()) - before.pop())

    event.listen(engine, "begin", begin)
    event.listen(engine, "commit", commit)
    try:
        yield read
    finally:
        event.remove(engine, "begin", begin)
        event.remove(engine, "commit", commit)


def fill(engine: Engine, *statements: str, analysed: bool = True) -> list[int]:
    """Documents that wait for their batch, or what the statements make; by id."""
    with engine.begin() as connection:
        for statement in statements or (_FILL,):
            connection.execute(text(statement), {"count": BACKLOG} if ":count" in statement else {})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in ("VACUUM ANALYZE",) if analysed else _FORGET_STATISTICS:
            connection.execute(text(statement))
        return list(connection.execute(text("SELECT id FROM documents ORDER BY id")).scalars())


def sweep(relay: PostgresOutbox) -> dict[str, int]:
    return dict(relay.sweep(republish_after_s=60.0, deadline_s=60.0, document_deadline_s=60.0))


def test_a_sweep_reads_little_of_it(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(engine)
    monkeypatch.setattr(outbox, "_SWEEP_LIMIT", 10)
    relay = PostgresOutbox(engine)
    for _ in range(3):
        with rows_read(engine) as read:
            assert set(sweep(relay).values()) == {0}
        assert sum(read) < FEW


@pytest.mark.parametrize(
    ("what_happened", "kinds"),
    [
        ("", ()),
        ("state = 'answered'", ("ended",)),
        ("state = 'claimed', lease_until = now() - interval '1 hour'", ("freed",)),
        ("published_at = now() - interval '1 hour'", ("lost_questions",)),
        ("deadline_at = now() - interval '1 hour'", ("overdue_questions",)),
    ],
)
def test_a_sweep_reads_each_row_a_few_times_where_there_are_no_statistics_yet(
    engine: Engine, what_happened: str, kinds: tuple[str, ...]
) -> None:
    """A stack that has just begun on a backlog; a nested loop would read it once for each document."""
    fill(engine, *((_FILL, f"UPDATE questions SET {what_happened}") if what_happened else ()), analysed=False)
    with rows_read(engine) as read:
        swept = sweep(PostgresOutbox(engine))
    assert {kind: count for kind, count in swept.items() if count} == dict.fromkeys(kinds, BACKLOG)
    assert sum(read) < 20 * BACKLOG


def test_asking_for_room_counts_no_further_than_needed(engine: Engine) -> None:
    fill(
        engine,
        "INSERT INTO documents (source, external_id, text) SELECT 'test', n::text, 'Anna in Oslo'"
        " FROM generate_series(1, :count) AS n",
    )
    with rows_read(engine) as read:
        assert PostgresReader(engine).unfinished(up_to=10) == 10
    assert sum(read) < FEW
    assert PostgresReader(engine).unfinished() == BACKLOG


def test_asking_for_room_reads_nothing_of_it(engine: Engine) -> None:
    fill(engine)
    with rows_read(engine) as read:
        assert PostgresReader(engine).unfinished() == 0
    assert sum(read) < FEW


def test_what_was_left_behind_is_found_wherever_it_is(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = fill(engine)
    monkeypatch.setattr(outbox, "_SWEEP_LIMIT", 200)
    relay = PostgresOutbox(engine)

    def leave_behind(*places: int) -> None:
        with engine.begin() as connection:
            connection.execute(text(_END), {"ids": [ids[place] for place in places]})

    leave_behind(150, 199, 200, -1)
    assert [sweep(relay)["ended"] for _ in range(3)] == [2, 1, 1]
    leave_behind(0)
    assert sweep(relay)["ended"] == 1


def test_a_look_at_the_backlog_reads_nothing_that_is_finished(engine: Engine) -> None:
    fill(engine, *_FINISHED)
    reader = PostgresReader(engine)
    with rows_read(engine) as read:
        backlog = reader.backlog()
    assert (backlog.documents, backlog.questions) == ({}, {})
    assert sum(read) < FEW
