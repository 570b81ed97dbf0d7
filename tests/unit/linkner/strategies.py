"""Hypothesis strategies for spans and what is said of them."""

from __future__ import annotations

from hypothesis import strategies as st

from linkner.spans import OUTSIDE, LabelledSpan, Recognition, ScoredSpan, Span

LABELS = ("person", "location", "group")

spans = st.builds(
    lambda start, length: Span(start, start + length),
    st.integers(min_value=0, max_value=30),
    st.integers(min_value=1, max_value=8),
)


@st.composite
def scored_spans(draw: st.DrawFn, *, outside: bool) -> ScoredSpan:
    """A span whose most probable class is `OUTSIDE` or is not; probabilities sum to 1 and often tie."""
    weights = draw(st.lists(st.integers(1, 4), min_size=4, max_size=4))
    winner = 0 if outside else draw(st.integers(1, 3))
    weights[winner] += 4
    scores = {label: weight / sum(weights) for label, weight in zip((OUTSIDE, *LABELS), weights, strict=True)}
    label = (OUTSIDE, *LABELS)[winner]
    uncertainty = draw(st.sampled_from([0.0, 0.1, 0.5, 0.9]))
    return ScoredSpan(draw(spans), label, scores[label], uncertainty, scores)


@st.composite
def recognitions(draw: st.DrawFn) -> Recognition:
    """Predicted entities without overlap, in text order, and plausible spans at other places."""
    entities: list[ScoredSpan] = []
    for scored in draw(st.lists(scored_spans(outside=False), max_size=6)):
        if not any(scored.span.overlaps(other.span) for other in entities):
            entities.append(scored)
    taken = {scored.span for scored in entities}
    plausible = draw(st.lists(scored_spans(outside=True), max_size=6, unique_by=lambda scored: scored.span))
    return Recognition(
        entities=tuple(sorted(entities, key=lambda scored: scored.span)),
        plausible=tuple(scored for scored in plausible if scored.span not in taken),
    )


@st.composite
def flat_entities(draw: st.DrawFn, *, length: int) -> tuple[LabelledSpan, ...]:
    """Entities without overlap in a sentence of `length` words, in text order."""
    entities: list[LabelledSpan] = []
    position = 0
    while position < length:
        size = draw(st.integers(0, 3))
        end = min(position + size, length)
        if size:
            entities.append(LabelledSpan(Span(position, end), draw(st.sampled_from(LABELS))))
        position = end + draw(st.integers(0, 2)) if size else position + 1
    return tuple(entities)
