from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.detection import Detector
from linkner.scoring import Score
from linkner.spans import Entity, Span
from tests.unit.trainer.evaluation.examples import of_one, recognised, scored
from trainer.evaluation.linked import unlinked
from trainer.evaluation.local import Recognised
from trainer.evaluation.metrics import (
    Coverage,
    Unseen,
    auroc,
    by_uncertainty,
    calibration_error,
    coverage,
    coverage_at,
    reliability,
    surfaces,
    unseen,
)


def test_auroc_is_one_where_every_wrong_entity_is_less_certain_than_every_right_one() -> None:
    assert auroc(recognised()) == 1.0


def test_auroc_falls_with_each_pair_in_the_wrong_order() -> None:
    found = of_one(
        scored(0, 1, person=0.9, u=0.3),
        scored(1, 2, person=0.9, u=0.7),
        scored(2, 3, person=0.9, u=0.5),
        gold=((0, 1, "person"), (1, 2, "person")),
    )
    assert auroc(found) == 0.5, "the wrong one is above one of the two right ones"


@pytest.mark.parametrize(
    "found",
    [of_one(scored(0, 1, person=0.9), gold=((0, 1, "person"),)), of_one(scored(0, 1, person=0.9)), of_one()],
)
def test_auroc_is_none_where_all_are_right_or_all_wrong(found: Recognised) -> None:
    assert auroc(found) is None


def test_calibration_error_is_the_mean_gap_between_confidence_and_accuracy() -> None:
    bins = reliability(recognised())
    assert [(one.low, one.count, one.accuracy) for one in bins] == [
        (0.6, 1, 0.0),
        (0.7, 1, 0.0),
        (0.9, 1, 1.0),
    ]
    assert calibration_error(bins) == pytest.approx((0.6 + 0.7 + 0.1) / 3)


def test_there_is_no_calibration_error_of_nothing() -> None:
    assert reliability(of_one()) == ()
    assert calibration_error(()) is None


def test_probability_one_falls_into_the_last_bin() -> None:
    (only,) = reliability(of_one(scored(0, 1, person=1.0)))
    assert (only.low, only.high) == (0.9, 1.0)


@given(st.lists(st.floats(0.34, 1.0), min_size=1, max_size=6))
def test_every_entity_is_in_one_bin_and_the_error_is_a_ratio(probabilities: list[float]) -> None:
    found = of_one(*(scored(place, place + 1, person=p) for place, p in enumerate(probabilities)))
    bins = reliability(found)
    assert sum(one.count for one in bins) == len([one for one, _ in found.predicted()])
    error = calibration_error(bins)
    assert error is not None
    assert 0 <= error <= 1


def test_the_detector_looks_at_predicted_entities_and_at_its_candidates() -> None:
    wide = Detector(threshold=0.3, epsilon=0.3, max_candidates=8)
    assert coverage(recognised(), wide) == Coverage(recall=1.0, per_post=4 / 3)
    narrow = Detector(threshold=0.3, epsilon=0.95, max_candidates=8)
    assert coverage(recognised(), narrow) == Coverage(recall=2 / 3, per_post=1.0)


def test_the_best_spans_are_those_of_the_whole_set() -> None:
    assert coverage_at(recognised(), per_post=1.0) == Coverage(recall=2 / 3, per_post=1.0)
    assert coverage_at(recognised(), per_post=4 / 3).recall == 1.0
    assert coverage_at(recognised(), per_post=0.0) == Coverage(recall=0.0, per_post=0.0)
    assert coverage_at(recognised(), per_post=100.0).per_post == 2.0, "there are no more"


def test_nothing_gold_has_no_recall() -> None:
    assert coverage_at(of_one(scored(0, 1, person=0.9)), per_post=1.0) == Coverage(recall=None, per_post=1.0)


def test_gold_that_was_missed_counts_in_the_interval_of_its_span() -> None:
    intervals = by_uncertainty(recognised(), unlinked(recognised()).entities, width=0.25)
    assert [one.score for one in intervals] == [
        Score(1, 1, 1),
        Score(0, 1, 0),
        Score(0, 1, 1),
        Score(0, 0, 1),
    ]
    assert [one.low for one in intervals] == [0.0, 0.25, 0.5, 0.75]
    assert [one.density for one in intervals] == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])


def test_linked_entities_count_by_the_uncertainty_of_the_local_model() -> None:
    linked = [[], [Entity(Span(2, 3), "location", "llm", 0.1, 0.5)], []]
    intervals = by_uncertainty(recognised(), linked, width=0.5)  # type: ignore[arg-type]
    assert [one.score for one in intervals] == [Score(0, 0, 1), Score(1, 1, 2)]


def test_what_the_llm_added_counts_where_the_local_model_places_its_span() -> None:
    found = of_one(scored(0, 1, person=0.1, u=0.2), gold=((0, 1, "person"),))
    added = [[Entity(Span(0, 1), "person", "llm", 0.0, 1.0, "proposed")]]
    intervals = by_uncertainty(found, added, width=0.5)  # type: ignore[arg-type]
    assert [one.score for one in intervals] == [Score(1, 1, 1), Score(0, 0, 0)]


def test_uncertainty_beyond_the_top_falls_into_the_last_interval() -> None:
    found = of_one(scored(0, 1, person=0.9, u=1.9), scored(1, 2, person=0.9, u=0.7))
    intervals = by_uncertainty(found, unlinked(found).entities, width=0.7, top=1.4)
    assert [(one.high, one.score.predicted) for one in intervals] == [(0.7, 0), (1.4, 2)]


def test_unseen_entities_are_those_whose_words_no_training_entity_has() -> None:
    found, entities = recognised(), unlinked(recognised()).entities
    assert surfaces(found.sentences) == {"w0", "w3 w4", "w2"}
    assert unseen(found.sentences, entities, seen={"w2"}) == Unseen(rate=2 / 3, recall=0.5)
    assert unseen(found.sentences, entities, seen=surfaces(found.sentences)) == Unseen(rate=0.0, recall=None)
    assert unseen(found.sentences[2:], entities[2:], seen=()) == Unseen(rate=None, recall=None)
