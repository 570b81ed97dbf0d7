"""Evaluation of a recogniser against labelled sentences."""

from __future__ import annotations

from collections.abc import Sequence

from linkner.conll import Sentence
from linkner.recognition.recogniser import Recogniser
from linkner.scoring import Scores, score
from linkner.spans import LabelledSpan


def evaluate(recogniser: Recogniser, sentences: Sequence[Sentence]) -> Scores:
    """Entity-level scores of the recogniser's entities on the words as the sentences have them."""
    found = recogniser.recognise_words([sentence.words for sentence in sentences], max_plausible=0)
    return score(
        [sentence.entities for sentence in sentences],
        [[LabelledSpan(span.span, span.label) for span in one.entities] for one in found],
    )
