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


def of_one(
    *entities: ScoredSpan, plausible: tuple[ScoredSpan, ...] = (), gold: tuple[tuple[int, int, str], ...] = ()
) -> Recognised:
    """One sentence of which the model says this; it reports all of what it says of gold spans."""
    only = sentence(*gold)
    wanted = {entity.span for entity in only.entities}
    return Recognised(
        sentences=(only,),
        recognitions=(Recognition(entities=entities, plausible=plausible),),
        gold=({one.span: one for one in (*entities, *plausible) if one.span in wanted},),
    )


def recognised() -> Recognised:
    """Three posts, no two alike: one entity found and one missed; a wrong label; no entity but one found."""
    found, missed = scored(0, 1, person=0.9, u=0.1), scored(3, 5, location=0.4, u=0.8)
    mislabelled = scored(2, 3, person=0.6, u=0.5)
    return Recognised(
        sentences=(
            sentence((0, 1, "person"), (3, 5, "location")),
            sentence((2, 3, "location"), words=7),
            sentence(words=8),
        ),
        recognitions=(
            Recognition(entities=(found,), plausible=(missed, scored(3, 4, location=0.1, u=0.6))),
            Recognition(entities=(mislabelled,), plausible=()),
            Recognition(entities=(scored(4, 5, person=0.7, u=0.4),), plausible=(scored(1, 2, person=0.05),)),
        ),
        gold=({found.span: found, missed.span: missed}, {mislabelled.span: mislabelled}, {}),
    )
