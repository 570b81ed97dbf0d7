"""The paper's rule for τ on curves that are known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.scoring import Score
from trainer.evaluation.metrics import Interval
from trainer.experiments.threshold import intersection

NONE = Score(0, 0, 0)


def curve(*per_cent: int | None) -> list[Interval]:
    """Intervals of width 0.1 with these F1, None for an interval without entities."""
    scores = [NONE if one is None else Score(one, 100, 100) for one in per_cent]
    return [
        Interval(low=place / 10, high=(place + 1) / 10, score=score, density=0.0)
        for place, score in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("local", "linked_f1", "threshold"),
    [
        (curve(95, 90, 80, 60, 20), 0.75, 0.3),
        (curve(95, 90, 75, 60, 20), 0.75, 0.3),  # equal is not below
        (curve(95, None, None, 60, 20), 0.75, 0.1),  # nothing is known of empty intervals
        (curve(95, 60, 90, 60, 20), 0.75, 0.3),  # the last crossing counts
        (curve(10, 60, 90, 60, 20), 0.75, 0.3),
        (curve(50, 60, 20), 0.75, 0.0),  # the LLM is better everywhere
        (curve(95, 90, 80), 0.75, 0.3),  # and nowhere
        (curve(None, None), 0.75, 0.0),
        ([], 0.75, 0.0),
    ],
)
def test_the_threshold_is_where_the_local_model_falls_below(local, linked_f1, threshold) -> None:
    assert intersection(local, linked_f1=linked_f1) == pytest.approx(threshold)


def test_an_interval_where_all_gold_entities_were_missed_is_below() -> None:
    local = [Interval(0.0, 0.1, Score(9, 10, 10), 1.0), Interval(0.1, 0.2, Score(0, 0, 30), 0.0)]
    assert intersection(local, linked_f1=0.5) == 0.1


def test_a_few_entities_decide_nothing() -> None:
    """One right entity among the most uncertain ones does not keep the LLM from the others."""
    local = [*curve(90, 40), Interval(0.2, 0.3, Score(1, 1, 1), 0.0)]
    assert intersection(local, linked_f1=0.75) == 0.1


@given(st.lists(st.integers(0, 100), max_size=10), st.integers(0, 100), st.integers(0, 100))
def test_a_better_llm_is_never_asked_less(per_cent, one, other) -> None:
    lower, higher = sorted((one / 100, other / 100))
    local = curve(*per_cent)
    assert intersection(local, linked_f1=higher) <= intersection(local, linked_f1=lower)
