"""What the scores leave out: how good the uncertainty is, and what the model saw without saying it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from linkner.conll import Sentence
from linkner.scoring import Score
from linkner.spans import Entity
from trainer.evaluation.local import Recognised

BINS = 10


def auroc(recognised: Recognised) -> float | None:
    """Area under the ROC curve of u as a sign of wrong predicted entities, in [0, 1]; 0.5 is chance.

    None where all predicted entities are right, or all are wrong.
    """
    found = [(scored.uncertainty, not right) for scored, right in recognised.predicted()]
    if len({wrong for _, wrong in found}) < 2:
        return None
    uncertainty, wrong = zip(*found, strict=True)
    return float(roc_auc_score(wrong, uncertainty))


@dataclass(frozen=True, slots=True)
class Bin:
    """Predicted entities whose probability lies in [`low`, `high`): how probable, and how often right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(recognised: Recognised) -> list[Bin]:
    """The predicted entities in BINS equal intervals of their probability, empty ones left out."""
    found = list(recognised.predicted())
    probability = np.array([scored.probability for scored, _ in found])
    right = np.array([right for _, right in found], dtype=float)
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    return [
        Bin(
            low=index / BINS,
            high=(index + 1) / BINS,
            count=int(inside.sum()),
            confidence=float(probability[inside].mean()),
            accuracy=float(right[inside].mean()),
        )
        for index in range(BINS)
        if (inside := place == index).any()
    ]


def calibration_error(bins: Sequence[Bin]) -> float | None:
    """ECE: the mean gap between confidence and accuracy, by entity, in [0, 1]; None without entities."""
    total = sum(one.count for one in bins)
    if not total:
        return None
    return sum(one.count * abs(one.confidence - one.accuracy) for one in bins) / total


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the gold the spans hold that the system looks at: `recall` at `per_post` spans a post.

    The spans are the predicted entities and the O spans, by entity probability, overlapping ones included;
    the last one has the probability `epsilon`.
    """

    recall: float
    per_post: float
    epsilon: float


def coverage_at(recognised: Recognised, *, per_post: float) -> Coverage:
    """The coverage of the best spans of the whole set, `per_post` a post on average (or all there are)."""
    ranked = sorted(_looked_at(recognised), key=lambda item: -item[0])
    kept = ranked[: round(per_post * len(recognised.sentences))]
    return _coverage(recognised, kept, epsilon=kept[-1][0] if kept else 1.0)


def coverage_above(recognised: Recognised, *, epsilon: float) -> Coverage:
    """The coverage of the predicted entities and the O spans with an entity probability above `epsilon`."""
    kept = [item for item in _looked_at(recognised) if item[0] > epsilon or item[2]]
    return _coverage(recognised, kept, epsilon=epsilon)


def _looked_at(recognised: Recognised) -> Iterable[tuple[float, bool, bool]]:
    """(entity probability, is gold, is predicted) of every span."""
    for sentence, recognition in recognised:
        gold = {entity.span for entity in sentence.entities}
        for scored in recognition.entities:
            yield scored.entity_probability, scored.span in gold, True
        for scored in recognition.plausible:
            yield scored.entity_probability, scored.span in gold, False


def _coverage(
    recognised: Recognised, kept: Sequence[tuple[float, bool, bool]], *, epsilon: float
) -> Coverage:
    gold = sum(len(sentence.entities) for sentence in recognised.sentences)
    found = sum(is_gold for _, is_gold, _ in kept)
    return Coverage(
        recall=found / gold if gold else 0.0,
        per_post=len(kept) / len(recognised.sentences),
        epsilon=epsilon,
    )


@dataclass(frozen=True, slots=True)
class Interval:
    """Entities whose span has u in [`low`, `high`): the local scores there, and the share of all of them.

    A gold entity that was not found counts where the model's u of its span lies; one longer than the model
    looks counts nowhere.
    """

    low: float
    high: float
    score: Score
    density: float


def by_uncertainty(
    recognised: Recognised, entities: Sequence[Sequence[Entity]], *, width: float = 0.1, top: float = 1.0
) -> list[Interval]:
    """Scores and density in intervals of u of this `width` from 0 to `top` (the last one takes the rest).

    `entities` are those of each sentence, the local model's or the linked ones; u is the local model's.
    """
    count = round(top / width)
    correct, predicted, gold = (np.zeros(count, dtype=int) for _ in range(3))
    for (sentence, recognition), found in zip(recognised, entities, strict=True):
        place = {
            scored.span: min(int(scored.uncertainty / width), count - 1)
            for scored in (*recognition.plausible, *recognition.entities)
        }
        labels = {entity.span: entity.label for entity in sentence.entities}
        for span in labels.keys() & place.keys():
            gold[place[span]] += 1
        for entity in found:
            predicted[place[entity.span]] += 1
            correct[place[entity.span]] += labels.get(entity.span) == entity.label
    total = max(int(predicted.sum()), 1)
    return [
        Interval(
            low=index * width,
            high=(index + 1) * width,
            score=Score(int(correct[index]), int(predicted[index]), int(gold[index])),
            density=int(predicted[index]) / total,
        )
        for index in range(count)
    ]


def surfaces(sentences: Iterable[Sentence]) -> set[str]:
    """The surface forms of all entities, words joined by a space, case as it is."""
    return {sentence.surface(entity.span) for sentence in sentences for entity in sentence.entities}


@dataclass(frozen=True, slots=True)
class Unseen:
    """Entities whose surface form no training entity has: their share (OOV rate) and the recall on them."""

    rate: float
    recall: float


def unseen(recognised: Recognised, *, seen: Collection[str]) -> Unseen:
    """The gold entities that are not among the `seen` surface forms."""
    gold = found = total = 0
    for sentence, recognition in recognised:
        predicted = {(scored.span, scored.label) for scored in recognition.entities}
        for entity in sentence.entities:
            total += 1
            if sentence.surface(entity.span) not in seen:
                gold += 1
                found += (entity.span, entity.label) in predicted
    return Unseen(rate=gold / total if total else 0.0, recall=found / gold if gold else 0.0)
