"""A post through the handlers in the packed forms: one question, its answer, and what is made of it."""

from __future__ import annotations

from collections.abc import Callable

from linkner.classification import Form, FormName, Prompt
from linkner.labels import label_set
from linkner.spans import OUTSIDE, Entity, Recognition, ScoredSpan, Span
from tests.fakes.clock import FakeClock
from tests.fakes.llm import FakeLlm, FreeLlms
from tests.fakes.slots import FakeSlots, handle_one
from tests.fakes.store import FakeStore
from tests.support.one_question import alone
from workers.handlers.aggregate import AggregateDocuments
from workers.handlers.answering import Answering
from workers.handlers.budget import Budget
from workers.handlers.classify import ClassifyQuestions
from workers.ports import NO_ANSWER, UNREADABLE, EntityView, NewDocument, Recognised

TEXT = "Zork play the Oslo Opera in Bergen"
ZORK, OSLO = Span(0, 4), Span(14, 18)
WHOLE = '{"1": "group", "2": "Non-entity", "more": [{"text": "Oslo Opera", "type": "location"}]}'
PARTIAL = '{"1": "group", "2": "an animal"}'


def scored(span: Span) -> ScoredSpan:
    return ScoredSpan(span, "product", 0.6, 0.4, {OUTSIDE: 0.4, "product": 0.6})


class Scene:
    """One document with one question about two entities that the local model took for products."""

    def __init__(self, form: FormName, answer: Callable[[Prompt], str | None]) -> None:
        self.clock = FakeClock()
        self.store = FakeStore(self.clock)
        self.llm = FakeLlm(answer=answer)
        self.classify = ClassifyQuestions(
            answering=Answering(
                store=self.store,
                record=alone(self.store),
                form=Form(name=form),
                label_set=label_set("wnut17"),
                model="m",
                max_attempts=5,
                cache_max_age_s=3600.0,
            ),
            llms=FreeLlms(self.llm),
            slots=FakeSlots(),
            lease_s=40.0,
            budget=Budget(ledger=self.store, clock=self.clock),
        )

    def ask(self, external_id: str = "1", *, text: str = TEXT) -> int:
        """A document whose question waits; its id."""
        (accepted,) = self.store.accept([NewDocument("test", external_id, text)])
        found = (scored(ZORK), scored(OSLO))
        recognised = Recognised(accepted.document_id, "local", Recognition(found, ()), (found,))
        self.store.record_recognised([recognised])
        return accepted.document_id

    def run(self) -> list[object]:
        """Handle what the relay would publish until nothing is due; the outcomes."""
        outcomes: list[object] = []
        due: list[int] = []
        while self.store.publish_due("classify", limit=1, send=due.extend):
            outcomes.append(handle_one(self.classify, due.pop()))
        return outcomes

    def final(self, document_id: int) -> list[tuple[str, str, str, str | None]]:
        AggregateDocuments(store=self.store, clock=FakeClock(), max_attempts=5)([document_id])
        view = self.store.document(document_id)
        assert view is not None
        assert view.status == "final"
        return [_summary(entity) for entity in view.entities]


def _summary(entity: EntityView | Entity) -> tuple[str, str, str, str | None]:
    assert isinstance(entity, EntityView)
    return (entity.text, entity.label, entity.decided_by, entity.reason)


def test_one_call_answers_all_candidates_and_adds_what_it_proposes() -> None:
    scene = Scene("propose", lambda prompt: WHOLE)
    document_id = scene.ask()
    assert scene.run() == ["answered"]
    assert len(scene.llm.asked) == 1
    assert scene.final(document_id) == [
        ("Zork", "group", "llm", None),
        ("Oslo Opera", "location", "llm", "proposed"),
    ]


def test_the_packed_form_takes_no_proposals() -> None:
    scene = Scene("packed", lambda prompt: WHOLE)
    document_id = scene.ask()
    assert scene.run() == ["answered"]
    assert scene.final(document_id) == [("Zork", "group", "llm", None)]


def test_a_question_with_several_candidates_is_packed_whatever_form_is_set_now() -> None:
    scene = Scene("per-span", lambda prompt: WHOLE if prompt.schema else None)
    document_id = scene.ask()
    assert scene.run() == ["answered"]
    assert scene.final(document_id) == [("Zork", "group", "llm", None)]


def test_a_candidate_without_a_label_is_asked_about_once_more() -> None:
    replies = iter([PARTIAL, WHOLE])
    scene = Scene("packed", lambda prompt: next(replies))
    document_id = scene.ask()
    assert scene.run() == ["released", "answered"]
    assert scene.final(document_id) == [("Zork", "group", "llm", None)]


def test_what_the_second_reply_says_nothing_of_falls_back_alone() -> None:
    scene = Scene("packed", lambda prompt: PARTIAL)
    document_id = scene.ask()
    assert scene.run() == ["released", "answered"]
    assert scene.final(document_id) == [
        ("Zork", "group", "llm", None),
        ("Oslo", "product", "fallback", NO_ANSWER),
    ]
    assert len(scene.llm.asked) == 2


def test_a_reply_without_any_label_ends_the_question() -> None:
    scene = Scene("propose", lambda prompt: "I cannot say.")
    document_id = scene.ask()
    assert scene.run() == ["released", "ended"]
    assert scene.final(document_id) == [
        ("Zork", "product", "fallback", UNREADABLE),
        ("Oslo", "product", "fallback", UNREADABLE),
    ]


def test_a_copy_of_the_post_takes_answer_and_proposals_without_a_call() -> None:
    scene = Scene("propose", lambda prompt: WHOLE)
    first = scene.ask()
    second = scene.ask("2", text=f"{TEXT}  ")
    assert scene.run() == ["answered", "answered"]
    assert len(scene.llm.asked) == 1
    assert scene.final(first) == scene.final(second)


def test_an_answer_that_lacks_a_label_serves_no_copy() -> None:
    scene = Scene("packed", lambda prompt: PARTIAL)
    scene.ask()
    assert scene.run() == ["released", "answered"]
    scene.ask("2")
    scene.clock.sleep(100.0)  # past the promise that the first question made
    assert scene.run() == ["released", "answered"]
    assert len(scene.llm.asked) == 4
