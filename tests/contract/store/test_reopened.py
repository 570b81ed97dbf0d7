"""Finished documents that are opened again, on PostgreSQL: their time, and what was said of them before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, event, text

from linkner.spans import Entity
from tests.contract.store.overtaking import without
from tests.contract.store.scene import (
    ANNA,
    Ports,
    accept_one,
    answer,
    claimed,
    due,
    local,
    recognised,
    scored,
    status,
    sweep,
)
from tests.support.joining import complete
from tests.support.one_question import record_one
from workers.store import finishing
from workers.store.dead import PostgresDead, Ref
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore

DEADLINE_S = 60.0
LATER_S = 600.0

_AGE = text("""
    UPDATE documents
    SET accepted_at = accepted_at - make_interval(secs => :seconds),
        replayed_at = replayed_at - make_interval(secs => :seconds),
        recognised_at = recognised_at - make_interval(secs => :seconds)
""")
_AGE_QUESTIONS = text("""
    UPDATE questions
    SET created_at = created_at - make_interval(secs => :seconds),
        deadline_at = deadline_at - make_interval(secs => :seconds)
""")
_LEFT_S = text("SELECT extract(epoch FROM deadline_at - created_at)::float8 FROM questions")


@dataclass(frozen=True)
class World:
    ports: Ports
    dead: PostgresDead
    engine: Engine

    def replay(self, *refs: Ref) -> None:
        assert self.dead.replay(refs, send=lambda queue, message: None) == len(refs)

    def pass_time(self) -> None:
        """All that was written becomes older by more than the deadline."""
        with self.engine.begin() as connection:
            for statement in (_AGE, _AGE_QUESTIONS):
                connection.execute(statement, {"seconds": LATER_S})

    def left_s(self) -> float:
        """How long the one question has from when it was last asked to be tried."""
        with self.engine.connect() as connection:
            left: float = connection.execute(_LEFT_S).scalar_one()
        return left

    def recognise(self, document_id: int, *, deadline_s: float | None = DEADLINE_S) -> Ref:
        """Record one question of the document, and return it."""
        result = recognised(document_id, questions=[[scored(ANNA)]], deadline_s=deadline_s)
        self.ports.store.record_recognised([result])
        (question,) = due(self.ports, "classify")
        return Ref("question", question)

    def end_overdue(self) -> Mapping[str, int]:
        return sweep(self.ports)


@pytest.fixture
def world(engine: Engine) -> World:
    ports = Ports(PostgresStore(engine), PostgresOutbox(engine), PostgresReader(engine))
    return World(ports, PostgresDead(engine), engine)


class TestDeadline:
    """A question that is tried again has all the time that its document had at first."""

    def test_recognition_that_took_longer_than_the_deadline_leaves_a_replay_its_time(
        self, world: World
    ) -> None:
        document_id = accept_one(world.ports)
        world.pass_time()
        question = world.recognise(document_id)
        for _ in range(2):
            assert world.end_overdue()["overdue_questions"] == 1
            complete(world.ports.store, {document_id: [local(ANNA)]})
            world.replay(question)
            assert world.left_s() == pytest.approx(DEADLINE_S)
            assert world.end_overdue()["overdue_questions"] == 0
            world.pass_time()

    def test_a_document_that_was_replayed_before_its_recognition(self, world: World) -> None:
        document_id = accept_one(world.ports)
        world.ports.store.fail_recognition([document_id], reason="refused", error="400")
        world.pass_time()
        world.replay(Ref("document", document_id))
        question = world.recognise(document_id)
        world.pass_time()
        world.end_overdue()
        world.replay(question)
        assert world.left_s() == pytest.approx(DEADLINE_S, abs=1.0)

    def test_a_document_that_was_replayed_after_its_join_had_failed(self, world: World) -> None:
        document_id = accept_one(world.ports)
        question = world.recognise(document_id)
        world.pass_time()
        world.end_overdue()
        world.ports.store.fail_join(document_id, reason="spoilt", error="a defect")
        world.replay(Ref("document", document_id))
        world.replay(question)
        assert world.left_s() == pytest.approx(DEADLINE_S, abs=1.0)


def test_a_dropped_document_that_dies_again_is_listed_again(world: World) -> None:
    document_id = accept_one(world.ports)
    question = world.recognise(document_id, deadline_s=0.0)
    for _ in range(2):
        world.end_overdue()
        world.ports.store.fail_join(document_id, reason="spoilt", error="a defect")
        assert Ref("document", document_id) in {item.ref for item in world.dead.listed()}
        assert world.dead.drop([Ref("document", document_id)]) == 1
        world.replay(question)
        assert status(world.ports, document_id) == "provisional"


class TestOneLook:
    """What a reader sees of a document belongs together, also where it is opened again meanwhile."""

    def _finished(self, world: World) -> tuple[int, Ref]:
        document_id = accept_one(world.ports)
        question = world.recognise(document_id, deadline_s=0.0)
        world.end_overdue()
        complete(world.ports.store, {document_id: [local(ANNA)]})
        return document_id, question

    @contextmanager
    def _replayed_after(self, world: World, part: str, question: Ref) -> Iterator[None]:
        """Replay the question when a statement with this part in it has been run."""
        waiting = [question]

        def replay(_c: object, _cursor: object, statement: str, *_: object) -> None:
            if waiting and part in statement:
                world.replay(waiting.pop())

        event.listen(world.engine, "after_cursor_execute", replay)
        try:
            yield
        finally:
            event.remove(world.engine, "after_cursor_execute", replay)
        assert not waiting

    def test_the_feed(self, world: World) -> None:
        document_id, question = self._finished(world)
        with self._replayed_after(world, "FROM feed", question):
            (item,) = world.ports.reader.feed(after=0, limit=10)
        assert (item.document.document_id, item.document.revision) == (document_id, 1)
        assert [entity.text for entity in item.document.entities] == ["Anna"]
        assert world.ports.reader.feed(after=0, limit=10) == [], "open again"

    def test_a_document(self, world: World) -> None:
        document_id, question = self._finished(world)
        with self._replayed_after(world, "FROM documents WHERE id", question):
            view = world.ports.reader.document(document_id)
        assert view.status == "final"
        assert [entity.text for entity in view.entities] == ["Anna"]


class TestStaleJoin:
    """An aggregator that read a document, and slept while it was asked about again, writes nothing."""

    def _join_late(self, world: World) -> list[str]:
        """The reasons of the entities that the document has in the end."""
        document_id = accept_one(world.ports)
        question = world.recognise(document_id, deadline_s=0.0)
        world.end_overdue()
        (read,) = world.ports.store.joinable([document_id])
        world.replay(question)
        record_one(world.ports.store, claimed(world.ports, question.id), answer({ANNA: "group"}))
        late = Entity(ANNA, "person", "fallback", 0.75, 0.5, reason="deadline")
        world.ports.store.complete({document_id: [late]}, fences={document_id: read.fence})
        view = world.ports.reader.document(document_id)
        return [entity.reason for entity in view.entities]

    def test_intact(self, world: World) -> None:
        assert self._join_late(world) == []

    def test_switched_off(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(finishing, "FENCES", without(finishing.FENCES, "sum(fence)", "sum(0)"))
        assert self._join_late(world) == ["deadline"]
