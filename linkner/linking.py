"""Linking: the local model's entities and the LLM's answers joined into one result.

Each span is decided by itself, then overlaps are resolved.

1. An answered span has the label that the LLM chose (`llm`); Non-entity removes it.
2. A predicted entity without the answer that was asked for keeps its local label, with the reason
   (`fallback`); a plausible span gives nothing then.
3. A span that the LLM added to the candidates has the label that it gave it (`llm`, with the reason
   `proposed`), unless it was asked about as well: then its answer stands.
4. Every other predicted entity stays as the local model labelled it (`local`).

Of overlapping entities those that the LLM added come first: it chose their boundaries itself, while it could
only accept or reject those of a candidate. Then come those that it confirmed, before the local model's: the
LLM saw the span in context and called it an entity, which is better evidence than a local score. (In replies
recorded on WNUT'17 dev it confirmed 40 of the 507 wrong spans that overlap a gold one, and never together
with the gold one.) Within each group the one that the local model holds for an entity with more probability
wins (of two that the LLM confirmed, the better boundaries), then the longer, then the earlier.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from linkner.spans import OUTSIDE, Entity, LabelledSpan, ScoredSpan, Span

PROPOSED = "proposed"
"""The reason of an entity that the LLM added to the candidates."""

_T = TypeVar("_T")


def link(
    *,
    entities: Sequence[ScoredSpan],
    plausible: Sequence[ScoredSpan],
    answers: Mapping[Span, str],
    unanswered: Mapping[Span, str],
    proposals: Collection[LabelledSpan] = (),
) -> tuple[Entity, ...]:
    """The document's entities, non-overlapping and in text order, by the rules of this module.

    `answers` has the LLM's label (`OUTSIDE` for Non-entity) of each answered candidate, `unanswered` the
    reason of each one without answer; `proposals` are what the LLM added. The order of the inputs does not
    matter.
    """
    local = {scored.span: scored for scored in (*plausible, *entities)}
    counted = (*entities, *(scored for scored in plausible if scored.span in answers))
    decided = [
        *(_propose(added, local.get(added.span)) for added in proposals if added.span not in answers),
        *(entity for scored in counted if (entity := _decide(scored, answers, unanswered)) is not None),
    ]
    decided.sort(key=lambda entity: _precedence(entity, local.get(entity.span)))
    return _without_overlaps((entity.span, entity) for entity in decided)


def keep_non_overlapping(spans: Iterable[ScoredSpan]) -> tuple[ScoredSpan, ...]:
    """The most probable of overlapping spans, in text order (the paper's heuristic decoding, appendix C).

    Of equally probable spans the longer is kept, then the earlier, then the first by label.
    """
    ranked = sorted(spans, key=lambda scored: _rank(scored.span, scored.label, scored.probability))
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


def _propose(added: LabelledSpan, scored: ScoredSpan | None) -> Entity:
    """An entity that the LLM added; what the local model did not score has probability 0, uncertainty 1."""
    return Entity(
        span=added.span,
        label=added.label,
        decided_by="llm",
        probability=scored.scores.get(added.label, 0.0) if scored else 0.0,
        uncertainty=scored.uncertainty if scored else 1.0,
        reason=PROPOSED,
    )


def _precedence(entity: Entity, scored: ScoredSpan | None) -> tuple[bool, bool, tuple[float, int, int, str]]:
    """The place of an entity in the order in which overlapping ones are kept, the smallest first."""
    probability = scored.entity_probability if scored else 0.0
    rank = _rank(entity.span, entity.label, probability)
    return (entity.reason != PROPOSED, entity.decided_by != "llm", rank)


def _rank(span: Span, label: str, probability: float) -> tuple[float, int, int, str]:
    return (-probability, -len(span), span.start, label)


def _without_overlaps(ranked: Iterable[tuple[Span, _T]]) -> tuple[_T, ...]:
    """Take each in turn unless its span overlaps one already taken; the result is in text order."""
    taken: list[tuple[Span, _T]] = []
    for span, item in ranked:
        place = bisect_left(taken, span.end, key=lambda other: other[0].start)
        if place == 0 or taken[place - 1][0].end <= span.start:
            taken.insert(place, (span, item))
    return tuple(item for _, item in taken)
