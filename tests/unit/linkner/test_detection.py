"""Detection: which spans become candidates, in which order, and how many."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.detection import Detector
from linkner.errors import ConfigurationError
from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span
from tests.unit.linkner.strategies import recognitions

detectors = st.builds(
    Detector,
    threshold=st.sampled_from([0.0, 0.1, 0.5, 2.0]),
    epsilon=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    max_candidates=st.integers(0, 8),
)


def _entity(start: int, *, probability: float, uncertainty: float) -> ScoredSpan:
    scores = {OUTSIDE: 1 - probability, "person": probability}
    return ScoredSpan(Span(start, start + 1), "person", probability, uncertainty, scores)


def _plausible(start: int, *, entity_probability: float) -> ScoredSpan:
    scores = {OUTSIDE: 1 - entity_probability, "person": entity_probability}
    return ScoredSpan(Span(start, start + 1), OUTSIDE, 1 - entity_probability, 0.5, scores)


@given(detectors, recognitions())
def test_candidates_are_the_doubtful_and_the_plausible_within_the_budget(
    detector: Detector, recognition: Recognition
) -> None:
    fit = [scored for scored in recognition.entities if scored.uncertainty > detector.threshold]
    certain = [scored.span for scored in recognition.entities if scored not in fit]
    fit += [
        scored
        for scored in recognition.plausible
        if scored.entity_probability > detector.epsilon
        and not any(scored.span.overlaps(span) for span in certain)
    ]
    chosen = detector.candidates(recognition)
    assert len(chosen) == min(len(fit), detector.max_candidates)
    assert all(scored in fit for scored in chosen)
    assert len({scored.span for scored in chosen}) == len(chosen)


@given(detectors, recognitions(), st.randoms())
def test_the_choice_does_not_depend_on_the_order_of_the_spans(
    detector: Detector, recognition: Recognition, order: random.Random
) -> None:
    entities, plausible = list(recognition.entities), list(recognition.plausible)
    order.shuffle(entities)
    order.shuffle(plausible)
    shuffled = Recognition(tuple(entities), tuple(plausible))
    assert detector.candidates(shuffled) == detector.candidates(recognition)


@given(detectors, recognitions())
def test_what_is_asked_gains_at_least_as_much_as_what_is_not(
    detector: Detector, recognition: Recognition
) -> None:
    without_limit = Detector(threshold=detector.threshold, epsilon=detector.epsilon, max_candidates=100)
    ranked = without_limit.candidates(recognition)
    gains = [1 - scored.scores[scored.label] for scored in ranked]
    assert gains == sorted(gains, reverse=True)
    assert detector.candidates(recognition) == ranked[: detector.max_candidates]


def test_missed_entities_and_doubtful_ones_are_ranked_on_one_scale() -> None:
    sure = _entity(0, probability=0.9, uncertainty=0.4)
    unsure = _entity(1, probability=0.5, uncertainty=0.4)
    likely, unlikely = _plausible(2, entity_probability=0.4), _plausible(3, entity_probability=0.06)
    detector = Detector(threshold=0.1, epsilon=0.05, max_candidates=3)
    assert detector.candidates(Recognition((sure, unsure), (likely, unlikely))) == (unsure, likely, sure)


def test_nobody_is_asked_about_other_boundaries_of_a_certain_entity() -> None:
    certain, doubtful = (
        _entity(0, probability=0.99, uncertainty=0.01),
        _entity(5, probability=0.6, uncertainty=0.4),
    )
    around = [ScoredSpan(Span(0, 2), OUTSIDE, 0.7, 0.5, {OUTSIDE: 0.7, "person": 0.3})]
    around += [ScoredSpan(Span(4, 6), OUTSIDE, 0.7, 0.5, {OUTSIDE: 0.7, "person": 0.3})]
    detector = Detector(threshold=0.1, epsilon=0.05, max_candidates=9)
    asked = detector.candidates(Recognition((certain, doubtful), tuple(around)))
    assert [scored.span for scored in asked] == [Span(5, 6), Span(4, 6)]


def test_equal_gains_go_to_the_earlier_span() -> None:
    late, early = _plausible(7, entity_probability=0.5), _plausible(2, entity_probability=0.5)
    detector = Detector(threshold=0.1, epsilon=0.05, max_candidates=1)
    assert detector.candidates(Recognition((), (late, early))) == (early,)


def test_overlapping_candidates_are_all_asked() -> None:
    whole = _entity(0, probability=0.6, uncertainty=0.4)
    part = _plausible(0, entity_probability=0.3)
    detector = Detector(threshold=0.1, epsilon=0.05, max_candidates=8)
    assert len(detector.candidates(Recognition((whole,), (part,)))) == 2


def test_both_limits_are_exclusive() -> None:
    recognition = Recognition(
        (_entity(0, probability=0.75, uncertainty=0.25),), (_plausible(1, entity_probability=0.25),)
    )
    assert Detector(threshold=0.25, epsilon=0.25, max_candidates=8).candidates(recognition) == ()
    assert len(Detector(threshold=0.24, epsilon=0.24, max_candidates=8).candidates(recognition)) == 2


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"threshold": -0.1}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"epsilon": -0.1}, "epsilon"),
        ({"epsilon": 1.1}, "epsilon"),
        ({"max_candidates": -1}, "max_candidates"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, float], name: str) -> None:
    good = {"threshold": 0.1, "epsilon": 0.05, "max_candidates": 8}
    with pytest.raises(ConfigurationError, match=f"{name} is out of range"):
        Detector(**(good | values))
