from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from linkner.errors import InputError
from linkner.labels import label_set
from linkner.replies import RecordedReply
from tests.unit.trainer.evaluation.examples import of_one, scored
from trainer.calibration import FOLDS, cross_fitted, fit, folds, frontier
from trainer.evaluation.judges import ReplayJudge
from trainer.evaluation.linked import unlinked
from trainer.evaluation.local import Recognised, pooled

GOLD = ((0, 1, "person"),)
CERTAIN = of_one(scored(0, 1, person=0.95), plausible=(scored(3, 4, location=0.1),), gold=GOLD)
WRONG = of_one(scored(2, 3, person=0.6), gold=GOLD)
MISSED = of_one(plausible=(scored(0, 1, person=0.4), scored(4, 5, person=0.1)), gold=GOLD)
EMPTY = of_one()


def posts(times: int = 24) -> Recognised:
    """Three posts of five are right as they stand; in two an LLM mends what is wrong."""
    return pooled([CERTAIN, WRONG, MISSED, EMPTY, EMPTY] * times)


def one_of_a_kind(probability: float) -> Recognised:
    """A post with an entity and a plausible span of a probability that no other post has."""
    right = probability > 0.7
    return of_one(
        scored(0, 1, person=probability),
        plausible=(scored(3, 4, location=probability / 2),),
        gold=GOLD if right else (),
    )


def judge(recognised: Recognised) -> ReplayJudge:
    """An LLM that knows the gold entities."""
    return ReplayJudge([RecordedReply(one.entities, {}) for one in recognised.sentences], label_set("wnut17"))


def test_errors_are_as_frequent_as_the_calibration_says() -> None:
    calibration = fit(posts())

    assert calibration.error(scored(0, 1, person=0.95), predicted=True) == pytest.approx(0.0, abs=1e-5)
    assert calibration.error(scored(0, 1, person=0.6), predicted=True) == pytest.approx(1.0, abs=1e-5)
    assert calibration.error(scored(0, 1, person=0.4), predicted=False) == pytest.approx(1.0, abs=1e-5)
    assert calibration.error(scored(0, 1, person=0.1), predicted=False) == pytest.approx(0.0, abs=1e-5)


def test_a_label_with_few_entities_or_none_shares_the_curve_of_all() -> None:
    rare = of_one(scored(0, 1, location=0.6), gold=((0, 1, "location"),))

    calibration = fit(pooled([posts(), rare]))

    few = scored(0, 1, location=0.6)
    for one in (few, replace(few, label="group")):  # of which there was not even one
        assert calibration.error(one, predicted=True) == pytest.approx(24 / 25, abs=1e-5)
    assert calibration.error(scored(0, 1, person=0.6), predicted=True) == pytest.approx(1.0, abs=1e-5)


def test_a_budget_is_spent_on_the_posts_that_are_worth_it() -> None:
    recognised = posts()
    local_f1 = unlinked(recognised).scores(recognised.sentences).micro.f1
    bought = {one.budget: one for one in frontier(recognised, judge(recognised), budgets=(20.0, 40.0))}

    assert bought[40.0].f1 == pytest.approx(0.8)  # nobody asks about the right place of what was wrong
    assert bought[40.0].posts_asked == 40.0  # the wrong and the missed ones, and no other
    assert local_f1 < bought[20.0].f1 <= bought[40.0].f1


def test_a_post_is_judged_by_a_calibration_that_never_saw_it() -> None:
    everyone = [one_of_a_kind(0.4 + number / 100) for number in range(60)]
    fold = folds(len(everyone), seed=1)

    detectors = cross_fitted(pooled(everyone), fold)

    for own, detector in zip(fold, detectors, strict=True):
        others = pooled([post for post, number in zip(everyone, fold, strict=True) if number != own])
        assert detector.calibration == fit(others)
    assert detectors[0].calibration != fit(pooled(everyone))


def test_a_seed_draws_folds_of_one_size_and_always_the_same() -> None:
    fold = folds(50, seed=1)

    assert Counter(fold) == dict.fromkeys(range(FOLDS), 10)
    assert fold == folds(50, seed=1) != folds(50, seed=2)


def test_too_few_spans_are_refused() -> None:
    with pytest.raises(InputError, match="too few spans to calibrate on"):
        fit(pooled([CERTAIN] * 5))
