"""Answers and leases: each protection of the store on PostgreSQL, tested intact and switched off.

Switched off, the harm must show: a test that could not tell the difference would prove nothing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from linkner.spans import Recognition
from tests.contract.store.overtaking import (
    ANNA,
    classified,
    held_back,
    overtake,
    reply,
    scored,
    two_claims,
    without,
)
from tests.support.joining import complete
from tests.support.one_question import claim_one, record_one
from workers.ports import Recognised
from workers.store import asking, outbox
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore


class TestLastTwoAnswers:
    """Two callers who end a document's last two questions at once do not leave it behind."""

    def _answer_both(self, engine: Engine, database_url: str, pool: ThreadPoolExecutor) -> int:
        store = PostgresStore(engine)
        document_id, (anna, oslo) = two_claims(store, engine)
        with held_back(database_url) as (slow, commit):
            one, two = overtake(
                engine,
                pool,
                commit,
                first=lambda: record_one(slow, anna, reply(anna)),
                second=lambda: record_one(store, oslo, reply(oslo)),
            )
            commit.go.set()
            assert (one.result(30), two.result(30)) == (True, True)
        return len(store.joinable([document_id]))

    def test_intact(self, engine: Engine, database_url: str, threads: ThreadPoolExecutor) -> None:
        assert self._answer_both(engine, database_url, threads) == 1

    def test_switched_off(
        self, engine: Engine, database_url: str, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(asking, "LOCK_DOCUMENTS", without(asking.LOCK_DOCUMENTS, "FOR UPDATE"))
        assert self._answer_both(engine, database_url, threads) == 0

    def test_the_sweep_finds_a_document_that_was_left_behind(
        self, engine: Engine, database_url: str, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(asking, "LOCK_DOCUMENTS", without(asking.LOCK_DOCUMENTS, "FOR UPDATE"))
            self._answer_both(engine, database_url, threads)
        never = {"republish_after_s": 1e6, "deadline_s": 1e6, "document_deadline_s": 1e6}
        assert PostgresOutbox(engine).sweep(**never)["ended"] == 1


class TestFence:
    """An answer under a fence that is no longer the question's is not written."""

    def _answer_late(self, store: PostgresStore, engine: Engine) -> bool:
        _, (claim, _) = two_claims(store, engine)
        with engine.begin() as connection:
            connection.execute(text("UPDATE questions SET fence = fence + 1"))
        return record_one(store, claim, reply(claim))

    def test_intact(self, store: PostgresStore, engine: Engine) -> None:
        assert not self._answer_late(store, engine)

    def test_switched_off(
        self, store: PostgresStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(asking, "ANSWER", without(asking.ANSWER, "questions.fence = claim.fence", "true"))
        assert self._answer_late(store, engine)


class TestLease:
    """A question that somebody holds is not asked by another; one whose holder is gone is asked again."""

    def _claim_twice(self, store: PostgresStore, engine: Engine) -> bool:
        _, (claim, _) = two_claims(store, engine)
        return claim_one(store, claim.question_id, lease_s=60, max_attempts=5) is not None

    def test_intact(self, store: PostgresStore, engine: Engine) -> None:
        assert not self._claim_twice(store, engine)

    def test_switched_off(
        self, store: PostgresStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ignored = without(asking.CLAIM, "state = 'claimed' AND lease_until <= now()", "state = 'claimed'")
        monkeypatch.setattr(asking, "CLAIM", ignored)
        assert self._claim_twice(store, engine)

    def _crash(self, store: PostgresStore, engine: Engine) -> list[int]:
        """Both questions' holders are gone; what the relay publishes after the next sweep."""
        two_claims(store, engine)
        with engine.begin() as connection:
            connection.execute(text("UPDATE questions SET lease_until = now()"))
        relay = PostgresOutbox(engine)
        relay.sweep(republish_after_s=1e6, deadline_s=1e6, document_deadline_s=1e6)
        sent: list[int] = []
        relay.publish_due("classify", limit=10, send=sent.extend)
        return sent

    def test_an_ended_lease_frees_the_question(self, store: PostgresStore, engine: Engine) -> None:
        assert len(self._crash(store, engine)) == 2

    def test_without_an_end_of_leases_a_crash_would_keep_questions_for_ever(
        self, store: PostgresStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            outbox, "FREE_LEASES", without(outbox.FREE_LEASES, "lease_until <= now()", "false")
        )
        assert self._crash(store, engine) == []


class TestForgedIds:
    """Whoever can write to the broker can send any id; nothing that is finished or not there moves."""

    def test_intact(self, store: PostgresStore, engine: Engine) -> None:
        (document_id,) = classified(store, 1)
        complete(store, {document_id: []})
        reader = PostgresReader(engine)
        before = reader.counts()
        for forged in ([document_id], [1, document_id + 1, 2**63 - 1]):
            assert store.texts(forged) == []
            assert store.begin_recognition(forged) == 0
            results = [Recognised(id_, "m", Recognition((scored(ANNA),), ()), ()) for id_ in forged]
            assert store.record_recognised(results) == 0
            assert all(claim_one(store, id_, lease_s=60, max_attempts=5) is None for id_ in forged)
            assert store.joinable(forged) == []
            assert store.complete({id_: [] for id_ in forged}, fences=dict.fromkeys(forged, 0)) == 0
        assert reader.counts() == before
        assert reader.feed(after=1, limit=10) == []
