"""Erasing documents, over the fake in memory and over PostgreSQL: everything goes, nothing comes back.

What workers hold of an erased document has no effect; the feed tells of it in its order; money is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, text

from linkner.errors import InputError
from linkner.pricing import Usage
from linkner.spans import OUTSIDE, Entity, Recognition, ScoredSpan, Span
from tests.fakes.store import FakeStore
from tests.support.joining import complete
from tests.support.one_question import claim_one, recall_one, record_one
from workers.ports import (
    Answer,
    CachedAnswer,
    Call,
    ClaimedQuestion,
    Erasure,
    Ledger,
    NewDocument,
    Outbox,
    Reader,
    Recognised,
    Selection,
    Store,
)
from workers.store.erasing import PostgresErasure
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore

TEXT = "Anna sings"
ANNA = Span(0, 4)
SCORED = ScoredSpan(ANNA, "person", 0.6, 0.4, {OUTSIDE: 0.4, "person": 0.6})
ENTITY = Entity(ANNA, "person", "local", 0.6, 0.4)
ANSWER = Answer({ANNA: "person"}, "llm", "p1", "person", 10, 1, replayed=False)
KEPT = CachedAnswer(b"key", ("person",), "llm", "p1", "person", replayed=False)
CALL = Call("http://here/v1", "llm", Usage(10, 1), Decimal("0.01"), replayed=False)
DAY_S = 86_400.0


@dataclass(frozen=True)
class World:
    store: Store
    outbox: Outbox
    reader: Reader
    ledger: Ledger
    erasure: Erasure

    def accept(self, external_id: str, **of: Any) -> int:
        (accepted,) = self.store.accept([NewDocument("test", external_id, TEXT, **of)])
        assert not accepted.duplicate
        return accepted.document_id

    def ask(self, document_id: int) -> ClaimedQuestion:
        """The document's only question, claimed."""
        self.store.record_recognised([Recognised(document_id, "m", Recognition((SCORED,), ()), ((SCORED,),))])
        sent: list[int] = []
        self.outbox.publish_due("classify", limit=10, send=sent.extend)
        claim = claim_one(self.store, sent[-1], lease_s=60.0, max_attempts=5)
        assert claim is not None
        assert claim.document_id == document_id
        return claim

    def finish(self, document_id: int) -> int:
        record_one(self.store, self.ask(document_id), ANSWER, keep=KEPT, call=CALL)
        complete(self.store, {document_id: [ENTITY]})
        return document_id

    def erase(self, **selected: Any) -> int:
        return self.erasure.erase(Selection(**selected), after=0, limit=100).documents

    def feed(self) -> list[tuple[int, str | None]]:
        """What a reader sees: ids, with the text, or None where the document is gone."""
        items = self.reader.feed(after=0, limit=100)
        assert [item.cursor for item in items] == sorted({item.cursor for item in items})
        return [(item.document_id, item.document and item.document.text) for item in items]


@pytest.fixture(params=["fake", "postgres"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        fake = FakeStore()
        yield World(fake, fake, fake, fake, fake)
        return
    engine = request.getfixturevalue("engine")
    outbox, reader = PostgresOutbox(engine), PostgresReader(engine)
    yield World(PostgresStore(engine), outbox, reader, reader, PostgresErasure(engine))
    outbox.close()


def test_an_erased_document_is_gone_and_the_feed_says_so_after_all_else(world: World) -> None:
    first, second = world.finish(world.accept("1")), world.finish(world.accept("2"))
    cursor = world.reader.feed(after=0, limit=100)[-1].cursor
    assert world.erase(source="test", external_id="1") == 1
    assert world.reader.document(first) is None
    assert world.reader.find(source="test", external_id="1") is None
    assert world.feed() == [(second, TEXT), (first, None)]
    assert [item.document_id for item in world.reader.feed(after=cursor, limit=100)] == [first]
    assert world.erase(source="test", external_id="1") == 0


def test_what_the_feed_never_showed_it_says_nothing_of(world: World) -> None:
    world.accept("1")
    assert world.erase(source="test") == 1
    assert world.feed() == []
    assert world.reader.unfinished() == 0


def test_a_post_that_is_sent_again_is_a_new_document(world: World) -> None:
    first = world.finish(world.accept("1"))
    world.erase(source="test", external_id="1")
    second = world.finish(world.accept("1"))
    assert second != first
    assert world.feed() == [(first, None), (second, TEXT)]


def test_only_what_is_selected_goes(world: World) -> None:
    ada, other, elsewhere = (
        world.accept("1", author="ada"),
        world.accept("2", author="bob"),
        world.store.accept([NewDocument("elsewhere", "1", TEXT, author="ada")])[0].document_id,
    )
    past, future = datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
    assert world.erase(accepted_before=past) == 0
    assert world.erasure.count(Selection(author="ada")) == 2
    assert world.erase(author="ada", source="test", accepted_before=future) == 1
    assert [bool(world.reader.document(id_)) for id_ in (ada, other, elsewhere)] == [False, True, True]
    assert world.erase(accepted_before=future) == 2


def test_batches_go_on_where_the_last_one_ended(world: World) -> None:
    ids = [world.accept(str(number), author="ada") for number in range(5)]
    selection, after, sizes = Selection(author="ada"), 0, []
    while (batch := world.erasure.erase(selection, after=after, limit=2)).documents:
        after = batch.last_id
        sizes.append(batch.documents)
    assert (sizes, after) == ([2, 2, 1], ids[-1])


def test_money_is_kept_and_the_cached_answer_is_not(world: World) -> None:
    world.finish(world.accept("1"))
    world.erase(source="test")
    assert [(row.name, row.calls, row.cost) for row in world.ledger.costs("source", within_s=DAY_S)] == [
        ("test", 1, Decimal("0.01"))
    ]
    assert world.reader.cache().answers == 0
    claim = world.ask(world.accept("2"))
    assert recall_one(world.store, claim, KEPT.key, max_age_s=DAY_S) == "ask"


def test_a_cached_answer_that_another_document_gave_stays(world: World) -> None:
    world.finish(world.accept("1"))
    served = world.accept("2")
    claim = world.ask(served)
    assert recall_one(world.store, claim, KEPT.key, max_age_s=DAY_S) == KEPT
    record_one(world.store, claim, replace(ANSWER, cached=True))
    world.erase(source="test", external_id="2")
    assert world.reader.cache().answers == 1


class TestInFlight:
    """A worker has the document in hand when it is erased."""

    def test_a_late_recognition_brings_nothing_back(self, world: World) -> None:
        document_id = world.accept("1")
        (waiting,) = world.store.texts([document_id])
        world.erase(source="test")
        late = Recognised(document_id, "m", Recognition((SCORED,), ()), ((SCORED,),))
        assert world.store.record_recognised([late]) == 0
        assert world.store.defer([waiting], delay_s=0.0, error=None) == 0
        assert world.store.fail_recognition([document_id], reason="late", error=None) == 0
        self._is_gone(world, document_id)

    def test_a_late_answer_brings_nothing_back_but_was_paid_for(self, world: World) -> None:
        document_id = world.accept("1")
        claim = world.ask(document_id)
        world.erase(source="test")
        assert not record_one(world.store, claim, ANSWER, keep=KEPT, call=CALL)
        assert not world.store.release(claim, delay_s=0.0, error=None)
        assert not world.store.end_question(claim, reason="late", error="")
        assert recall_one(world.store, claim, KEPT.key, max_age_s=DAY_S) == "stale"
        world.store.record_call(claim, CALL)
        assert [row.calls for row in world.ledger.costs("source", within_s=DAY_S)] == [1]
        assert world.reader.cache().answers == 0
        self._is_gone(world, document_id)

    def test_a_late_join_brings_nothing_back(self, world: World) -> None:
        document_id = world.accept("1")
        record_one(world.store, world.ask(document_id), ANSWER)
        (found,) = world.store.joinable([document_id])
        world.erase(source="test")
        assert world.store.complete({document_id: [ENTITY]}, fences={document_id: found.fence}) == 0
        assert not world.store.fail_join(document_id, reason="late", error="")
        self._is_gone(world, document_id)

    def _is_gone(self, world: World, document_id: int) -> None:
        assert world.reader.document(document_id) is None
        assert world.feed() == []
        sent: list[int] = []
        for stage in ("recognise", "classify", "aggregate"):
            world.outbox.publish_due(stage, limit=10, send=sent.extend)
        assert sent == []


class TestRetention:
    def test_finished_documents_go_when_they_are_old_enough(self, world: World) -> None:
        old, waiting = world.finish(world.accept("1")), world.accept("2")
        assert world.erasure.retire(older_than_s=DAY_S, limit=10) == 0
        assert world.erasure.retire(older_than_s=0.0, limit=10) == 1
        assert [bool(world.reader.document(id_)) for id_ in (old, waiting)] == [False, True]

    def test_no_more_than_the_limit_goes_at_once_the_oldest_first(self, world: World) -> None:
        ids = [world.finish(world.accept(str(number))) for number in range(3)]
        assert [world.erasure.retire(older_than_s=0.0, limit=2) for _ in range(2)] == [2, 1]
        assert [id_ for id_, document in world.feed() if document is None] in (ids, ids[2:])


@pytest.mark.parametrize("selected", [{}, {"external_id": "1"}, {"author": "ada", "external_id": "1"}])
def test_a_selection_that_would_take_too_much_is_refused(selected: dict[str, str]) -> None:
    with pytest.raises(InputError):
        Selection(**selected)


_CONTENT = """
    SELECT (SELECT count(*) FROM documents) + (SELECT count(*) FROM questions)
        + (SELECT count(*) FROM spans) + (SELECT count(*) FROM entities) + (SELECT count(*) FROM answers)
        + (SELECT count(*) FROM cached_answers) AS rows
"""


def test_no_row_of_an_erased_document_is_left(engine: Engine) -> None:
    store, reader = PostgresStore(engine), PostgresReader(engine)
    world = World(store, PostgresOutbox(engine), reader, reader, PostgresErasure(engine))
    world.finish(world.accept("finished"))
    world.ask(world.accept("asked"))
    world.accept("waiting")
    assert world.erase(source="test") == 3
    assert _rows(engine, _CONTENT) == [(0,)]
    assert _rows(engine, "SELECT erased FROM feed") == [(True,)]


def test_tombstones_and_parked_messages_go_by_their_age(engine: Engine) -> None:
    store, reader = PostgresStore(engine), PostgresReader(engine)
    world = World(store, PostgresOutbox(engine), reader, reader, PostgresErasure(engine))
    world.finish(world.accept("1"))
    world.erase(source="test")
    parked = "INSERT INTO parked_messages (queue, digest, body, error) VALUES ('ingest', 'd', 'b', 'e')"
    with engine.begin() as connection:
        connection.execute(text(parked))
    world.erasure.retire(older_than_s=DAY_S, limit=10)
    left = "SELECT (SELECT count(*) FROM feed), (SELECT count(*) FROM parked_messages)"
    assert _rows(engine, left) == [(1, 1)]
    world.erasure.retire(older_than_s=0.0, limit=10)
    assert _rows(engine, left) == [(0, 0)]


def _rows(engine: Engine, query: str) -> Sequence[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_erasing_while_workers_are_at_work(engine: Engine) -> None:
    """Nobody fails or waits for ever; what is erased stays erased, all else is finished."""
    store, reader = PostgresStore(engine), PostgresReader(engine)
    erasure, outbox = PostgresErasure(engine), PostgresOutbox(engine)
    ids = {
        author: [one.document_id for one in store.accept([post(author, number) for number in range(60)])]
        for author in ("ada", "bob")
    }
    everyone = [id_ for pair in zip(ids["ada"], ids["bob"], strict=True) for id_ in pair]
    recognised = [Recognised(id_, "m", Recognition((SCORED,), ()), ((SCORED,),)) for id_ in everyone]

    def work(part: int) -> None:
        for one in recognised[part::3]:
            store.record_recognised([one])
            questions: list[int] = []
            outbox.publish_due("classify", limit=3, send=questions.extend)
            for question_id in questions:
                if claim := claim_one(store, question_id, lease_s=60.0, max_attempts=5):
                    recall_one(store, claim, KEPT.key, max_age_s=DAY_S)
                    record_one(store, claim, ANSWER, keep=KEPT, call=CALL)
            complete(store, {id_: [ENTITY] for id_ in everyone})

    def erase() -> None:
        for _ in range(20):
            erasure.erase(Selection(author="ada"), after=0, limit=7)

    with ThreadPoolExecutor(5) as pool:
        for done in [pool.submit(work, part) for part in range(3)] + [pool.submit(erase) for _ in range(2)]:
            done.result(timeout=120)
    erasure.erase(Selection(author="ada"), after=0, limit=100)
    with engine.begin() as connection:  # questions that were put off to await the shared answer
        connection.execute(text("UPDATE questions SET not_before = now(), published_at = NULL"))
    work(0)
    assert all(reader.document(id_) is None for id_ in ids["ada"])
    views = [reader.document(id_) for id_ in ids["bob"]]
    assert None not in views
    assert {view.status for view in views if view} == {"final"}
    assert _rows(engine, "SELECT DISTINCT author FROM documents") == [("bob",)]
    for table in ("questions", "spans", "entities", "answers"):
        orphans = f"SELECT count(*) FROM {table} WHERE document_id NOT IN (SELECT id FROM documents)"
        assert _rows(engine, orphans) == [(0,)]


def post(author: str, number: int) -> NewDocument:
    return NewDocument("test", f"{author}-{number}", TEXT, author=author)
