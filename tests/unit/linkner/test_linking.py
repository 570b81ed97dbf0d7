"""Linking: the rule for each span, the priority of overlapping ones, and what holds for any input."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from linkner.linking import PROPOSED, keep_non_overlapping, link
from linkner.spans import OUTSIDE, DecidedBy, Entity, LabelledSpan, Recognition, ScoredSpan, Span
from tests.unit.linkner.strategies import LABELS, recognitions, scored_spans, spans

UNSCORED = ScoredSpan(Span(0, 1), OUTSIDE, 1.0, 1.0, {OUTSIDE: 1.0})
T = TypeVar("T")


@dataclass(frozen=True)
class Case:
    recognition: Recognition
    answers: Mapping[Span, str]
    unanswered: Mapping[Span, str]
    proposals: tuple[LabelledSpan, ...] = ()

    def link(self) -> tuple[Entity, ...]:
        return link(
            entities=self.recognition.entities,
            plausible=self.recognition.plausible,
            answers=self.answers,
            unanswered=self.unanswered,
            proposals=self.proposals,
        )


proposals = st.lists(st.builds(LabelledSpan, spans, st.sampled_from(LABELS)), max_size=4).map(tuple)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    recognition = draw(recognitions())
    answers, unanswered = {}, {}
    for scored in (*recognition.entities, *recognition.plausible):
        match draw(st.sampled_from(["not asked", "answered", "unanswered"])):
            case "answered":
                answers[scored.span] = draw(st.sampled_from((OUTSIDE, *LABELS)))
            case "unanswered":
                unanswered[scored.span] = draw(st.sampled_from(["no-llm", "deadline"]))
    return Case(recognition, answers, unanswered, draw(proposals))


def _disjoint(spans: Iterable[Span]) -> bool:
    return all(one.end <= other.start for one, other in pairwise(spans))


@given(cases())
def test_the_result_is_in_text_order_without_overlaps(case: Case) -> None:
    assert _disjoint(entity.span for entity in case.link())


@given(cases(), st.randoms())
def test_the_result_does_not_depend_on_the_order_of_the_inputs(case: Case, order: random.Random) -> None:
    def shuffled(items: Iterable[T]) -> tuple[T, ...]:
        listed = list(items)
        order.shuffle(listed)
        return tuple(listed)

    recognition = Recognition(shuffled(case.recognition.entities), shuffled(case.recognition.plausible))
    answers = dict(shuffled(case.answers.items()))
    assert Case(recognition, answers, case.unanswered, shuffled(case.proposals)).link() == case.link()


@given(cases())
def test_each_entity_is_decided_by_its_own_rule(case: Case) -> None:
    local = {scored.span: scored for scored in (*case.recognition.entities, *case.recognition.plausible)}
    for entity in case.link():
        scored = local.get(entity.span, UNSCORED)
        assert entity.label != OUTSIDE
        assert entity.probability == scored.scores.get(entity.label, 0.0)
        assert entity.uncertainty == scored.uncertainty
        if entity.span in case.answers:
            assert (entity.decided_by, entity.label) == ("llm", case.answers[entity.span])
            assert entity.reason is None
        elif entity.reason == PROPOSED:
            assert entity.decided_by == "llm"
            assert LabelledSpan(entity.span, entity.label) in case.proposals
        elif entity.span in case.unanswered:
            assert (entity.decided_by, entity.label) == ("fallback", scored.label)
            assert entity.reason == case.unanswered[entity.span]
        else:
            assert (entity.decided_by, entity.label, entity.reason) == ("local", scored.label, None)


@given(cases())
def test_nothing_is_lost_but_what_the_llm_rejected_or_something_better_overlaps(case: Case) -> None:
    kept = case.link()
    by_llm = [entity.span for entity in kept if entity.decided_by == "llm"]
    confirmed = {span for span, label in case.answers.items() if label != OUTSIDE}
    added = {one.span for one in case.proposals} - case.answers.keys()
    for span in (confirmed | added) - set(by_llm):
        assert any(span.overlaps(other) for other in by_llm)
    for scored in case.recognition.entities:
        if scored.span not in case.answers and all(scored.span != entity.span for entity in kept):
            assert any(scored.span.overlaps(other) for other in by_llm)


@given(cases())
def test_without_answers_the_local_entities_stand(case: Case) -> None:
    alone = Case(case.recognition, {}, case.unanswered).link()
    assert [(entity.span, entity.label) for entity in alone] == [
        (scored.span, scored.label) for scored in case.recognition.entities
    ]


@given(cases())
def test_only_a_proposal_displaces_a_proposal(case: Case) -> None:
    kept = case.link()
    first = [entity.span for entity in kept if entity.reason == PROPOSED]
    for added in case.proposals:
        if added.span not in case.answers:
            assert any(added.span.overlaps(span) for span in first)


def _scored(start: int, end: int, label: str, probability: float) -> ScoredSpan:
    rest = 1 - probability
    other = "person" if label == OUTSIDE else OUTSIDE
    return ScoredSpan(
        Span(start, end), label, probability, 0.3, {OUTSIDE: 0.0, label: probability, other: rest}
    )


def _summary(entities: tuple[Entity, ...]) -> list[tuple[int, int, str, DecidedBy]]:
    return [(entity.span.start, entity.span.end, entity.label, entity.decided_by) for entity in entities]


def test_a_confirmed_span_displaces_a_certain_local_entity_that_overlaps_it() -> None:
    city, newspaper = _scored(0, 8, "location", 0.99), _scored(0, 14, OUTSIDE, 0.9)
    linked = link(
        entities=[city], plausible=[newspaper], answers={newspaper.span: "corporation"}, unanswered={}
    )
    assert _summary(linked) == [(0, 14, "corporation", "llm")]


def test_a_rejected_span_leaves_room_for_the_local_entity() -> None:
    city, newspaper = _scored(0, 8, "location", 0.99), _scored(0, 14, OUTSIDE, 0.9)
    linked = link(entities=[city], plausible=[newspaper], answers={newspaper.span: OUTSIDE}, unanswered={})
    assert _summary(linked) == [(0, 8, "location", "local")]


def test_a_proposal_displaces_what_was_confirmed_and_what_was_certain() -> None:
    city, part = _scored(9, 17, "location", 0.99), _scored(0, 4, OUTSIDE, 0.9)
    added = LabelledSpan(Span(0, 14), "corporation")
    linked = link(
        entities=[city], plausible=[part], answers={part.span: "group"}, unanswered={}, proposals=[added]
    )
    assert linked == (Entity(Span(0, 14), "corporation", "llm", 0.0, 1.0, PROPOSED),)


def test_a_proposal_of_what_was_asked_about_does_not_change_the_answer() -> None:
    city = _scored(0, 8, "location", 0.6)
    added = [LabelledSpan(city.span, "group")]
    for answer, expected in (("person", [(0, 8, "person", "llm")]), (OUTSIDE, [])):
        linked = link(
            entities=[city], plausible=[], answers={city.span: answer}, unanswered={}, proposals=added
        )
        assert _summary(linked) == expected


def test_a_proposal_stands_in_for_an_answer_that_did_not_come() -> None:
    city = _scored(0, 8, "location", 0.6)
    (entity,) = link(
        entities=[city],
        plausible=[],
        answers={},
        unanswered={city.span: "no-answer"},
        proposals=[LabelledSpan(city.span, "location")],
    )
    assert entity == Entity(city.span, "location", "llm", 0.6, 0.3, PROPOSED)


def test_a_rejected_entity_is_gone() -> None:
    city = _scored(0, 8, "location", 0.6)
    assert link(entities=[city], plausible=[], answers={city.span: OUTSIDE}, unanswered={}) == ()


def test_of_two_confirmed_spans_the_better_entity_by_the_local_model_wins() -> None:
    """Not the one that the local model more surely takes for no entity."""
    short, long = _scored(0, 4, OUTSIDE, 0.9), _scored(0, 9, OUTSIDE, 0.6)
    answers = {short.span: "group", long.span: "person"}
    for plausible in ([short, long], [long, short]):
        linked = link(entities=[], plausible=plausible, answers=answers, unanswered={})
        assert _summary(linked) == [(0, 9, "person", "llm")]


def test_equal_claims_go_to_the_longer_then_the_earlier_span() -> None:
    spans = [_scored(*place, OUTSIDE, 0.5) for place in ((0, 2), (1, 4), (3, 6))]
    answers = {scored.span: "group" for scored in spans}
    linked = link(entities=[], plausible=spans, answers=answers, unanswered={})
    assert _summary(linked) == [(1, 4, "group", "llm")]
    for pair in (spans[1:], spans[:0:-1]):
        linked = link(entities=[], plausible=pair, answers=answers, unanswered={})
        assert _summary(linked) == [(1, 4, "group", "llm")]


def test_a_candidate_without_answer_keeps_its_local_label_and_says_why() -> None:
    city, maybe = _scored(0, 4, "location", 0.6), _scored(5, 9, OUTSIDE, 0.6)
    unanswered = {city.span: "deadline", maybe.span: "deadline"}
    (entity,) = link(entities=[city], plausible=[maybe], answers={}, unanswered=unanswered)
    assert entity == Entity(city.span, "location", "fallback", 0.6, 0.3, "deadline")


def test_an_answer_counts_even_where_a_reason_was_recorded_too() -> None:
    city = _scored(0, 4, "location", 0.6)
    linked = link(
        entities=[city], plausible=[], answers={city.span: "group"}, unanswered={city.span: "deadline"}
    )
    assert _summary(linked) == [(0, 4, "group", "llm")]
    assert linked[0].reason is None


def test_a_label_that_the_local_model_does_not_have_has_probability_zero() -> None:
    city = _scored(0, 4, "location", 0.6)
    (entity,) = link(entities=[city], plausible=[], answers={city.span: "festival"}, unanswered={})
    assert entity.probability == 0.0


def test_of_overlapping_answers_the_one_about_the_likelier_entity_is_kept_whatever_its_label() -> None:
    likely, doubtful = _scored(0, 4, "person", 0.6), _scored(0, 9, OUTSIDE, 0.7)
    answers = {likely.span: "group", doubtful.span: "person"}
    linked = link(entities=[likely], plausible=[doubtful], answers=answers, unanswered={})
    assert _summary(linked) == [(0, 4, "group", "llm")]


@given(st.lists(scored_spans(outside=False), max_size=12), st.randoms())
def test_decoding_keeps_the_most_probable_of_overlapping_spans(
    scored: list[ScoredSpan], order: random.Random
) -> None:
    kept = keep_non_overlapping(scored)
    assert _disjoint(item.span for item in kept)
    assert all(item in scored for item in kept)
    for item in scored:
        rivals = [other for other in kept if other.span.overlaps(item.span)]
        assert rivals
        assert item in kept or max(other.probability for other in rivals) >= item.probability
    order.shuffle(scored)
    assert [(item.span, item.label) for item in keep_non_overlapping(scored)] == [
        (item.span, item.label) for item in kept
    ]


def test_decoding_prefers_the_longer_then_the_earlier_of_equals() -> None:
    spans = [_scored(*place, "group", 0.5) for place in ((0, 2), (1, 4), (3, 6), (6, 8))]
    assert [(item.span.start, item.span.end) for item in keep_non_overlapping(spans)] == [(1, 4), (6, 8)]
