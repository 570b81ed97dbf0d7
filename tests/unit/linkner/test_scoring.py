"""Scoring: by hand on small cases, and against seqeval on any flat entities."""

from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report

from linkner.errors import InputError
from linkner.scoring import Score, score
from linkner.spans import LabelledSpan, Span
from tests.unit.linkner.strategies import flat_entities

_LENGTH = 10

Sentences = list[tuple[tuple[LabelledSpan, ...], tuple[LabelledSpan, ...]]]

pairs = st.lists(
    st.tuples(flat_entities(length=_LENGTH), flat_entities(length=_LENGTH)), min_size=1, max_size=5
)


def _tags(entities: tuple[LabelledSpan, ...]) -> list[str]:
    tags = ["O"] * _LENGTH
    for entity in entities:
        for position in range(entity.span.start, entity.span.end):
            tags[position] = f"{'B' if position == entity.span.start else 'I'}-{entity.label}"
    return tags


@given(pairs)
def test_scores_equal_those_of_seqeval(sentences: Sentences) -> None:
    gold, predicted = [pair[0] for pair in sentences], [pair[1] for pair in sentences]
    ours = score(gold, predicted)
    if not ours.per_label:
        assert ours.micro == Score(0, 0, 0)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval warns of ratios without a denominator
        theirs = classification_report(
            [_tags(entities) for entities in gold],
            [_tags(entities) for entities in predicted],
            output_dict=True,
            zero_division=0,
        )
    _assert_equal(ours.micro, theirs["micro avg"])
    assert set(ours.per_label) == set(theirs) - {"micro avg", "macro avg", "weighted avg"}
    for label, result in ours.per_label.items():
        _assert_equal(result, theirs[label])


def _assert_equal(ours: Score, theirs: dict[str, float]) -> None:
    assert ours.precision == pytest.approx(theirs["precision"])
    assert ours.recall == pytest.approx(theirs["recall"])
    assert ours.f1 == pytest.approx(theirs["f1-score"])
    assert ours.gold == theirs["support"]


@given(pairs)
def test_span_scores_are_label_blind(sentences: Sentences) -> None:
    gold, predicted = [pair[0] for pair in sentences], [pair[1] for pair in sentences]
    blind = score(*([_relabelled(entities) for entities in side] for side in (gold, predicted)))
    assert score(gold, predicted).spans == blind.micro == blind.spans


def _relabelled(entities: tuple[LabelledSpan, ...]) -> list[LabelledSpan]:
    return [LabelledSpan(entity.span, "any") for entity in entities]


def test_a_right_span_with_a_wrong_label_counts_for_spans_only() -> None:
    scores = score(
        [[LabelledSpan(Span(0, 2), "person"), LabelledSpan(Span(3, 4), "group")]],
        [[LabelledSpan(Span(0, 2), "location"), LabelledSpan(Span(3, 4), "group")]],
    )
    assert scores.micro == Score(correct=1, predicted=2, gold=2)
    assert scores.micro.f1 == 0.5
    assert scores.spans == Score(correct=2, predicted=2, gold=2)
    assert scores.per_label == {
        "group": Score(1, 1, 1),
        "location": Score(0, 1, 0),
        "person": Score(0, 0, 1),
    }


def test_equal_entities_of_different_sentences_are_different() -> None:
    entity = LabelledSpan(Span(0, 1), "person")
    assert score([[entity], []], [[], [entity]]).micro == Score(correct=0, predicted=1, gold=1)


def test_nothing_against_nothing_is_zero_without_an_error() -> None:
    scores = score([[]], [[]])
    assert (scores.micro.precision, scores.micro.recall, scores.micro.f1) == (0.0, 0.0, 0.0)


def test_sides_of_different_length_are_refused() -> None:
    with pytest.raises(InputError, match="expected 2 predicted sentences; got 1"):
        score([[], []], [[]])
