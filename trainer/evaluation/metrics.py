"""What precision and recall leave out: how far u and p can be trusted, what is looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from linkner.conll import Sentence
from linkner.detection import Detects
from linkner.scoring import Score
from linkner.spans import Entity, LabelledSpan, Span
from trainer.evaluation.local import Recognised

BINS = 10


def auroc(recognised: Recognised) -> float | None:
    """Area under the ROC curve of u as a sign of wrong entities, in [0, 1]; 0.5 is chance.

    Over the entities that the local model predicts; wrong is one whose span or label is not gold. None where
    all are right, or all are wrong.
    """
    found = [(scored.uncertainty, not right) for scored, right in recognised.predicted()]
    if len({wrong for _, wrong in found}) < 2:
        return None
    uncertainty, wrong = zip(*found, strict=True)
    return float(roc_auc_score(wrong, uncertainty))


@dataclass(frozen=True, slots=True)
class Bin:
    """Entities whose probability is in [`low`, `high`): how many, how probable and how often right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def reliability(recognised: Recognised) -> tuple[Bin, ...]:
    """The entities that the local model predicts, in BINS equal intervals of their label's probability.

    Intervals without entities are left out; the last one includes 1.
    """
    found = list(recognised.predicted())
    probability = np.array([scored.probability for scored, _ in found])
    right = np.array([right for _, right in found], dtype=float)
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    return tuple(
        Bin(
            low=index / BINS,
            high=(index + 1) / BINS,
            count=int(inside.sum()),
            confidence=float(probability[inside].mean()),
            accuracy=float(right[inside].mean()),
        )
        for index in range(BINS)
        if (inside := place == index).any()
    )


def calibration_error(bins: Sequence[Bin]) -> float | None:
    """ECE (Guo et al. 2017): the mean gap between confidence and accuracy, by entity, in [0, 1].

    None without entities.
    """
    total = sum(one.count for one in bins)
    if not total:
        return None
    return sum(one.count * abs(one.confidence - one.accuracy) for one in bins) / total


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the system looks at: `per_post` spans on average, the share `recall` of the gold spans among them.

    Those spans are the predicted entities (certain or not) and the candidates among all others. `recall` is
    None where nothing is gold.
    """

    recall: float | None
    per_post: float


def coverage(recognised: Recognised, detector: Detects) -> Coverage:
    """The coverage of the predicted entities and the candidates that the detector finds without gold."""
    return _coverage(
        recognised,
        (
            (index, span)
            for index, recognition in enumerate(recognised.recognitions)
            for span in {one.span for one in (*recognition.entities, *detector.candidates(recognition))}
        ),
    )


def coverage_at(recognised: Recognised, *, per_post: float) -> Coverage:
    """The coverage of the best spans of the whole set by entity probability, `per_post` a post on average.

    Predicted entities are ranked among the plausible spans, overlapping ones included. Where the recogniser
    reports fewer spans, it is the coverage of all of them.
    """
    ranked = sorted(
        (
            (-scored.entity_probability, index, scored.span)
            for index, recognition in enumerate(recognised.recognitions)
            for scored in (*recognition.entities, *recognition.plausible)
        ),
    )
    kept = ranked[: round(per_post * len(recognised))]
    return _coverage(recognised, ((index, span) for _, index, span in kept))


def _coverage(recognised: Recognised, looked_at: Iterable[tuple[int, Span]]) -> Coverage:
    """The coverage of (sentence, span) pairs, each given once."""
    gold = {
        (index, entity.span)
        for index, sentence in enumerate(recognised.sentences)
        for entity in sentence.entities
    }
    found = [pair in gold for pair in looked_at]
    return Coverage(
        recall=sum(found) / len(gold) if gold else None, per_post=len(found) / max(len(recognised), 1)
    )


@dataclass(frozen=True, slots=True)
class Interval:
    """Entities whose span has a u in [`low`, `high`): their score, and the share of all predicted ones."""

    low: float
    high: float
    score: Score
    density: float


def by_uncertainty(
    recognised: Recognised, entities: Sequence[Sequence[Entity]], *, width: float = 0.1, top: float = 1.0
) -> tuple[Interval, ...]:
    """Scores and density of the entities in intervals of u from 0 to about `top` (Figures 4, 5 and 7).

    u is always the local model's of that span, also where an LLM added the entity; one that the LLM added
    wrongly, and the local model did not report, has the largest. The last interval takes what lies above
    `top`, too. Gold entities too long for the model, and what was found of them, are in none.

    Args:
        recognised: the sentences.
        entities: of each sentence, the local model's or the linked ones.
        width: of an interval.
        top: the largest u that the model can give, or less.
    """
    count = max(round(top / width), 1)

    def place(uncertainty: float) -> int:
        return min(int(uncertainty / width), count - 1)

    correct, predicted, gold = ([0] * count for _ in range(3))
    for sentence, scored, found in zip(recognised.sentences, recognised.gold, entities, strict=True):
        for span in {entity.span for entity in sentence.entities} & scored.keys():
            gold[place(scored[span].uncertainty)] += 1
        labelled = set(sentence.entities)
        too_long = {entity.span for entity in sentence.entities} - scored.keys()
        for entity in found:
            if entity.span in too_long:
                continue
            known = scored.get(entity.span)
            at = place(entity.uncertainty if known is None else known.uncertainty)
            predicted[at] += 1
            correct[at] += LabelledSpan(entity.span, entity.label) in labelled
    total = max(sum(predicted), 1)
    return tuple(
        Interval(
            low=width * index,
            high=width * (index + 1),
            score=Score(correct[index], predicted[index], gold[index]),
            density=predicted[index] / total,
        )
        for index in range(count)
    )


def surfaces(sentences: Iterable[Sentence]) -> frozenset[str]:
    """The surface forms of all entities, as they are written."""
    return frozenset(sentence.surface(entity.span) for sentence in sentences for entity in sentence.entities)


@dataclass(frozen=True, slots=True)
class Unseen:
    """Gold entities whose surface form no training entity has: their share (OOV rate), the recall on them.

    Each is None where it has no denominator.
    """

    rate: float | None
    recall: float | None


def unseen(
    sentences: Sequence[Sentence], entities: Sequence[Sequence[Entity]], *, seen: Collection[str]
) -> Unseen:
    """How the entities do on what training did not show; `seen` are its `surfaces`."""
    total = new = found = 0
    for sentence, predicted in zip(sentences, entities, strict=True):
        labelled = {LabelledSpan(entity.span, entity.label) for entity in predicted}
        for entity in sentence.entities:
            total += 1
            if sentence.surface(entity.span) not in seen:
                new += 1
                found += entity in labelled
    return Unseen(rate=new / total if total else None, recall=found / new if new else None)
