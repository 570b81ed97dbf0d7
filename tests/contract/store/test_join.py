"""Documents are joined once, and joins that fail end, in memory and in PostgreSQL.

Nothing here waits: a lease of 0 s has ended when it starts, an age of 0 s is reached at once, and what is put
off for an hour does not come.
"""

from __future__ import annotations

from linkner.spans import OUTSIDE, Entity, Span
from tests.contract.store.scene import (
    ANNA,
    FOREVER_S,
    OSLO,
    UMIT,
    Ports,
    accept_one,
    answer,
    ask,
    claimed,
    due,
    local,
    recognised,
    scored,
    status,
)
from tests.support.joining import complete
from tests.support.one_question import record_one


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
        record_one(ports.store, claim, answer({ANNA: OUTSIDE, UMIT: "person"}))
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
        record_one(ports.store, claimed(ports, first), answer({ANNA: "group"}, replayed=True))
        ports.store.end_question(claimed(ports, second), reason="llm-refused", error="400")
        decided = [
            Entity(OSLO, "location", "local", 0.9, 0.1),
            Entity(UMIT, "person", "fallback", 0.8, 0.2, reason="llm-refused"),
            Entity(ANNA, "group", "llm", 0.7, 0.3),
        ]
        assert complete(ports.store, {document_id: decided}) == 1
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
        assert complete(ports.store, {document_id: [local(ANNA)]}) == 1
        assert ports.store.complete({document_id: [local(OSLO)]}, fences={document_id: 0}) == 0
        assert ports.store.joinable([document_id]) == []
        (item,) = ports.reader.feed(after=0, limit=10)
        assert [entity.text for entity in item.document.entities] == ["Anna"]
        assert due(ports, "aggregate") == []

    def test_a_document_with_open_questions_cannot_be_completed(self, ports: Ports) -> None:
        document_id, _ = ask(ports, [scored(ANNA)])
        assert ports.store.complete({document_id: []}, fences={document_id: 0}) == 0
        assert status(ports, document_id) == "provisional"


class TestFailedJoin:
    def joining(self, ports: Ports, external_id: str = "1") -> int:
        document_id = accept_one(ports, external_id)
        ports.store.record_recognised([recognised(document_id, entities=[scored(ANNA)])])
        return document_id

    def test_attempts_are_counted_until_the_join(self, ports: Ports) -> None:
        document_id = self.joining(ports)
        counted = []
        for _ in range(2):
            assert ports.store.begin_join([document_id, document_id + 1]) == 1
            counted.append(ports.store.join_attempts([document_id, document_id + 1]))
        assert counted == [{document_id: 1}, {document_id: 2}]
        complete(ports.store, {document_id: []})
        assert ports.store.begin_join([document_id]) == 0
        assert ports.store.join_attempts([document_id]) == {}

    def test_what_is_put_off_is_published_later(self, ports: Ports) -> None:
        document_id = self.joining(ports)
        assert due(ports, "aggregate") == [document_id]
        assert ports.store.defer_join(document_id, delay_s=FOREVER_S, error="a defect")
        assert due(ports, "aggregate") == []
        assert ports.store.defer_join(document_id, delay_s=0.0, error="a defect")
        assert due(ports, "aggregate") == [document_id]
        complete(ports.store, {document_id: []})
        assert not ports.store.defer_join(document_id, delay_s=0.0, error="too late")

    def test_what_is_given_back_is_published_later_and_was_not_begun(self, ports: Ports) -> None:
        given_back, done = self.joining(ports, "1"), self.joining(ports, "2")
        ids = due(ports, "aggregate")
        for _ in range(2):
            ports.store.begin_join(ids)
        complete(ports.store, {done: []})
        assert ports.store.release_joins({given_back: 1, done: 1, done + 1: 1}, delay_s=FOREVER_S) == 1
        assert ports.store.join_attempts(ids) == {given_back: 1}
        assert due(ports, "aggregate") == []
        assert ports.store.release_joins({given_back: 0}, delay_s=0.0) == 1
        assert ports.store.join_attempts(ids) == {given_back: 0}
        assert due(ports, "aggregate") == [given_back]

    def test_what_cannot_be_joined_is_finished_with_the_reason(self, ports: Ports) -> None:
        document_id = self.joining(ports)
        assert ports.store.fail_join(document_id, reason="spoilt", error="a defect")
        assert not ports.store.fail_join(document_id, reason="again", error="a defect")
        (item,) = ports.reader.feed(after=0, limit=10)
        view = item.document
        assert (view.status, view.reason, view.revision, view.entities) == ("final", "spoilt", 1, ())
        assert ports.store.complete({document_id: [local(ANNA)]}, fences={document_id: 0}) == 0
