"""From acceptance to the feed: each protection of the store on PostgreSQL, tested intact and switched off.

Switched off, the harm must show: a test that could not tell the difference would prove nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import IntegrityError

from linkner.errors import UnavailableError
from linkner.spans import Entity, Recognition
from tests.contract.store.overtaking import ANNA, classified, documents, held_back, overtake, scored, without
from workers.ports import Accepted, NewDocument, Recognised, Selection, Stage
from workers.store import accepting, asking, database, finishing, outbox, recognising
from workers.store.database import connect, in_transaction
from workers.store.erasing import PostgresErasure
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore


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
            one, two = overtake(
                engine,
                pool,
                commit,
                first=lambda: slow.complete({first: []}, fences={first: 0}),
                second=lambda: store.complete({second: []}, fences={second: 0}),
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


@pytest.mark.parametrize("stage", outbox.DUE)
class TestTwoRelays:
    """A second relay passes over the rows that the first is sending, and does not wait for it."""

    def _publish_while_publishing(
        self, store: PostgresStore, database_url: str, stage: Stage
    ) -> tuple[list[int], list[int]]:
        self._have_four_due(store, stage)
        engine = connect(database_url, statement_timeout_ms=500)
        relay = PostgresOutbox(engine)
        sent: list[int] = []
        sent_meanwhile: list[int] = []

        def send(ids: Sequence[int]) -> None:
            sent.extend(ids)
            relay.publish_due(stage, limit=4, send=sent_meanwhile.extend)

        try:
            relay.publish_due(stage, limit=2, send=send)
        finally:
            engine.dispose()
        return sent, sent_meanwhile

    def _have_four_due(self, store: PostgresStore, stage: Stage) -> None:
        ids = documents(store, 4)
        if stage != "recognise":
            asked = ((scored(ANNA),),) if stage == "classify" else ()
            found = Recognition((scored(ANNA),), ())
            store.record_recognised([Recognised(id_, "local", found, asked) for id_ in ids])

    def test_intact(self, store: PostgresStore, database_url: str, stage: Stage) -> None:
        sent, sent_meanwhile = self._publish_while_publishing(store, database_url, stage)
        assert (len(sent), len(sent_meanwhile)) == (2, 2)
        assert not set(sent) & set(sent_meanwhile)

    def test_waits_with_the_skipping_switched_off(
        self, store: PostgresStore, database_url: str, monkeypatch: pytest.MonkeyPatch, stage: Stage
    ) -> None:
        self._weaken(monkeypatch, stage, "SKIP LOCKED")
        with pytest.raises(UnavailableError, match="statement timeout"):
            self._publish_while_publishing(store, database_url, stage)

    def test_sends_twice_with_the_lock_switched_off(
        self, store: PostgresStore, database_url: str, monkeypatch: pytest.MonkeyPatch, stage: Stage
    ) -> None:
        self._weaken(monkeypatch, stage, "FOR UPDATE SKIP LOCKED")
        sent, sent_meanwhile = self._publish_while_publishing(store, database_url, stage)
        assert set(sent) <= set(sent_meanwhile)

    def _weaken(self, monkeypatch: pytest.MonkeyPatch, stage: Stage, part: str) -> None:
        monkeypatch.setitem(outbox.DUE, stage, without(outbox.DUE[stage], part))


class TestAcceptedOnce:
    """Two producers that send the same documents at once, in opposite orders, store each of them once."""

    def _accept_twice(self, engine: Engine, database_url: str, pool: ThreadPoolExecutor) -> list[bool]:
        store = PostgresStore(engine)
        new = [NewDocument("test", str(number), "Anna in Oslo") for number in range(3)]
        with held_back(database_url) as (slow, commit):
            one, two = overtake(
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


class TestErasedWhileAccepted:
    """A post that is erased just when it is sent again is accepted anew."""

    def _accept(self, engine: Engine, database_url: str, *, erasures: int) -> list[Accepted]:
        """Accept two posts; the first is there at so many INSERTs and gone at the SELECT after each."""
        left = erasures
        other = connect(database_url)
        new = [NewDocument("test", str(number), "Anna in Oslo") for number in range(2)]

        def before(_c: object, _cursor: object, statement: str, *_: object) -> None:
            if left and "INSERT INTO documents" in statement:
                PostgresStore(other).accept(new[:1])

        def after(_c: object, _cursor: object, statement: str, *_: object) -> None:
            nonlocal left
            if left and "INSERT INTO documents" in statement:
                left -= 1
                PostgresErasure(other).erase(Selection(source="test"), after=0, limit=10)

        event.listen(engine, "before_cursor_execute", before)
        event.listen(engine, "after_cursor_execute", after)
        try:
            return PostgresStore(engine).accept(new)
        finally:
            event.remove(engine, "before_cursor_execute", before)
            event.remove(engine, "after_cursor_execute", after)
            other.dispose()

    @pytest.mark.parametrize("erasures", [1, 2])
    def test_intact(self, engine: Engine, database_url: str, erasures: int) -> None:
        accepted = self._accept(engine, database_url, erasures=erasures)
        assert [(one.duplicate, one.conflict) for one in accepted] == [(False, False)] * 2
        reader = PostgresReader(engine)
        found = [reader.find(source="test", external_id=str(number)) for number in range(2)]
        assert [view and view.document_id for view in found] == [one.document_id for one in accepted]

    def test_without_end_it_is_tried_again_later(self, engine: Engine, database_url: str) -> None:
        with pytest.raises(UnavailableError, match="erased"):
            self._accept(engine, database_url, erasures=1_000)
        assert PostgresReader(engine).unfinished() == 0, "nothing of it was accepted"


class TestFinishedOnce:
    """Two aggregators (or recognisers) that work on the same documents at once record one result."""

    def _complete_twice(self, engine: Engine, database_url: str, pool: ThreadPoolExecutor) -> list[object]:
        store = PostgresStore(engine)
        (document_id,) = classified(store, 1)
        entities = {document_id: [Entity(ANNA, "person", "local", 0.75, 0.5)]}
        with held_back(database_url) as (slow, commit):
            one, two = overtake(
                engine,
                pool,
                commit,
                first=lambda: slow.complete(entities, fences={document_id: 0}),
                second=lambda: store.complete(entities, fences={document_id: 0}),
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
            one, two = overtake(
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


class TestDeadlocks:
    """A transaction that PostgreSQL sacrifices to break a deadlock runs again."""

    def _lock_crosswise(self, engine: Engine, pool: ThreadPoolExecutor) -> int:
        ids = documents(PostgresStore(engine), 2)
        both_hold_one = threading.Barrier(2)
        runs: list[int] = []

        def lock(connection: Connection, order: list[int]) -> None:
            runs.append(order[0])
            connection.execute(asking.LOCK_DOCUMENTS, {"ids": [order[0]]})
            if len(runs) <= 2:
                both_hold_one.wait(30)
            connection.execute(asking.LOCK_DOCUMENTS, {"ids": [order[1]]})

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
