"""Recognised sentences made by hand."""

from __future__ import annotations

from linkner.conll import Sentence
from linkner.spans import OUTSIDE, LabelledSpan, Recognition, ScoredSpan, Span
from trainer.evaluation.local import Recognised

LABELS = ("person", "location")


def scored(start: int, end: int, *, person: float = 0.0, location: float = 0.0, u: float = 0.5) -> ScoredSpan:
    """A span with these probabilities; what is left is OUTSIDE's."""
    scores = {OUTSIDE: 1.0 - person - location, "person": person, "location": location}
    label = max(scores, key=lambda name: scores[name])
    return ScoredSpan(Span(start, end), label, scores[label], u, scores)


def sentence(*entities: tuple[int, int, str], words: int = 6) -> Sentence:
    """A sentence of numbered words with these gold entities."""
    return Sentence(
        words=tuple(f"w{index}" for index in range(words)),
        entities=tuple(LabelledSpan(Span(start, end), label) for start, end, label in entities),
    )


def recognised() -> Recognised:
    """Three posts: an entity found and one missed; one with the wrong label; one that is none."""
    return Recognised(
        sentences=[
            sentence((0, 1, "person"), (3, 5, "location")),
            sentence((2, 3, "location")),
            sentence(),
        ],
        recognitions=[
            Recognition(
                entities=(scored(0, 1, person=0.9, u=0.1),),
                plausible=(scored(3, 5, location=0.4, u=0.8), scored(3, 4, location=0.1, u=0.6)),
            ),
            Recognition(entities=(scored(2, 3, person=0.6, u=0.5),), plausible=()),
            Recognition(entities=(scored(4, 5, person=0.7, u=0.4),), plausible=(scored(1, 2, person=0.05),)),
        ],
    )
