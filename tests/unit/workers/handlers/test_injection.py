"""Posts that try to take over the LLM, and one that obeys them: they change nothing but their own spans."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pytest

from linkner.classification import FORMS, Form, FormName, Prompt, Question, ask_at_once, read
from linkner.classification.proposals import MAX_PROPOSAL_CHARS, MAX_PROPOSALS
from linkner.labels import label_set
from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span
from tests.fakes.clock import FakeClock
from tests.fakes.llm import FakeLlm, FreeLlms
from tests.fakes.slots import FakeSlots
from tests.fakes.store import FakeStore
from tests.support.injections import INJECTIONS, Injection
from tests.support.one_question import alone
from workers.handlers.aggregate import AggregateDocuments
from workers.handlers.answering import Answering
from workers.handlers.budget import Budget
from workers.handlers.classify import ClassifyQuestions
from workers.ports import EntityView, NewDocument, Recognised
from workers.simulate_llm.recorded import PackedQuestion, SpanQuestion

WNUT17 = label_set("wnut17")
INNOCENT = "Zork are back in Oslo tonight"
HONEST = {"per-span": "group", "packed": '{"1": "group", "2": "location"}'}

every_injection = pytest.mark.parametrize(
    "injection", INJECTIONS, ids=[f"{number}" for number in range(len(INJECTIONS))]
)
every_form = pytest.mark.parametrize("name", FORMS)


def _candidates(text: str) -> tuple[Span, ...]:
    return tuple(Span(start, start + 4) for start in sorted((text.index("Zork"), text.index("Oslo"))))


def _question(name: FormName, text: str) -> Question:
    asked = _candidates(text)[:1] if name == "per-span" else _candidates(text)
    return ask_at_once(text, asked, form=Form(name=name), label_set=WNUT17)


def test_there_are_at_least_fifty() -> None:
    assert len({injection.post for injection in INJECTIONS}) >= 50


@every_form
@every_injection
def test_the_prompt_keeps_its_structure(injection: Injection, name: FormName) -> None:
    """It is read back strictly, line by line, and all but the post and the surfaces is as for any post."""
    question, innocent = _question(name, injection.post), _question(name, INNOCENT)
    asked = question.prompt
    packed = PackedQuestion.read(asked.user)
    if name == "per-span":
        assert packed is None
        surface = question.candidates[0].of(injection.post)
        assert SpanQuestion.read(asked.user) == SpanQuestion(injection.post, surface)
    else:
        assert packed == PackedQuestion(injection.post, question.candidates, name == "propose")
    assert asked.user.count("\n") == innocent.prompt.user.count("\n")
    assert (asked.system, asked.version) == (innocent.prompt.system, innocent.prompt.version)
    assert (asked.schema, asked.max_tokens) == (innocent.prompt.schema, innocent.prompt.max_tokens)


@every_form
@every_injection
def test_an_obeying_reply_says_something_of_the_post_s_own_spans_or_nothing(
    injection: Injection, name: FormName
) -> None:
    question = _question(name, injection.post)
    for reply in (injection.reply, injection.post):
        reading = read(reply, question, WNUT17)
        assert set(reading.labels) <= set(question.candidates)
        assert set(reading.labels.values()) <= set(WNUT17.classes)
        assert len(reading.proposals) <= (MAX_PROPOSALS if name == "propose" else 0)
        for added in reading.proposals:
            assert added.label in WNUT17.labels
            assert added.span not in question.candidates
            assert added.span.end <= len(injection.post)
            assert len(added.span) <= MAX_PROPOSAL_CHARS


def _carry(name: FormName, *texts: str, replies: Mapping[str, str]) -> list[tuple[EntityView, ...]]:
    """The final entities of posts that one caller carries through; the LLM obeys those that have a reply."""
    clock = FakeClock()
    store = FakeStore(clock)
    form = Form(name=name)
    obeyed = {
        question.prompt.user: reply
        for text, reply in replies.items()
        for group in form.grouped(_candidates(text))
        for question in [ask_at_once(text, group, form=form, label_set=WNUT17)]
    }

    def answer(prompt: Prompt) -> str:
        honest = HONEST["packed" if prompt.schema else "per-span"]
        return obeyed.get(prompt.user, honest)

    classify = ClassifyQuestions(
        answering=Answering(
            store=store,
            record=alone(store),
            form=form,
            label_set=WNUT17,
            model="m",
            max_attempts=5,
            cache_max_age_s=3600.0,
        ),
        llms=FreeLlms(FakeLlm(answer=answer)),
        slots=FakeSlots(),
        lease_s=40.0,
        budget=Budget(ledger=store, clock=clock),
    )
    posts = [NewDocument("test", str(number), text) for number, text in enumerate(texts)]
    ids = [accepted.document_id for accepted in store.accept(posts)]
    for document_id, text in zip(ids, texts, strict=True):
        found = tuple(
            ScoredSpan(span, "person", 0.6, 0.4, {OUTSIDE: 0.4, "person": 0.6}) for span in _candidates(text)
        )
        store.record_recognised(
            [Recognised(document_id, "local", Recognition(found, ()), form.grouped(found))]
        )
    due: list[int] = []
    while store.publish_due("classify", limit=1, send=due.extend):
        classify([due.pop()])
    assert AggregateDocuments(store=store, clock=FakeClock(), max_attempts=5)(ids) == len(ids)
    views = [store.document(document_id) for document_id in ids]
    return [view.entities for view in views if view is not None]


@cache
def _alone(name: FormName) -> tuple[EntityView, ...]:
    (entities,) = _carry(name, INNOCENT, replies={})
    assert len(entities) == 2
    return entities


@every_form
@every_injection
def test_an_obeyed_post_changes_no_other_and_ends_as_every_post_does(
    injection: Injection, name: FormName
) -> None:
    poisoned, innocent = _carry(name, injection.post, INNOCENT, replies={injection.post: injection.reply})
    assert innocent == _alone(name)
    places = set(_candidates(injection.post))
    for entity in poisoned:
        assert entity.label in WNUT17.labels
        assert entity.text == injection.post[entity.start : entity.end]
        assert Span(entity.start, entity.end) in places or (name, entity.reason) == ("propose", "proposed")


@every_form
def test_what_is_obeyed_does_reach_the_post_s_own_spans(name: FormName) -> None:
    """The LLM of these tests is gullible indeed: without that they would prove nothing."""
    reached = [
        injection
        for injection in INJECTIONS
        for (entities,) in [_carry(name, injection.post, replies={injection.post: injection.reply})]
        if any(entity.decided_by == "llm" and entity.label == "product" for entity in entities)
    ]
    assert len(reached) >= 8
