"""Two transactions that meet over a claim, a promise, the feed or a batch, tested intact and switched off.

Switched off, the harm must show: a test that could not tell the difference would prove nothing. In each test
the first transaction runs up to its commit before the second one starts.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text

from linkner.pricing import Usage
from linkner.spans import Recognition
from tests.contract.store.overtaking import (
    ANNA,
    classified,
    documents,
    engine_held_back,
    overtake,
    reply,
    scored,
    two_claims,
    without,
)
from tests.support.blocking import wait_until_blocked
from tests.support.joining import complete
from tests.support.one_question import recall_one, record_one
from workers.ports import Call, Lane, Recognised, Selection
from workers.store import answer_cache, asking, batching, erasing, finishing
from workers.store.batching import PostgresBatches
from workers.store.database import FEED_LOCK
from workers.store.erasing import PostgresErasure
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore

ALL = Selection(source="test")


@dataclass(frozen=True)
class Meeting:
    """Where two transactions meet."""

    engine: Engine
    database_url: str
    threads: ThreadPoolExecutor

    def of(
        self,
        first: Callable[[Engine], object],
        second: Callable[[Engine], object],
        *,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> tuple[Any, Any]:
        """What both came to; `meanwhile` runs before the first commits."""
        with engine_held_back(self.database_url) as (slow, commit):
            one, two = overtake(
                self.engine,
                self.threads,
                commit,
                first=lambda: first(slow),
                second=lambda: second(self.engine),
            )
            meanwhile()
            commit.go.set()
            return one.result(30), two.result(30)


@pytest.fixture
def meeting(engine: Engine, database_url: str, threads: ThreadPoolExecutor) -> Meeting:
    return Meeting(engine, database_url, threads)


def ask_about_anna(store: PostgresStore, lane: Lane = "now") -> None:
    """A document with one question."""
    (document_id,) = documents(store, 1)
    found = Recognition((scored(ANNA),), ())
    store.record_recognised([Recognised(document_id, "local", found, ((scored(ANNA),),), lane=lane)])


class TestClaimedOnce:
    """Two callers that were sent the same question do not both ask it."""

    def _claim_twice(self, meeting: Meeting) -> list[int]:
        ask_about_anna(PostgresStore(meeting.engine))
        sent: list[int] = []
        PostgresOutbox(meeting.engine).publish_due("classify", limit=10, send=sent.extend)

        def claim(engine: Engine) -> int:
            return len(PostgresStore(engine).claim(sent, lease_s=60, max_attempts=5))

        return list(meeting.of(claim, claim))

    def test_intact(self, meeting: Meeting) -> None:
        assert self._claim_twice(meeting) == [1, 0]

    def test_switched_off(self, meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(asking, "CLAIM", without(asking.CLAIM, "FOR NO KEY UPDATE"))
        assert self._claim_twice(meeting) == [1, 1]


class TestAnsweredAtLast:
    """A question whose attempts are used up is not ended when its last answer comes after all."""

    def _end_while_answering(self, meeting: Meeting) -> str:
        _, (claim, _) = two_claims(PostgresStore(meeting.engine), meeting.engine)
        with meeting.engine.begin() as connection:
            connection.execute(text("UPDATE questions SET lease_until = now(), attempts = 5"))
        written, claimed = meeting.of(
            lambda engine: record_one(PostgresStore(engine), claim, reply(claim)),
            lambda engine: PostgresStore(engine).claim([claim.question_id], lease_s=60, max_attempts=5),
        )
        assert (written, claimed) == (True, [])
        query = text("SELECT state FROM questions WHERE id = :id")
        with meeting.engine.connect() as connection:
            state: str = connection.execute(query, {"id": claim.question_id}).scalar_one()
        return state

    def test_intact(self, meeting: Meeting) -> None:
        assert self._end_while_answering(meeting) == "answered"

    def test_switched_off(self, meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
        ended = without(asking._END_EXHAUSTED, f"AND {asking._CLAIMABLE}")
        monkeypatch.setattr(asking, "_END_EXHAUSTED", ended)
        assert self._end_while_answering(meeting) == "dead"


class TestFeedOrder:
    """Numbers of the feed are given out in the order in which their transactions commit."""

    def _number_before_the_lock(self, meeting: Meeting) -> bool:
        """Whether a transaction that waits for its place in the feed has a number already."""
        store = PostgresStore(meeting.engine)
        (document_id,) = classified(store, 1)
        with psycopg.connect(meeting.database_url, autocommit=True) as holder:
            holder.execute("SELECT pg_advisory_lock(%s)", [FEED_LOCK])
            done = meeting.threads.submit(complete, store, {document_id: []})
            wait_until_blocked(meeting.engine)
            with meeting.engine.connect() as connection:
                drawn: bool = connection.execute(text("SELECT is_called FROM feed_seq_seq")).scalar_one()
            holder.execute("SELECT pg_advisory_unlock(%s)", [FEED_LOCK])
            assert done.result(30) == 1
        return drawn

    def test_a_number_is_drawn_under_the_lock(self, meeting: Meeting) -> None:
        assert not self._number_before_the_lock(meeting)

    def test_a_number_is_drawn_too_early_where_the_lock_comes_last(
        self, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        locked_late = f"""
            WITH fed AS ({finishing._FEED.text} RETURNING seq)
            SELECT pg_advisory_xact_lock({FEED_LOCK}) FROM (SELECT count(*) FROM fed) AS counted
        """
        monkeypatch.setattr(finishing, "LOCK_FEED", text("SELECT 1"))
        monkeypatch.setattr(finishing, "_FEED", text(locked_late))
        assert self._number_before_the_lock(meeting)

    def _follow_an_erasure(self, meeting: Meeting) -> list[int]:
        """How often a reader that goes on from its cursor sees what is erased, and what is finished then."""
        store, reader = PostgresStore(meeting.engine), PostgresReader(meeting.engine)
        erased, finished = classified(store, 2)
        complete(store, {erased: []})
        cursor, seen = reader.feed(after=0, limit=10)[-1].cursor, []

        def read_on() -> None:
            nonlocal cursor
            for item in reader.feed(after=cursor, limit=10):
                seen.append(item.document_id)
                cursor = item.cursor

        first = Selection(source="test", external_id="0")
        meeting.of(
            lambda engine: PostgresErasure(engine).erase(first, after=0, limit=9),
            lambda engine: complete(PostgresStore(engine), {finished: []}),
            meanwhile=read_on,
        )
        read_on()
        return [seen.count(erased), seen.count(finished)]

    def test_no_reader_misses_an_erasure(self, meeting: Meeting) -> None:
        assert self._follow_an_erasure(meeting) == [1, 1]

    def test_a_reader_misses_an_erasure_without_the_lock(
        self, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(erasing, "LOCK_FEED", text("SELECT 1"))
        assert self._follow_an_erasure(meeting) == [0, 1]


class TestPromiseAndErasure:
    """A promise of the answer cache goes with the question that made it, even one erased meanwhile."""

    def _promise_while_erasing(self, meeting: Meeting) -> int:
        """How many promises are left of questions that are none any more."""
        _, claims = two_claims(PostgresStore(meeting.engine), meeting.engine)
        recalled, erased = meeting.of(
            lambda engine: recall_one(PostgresStore(engine), claims[0], b"key", max_age_s=86_400.0),
            lambda engine: PostgresErasure(engine).erase(ALL, after=0, limit=9),
        )
        assert (recalled, erased.documents) == ("ask", 1)
        with meeting.engine.connect() as connection:
            left: int = connection.execute(text("SELECT count(*) FROM cached_answers")).scalar_one()
        return left

    def test_intact(self, meeting: Meeting) -> None:
        assert self._promise_while_erasing(meeting) == 0

    def test_the_promise_s_lock_switched_off(self, meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
        unlocked = without(answer_cache.PROMISE, "FOR KEY SHARE OF questions")
        monkeypatch.setattr(answer_cache, "PROMISE", unlocked)
        assert self._promise_while_erasing(meeting) == 1

    def test_the_erasure_s_lock_switched_off(self, meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(erasing, "_LOCK_QUESTIONS", without(erasing._LOCK_QUESTIONS, "FOR UPDATE"))
        assert self._promise_while_erasing(meeting) == 1


class TestBatches:
    """A question is in one batch at a time, and a batch's calls are paid for once."""

    def _gather_twice(self, meeting: Meeting) -> list[int]:
        """How many questions are in the batch of each of two batchers."""
        ask_about_anna(PostgresStore(meeting.engine), lane="batch")

        def gather(engine: Engine) -> int:
            batch = PostgresBatches(engine).gather(at_least=1, at_most=10, after_s=0.0)
            assert batch is not None
            return batch.batch_id

        batches = PostgresBatches(meeting.engine)
        return [len(batches.members(batch_id)) for batch_id in meeting.of(gather, gather)]

    def test_a_gathered_question_is_left_alone(self, meeting: Meeting) -> None:
        assert self._gather_twice(meeting) == [1, 0]

    def test_a_gathered_question_is_taken_away_without_the_lock(
        self, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batching, "_GATHER", without(batching._GATHER, "FOR UPDATE SKIP LOCKED"))
        assert self._gather_twice(meeting) == [0, 1]

    def _pay_twice(self, store: PostgresStore, engine: Engine) -> Decimal:
        """What is spent when the one call of a batch, which cost 1, is recorded twice."""
        ask_about_anna(store, lane="batch")
        batches = PostgresBatches(engine)
        batch = batches.gather(at_least=1, at_most=10, after_s=0.0)
        assert batch is not None
        (question,) = batches.members(batch.batch_id)
        call = Call("http://here/v1", "llm-1", Usage(300, 2), Decimal(1), replayed=False, batched=True)
        for _ in range(2):
            batches.paid(batch.batch_id, [(question.question_id, call)])
        return PostgresReader(engine).spent_today()["test"]

    def test_a_batch_is_paid_for_once(self, store: PostgresStore, engine: Engine) -> None:
        assert self._pay_twice(store, engine) == 1

    def test_a_batch_is_paid_for_twice_if_nothing_says_that_it_was(
        self, store: PostgresStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batching, "_PAID", without(batching._PAID, "AND paid_at IS NULL"))
        assert self._pay_twice(store, engine) == 2
