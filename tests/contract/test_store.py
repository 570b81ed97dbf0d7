"""One contract for the store's three ports, over the fake in memory and over PostgreSQL.

Nothing here waits: a lease of 0 s has ended when it starts, an age of 0 s is reached at once, and what is put
off for an hour does not come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from linkner.spans import OUTSIDE, Entity, Recognition, ScoredSpan, Span
from tests.fakes.store import FakeStore
from workers.ports import (
    Accepted,
    Answer,
    ClaimedQuestion,
    NewDocument,
    Outbox,
    Reader,
    Recognised,
    Stage,
    Store,
)
from workers.store.outbox import PostgresOutbox
from workers.store.reader import PostgresReader
from workers.store.repository import PostgresStore

TEXT = "Anna met Ümit 🇹🇷 in Oslo"
ANNA, UMIT, OSLO = Span(0, 4), Span(9, 13), Span(20, 24)
FOREVER_S = 3600.0
NEVER_S = 1e6


@dataclass(frozen=True)
class Ports:
    store: Store
    outbox: Outbox
    reader: Reader


@pytest.fixture(params=["fake", "postgres"])
def ports(request: pytest.FixtureRequest) -> Iterator[Ports]:
    if request.param == "fake":
        fake = FakeStore()
        yield Ports(fake, fake, fake)
        return
    engine = request.getfixturevalue("engine")
    outbox = PostgresOutbox(engine)
    yield Ports(PostgresStore(engine), outbox, PostgresReader(engine))
    outbox.close()


def post(external_id: str = "1", *, text: str = TEXT, source: str = "test") -> NewDocument:
    return NewDocument(source=source, external_id=external_id, text=text)


def scored(span: Span, label: str = "person", *, uncertainty: float = 0.5) -> ScoredSpan:
    probability = 0.75
    other = OUTSIDE if label != OUTSIDE else "person"
    return ScoredSpan(span, label, probability, uncertainty, {label: probability, other: 1 - probability})


def recognised(
    document_id: int,
    *,
    entities: Sequence[ScoredSpan] = (),
    plausible: Sequence[ScoredSpan] = (),
    questions: Sequence[Sequence[ScoredSpan]] = (),
    skip_reason: str | None = None,
    deadline_s: float | None = None,
) -> Recognised:
    return Recognised(
        document_id=document_id,
        model="local-1",
        recognition=Recognition(tuple(entities), tuple(plausible)),
        questions=tuple(tuple(candidates) for candidates in questions),
        skip_reason=skip_reason,
        deadline_s=deadline_s,
    )


def answer(
    labels: Mapping[Span, str], *, raw: str = "person", replayed: bool = False, cached: bool = False
) -> Answer:
    return Answer(
        labels=labels,
        model="llm-1",
        prompt_version="p1",
        raw=raw,
        prompt_tokens=30,
        completion_tokens=2,
        replayed=replayed,
        cached=cached,
    )


def local(span: Span, label: str = "person") -> Entity:
    return Entity(span, label, "local", 0.75, 0.5)


def accept_one(ports: Ports, external_id: str = "1", *, text: str = TEXT) -> int:
    (accepted,) = ports.store.accept([post(external_id, text=text)])
    return accepted.document_id


def due(ports: Ports, stage: Stage, *, limit: int = 100) -> list[int]:
    """The ids that the relay would send now, which marks them as published."""
    sent: list[int] = []
    count = ports.outbox.publish_due(stage, limit=limit, send=sent.extend)
    assert count == len(sent)
    return sent


def ask(ports: Ports, *questions: Sequence[ScoredSpan], external_id: str = "1") -> tuple[int, list[int]]:
    """A document recognised with these questions; its id and theirs."""
    document_id = accept_one(ports, external_id)
    ports.store.record_recognised([recognised(document_id, questions=questions)])
    return document_id, due(ports, "classify")


def claimed(ports: Ports, question_id: int, *, lease_s: float = FOREVER_S) -> ClaimedQuestion:
    claim = ports.store.claim(question_id, lease_s=lease_s, max_attempts=5)
    assert claim is not None
    return claim


def sweep(
    ports: Ports,
    *,
    republish_after_s: float = NEVER_S,
    deadline_s: float = NEVER_S,
    document_deadline_s: float = NEVER_S,
) -> Mapping[str, int]:
    return ports.outbox.sweep(
        republish_after_s=republish_after_s,
        deadline_s=deadline_s,
        document_deadline_s=document_deadline_s,
    )


def status(ports: Ports, document_id: int) -> str:
    view = ports.reader.document(document_id)
    assert view is not None
    return view.status


class TestAccept:
    def test_new_documents_get_ids_in_the_order_given(self, ports: Ports) -> None:
        results = ports.store.accept([post("b"), post("a"), post("a", source="other")])
        assert [(result.duplicate, result.conflict) for result in results] == [(False, False)] * 3
        found = [ports.reader.document(result.document_id) for result in results]
        assert [(view.source, view.external_id) for view in found] == [
            ("test", "b"),
            ("test", "a"),
            ("other", "a"),
        ]

    def test_the_same_document_again_is_a_duplicate(self, ports: Ports) -> None:
        first = accept_one(ports)
        assert ports.store.accept([post()]) == [Accepted(first, duplicate=True, conflict=False)]
        assert ports.reader.unfinished() == 1

    def test_another_text_for_the_same_document_is_a_conflict(self, ports: Ports) -> None:
        first = accept_one(ports)
        assert ports.store.accept([post(text="changed")]) == [Accepted(first, duplicate=True, conflict=True)]
        assert ports.reader.document(first).text == TEXT

    def test_the_first_of_a_batch_wins(self, ports: Ports) -> None:
        one, same, other = ports.store.accept([post(), post(), post(text="changed")])
        assert same == Accepted(one.document_id, duplicate=True, conflict=False)
        assert other == Accepted(one.document_id, duplicate=True, conflict=True)
        assert not one.duplicate
        assert ports.reader.document(one.document_id).text == TEXT

    def test_nothing_to_accept(self, ports: Ports) -> None:
        assert ports.store.accept([]) == []

    def test_everything_that_came_is_kept(self, ports: Ports) -> None:
        created_at = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
        metadata = {"lang": "tr", "nested": {"likes": [1, 2.5, None, True]}, "ünï": "🇹🇷"}
        new = NewDocument("test", "1", TEXT, created_at, metadata)
        (accepted,) = ports.store.accept([new])
        view = ports.reader.find(source="test", external_id="1")
        assert view == ports.reader.document(accepted.document_id)
        assert (view.text, view.created_at, view.metadata) == (TEXT, created_at, metadata)
        assert (view.status, view.revision, view.completed_at, view.entities) == ("accepted", 0, None, ())


class TestRecognition:
    def test_only_documents_that_wait_have_texts(self, ports: Ports) -> None:
        first, second = accept_one(ports, "1", text="one"), accept_one(ports, "2", text="two")
        ports.store.record_recognised([recognised(first)])
        stored = ports.store.texts([second, first, second + 1_000])
        assert [(found.document_id, found.text) for found in stored] == [(second, "two")]

    def test_without_questions_a_document_goes_to_aggregation(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        assert ports.store.record_recognised([recognised(document_id, entities=[scored(ANNA)])]) == 1
        assert due(ports, "classify") == []
        assert due(ports, "aggregate") == [document_id]

    def test_recording_twice_changes_nothing(self, ports: Ports) -> None:
        result = recognised(accept_one(ports), entities=[scored(ANNA)], questions=[[scored(ANNA)]])
        assert ports.store.record_recognised([result, result]) == 1
        assert ports.store.record_recognised([result]) == 0
        assert len(due(ports, "classify")) == 1

    def test_questions_go_to_classification(self, ports: Ports) -> None:
        document_id, questions = ask(ports, [scored(ANNA)], [scored(UMIT, OUTSIDE)])
        assert len(questions) == 2
        assert due(ports, "aggregate") == []
        claim = claimed(ports, questions[0])
        assert (claim.document_id, claim.text, claim.candidates) == (document_id, TEXT, (ANNA,))
        assert (claim.attempts, claim.fence) == (1, 1)

    def test_questions_not_to_be_asked_end_with_the_reason(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        result = recognised(
            document_id,
            entities=[scored(ANNA)],
            questions=[[scored(ANNA)], [scored(UMIT, OUTSIDE)]],
            skip_reason="no-llm",
        )
        ports.store.record_recognised([result])
        assert due(ports, "classify") == []
        (joinable,) = ports.store.joinable([document_id])
        assert joinable.unanswered == {ANNA: "no-llm", UMIT: "no-llm"}
        assert ports.reader.counts().dead_reasons == {"no-llm": 2}

    def test_a_document_that_cannot_be_recognised_is_finished_with_the_reason(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        assert ports.store.fail_recognition([document_id], reason="refused", error="400") == 1
        assert ports.store.fail_recognition([document_id], reason="again", error=None) == 0
        (item,) = ports.reader.feed(after=0, limit=10)
        view = item.document
        assert (view.status, view.reason, view.revision, view.entities) == ("final", "refused", 1, ())
        assert ports.store.record_recognised([recognised(document_id, entities=[scored(ANNA)])]) == 0

    def test_the_local_result_can_be_read_at_once(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        result = recognised(
            document_id,
            entities=[scored(OSLO, "location"), scored(ANNA)],
            questions=[[scored(ANNA)], [scored(UMIT, OUTSIDE)]],
        )
        ports.store.record_recognised([result])
        view = ports.reader.document(document_id)
        assert (view.status, view.revision, view.completed_at) == ("provisional", 0, None)
        assert [(e.text, e.label, e.decided_by, e.model) for e in view.entities] == [
            ("Anna", "person", "local", "local-1"),
            ("Oslo", "location", "local", "local-1"),
        ]

    def test_deferred_documents_are_published_later(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        waiting = ports.store.texts([document_id])
        assert due(ports, "recognise") == [document_id]
        assert ports.store.defer(waiting, delay_s=FOREVER_S, error=None) == 1
        assert due(ports, "recognise") == []
        assert ports.store.defer(waiting, delay_s=0.0, error=None) == 1
        assert due(ports, "recognise") == [document_id]
        ports.store.record_recognised([recognised(document_id)])
        assert ports.store.defer(waiting, delay_s=0.0, error=None) == 0

    @pytest.mark.parametrize(("error", "attempts"), [("HTTP 500", 1), (None, 0)])
    def test_only_a_deferral_with_an_error_counts_as_an_attempt(
        self, ports: Ports, error: str | None, attempts: int
    ) -> None:
        document_id = accept_one(ports)
        waiting = ports.store.texts([document_id])
        assert ports.store.begin_recognition([document_id]) == 1
        assert ports.store.texts([document_id])[0].attempts == 1
        ports.store.defer(waiting, delay_s=0.0, error=error)
        assert ports.store.texts([document_id])[0].attempts == attempts

    def test_what_is_recognised_is_not_begun_again(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        ports.store.record_recognised([recognised(document_id)])
        assert ports.store.begin_recognition([document_id]) == 0


class TestQuestions:
    def test_a_claimed_question_is_held(self, ports: Ports) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        claimed(ports, question_id)
        assert ports.store.claim(question_id, lease_s=FOREVER_S, max_attempts=5) is None

    def test_there_is_no_such_question(self, ports: Ports) -> None:
        assert ports.store.claim(1_000_000, lease_s=FOREVER_S, max_attempts=5) is None

    def test_an_expired_lease_lets_another_caller_in_and_fences_the_first_out(self, ports: Ports) -> None:
        document_id, (question_id,) = ask(ports, [scored(ANNA)])
        first = claimed(ports, question_id, lease_s=0.0)
        second = claimed(ports, question_id)
        assert (second.attempts, second.fence) == (2, first.fence + 1)
        assert not ports.store.record_answer(first, answer({ANNA: "location"}))
        assert not ports.store.end_question(first, reason="late", error="late")
        assert not ports.store.release(first, delay_s=0.0, error=None)
        assert ports.store.record_answer(second, answer({ANNA: "person"}))
        (joinable,) = ports.store.joinable([document_id])
        assert joinable.answers == {ANNA: "person"}

    def test_an_answer_after_its_lease_counts_while_nobody_else_came(self, ports: Ports) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        assert ports.store.record_answer(claimed(ports, question_id, lease_s=0.0), answer({ANNA: "person"}))

    def test_an_answer_is_recorded_once(self, ports: Ports) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        claim = claimed(ports, question_id)
        assert ports.store.record_answer(claim, answer({ANNA: "person"}))
        assert not ports.store.record_answer(claim, answer({ANNA: "location"}))
        assert not ports.store.end_question(claim, reason="late", error="late")
        assert ports.store.claim(question_id, lease_s=FOREVER_S, max_attempts=5) is None

    def test_the_last_question_moves_the_document_on(self, ports: Ports) -> None:
        document_id, (first, second) = ask(ports, [scored(ANNA)], [scored(OSLO)])
        ports.store.record_answer(claimed(ports, first), answer({ANNA: "person"}))
        assert due(ports, "aggregate") == []
        assert ports.store.joinable([document_id]) == []
        assert ports.store.end_question(claimed(ports, second), reason="llm-refused", error="400")
        assert due(ports, "aggregate") == [document_id]

    def test_a_released_question_comes_back_after_its_delay(self, ports: Ports) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        assert ports.store.release(claimed(ports, question_id), delay_s=FOREVER_S, error="busy")
        assert due(ports, "classify") == []
        assert ports.store.claim(question_id, lease_s=FOREVER_S, max_attempts=5) is None

    def test_a_question_released_without_delay_is_due(self, ports: Ports) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        ports.store.release(claimed(ports, question_id), delay_s=0.0, error=None)
        assert due(ports, "classify") == [question_id]

    @pytest.mark.parametrize(("error", "attempts"), [("busy", 2), (None, 1)])
    def test_only_a_release_with_an_error_counts_as_an_attempt(
        self, ports: Ports, error: str | None, attempts: int
    ) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        ports.store.release(claimed(ports, question_id), delay_s=0.0, error=error)
        assert claimed(ports, question_id).attempts == attempts

    def test_poison_ends_after_its_attempts(self, ports: Ports) -> None:
        document_id, (question_id,) = ask(ports, [scored(ANNA)])
        for _ in range(3):
            assert ports.store.claim(question_id, lease_s=0.0, max_attempts=3) is not None
        assert ports.store.claim(question_id, lease_s=0.0, max_attempts=3) is None
        assert due(ports, "aggregate") == [document_id]
        (joinable,) = ports.store.joinable([document_id])
        assert joinable.unanswered == {ANNA: "attempts-exhausted"}

    def test_a_reply_that_no_database_can_hold_is_kept_as_far_as_it_goes(self, ports: Ports) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        raw = "person\x00 \ud800" + "x" * 100_000
        assert ports.store.record_answer(claimed(ports, question_id), answer({ANNA: "person"}, raw=raw))

    def test_an_error_that_no_database_can_hold_is_kept_as_far_as_it_goes(self, ports: Ports) -> None:
        _, (question_id,) = ask(ports, [scored(ANNA)])
        error = "\x00\ud800" + "x" * 100_000
        assert ports.store.release(claimed(ports, question_id), delay_s=0.0, error=error)
        assert ports.store.end_question(claimed(ports, question_id), reason="llm-refused", error=error)


class TestJoin:
    def test_everything_that_linking_needs(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        anna, oslo, umit = scored(ANNA), scored(OSLO, "location"), scored(UMIT, OUTSIDE)
        met = scored(Span(5, 8), OUTSIDE)
        result = recognised(
            document_id, entities=[anna, oslo], plausible=[umit, met], questions=[[anna, umit], [met]]
        )
        ports.store.record_recognised([result])
        packed, other = due(ports, "classify")
        claim = claimed(ports, packed)
        assert claim.candidates == (ANNA, UMIT)
        ports.store.record_answer(claim, answer({ANNA: OUTSIDE, UMIT: "person"}))
        ports.store.end_question(claimed(ports, other), reason="llm-refused", error="400")
        (joinable,) = ports.store.joinable([document_id])
        assert joinable.entities == (anna, oslo)
        assert joinable.plausible == (met, umit)
        assert joinable.answers == {ANNA: OUTSIDE, UMIT: "person"}
        assert joinable.unanswered == {met.span: "llm-refused"}

    def test_documents_without_any_span_can_be_joined(self, ports: Ports) -> None:
        ids = [accept_one(ports, str(number)) for number in range(3)]
        ports.store.record_recognised([recognised(document_id) for document_id in ids])
        joinable = ports.store.joinable([ids[2], ids[0], ids[2] + 1_000])
        assert [found.document_id for found in joinable] == [ids[0], ids[2]]
        assert (joinable[0].entities, joinable[0].plausible, joinable[0].answers) == ((), (), {})

    def test_completing_writes_the_final_entities(self, ports: Ports) -> None:
        document_id, (first, second) = ask(ports, [scored(ANNA)], [scored(UMIT, OUTSIDE)])
        ports.store.record_answer(claimed(ports, first), answer({ANNA: "group"}, replayed=True))
        ports.store.end_question(claimed(ports, second), reason="llm-refused", error="400")
        decided = [
            Entity(OSLO, "location", "local", 0.9, 0.1),
            Entity(UMIT, "person", "fallback", 0.8, 0.2, reason="llm-refused"),
            Entity(ANNA, "group", "llm", 0.7, 0.3),
        ]
        assert ports.store.complete({document_id: decided}) == 1
        view = ports.reader.document(document_id)
        assert (view.status, view.revision, view.reason) == ("final", 1, None)
        assert view.completed_at >= view.accepted_at
        anna, umit, oslo = view.entities
        assert (anna.start, anna.end, anna.text, anna.label) == (0, 4, "Anna", "group")
        assert (anna.decided_by, anna.probability, anna.uncertainty) == ("llm", 0.7, 0.3)
        assert (anna.model, anna.llm_model, anna.prompt_version, anna.replayed) == (
            "local-1",
            "llm-1",
            "p1",
            True,
        )
        assert (umit.text, umit.decided_by, umit.reason) == ("Ümit", "fallback", "llm-refused")
        assert (umit.llm_model, umit.prompt_version, umit.replayed) == (None, None, False)
        assert (oslo.text, oslo.decided_by, oslo.reason) == ("Oslo", "local", None)

    def test_completing_twice_changes_nothing(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        ports.store.record_recognised([recognised(document_id, entities=[scored(ANNA)])])
        assert ports.store.complete({document_id: [local(ANNA)]}) == 1
        assert ports.store.complete({document_id: [local(OSLO)]}) == 0
        assert ports.store.joinable([document_id]) == []
        (item,) = ports.reader.feed(after=0, limit=10)
        assert [entity.text for entity in item.document.entities] == ["Anna"]
        assert due(ports, "aggregate") == []

    def test_a_document_with_open_questions_cannot_be_completed(self, ports: Ports) -> None:
        document_id, _ = ask(ports, [scored(ANNA)])
        assert ports.store.complete({document_id: []}) == 0
        assert status(ports, document_id) == "provisional"


class TestFailedJoin:
    def joining(self, ports: Ports) -> int:
        document_id = accept_one(ports)
        ports.store.record_recognised([recognised(document_id, entities=[scored(ANNA)])])
        return document_id

    def test_attempts_are_counted_until_the_join(self, ports: Ports) -> None:
        document_id = self.joining(ports)
        counted = []
        for _ in range(2):
            assert ports.store.begin_join([document_id, document_id + 1]) == 1
            counted.append(ports.store.join_attempts([document_id, document_id + 1]))
        assert counted == [{document_id: 1}, {document_id: 2}]
        ports.store.complete({document_id: []})
        assert ports.store.begin_join([document_id]) == 0
        assert ports.store.join_attempts([document_id]) == {}

    def test_what_is_put_off_is_published_later(self, ports: Ports) -> None:
        document_id = self.joining(ports)
        assert due(ports, "aggregate") == [document_id]
        assert ports.store.defer_join(document_id, delay_s=FOREVER_S, error="a defect")
        assert due(ports, "aggregate") == []
        assert ports.store.defer_join(document_id, delay_s=0.0, error="a defect")
        assert due(ports, "aggregate") == [document_id]
        ports.store.complete({document_id: []})
        assert not ports.store.defer_join(document_id, delay_s=0.0, error="too late")

    def test_what_cannot_be_joined_is_finished_with_the_reason(self, ports: Ports) -> None:
        document_id = self.joining(ports)
        assert ports.store.fail_join(document_id, reason="spoilt", error="a defect")
        assert not ports.store.fail_join(document_id, reason="again", error="a defect")
        (item,) = ports.reader.feed(after=0, limit=10)
        view = item.document
        assert (view.status, view.reason, view.revision, view.entities) == ("final", "spoilt", 1, ())
        assert ports.store.complete({document_id: [local(ANNA)]}) == 0


class TestOutbox:
    def test_each_id_is_sent_once_oldest_first(self, ports: Ports) -> None:
        ids = [accept_one(ports, str(number)) for number in range(5)]
        assert due(ports, "recognise", limit=3) == ids[:3]
        assert due(ports, "recognise", limit=3) == ids[3:]
        assert due(ports, "recognise") == []

    def test_what_could_not_be_sent_is_still_due(self, ports: Ports) -> None:
        document_id = accept_one(ports)

        def fails(ids: Sequence[int]) -> None:
            raise ConnectionError

        with pytest.raises(ConnectionError):
            ports.outbox.publish_due("recognise", limit=10, send=fails)
        assert due(ports, "recognise") == [document_id]

    def test_the_sweep_frees_expired_leases(self, ports: Ports) -> None:
        _, (expired, held) = ask(ports, [scored(ANNA)], [scored(OSLO)])
        claimed(ports, expired, lease_s=0.0)
        claimed(ports, held)
        assert sweep(ports)["freed"] == 1
        assert due(ports, "classify") == [expired]

    def test_the_sweep_republishes_what_was_lost(self, ports: Ports) -> None:
        accepted = accept_one(ports, "accepted")
        classified = accept_one(ports, "classified")
        ports.store.record_recognised([recognised(classified)])
        _, (question_id,) = ask(ports, [scored(ANNA)], external_id="asked")
        assert (due(ports, "recognise"), due(ports, "aggregate")) == ([accepted], [classified])
        counts = sweep(ports)
        assert (counts["lost_documents"], counts["lost_questions"]) == (0, 0)
        counts = sweep(ports, republish_after_s=0.0)
        assert (counts["lost_documents"], counts["lost_questions"]) == (2, 1)
        assert (due(ports, "recognise"), due(ports, "aggregate")) == ([accepted], [classified])
        assert due(ports, "classify") == [question_id]

    def test_the_sweep_leaves_finished_work_alone(self, ports: Ports) -> None:
        document_id = accept_one(ports)
        due(ports, "recognise")
        ports.store.record_recognised([recognised(document_id)])
        due(ports, "aggregate")
        ports.store.complete({document_id: []})
        counts = sweep(ports, republish_after_s=0.0, deadline_s=0.0, document_deadline_s=0.0)
        assert set(counts.values()) == {0}

    def test_the_sweep_ends_questions_past_the_deadline(self, ports: Ports) -> None:
        document_id, (held, pending) = ask(ports, [scored(ANNA)], [scored(OSLO)])
        claim = claimed(ports, held)
        assert sweep(ports, deadline_s=0.0)["overdue_questions"] == 1
        assert ports.reader.counts().dead_reasons == {"deadline": 1}
        assert ports.store.claim(pending, lease_s=FOREVER_S, max_attempts=5) is None
        assert ports.store.record_answer(claim, answer({ANNA: "person"}))
        assert due(ports, "aggregate") == [document_id]

    def test_a_document_whose_last_question_is_past_the_deadline_moves_on(self, ports: Ports) -> None:
        document_id, _ = ask(ports, [scored(ANNA)], [scored(OSLO)])
        assert sweep(ports, deadline_s=0.0)["overdue_questions"] == 2
        assert due(ports, "aggregate") == [document_id]

    @pytest.mark.parametrize(("own_s", "overdue"), [(0.0, 1), (FOREVER_S, 0)])
    def test_a_deadline_of_its_own_comes_before_the_common_one(
        self, ports: Ports, own_s: float, overdue: int
    ) -> None:
        document_id = accept_one(ports)
        result = recognised(document_id, questions=[[scored(ANNA)]], deadline_s=own_s)
        ports.store.record_recognised([result])
        common_s = NEVER_S if overdue else 0.0
        assert sweep(ports, deadline_s=common_s)["overdue_questions"] == overdue

    def test_a_document_keeps_the_lane_and_the_deadline_that_it_came_with(self, ports: Ports) -> None:
        new = NewDocument("test", "1", TEXT, lane="never", deadline_s=90.0)
        (accepted,) = ports.store.accept([new])
        (stored,) = ports.store.texts([accepted.document_id])
        assert (stored.source, stored.lane, stored.deadline_s) == ("test", "never", 90.0)
        other = accept_one(ports, "2")
        (stored,) = ports.store.texts([other])
        assert (stored.lane, stored.deadline_s) == (None, None)

    def test_the_sweep_ends_documents_that_waited_past_their_deadline(self, ports: Ports) -> None:
        waiting, asked = accept_one(ports), ask(ports, [scored(ANNA)], external_id="asked")[0]
        assert sweep(ports)["overdue_documents"] == 0
        assert sweep(ports, document_deadline_s=0.0)["overdue_documents"] == 1
        assert ports.reader.document(waiting).reason == "deadline"
        assert (status(ports, waiting), status(ports, asked)) == ("final", "provisional")
        assert [item.document.document_id for item in ports.reader.feed(after=0, limit=10)] == [waiting]

    def test_waiting_hears_of_new_work(self, ports: Ports) -> None:
        while ports.outbox.wait(timeout_s=0.01):
            pass
        accept_one(ports)
        assert ports.outbox.wait(timeout_s=10.0)
        assert not ports.outbox.wait(timeout_s=0.01)


class TestReader:
    def test_there_is_no_such_document(self, ports: Ports) -> None:
        assert ports.reader.document(1_000_000) is None
        assert ports.reader.find(source="test", external_id="none") is None

    def test_following_the_feed_yields_each_finished_document_once(self, ports: Ports) -> None:
        ids = [accept_one(ports, str(number)) for number in range(5)]
        ports.store.record_recognised([recognised(document_id) for document_id in ids])
        for document_id in ids:
            ports.store.complete({document_id: [local(ANNA)]})
        seen, cursor = [], 0
        while items := ports.reader.feed(after=cursor, limit=2):
            assert [item.cursor for item in items] == sorted(item.cursor for item in items)
            seen += [item.document.document_id for item in items]
            cursor = items[-1].cursor
        assert seen == ids

    def test_counts_of_the_whole_store(self, ports: Ports) -> None:
        finished, (first,) = ask(ports, [scored(ANNA)], external_id="1")
        ports.store.record_answer(claimed(ports, first), answer({ANNA: "person"}, replayed=True))
        ports.store.complete({finished: [Entity(ANNA, "person", "llm", 0.7, 0.3), local(OSLO)]})
        accept_one(ports, "2")
        _, (second, third) = ask(ports, [scored(ANNA)], [scored(OSLO)], external_id="3")
        claimed(ports, second)
        ports.store.end_question(claimed(ports, third), reason="llm-refused", error="400")
        counts = ports.reader.counts()
        assert counts.documents == {"complete": 1, "accepted": 1, "recognised": 1}
        assert counts.questions == {"answered": 1, "claimed": 1, "dead": 1}
        assert counts.dead_reasons == {"llm-refused": 1}
        assert counts.decided_by == {"llm": 1, "local": 1}
        assert counts.replayed == 1
        assert 0 <= counts.oldest_unfinished_s < 60
        assert ports.reader.unfinished() == 2

    def test_an_empty_store(self, ports: Ports) -> None:
        counts = ports.reader.counts()
        assert (counts.documents, counts.questions, counts.oldest_unfinished_s) == ({}, {}, 0.0)
        assert ports.reader.unfinished() == 0
        assert ports.reader.feed(after=0, limit=10) == []
        ports.reader.ping()
