"""The balance between precision and recall, chosen on dev.

Nearly all spans are no entity, so a model says OUTSIDE too often for the best F1. One number mends it: how
much the logit of OUTSIDE is lowered, which is the bias of that class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from linkner.conll import Sentence
from linkner.recognition.recogniser import Recogniser
from linkner.recognition.spanner import CLASS_WEIGHTS
from linkner.scoring import Scores
from trainer.evaluation.local import scored

SHIFTS = (0.0, 0.5, -0.5, 1.0, -1.0, 1.5, 2.0, 2.5, 3.0)
"""What is tried, in logits; below 0 for models that learned from many of their own kind's labels."""


def best_shift(
    recogniser: Recogniser, sentences: Sequence[Sentence], *, shifts: Sequence[float] = SHIFTS
) -> tuple[float, Scores]:
    """By how much to lower the OUTSIDE bias for the best F1 on the sentences, and the scores then.

    The model runs once. Of equally good shifts the first is taken.
    """
    computed = recogniser.compute([sentence.words for sentence in sentences])
    measured = {
        shift: scored(sentences, recogniser.decode(computed, outside=shift, max_plausible=0))
        for shift in shifts
    }
    best = max(measured, key=lambda shift: measured[shift].micro.f1)
    return best, measured[best]


def balanced(
    recogniser: Recogniser, trained: Mapping[str, Tensor], sentences: Sequence[Sentence]
) -> tuple[Scores, dict[str, Tensor]]:
    """The scores on the sentences in the best balance, and a copy of the trained weights that has it.

    `trained` are those that the recogniser's model runs on.
    """
    shift, scores = best_shift(recogniser, sentences)
    weights = {name: value.clone() for name, value in trained.items()}
    weights[f"{CLASS_WEIGHTS}bias"][0] -= shift
    return scores, weights
