"""Scoring: entity-level precision, recall and F1 of predicted entities against the gold ones.

An entity is right when its span and its label both are; for flat entities this is what seqeval counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from linkner.errors import InputError
from linkner.spans import LabelledSpan


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of entities and the ratios of them, each in [0, 1] and 0 where it has no denominator."""

    correct: int
    predicted: int
    gold: int

    @property
    def precision(self) -> float:
        """Share of the predicted entities that are right."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold entities that were found."""
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = self.predicted + self.gold
        return 2 * self.correct / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Scores:
    """`micro` over all entities, `per_label` for each label seen, `spans` with the labels left aside."""

    micro: Score
    per_label: Mapping[str, Score]
    spans: Score


def score(gold: Sequence[Collection[LabelledSpan]], predicted: Sequence[Collection[LabelledSpan]]) -> Scores:
    """Compare the entities of each sentence, given in the same order on both sides.

    Raises:
        InputError: the two sides have different numbers of sentences.
    """
    if len(gold) != len(predicted):
        raise InputError(
            "gold and predicted sentences do not pair up",
            expected=f"{len(gold)} predicted sentences",
            got=str(len(predicted)),
        )
    gold_items = {(index, entity) for index, entities in enumerate(gold) for entity in entities}
    predicted_items = {(index, entity) for index, entities in enumerate(predicted) for entity in entities}
    correct = Counter(entity.label for _, entity in gold_items & predicted_items)
    of_gold = Counter(entity.label for _, entity in gold_items)
    of_predicted = Counter(entity.label for _, entity in predicted_items)
    gold_spans = {(index, entity.span) for index, entity in gold_items}
    predicted_spans = {(index, entity.span) for index, entity in predicted_items}
    return Scores(
        micro=Score(correct.total(), of_predicted.total(), of_gold.total()),
        per_label={
            label: Score(correct[label], of_predicted[label], of_gold[label])
            for label in sorted(of_gold | of_predicted)
        },
        spans=Score(len(gold_spans & predicted_spans), len(predicted_spans), len(gold_spans)),
    )
