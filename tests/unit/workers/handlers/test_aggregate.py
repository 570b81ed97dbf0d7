"""Aggregation over fakes: local labels and answers become one result, once; what cannot be joined ends."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pytest

from linkner.errors import UnavailableError
from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span
from tests.fakes.clock import FakeClock
from tests.fakes.store import FakeStore
from tests.support.one_question import claim_one, record_one
from workers.handlers.aggregate import AggregateDocuments
from workers.ports import ATTEMPTS_EXHAUSTED, Answer, DocumentView, Joinable, NewDocument, Recognised
from workers.store.dead import Ref

TEXT = "Ada met Zork in Oslo"
ADA, ZORK, OSLO = Span(0, 3), Span(8, 12), Span(16, 20)


def scored(span: Span, label: str, p: float) -> ScoredSpan:
    return ScoredSpan(span, label, p, 1 - p, {OUTSIDE: 1 - p, label: p})


def prepared() -> tuple[FakeStore, int]:
    """A document with a certain entity, one that the LLM relabels and one that nobody answered."""
    store = FakeStore()
    (accepted,) = store.accept([NewDocument("test", "1", TEXT)])
    ada, zork, oslo = scored(ADA, "person", 0.99), scored(ZORK, "person", 0.6), scored(OSLO, "location", 0.5)
    recognition = Recognition((ada, zork, oslo), ())
    store.record_recognised([Recognised(accepted.document_id, "m", recognition, ((zork,), (oslo,)))])
    first = claim_one(store, 1, lease_s=10, max_attempts=5)
    second = claim_one(store, 2, lease_s=10, max_attempts=5)
    assert first is not None
    assert second is not None
    record_one(store, first, Answer({ZORK: "group"}, "llm-1", "v1", "group", 9, 1, replayed=True))
    assert AggregateDocuments(store=store, clock=FakeClock(), max_attempts=5)([accepted.document_id]) == 0
    store.end_question(second, reason="llm-refused", error="HTTP 400")
    return store, accepted.document_id


def test_each_entity_says_who_decided_it_and_why() -> None:
    store, document_id = prepared()
    assert AggregateDocuments(store=store, clock=FakeClock(), max_attempts=5)([document_id]) == 1
    document = store.document(document_id)
    assert document is not None
    assert document.status == "final"
    assert [(e.text, e.label, e.decided_by, e.reason, e.replayed) for e in document.entities] == [
        ("Ada", "person", "local", None, False),
        ("Zork", "group", "llm", None, True),
        ("Oslo", "location", "fallback", "llm-refused", False),
    ]


def test_a_repeated_message_finishes_nothing_twice() -> None:
    store, document_id = prepared()
    handle = AggregateDocuments(store=store, clock=FakeClock(), max_attempts=5)
    assert [handle([document_id]), handle([document_id, document_id])] == [1, 0]
    assert len(store.feed(after=0, limit=10)) == 1


class Poisoned(FakeStore):
    """A store with one document that raises what `error` is wherever it is read for its join."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.poison = 0
        self.error: Exception | None = ValueError("Ada has no label")
        self.read: list[Sequence[int]] = []

    def joinable(self, document_ids: Collection[int]) -> list[Joinable]:
        self.read.append(sorted(document_ids))
        if self.error is not None and self.poison in document_ids:
            raise self.error
        return super().joinable(document_ids)


class Scene:
    """Five documents without entities that are to be joined; the third is poison."""

    def __init__(self, store: type[Poisoned] = Poisoned) -> None:
        self.clock = FakeClock()
        self.store = store(self.clock)
        accepted = self.store.accept([NewDocument("test", str(number), TEXT) for number in range(5)])
        self.ids = [one.document_id for one in accepted]
        self.store.record_recognised([Recognised(id_, "m", Recognition((), ()), ()) for id_ in self.ids])
        self.store.poison = self.ids[2]
        self.aggregate = AggregateDocuments(store=self.store, clock=self.clock, max_attempts=5)

    def pass_on(self) -> int:
        """What the relay would publish now, joined; how many were finished."""
        due: list[int] = []
        self.store.publish_due("aggregate", limit=10, send=due.extend)
        return self.aggregate(due)

    def view(self) -> DocumentView:
        view = self.store.document(self.store.poison)
        assert view is not None
        return view


def test_a_document_that_cannot_be_joined_holds_up_no_other() -> None:
    scene = Scene()
    assert scene.pass_on() == 4
    assert scene.view().status == "provisional"


def test_after_its_attempts_it_is_dead_with_the_last_error() -> None:
    scene = Scene()
    for _ in range(5):
        scene.pass_on()
        scene.clock.sleep(10)
    assert (scene.view().status, scene.view().reason) == ("final", ATTEMPTS_EXHAUSTED)
    assert scene.store.last_error(scene.store.poison) == "its join failed: ValueError: Ada has no label"
    assert scene.store.read[-1] == [scene.store.poison], "alone"
    assert scene.pass_on() == 0
    assert len(scene.store.feed(after=0, limit=10)) == 5


def test_it_is_put_off_for_longer_each_time() -> None:
    scene = Scene()
    scene.pass_on()
    for pause_s in (1, 2, 4, 8):
        scene.clock.sleep(pause_s - 0.5)
        before = len(scene.store.read)
        scene.pass_on()
        assert len(scene.store.read) == before
        scene.clock.sleep(0.5)
        scene.pass_on()
        assert len(scene.store.read) == before + 1


def test_a_replayed_one_is_joined_again_with_all_its_attempts() -> None:
    scene = Scene()
    for _ in range(5):
        scene.pass_on()
        scene.clock.sleep(10)
    scene.store.error = None
    assert scene.store.replay([Ref("document", scene.store.poison)]) == 1
    assert scene.pass_on() == 1
    assert (scene.view().status, scene.view().reason, scene.view().revision) == ("final", None, 2)


def test_one_that_kills_the_process_joining_it_is_dead_as_well() -> None:
    scene = Scene()
    scene.store.error = SystemExit()  # nothing after it runs, as after a kill
    for _ in range(5):
        with pytest.raises(SystemExit):
            scene.aggregate(scene.ids)
    assert scene.aggregate(scene.ids) == 3, "itself, and those that came after it"
    reasons = [item.document.reason for item in scene.store.feed(after=0, limit=10)]
    assert sorted(reasons, key=str) == [None] * 4 + [ATTEMPTS_EXHAUSTED]
    assert (scene.view().status, scene.view().reason) == ("final", ATTEMPTS_EXHAUSTED)


AWAY = UnavailableError("PostgreSQL cannot answer now")


def test_a_store_that_is_away_is_nobodys_fault() -> None:
    scene = Scene()
    for _ in range(6):
        scene.store.error = AWAY
        with pytest.raises(UnavailableError):
            scene.pass_on()
        assert scene.pass_on() == 0, "it is put off"
        scene.clock.sleep(5)
    assert scene.store.read == [scene.ids] * 6, "nothing was tried alone"
    scene.store.error = None
    assert scene.pass_on() == 5


def test_attempts_from_before_still_count_and_what_was_left_comes_again_too() -> None:
    scene = Scene()
    scene.store.begin_join(scene.ids)
    scene.store.error = AWAY
    with pytest.raises(UnavailableError):
        scene.pass_on()
    left = scene.ids[2:]
    assert scene.store.join_attempts(scene.ids) == dict.fromkeys(left, 1)
    scene.store.error = None
    scene.clock.sleep(5)
    assert scene.pass_on() == len(left)


class StayingAway(Poisoned):
    """A store that is also away for whoever gives a join back, so many times."""

    times = 0

    def release_joins(self, attempts: Mapping[int, int], *, delay_s: float) -> int:
        self.times -= 1
        if self.times >= 0:
            raise AWAY
        return super().release_joins(attempts, delay_s=delay_s)


@pytest.mark.parametrize(("times", "counted"), [(3, 0), (1_000, 1)])
def test_it_is_waited_for_to_take_the_attempt_back_though_not_without_end(times: int, counted: int) -> None:
    scene = Scene(StayingAway)
    scene.store.times, scene.store.error = times, AWAY
    with pytest.raises(UnavailableError):
        scene.pass_on()
    assert scene.clock.slept[:3] == [0.1, 0.2, 0.4]
    assert sum(scene.clock.slept) <= 60
    assert set(scene.store.join_attempts(scene.ids).values()) == {counted}
