from __future__ import annotations

import pytest

from linkner.spans import Recognition
from tests.unit.trainer.evaluation.examples import recognised, scored, sentence
from trainer.evaluation.linked import unlinked
from trainer.evaluation.local import Recognised
from trainer.evaluation.metrics import (
    auroc,
    by_uncertainty,
    calibration_error,
    coverage_above,
    coverage_at,
    reliability,
    surfaces,
    unseen,
)


def alone(*entities, gold=()) -> Recognised:
    return Recognised(
        sentences=[sentence(*gold)], recognitions=[Recognition(entities=tuple(entities), plausible=())]
    )


def test_auroc_is_one_where_every_wrong_entity_is_less_certain_than_every_right_one() -> None:
    assert auroc(recognised()) == 1.0


def test_auroc_falls_with_each_pair_in_the_wrong_order() -> None:
    found = alone(
        scored(0, 1, person=0.9, u=0.3),
        scored(1, 2, person=0.9, u=0.7),
        scored(2, 3, person=0.9, u=0.5),
        gold=[(0, 1, "person"), (1, 2, "person")],
    )

    assert auroc(found) == 0.5  # the wrong one is above one of the two right ones


def test_auroc_of_entities_that_are_all_right_is_none() -> None:
    assert auroc(alone(scored(0, 1, person=0.9), gold=[(0, 1, "person")])) is None
    assert auroc(alone()) is None


def test_calibration_error_is_the_mean_gap_between_confidence_and_accuracy() -> None:
    bins = reliability(recognised())

    assert [(one.low, one.count, one.accuracy) for one in bins] == [
        (0.6, 1, 0.0),
        (0.7, 1, 0.0),
        (0.9, 1, 1.0),
    ]
    assert calibration_error(bins) == pytest.approx((0.6 + 0.7 + 0.1) / 3)
    assert calibration_error([]) is None


def test_probability_one_falls_into_the_last_bin() -> None:
    (only,) = reliability(alone(scored(0, 1, person=1.0)))

    assert (only.low, only.high) == (0.9, 1.0)


def test_coverage_counts_the_best_spans_of_the_whole_set() -> None:
    at_one = coverage_at(recognised(), per_post=1.0)

    assert at_one.recall == pytest.approx(2 / 3)  # the three predicted entities; two have gold spans
    assert at_one.per_post == 1.0
    assert coverage_at(recognised(), per_post=4 / 3).recall == 1.0
    assert coverage_at(recognised(), per_post=0.0).recall == 0.0


def test_coverage_above_epsilon_holds_all_predicted_entities_and_the_more_probable_others() -> None:
    found = coverage_above(recognised(), epsilon=0.3)

    assert (found.recall, found.per_post) == (1.0, pytest.approx(4 / 3))
    assert coverage_above(recognised(), epsilon=0.95).recall == pytest.approx(2 / 3)


def test_gold_that_was_missed_counts_in_the_interval_of_its_span() -> None:
    intervals = by_uncertainty(recognised(), unlinked(recognised()).entities, width=0.25)

    assert [(one.score.correct, one.score.predicted, one.score.gold) for one in intervals] == [
        (1, 1, 1),
        (0, 1, 0),
        (0, 1, 1),
        (0, 0, 1),
    ]
    assert sum(one.density for one in intervals) == pytest.approx(1.0)


def test_uncertainty_beyond_the_top_falls_into_the_last_interval() -> None:
    found = alone(scored(0, 1, person=0.9, u=1.9))
    intervals = by_uncertainty(found, unlinked(found).entities, width=0.5, top=1.0)

    assert [one.score.predicted for one in intervals] == [0, 1]


def test_unseen_entities_are_those_whose_words_no_training_entity_has() -> None:
    found = unseen(recognised(), seen={"w2"})

    assert found.rate == pytest.approx(2 / 3)
    assert found.recall == 0.5
    assert surfaces(recognised().sentences) == {"w0", "w3 w4", "w2"}
