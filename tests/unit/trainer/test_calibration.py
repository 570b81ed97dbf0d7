from __future__ import annotations

import pytest

from linkner.errors import InputError
from linkner.labels import label_set
from linkner.replies import RecordedReply
from tests.unit.trainer.evaluation.examples import of_one, scored
from trainer.calibration import fit, frontier
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


def judge(recognised: Recognised) -> ReplayJudge:
    """An LLM that knows the gold entities."""
    return ReplayJudge([RecordedReply(one.entities, {}) for one in recognised.sentences], label_set("wnut17"))


def test_errors_are_as_frequent_as_the_calibration_says() -> None:
    calibration = fit(posts())

    assert calibration.error(scored(0, 1, person=0.95), predicted=True) == pytest.approx(0.0, abs=1e-5)
    assert calibration.error(scored(0, 1, person=0.6), predicted=True) == pytest.approx(1.0, abs=1e-5)
    assert calibration.error(scored(0, 1, person=0.4), predicted=False) == pytest.approx(1.0, abs=1e-5)
    assert calibration.error(scored(0, 1, person=0.1), predicted=False) == pytest.approx(0.0, abs=1e-5)


def test_a_label_with_few_entities_shares_the_curve_of_all() -> None:
    rare = of_one(scored(0, 1, location=0.6), gold=((0, 1, "location"),))

    calibration = fit(pooled([posts(), rare]))

    assert calibration.error(scored(0, 1, location=0.6), predicted=True) == pytest.approx(24 / 25, abs=1e-5)
    assert calibration.error(scored(0, 1, person=0.6), predicted=True) == pytest.approx(1.0, abs=1e-5)


def test_a_budget_is_spent_on_the_posts_that_are_worth_it() -> None:
    recognised = posts()
    local_f1 = unlinked(recognised).scores(recognised.sentences).micro.f1
    bought = {one.budget: one for one in frontier(recognised, judge(recognised), budgets=(20.0, 40.0))}

    assert bought[40.0].f1 == pytest.approx(0.8)  # nobody asks about the right place of what was wrong
    assert bought[40.0].posts_asked == 40.0  # the wrong and the missed ones, and no other
    assert local_f1 < bought[20.0].f1 <= bought[40.0].f1


def test_the_same_seed_gives_the_same_frontier() -> None:
    recognised = posts()

    assert frontier(recognised, judge(recognised)) == frontier(recognised, judge(recognised))


def test_too_few_spans_are_refused() -> None:
    with pytest.raises(InputError, match="too few spans to calibrate on"):
        fit(pooled([CERTAIN] * 5))
