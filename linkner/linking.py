"""Linking: the local model's entities and the LLM's answers joined into one result.

Each span is decided by itself, then overlaps are resolved.

1. An answered span has the label that the LLM chose (`llm`); Non-entity removes it.
2. A predicted entity without the answer that was asked for keeps its local label, with the reason
   (`fallback`); a plausible span gives nothing then.
3. Every other predicted entity stays as the local model labelled it (`local`).

Of overlapping entities the LLM's come before the local model's: the LLM saw the span in context and called
it an entity, which is better evidence than a local score. (In replies recorded on WNUT'17 dev it confirmed 40
of the 507 wrong spans that overlap a gold one, and never together with the gold one.) Within each group the
one that the local model holds for an entity with more probability wins (of two that the LLM confirmed, the
better boundaries), then the longer, then the earlier.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from linkner.spans import OUTSIDE, Entity, ScoredSpan, Span

_T = TypeVar("_T")


def link(
    *,
    entities: Sequence[ScoredSpan],
    plausible: Sequence[ScoredSpan],
    answers: Mapping[Span, str],
    unanswered: Mapping[Span, str],
) -> tuple[Entity, ...]:
    """The document's entities, non-overlapping and in text order, by the rules of this module.

    `answers` has the LLM's label (`OUTSIDE` for Non-entity) of each answered candidate, `unanswered` the
    reason of each one without answer. The order of the inputs does not matter.
    """
    counted = (*entities, *(scored for scored in plausible if scored.span in answers))
    decided = [
        (scored, entity) for scored in counted if (entity := _decide(scored, answers, unanswered)) is not None
    ]
    decided.sort(key=lambda pair: (pair[1].decided_by != "llm", _rank(pair[0], pair[0].entity_probability)))
    return _without_overlaps((entity.span, entity) for _, entity in decided)


def keep_non_overlapping(spans: Iterable[ScoredSpan]) -> tuple[ScoredSpan, ...]:
    """The most probable of overlapping spans, in text order (the paper's heuristic decoding, appendix C).

    Of equally probable spans the longer is kept, then the earlier, then the first by label.
    """
    ranked = sorted(spans, key=lambda scored: _rank(scored, scored.probability))
    return _without_overlaps((scored.span, scored) for scored in ranked)


def _decide(scored: ScoredSpan, answers: Mapping[Span, str], unanswered: Mapping[Span, str]) -> Entity | None:
    """What becomes of one span before overlaps are resolved."""
    answer = answers.get(scored.span)
    reason = None if answer is not None else unanswered.get(scored.span)
    label = scored.label if answer is None else answer
    if label == OUTSIDE:
        return None
    return Entity(
        span=scored.span,
        label=label,
        decided_by="llm" if answer is not None else "local" if reason is None else "fallback",
        probability=scored.scores.get(label, 0.0),
        uncertainty=scored.uncertainty,
        reason=reason,
    )


def _rank(scored: ScoredSpan, probability: float) -> tuple[float, int, int, str]:
    return (-probability, -len(scored.span), scored.span.start, scored.label)


def _without_overlaps(ranked: Iterable[tuple[Span, _T]]) -> tuple[_T, ...]:
    """Take each in turn unless its span overlaps one already taken; the result is in text order."""
    taken: list[tuple[Span, _T]] = []
    for span, item in ranked:
        place = bisect_left(taken, span.end, key=lambda other: other[0].start)
        if place == 0 or taken[place - 1][0].end <= span.start:
            taken.insert(place, (span, item))
    return tuple(item for _, item in taken)
