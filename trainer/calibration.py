"""Fitting a calibration on labelled posts, and what budgets buy by it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.isotonic import IsotonicRegression

from linkner.calibration import Calibration, Curve
from linkner.detection import BudgetDetector
from linkner.errors import InputError
from trainer.evaluation.judges import Judge, Spent
from trainer.evaluation.linked import link_found
from trainer.evaluation.local import Recognised

BUDGETS = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 80.0)
"""How many posts of 100 are asked about, for each budget that is calibrated."""

FOLDS = 5
_SEED = 1  # of the folds: a model's frontier is the same whenever it is drawn
_LEAST_OF_A_LABEL = 30  # predicted entities below which a label shares the curve of all

Pair = tuple[float, bool]


def fit(
    recognised: Recognised, *, budgets: Sequence[float] = BUDGETS, model: str | None = None
) -> Calibration:
    """The calibration of `model` on these labelled posts: isotonic regression of errors on what it says.

    Raises:
        InputError: there are too few predicted entities to fit anything.
    """
    by_label: dict[str, list[Pair]] = {}
    everything: list[Pair] = []
    for scored, right in recognised.predicted():
        by_label.setdefault(scored.label, []).append((1.0 - scored.probability, not right))
        everything.append((1.0 - scored.probability, not right))
    missed = [
        (scored.entity_probability, scored.span in gold)
        for recognition, gold in zip(recognised.recognitions, recognised.gold, strict=True)
        for scored in recognition.plausible
    ]
    if len(everything) < _LEAST_OF_A_LABEL or not missed:
        raise InputError(
            "too few spans to calibrate on",
            expected=f"at least {_LEAST_OF_A_LABEL} predicted entities, and some plausible spans",
            got=f"{len(everything)} and {len(missed)}",
        )
    unranked = Calibration(
        wrong={
            label: _isotonic(pairs)
            for label, pairs in sorted(by_label.items())
            if len(pairs) >= _LEAST_OF_A_LABEL
        },
        shared=_isotonic(everything),
        missed=_isotonic(missed),
        least={},
        model=model,
    )
    return replace(unranked, least=_least(unranked, recognised, budgets))


def _least(calibration: Calibration, recognised: Recognised, budgets: Sequence[float]) -> dict[float, float]:
    """By budget, the error probability of the last post that it still pays for."""
    detector = BudgetDetector(calibration=calibration, least=0.0)
    best = sorted(
        (ranked[0][0] for one in recognised.recognitions if (ranked := detector.ranked(one))), reverse=True
    )
    posts = {budget: round(budget * len(recognised) / 100) for budget in budgets}
    return {budget: best[count - 1] for budget, count in posts.items() if 0 < count <= len(best)}


def _isotonic(pairs: Sequence[Pair]) -> Curve:
    """The rising step function nearest to the pairs, by its corners."""
    scores = np.array([score for score, _ in pairs])
    wrong = np.array([wrong for _, wrong in pairs], dtype=float)
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(scores, wrong)
    corners = zip(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist(), strict=True)
    return Curve(tuple({round(score, 6): round(value, 6) for score, value in corners}.items()))


@dataclass(frozen=True, slots=True)
class Bought:
    """What a budget buys, so many posts of 100 asked about: F1, and what was really asked, per 100 posts."""

    budget: float
    f1: float
    questions: float
    posts_asked: float
    spent: Spent


def frontier(
    recognised: Recognised,
    judge: Judge,
    *,
    budgets: Sequence[float] = BUDGETS,
    proposes: bool = False,
) -> list[Bought]:
    """What each budget buys, cross-validated: each fold of the posts is asked by a calibration of the others.

    `proposes`: the judge may add entities that are no candidates (form `propose`).

    A post of the fold is asked about where its worth is that of the others' best posts in the budget, so the
    number of posts asked about is near the budget, not equal to it.
    """
    fitted = cross_fitted(recognised, folds(len(recognised), seed=_SEED), budgets=budgets)
    detectors = [replace(detector, proposes=proposes) for detector in fitted]
    bought = []
    for budget in budgets:
        found = [
            replace(detector, least=detector.calibration.worth(budget)).candidates(recognition)
            for detector, recognition in zip(detectors, recognised.recognitions, strict=True)
        ]
        linked = link_found(recognised, found, judge=judge)
        bought.append(
            Bought(
                budget=budget,
                f1=linked.scores(recognised.sentences).micro.f1,
                questions=100 * linked.spent.questions / len(recognised),
                posts_asked=100 * linked.posts_asked / len(recognised),
                spent=linked.spent,
            )
        )
    return bought


def folds(count: int, *, seed: int) -> list[int]:
    """The fold of each of so many posts, drawn at random; the folds are as equal in size as can be."""
    fold = [index % FOLDS for index in range(count)]
    random.Random(seed).shuffle(fold)
    return fold


def cross_fitted(
    recognised: Recognised, fold: Sequence[int], *, budgets: Sequence[float] = BUDGETS
) -> list[BudgetDetector]:
    """For each post the detector that was calibrated on the posts of the other folds than its own."""
    fitted = {
        number: BudgetDetector(
            calibration=fit(_without(recognised, fold, number), budgets=budgets), least=0.0
        )
        for number in sorted(set(fold))
    }
    return [fitted[number] for number in fold]


def _without(recognised: Recognised, fold: Sequence[int], number: int) -> Recognised:
    kept = [index for index, own in enumerate(fold) if own != number]
    return Recognised(
        sentences=tuple(recognised.sentences[index] for index in kept),
        recognitions=tuple(recognised.recognitions[index] for index in kept),
        gold=tuple(recognised.gold[index] for index in kept),
    )
