"""One contract for questions in batches, over the fake in memory and over PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest

from linkner.pricing import Usage
from linkner.spans import Entity, Recognition
from tests.contract.store.scene import ANNA, FOREVER_S, Ports, answer, claimed, due, post, scored, sweep
from tests.fakes.batches import FakeBatches
from tests.fakes.store import FakeStore
from tests.support.joining import complete
from tests.support.one_question import record_one
from workers.ports import NO_QUESTION, Batches, CachedAnswer, Call, QuestionLane, Recognised, StoredBatch
from workers.store.batching import ERASED_SOURCE, PostgresBatches
from workers.store.dead import PostgresDead, Ref
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore


@dataclass(frozen=True)
class World:
    ports: Ports
    batches: Batches
    replay_refs: Callable[[Collection[Ref]], int]

    def replay(self, question_id: int) -> int:
        return self.replay_refs([Ref("question", question_id)])

    def ask(self, external_id: str, *, lane: QuestionLane = "batch", deadline_s: float | None = None) -> int:
        """A document with one question in the lane; its id."""
        (accepted,) = self.ports.store.accept([post(external_id)])
        candidate = scored(ANNA)
        result = Recognised(
            accepted.document_id,
            "local",
            Recognition((candidate,), ()),
            ((candidate,),),
            deadline_s=deadline_s,
            lane=lane,
        )
        self.ports.store.record_recognised([result])
        return accepted.document_id

    def gather(
        self, *, at_least: int = 1, at_most: int = 10, after_s: float = FOREVER_S
    ) -> StoredBatch | None:
        return self.batches.gather(at_least=at_least, at_most=at_most, after_s=after_s)

    def gathered(self) -> StoredBatch:
        batch = self.gather()
        assert batch is not None
        return batch

    def members(self, batch: StoredBatch) -> list[int]:
        return [question.question_id for question in self.batches.members(batch.batch_id)]


@pytest.fixture(params=["fake", "postgres"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        fake = FakeStore()
        yield World(Ports(fake, fake, fake), FakeBatches(fake), fake.replay)
        return
    engine = request.getfixturevalue("engine")
    outbox = PostgresOutbox(engine)
    dead = PostgresDead(engine)
    yield World(
        Ports(PostgresStore(engine), outbox, PostgresReader(engine)),
        PostgresBatches(engine),
        lambda refs: dead.replay(refs, send=lambda queue, message: None),
    )
    outbox.close()


def test_the_relay_leaves_them_alone(world: World) -> None:
    world.ask("1")
    assert due(world.ports, "classify") == []
    sweep(world.ports, republish_after_s=0.0)
    assert due(world.ports, "classify") == []


def test_what_waits_for_a_batch_takes_up_no_room(world: World) -> None:
    waiting = world.ask("1")
    world.ask("2", lane="now")
    world.ports.store.accept([post("3")])
    assert world.ports.reader.unfinished() == 2
    (question_id,) = world.members(world.gathered())
    assert world.ports.reader.unfinished() == 2
    record_one(world.ports.store, claimed(world.ports, question_id), answer({ANNA: "person"}))
    assert world.ports.reader.unfinished() == 3
    complete(world.ports.store, {waiting: []})
    assert world.ports.reader.unfinished() == 2


def test_a_batch_waits_until_there_are_enough_or_one_has_waited_long_enough(world: World) -> None:
    assert world.gather(at_least=1, after_s=0.0) is None
    world.ask("1")
    assert world.gather(at_least=2) is None
    assert world.gather(at_least=2, after_s=0.0) is not None


def test_each_question_is_in_one_batch(world: World) -> None:
    documents = [world.ask(str(number)) for number in range(3)]
    world.ask("now", lane="now")
    first, second = world.gather(at_most=2), world.gathered()
    assert first is not None
    assert world.gather() is None
    members = [*world.batches.members(first.batch_id), *world.batches.members(second.batch_id)]
    assert [question.document_id for question in members] == documents
    assert {(question.source, question.candidates, question.state) for question in members} == {
        ("test", (ANNA,), "open")
    }


def test_an_open_batch_is_known_with_what_the_provider_calls_it(world: World) -> None:
    world.ask("1")
    batch = world.gathered()
    (prepared,) = world.batches.open()
    assert (prepared.batch_id, prepared.name, prepared.provider_id) == (batch.batch_id, batch.name, None)
    assert world.batches.sending(batch.batch_id, estimate={})
    assert world.batches.submitted(batch.batch_id, provider_id="batch_7")
    (submitted,) = world.batches.open()
    assert submitted.provider_id == "batch_7"
    assert 0 <= submitted.age_s < 60
    world.batches.close(batch.batch_id, error=None)
    assert world.batches.open() == []


def test_a_closed_batch_is_not_sent_off_and_does_not_come_back(world: World) -> None:
    world.ask("1")
    batch = world.gathered()
    assert world.batches.sending(batch.batch_id, estimate={})
    world.batches.close(batch.batch_id, error="the provider never had it")
    assert not world.batches.sending(batch.batch_id, estimate={})
    assert not world.batches.submitted(batch.batch_id, provider_id="batch_7")
    assert world.batches.open() == []


def test_names_differ(world: World) -> None:
    world.ask("1")
    first = world.gathered()
    world.ask("2")
    assert first.name != world.gathered().name


def test_what_a_batch_did_not_answer_waits_for_the_next(world: World) -> None:
    world.ask("1")
    world.ask("2")
    first = world.gathered()
    answered, other = world.members(first)
    claim = claimed(world.ports, answered)
    assert record_one(world.ports.store, claim, answer({ANNA: "person"}))
    states = [question.state for question in world.batches.members(first.batch_id)]
    assert states == ["answered", "open"]
    world.batches.close(first.batch_id, error="expired")
    assert world.members(first) == [answered]
    assert world.members(world.gathered()) == [other]


def test_a_question_that_its_caller_died_with_is_not_lost(world: World) -> None:
    world.ask("1")
    first = world.gathered()
    (question_id,) = world.members(first)
    claimed(world.ports, question_id, lease_s=0.0)
    world.batches.close(first.batch_id, error=None)
    sweep(world.ports)
    assert world.members(world.gathered()) == [question_id]


def test_a_late_answer_opens_its_document_once_more(world: World) -> None:
    document_id = world.ask("1", deadline_s=0.0)
    batch = world.gathered()
    assert sweep(world.ports)["overdue_questions"] == 1
    (question,) = world.batches.members(batch.batch_id)
    assert question.state == "dead"
    fallback = Entity(ANNA, "person", "fallback", 0.75, 0.5, reason="deadline")
    complete(world.ports.store, {document_id: [fallback]})

    assert world.batches.reopen_late(batch.batch_id, []) == 0, "only what was answered"
    assert world.batches.reopen_late(batch.batch_id, [question.question_id]) == 1
    assert world.batches.reopen_late(batch.batch_id, [question.question_id]) == 0
    claim = claimed(world.ports, question.question_id)
    assert record_one(world.ports.store, claim, answer({ANNA: "group"}))
    assert due(world.ports, "aggregate") == [document_id]
    complete(world.ports.store, {document_id: [Entity(ANNA, "group", "llm", 0.75, 0.5)]})
    (item,) = world.ports.reader.feed(after=0, limit=10)
    assert item.document.revision == 2
    assert [(e.label, e.decided_by) for e in item.document.entities] == [("group", "llm")]


def test_a_question_that_is_opened_for_a_late_answer_keeps_its_attempts(world: World) -> None:
    world.ask("1", deadline_s=0.0)
    batch = world.gathered()
    (question_id,) = world.members(batch)
    claim = claimed(world.ports, question_id, lease_s=0.0)
    assert sweep(world.ports)["overdue_questions"] == 1
    world.batches.reopen_late(batch.batch_id, [question_id])
    assert claimed(world.ports, question_id).attempts == claim.attempts + 1


@pytest.mark.parametrize("answered", [True, False])
def test_a_join_from_before_a_document_was_opened_again_writes_nothing(world: World, answered: bool) -> None:
    document_id = world.ask("1", deadline_s=0.0)
    batch = world.gathered()
    (question_id,) = world.members(batch)
    sweep(world.ports)
    (read,) = world.ports.store.joinable([document_id])

    assert world.batches.reopen_late(batch.batch_id, [question_id]) == 1
    if answered:
        record_one(world.ports.store, claimed(world.ports, question_id), answer({ANNA: "group"}))
    else:
        sweep(world.ports)
    late = Entity(ANNA, "person", "fallback", 0.75, 0.5, reason="deadline")
    fences = {document_id: read.fence}
    assert world.ports.store.complete({document_id: [late]}, fences=fences) == 0
    assert world.ports.reader.feed(after=0, limit=10) == []
    assert due(world.ports, "aggregate") == [document_id], "it waits for who reads it now"
    assert complete(world.ports.store, {document_id: []}) == 1


def test_a_dead_question_that_is_tried_again_waits_for_the_next_batch(world: World) -> None:
    world.ask("1")
    batch = world.gathered()
    (question_id,) = world.members(batch)
    world.ports.store.end_question(claimed(world.ports, question_id), reason="llm-refused", error="400")
    world.batches.close(batch.batch_id, error=None)
    assert world.replay(question_id) == 1
    assert world.members(world.gathered()) == [question_id]


def test_what_ended_for_another_reason_stays_ended(world: World) -> None:
    world.ask("1")
    batch = world.gathered()
    (question_id,) = world.members(batch)
    world.ports.store.end_question(claimed(world.ports, question_id), reason="llm-refused", error="400")
    assert world.batches.reopen_late(batch.batch_id, [question_id]) == 0


def test_known_keys_are_those_that_have_an_answer(world: World) -> None:
    world.ask("1", lane="now")
    (question_id,) = due(world.ports, "classify")
    keep = CachedAnswer(b"known", ("person",), "m", "p", "raw", replayed=False)
    record_one(world.ports.store, claimed(world.ports, question_id), answer({ANNA: "person"}), keep=keep)
    assert world.batches.known([b"known", b"unknown"], max_age_s=FOREVER_S) == {b"known"}
    assert world.batches.known([b"known"], max_age_s=0.0) == set()
    assert world.batches.known([], max_age_s=FOREVER_S) == set()


def test_what_a_batch_cost_is_recorded_once(world: World) -> None:
    world.ask("1")
    batch = world.gathered()
    (question_id,) = world.members(batch)
    call = Call("http://here/v1", "llm-1", Usage(300, 2), Decimal("0.0001"), replayed=False, batched=True)
    assert world.batches.paid(batch.batch_id, [(question_id, call)])
    assert not world.batches.paid(batch.batch_id, [(question_id, call)]), "but once"
    assert world.ports.reader.spent_today() == {"test": Decimal("0.0001")}
    world.batches.close(batch.batch_id, error=None)
    assert not world.batches.paid(batch.batch_id, [(question_id, call)])


def test_a_batch_counts_by_its_estimate_until_it_is_paid(world: World) -> None:
    world.ask("1")
    batch = world.gathered()
    (question_id,) = world.members(batch)
    estimate = {"test": Decimal("0.5"), "x": Decimal("0.00000001")}
    assert world.batches.sending(batch.batch_id, estimate=estimate)
    assert world.ports.reader.spent_today() == estimate
    world.batches.submitted(batch.batch_id, provider_id="batch_7")
    assert world.ports.reader.spent_today() == estimate
    call = Call("http://here/v1", "llm-1", Usage(300, 2), Decimal("0.0001"), replayed=False, batched=True)
    world.batches.paid(batch.batch_id, [(question_id, call)])
    assert world.ports.reader.spent_today() == {"test": Decimal("0.0001")}


def test_a_batch_that_came_to_nothing_costs_nothing(world: World) -> None:
    world.ask("1")
    batch = world.gathered()
    assert world.batches.sending(batch.batch_id, estimate={"test": Decimal("0.5")})
    world.batches.close(batch.batch_id, error="the provider never had it")
    assert world.ports.reader.spent_today() == {}


def test_what_was_asked_about_erased_documents_is_recorded_too(world: World) -> None:
    world.ask("1")
    batch = world.gathered()
    call = Call("http://here/v1", "llm-1", Usage(300, 2), Decimal("0.0001"), replayed=False, batched=True)
    assert world.batches.paid(batch.batch_id, [(NO_QUESTION, call), (NO_QUESTION, call)])
    assert world.ports.reader.spent_today() == {ERASED_SOURCE: Decimal("0.0002")}


def test_what_its_batch_has_judged_leaves_it_and_what_was_put_off_stays(world: World) -> None:
    for number in range(2):
        world.ask(str(number))
    batch = world.gathered()
    judged, put_off = world.members(batch)
    world.ports.store.release(claimed(world.ports, judged), delay_s=0.0, error="unreadable")
    world.ports.store.release(claimed(world.ports, put_off), delay_s=0.0, error=None)
    assert world.members(batch) == [put_off]
    assert world.members(world.gathered()) == [judged]
