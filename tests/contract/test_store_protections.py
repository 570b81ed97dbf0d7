"""Each protection of the store on PostgreSQL, tested intact and switched off.

Switched off, the harm must show: a test that could not tell the difference would prove nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Connection, Engine, TextClause, event, text
from sqlalchemy.exc import IntegrityError

from linkner.errors import UnavailableError
from linkner.spans import Entity, Recognition, ScoredSpan, Span
from tests.support.blocking import wait_until_blocked
from workers.ports import Answer, ClaimedQuestion, NewDocument, Recognised
from workers.store import accepting, asking, database, finishing, outbox, recognising
from workers.store.database import connect, in_transaction
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore

ANNA, OSLO = Span(0, 4), Span(8, 12)


@dataclass
class _Commit:
    """A commit that is held back: `reached` once it is about to happen, until `go` is set."""

    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def hold(self, connection: Connection) -> None:
        self.reached.set()
        assert self.go.wait(30)


@pytest.fixture
def store(engine: Engine) -> PostgresStore:
    return PostgresStore(engine)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@contextmanager
def held_back(database_url: str) -> Iterator[tuple[PostgresStore, _Commit]]:
    """A store whose commits are held back until the test lets them go."""
    engine, commit = connect(database_url), _Commit()
    event.listen(engine, "commit", commit.hold)
    try:
        yield PostgresStore(engine), commit
    finally:
        commit.go.set()
        engine.dispose()


def _overtake(
    engine: Engine,
    pool: ThreadPoolExecutor,
    commit: _Commit,
    *,
    first: Callable[[], object],
    second: Callable[[], object],
) -> tuple[Future[object], Future[object]]:
    """Run `first` up to its commit, then `second` as far as it comes: to its end, or waiting for a lock."""
    one = pool.submit(first)
    assert commit.reached.wait(30)
    two = pool.submit(second)
    wait_until_blocked(engine, or_=two.done)
    return one, two


def scored(span: Span) -> ScoredSpan:
    return ScoredSpan(span, "person", 0.75, 0.5, {"person": 0.75, "O": 0.25})


def documents(store: PostgresStore, count: int) -> list[int]:
    new = [NewDocument("test", str(number), "Anna in Oslo") for number in range(count)]
    return [accepted.document_id for accepted in store.accept(new)]


def classified(store: PostgresStore, count: int) -> list[int]:
    ids = documents(store, count)
    store.record_recognised([Recognised(id_, "local", Recognition((), ()), ()) for id_ in ids])
    return ids


def two_claims(store: PostgresStore, engine: Engine) -> tuple[int, list[ClaimedQuestion]]:
    """A document with two questions, both claimed."""
    (document_id,) = documents(store, 1)
    candidates = (scored(ANNA), scored(OSLO))
    asked = tuple((candidate,) for candidate in candidates)
    store.record_recognised([Recognised(document_id, "local", Recognition(candidates, ()), asked)])
    sent: list[int] = []
    PostgresOutbox(engine).publish_due("classify", limit=10, send=sent.extend)
    claims = [store.claim(question_id, lease_s=60, max_attempts=5) for question_id in sent]
    return document_id, [claim for claim in claims if claim is not None]


def reply(claim: ClaimedQuestion) -> Answer:
    labels = dict.fromkeys(claim.candidates, "person")
    return Answer(labels, "llm", "p1", "person", 10, 1, replayed=False)


def without(statement: TextClause, part: str, replacement: str = "") -> TextClause:
    """The statement with a protection cut out of it."""
    assert part in statement.text
    return text(statement.text.replace(part, replacement))


class TestFeedOrder:
    """A reader that follows the cursor while two transactions finish documents misses none."""

    def _follow(self, engine: Engine, database_url: str, pool: ThreadPoolExecutor) -> list[int]:
        store, reader = PostgresStore(engine), PostgresReader(engine)
        first, second = classified(store, 2)
        seen: list[int] = []
        cursor = 0

        def read_on() -> None:
            nonlocal cursor
            for item in reader.feed(after=cursor, limit=10):
                seen.append(item.document.document_id)
                cursor = item.cursor

        with held_back(database_url) as (slow, commit):
            one, two = _overtake(
                engine,
                pool,
                commit,
                first=lambda: slow.complete({first: []}),
                second=lambda: store.complete({second: []}),
            )
            read_on()
            commit.go.set()
            assert (one.result(30), two.result(30)) == (1, 1)
        read_on()
        return [seen.count(document_id) for document_id in (first, second)]

    def test_intact(self, engine: Engine, database_url: str, threads: ThreadPoolExecutor) -> None:
        assert self._follow(engine, database_url, threads) == [1, 1]

    def test_switched_off(
        self, engine: Engine, database_url: str, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(finishing, "LOCK_FEED", text("SELECT 1"))
        assert self._follow(engine, database_url, threads) == [0, 1]


class TestLastTwoAnswers:
    """Two callers who end a document's last two questions at once do not leave it behind."""

    def _answer_both(self, engine: Engine, database_url: str, pool: ThreadPoolExecutor) -> int:
        store = PostgresStore(engine)
        document_id, (anna, oslo) = two_claims(store, engine)
        with held_back(database_url) as (slow, commit):
            one, two = _overtake(
                engine,
                pool,
                commit,
                first=lambda: slow.record_answer(anna, reply(anna)),
                second=lambda: store.record_answer(oslo, reply(oslo)),
            )
            commit.go.set()
            assert (one.result(30), two.result(30)) == (True, True)
        return len(store.joinable([document_id]))

    def test_intact(self, engine: Engine, database_url: str, threads: ThreadPoolExecutor) -> None:
        assert self._answer_both(engine, database_url, threads) == 1

    def test_switched_off(
        self, engine: Engine, database_url: str, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(asking, "LOCK_DOCUMENT", without(asking.LOCK_DOCUMENT, "FOR UPDATE"))
        assert self._answer_both(engine, database_url, threads) == 0

    def test_the_sweep_finds_a_document_that_was_left_behind(
        self, engine: Engine, database_url: str, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(asking, "LOCK_DOCUMENT", without(asking.LOCK_DOCUMENT, "FOR UPDATE"))
            self._answer_both(engine, database_url, threads)
        never = {"republish_after_s": 1e6, "deadline_s": 1e6, "document_deadline_s": 1e6}
        assert PostgresOutbox(engine).sweep(**never)["ended"] == 1


class TestFence:
    """An answer under a fence that is no longer the question's is not written."""

    def _answer_late(self, store: PostgresStore, engine: Engine) -> bool:
        _, (claim, _) = two_claims(store, engine)
        with engine.begin() as connection:
            connection.execute(text("UPDATE questions SET fence = fence + 1"))
        return store.record_answer(claim, reply(claim))

    def test_intact(self, store: PostgresStore, engine: Engine) -> None:
        assert not self._answer_late(store, engine)

    def test_switched_off(
        self, store: PostgresStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(asking, "ANSWER", without(asking.ANSWER, "fence = :fence", ":fence > 0"))
        assert self._answer_late(store, engine)


class TestLease:
    """A question that somebody holds is not asked by another; one whose holder is gone is asked again."""

    def _claim_twice(self, store: PostgresStore, engine: Engine) -> bool:
        _, (claim, _) = two_claims(store, engine)
        return store.claim(claim.question_id, lease_s=60, max_attempts=5) is not None

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


class TestRelay:
    """What the broker lost is published again."""

    def _lose_everything(self, store: PostgresStore, engine: Engine) -> list[int]:
        ids = documents(store, 3)
        relay = PostgresOutbox(engine)
        relay.publish_due("recognise", limit=10, send=lambda lost: None)
        relay.sweep(republish_after_s=0.0, deadline_s=1e6, document_deadline_s=1e6)
        again: list[int] = []
        relay.publish_due("recognise", limit=10, send=again.extend)
        return [id_ for id_ in ids if id_ not in again]

    def test_intact(self, store: PostgresStore, engine: Engine) -> None:
        assert self._lose_everything(store, engine) == []

    def test_switched_off(
        self, store: PostgresStore, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        off = without(outbox.LOST_DOCUMENTS, "published_at <= now()", "published_at > now()")
        monkeypatch.setattr(outbox, "LOST_DOCUMENTS", off)
        assert len(self._lose_everything(store, engine)) == 3


class TestTwoRelays:
    """A second relay passes over the rows that the first is sending, and does not wait for it."""

    def _publish_while_publishing(
        self, store: PostgresStore, database_url: str
    ) -> tuple[list[int], list[int]]:
        documents(store, 4)
        engine = connect(database_url, statement_timeout_ms=500)
        relay = PostgresOutbox(engine)
        sent: list[int] = []
        sent_meanwhile: list[int] = []

        def send(ids: Sequence[int]) -> None:
            sent.extend(ids)
            relay.publish_due("recognise", limit=4, send=sent_meanwhile.extend)

        try:
            relay.publish_due("recognise", limit=2, send=send)
        finally:
            engine.dispose()
        return sent, sent_meanwhile

    def test_intact(self, store: PostgresStore, database_url: str) -> None:
        sent, sent_meanwhile = self._publish_while_publishing(store, database_url)
        assert (len(sent), len(sent_meanwhile)) == (2, 2)
        assert not set(sent) & set(sent_meanwhile)

    def test_waits_with_the_skipping_switched_off(
        self, store: PostgresStore, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._weaken(monkeypatch, "SKIP LOCKED")
        with pytest.raises(UnavailableError, match="statement timeout"):
            self._publish_while_publishing(store, database_url)

    def test_sends_twice_with_the_lock_switched_off(
        self, store: PostgresStore, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._weaken(monkeypatch, "FOR UPDATE SKIP LOCKED")
        sent, sent_meanwhile = self._publish_while_publishing(store, database_url)
        assert set(sent) <= set(sent_meanwhile)

    def _weaken(self, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
        monkeypatch.setitem(outbox.DUE, "recognise", without(outbox.DUE["recognise"], part))


class TestAcceptedOnce:
    """Two producers that send the same documents at once, in opposite orders, store each of them once."""

    def _accept_twice(self, engine: Engine, database_url: str, pool: ThreadPoolExecutor) -> list[bool]:
        store = PostgresStore(engine)
        new = [NewDocument("test", str(number), "Anna in Oslo") for number in range(3)]
        with held_back(database_url) as (slow, commit):
            one, two = _overtake(
                engine,
                pool,
                commit,
                first=lambda: slow.accept(new),
                second=lambda: store.accept(new[::-1]),
            )
            commit.go.set()
            results = [*one.result(30), *two.result(30)]
        assert len({result.document_id for result in results}) == 3
        return [result.duplicate for result in results]

    def test_intact(self, engine: Engine, database_url: str, threads: ThreadPoolExecutor) -> None:
        assert self._accept_twice(engine, database_url, threads) == [False] * 3 + [True] * 3

    def test_switched_off(
        self, engine: Engine, database_url: str, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rule = "ON CONFLICT (source, external_id) DO NOTHING"
        monkeypatch.setattr(accepting, "INSERT", without(accepting.INSERT, rule))
        with pytest.raises(IntegrityError):
            self._accept_twice(engine, database_url, threads)


class TestFinishedOnce:
    """Two aggregators (or recognisers) that work on the same documents at once record one result."""

    def _complete_twice(self, engine: Engine, database_url: str, pool: ThreadPoolExecutor) -> list[object]:
        store = PostgresStore(engine)
        (document_id,) = classified(store, 1)
        entities = {document_id: [Entity(ANNA, "person", "local", 0.75, 0.5)]}
        with held_back(database_url) as (slow, commit):
            one, two = _overtake(
                engine,
                pool,
                commit,
                first=lambda: slow.complete(entities),
                second=lambda: store.complete(entities),
            )
            commit.go.set()
            return [one.result(30), two.result(30)]

    def test_intact(self, engine: Engine, database_url: str, threads: ThreadPoolExecutor) -> None:
        assert self._complete_twice(engine, database_url, threads) == [1, 0]
        assert len(PostgresReader(engine).feed(after=0, limit=10)) == 1

    def test_switched_off(
        self, engine: Engine, database_url: str, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unlocked = without(finishing.LOCK_UNFINISHED, "FOR UPDATE")
        monkeypatch.setattr(finishing, "LOCK_UNFINISHED", unlocked)
        with pytest.raises(IntegrityError, match="entities_pkey"):
            self._complete_twice(engine, database_url, threads)

    def _recognise_twice(self, engine: Engine, database_url: str, pool: ThreadPoolExecutor) -> list[object]:
        store = PostgresStore(engine)
        (document_id,) = documents(store, 1)
        results = [Recognised(document_id, "local", Recognition((scored(ANNA),), ()), ((scored(ANNA),),))]
        with held_back(database_url) as (slow, commit):
            one, two = _overtake(
                engine,
                pool,
                commit,
                first=lambda: slow.record_recognised(results),
                second=lambda: store.record_recognised(results),
            )
            commit.go.set()
            return [one.result(30), two.result(30)]

    def test_recognition_intact(self, engine: Engine, database_url: str, threads: ThreadPoolExecutor) -> None:
        assert self._recognise_twice(engine, database_url, threads) == [1, 0]

    def test_recognition_switched_off(
        self, engine: Engine, database_url: str, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unlocked = without(recognising.LOCK_ACCEPTED, "FOR UPDATE")
        monkeypatch.setattr(recognising, "LOCK_ACCEPTED", unlocked)
        with pytest.raises(IntegrityError, match="spans_pkey"):
            self._recognise_twice(engine, database_url, threads)


class TestForgedIds:
    """Whoever can write to the broker can send any id; nothing that is finished or not there moves."""

    def test_intact(self, store: PostgresStore, engine: Engine) -> None:
        (document_id,) = classified(store, 1)
        store.complete({document_id: []})
        reader = PostgresReader(engine)
        before = reader.counts()
        for forged in ([document_id], [1, document_id + 1, 2**63 - 1]):
            assert store.texts(forged) == []
            assert store.begin_recognition(forged) == 0
            results = [Recognised(id_, "m", Recognition((scored(ANNA),), ()), ()) for id_ in forged]
            assert store.record_recognised(results) == 0
            assert all(store.claim(id_, lease_s=60, max_attempts=5) is None for id_ in forged)
            assert store.joinable(forged) == []
            assert store.complete({id_: [] for id_ in forged}) == 0
        assert reader.counts() == before
        assert reader.feed(after=1, limit=10) == []


class TestDeadlocks:
    """A transaction that PostgreSQL sacrifices to break a deadlock runs again."""

    def _lock_crosswise(self, engine: Engine, pool: ThreadPoolExecutor) -> int:
        ids = documents(PostgresStore(engine), 2)
        both_hold_one = threading.Barrier(2)
        runs: list[int] = []

        def lock(connection: Connection, order: list[int]) -> None:
            runs.append(order[0])
            connection.execute(asking.LOCK_DOCUMENT, {"document_id": order[0]})
            if len(runs) <= 2:
                both_hold_one.wait(30)
            connection.execute(asking.LOCK_DOCUMENT, {"document_id": order[1]})

        crossing = [pool.submit(in_transaction, engine, lock, order) for order in (ids, ids[::-1])]
        for future in crossing:
            future.result(30)
        return len(runs)

    def test_intact(self, engine: Engine, threads: ThreadPoolExecutor) -> None:
        assert self._lock_crosswise(engine, threads) >= 3  # now and then PostgreSQL sacrifices both

    def test_switched_off(
        self, engine: Engine, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(database, "TRANSIENT", frozenset())
        with pytest.raises(UnavailableError, match="deadlock detected"):
            self._lock_crosswise(engine, threads)
