"""From tensors of all spans to the few worth an object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from linkner.linking import keep_non_overlapping
from linkner.recognition.features import Window
from linkner.spans import OUTSIDE, Recognition, ScoredSpan, Span


@dataclass(frozen=True, slots=True)
class Limits:
    """Which spans are reported beside entities: entity probability at least `floor`, `most` a document."""

    floor: float
    most: int


def owned_spans(span_mask: Tensor, windows: Sequence[Window]) -> Tensor:
    """[B, N, L] bool: the spans of `span_mask` whose start the window owns."""
    starts = torch.arange(span_mask.shape[1], device=span_mask.device)[None]
    owned = torch.tensor([window.owned for window in windows], device=span_mask.device)
    return span_mask & ((starts >= owned[:, :1]) & (starts < owned[:, 1:]))[:, :, None]


def select(
    probabilities: Tensor,
    uncertainty: Tensor,
    *,
    mask: Tensor,
    windows: Sequence[Window],
    labels: Sequence[str],
    limits: Limits,
) -> list[tuple[int, ScoredSpan]]:
    """(sentence, span) for each predicted entity and each plausible span among the B windows.

    Args:
        probabilities: [B, N, L, C], class 0 being OUTSIDE.
        uncertainty: [B, N, L].
        mask: [B, N, L] bool, the spans to look at.
        windows: the B windows; spans are given in word offsets of their sentences.
        labels: the C - 1 names after OUTSIDE.
        limits: plausible spans beyond them are left out, window by window.
    """
    best = probabilities.argmax(dim=-1)
    outside = mask & (best == 0)
    plausible = 1.0 - probabilities[..., 0].where(outside, 1.0)
    chosen = (mask & (best != 0)) | _most_plausible(plausible, limits)
    rows = chosen.nonzero().tolist()
    names = (OUTSIDE, *labels)
    return [
        (
            windows[window].sentence,
            _scored(windows[window].first + start, length + 1, index, scores, u, names),
        )
        for (window, start, length), index, scores, u in zip(
            rows,
            best[chosen].tolist(),
            probabilities[chosen].tolist(),
            uncertainty[chosen].tolist(),
            strict=True,
        )
    ]


def assemble(found: Iterable[tuple[int, ScoredSpan]], *, count: int, limits: Limits) -> list[Recognition]:
    """The recognition of each of `count` sentences from what `select` found, in any order.

    A span with an entity's label that loses against one it overlaps is plausible: another boundary of a name.
    """
    recognitions = [Recognition(entities=(), plausible=())] * count
    ordered = sorted(found, key=lambda item: item[0])
    for sentence, items in groupby(ordered, key=lambda item: item[0]):
        spans = [scored for _, scored in items]
        entities = keep_non_overlapping(scored for scored in spans if scored.label != OUTSIDE)
        kept = {scored.span for scored in entities}
        plausible = sorted(
            (one for one in spans if one.span not in kept and one.entity_probability >= limits.floor),
            key=lambda scored: (-scored.entity_probability, scored.span),
        )
        recognitions[sentence] = Recognition(entities=entities, plausible=tuple(plausible[: limits.most]))
    return recognitions


def _most_plausible(plausible: Tensor, limits: Limits) -> Tensor:
    """[B, N, L] bool: per window the `most` best of those at or above the floor."""
    flat = plausible.flatten(1)
    keep = min(limits.most, flat.shape[1])
    values, places = flat.topk(keep, dim=1)
    chosen = torch.zeros_like(flat, dtype=torch.bool)
    chosen.scatter_(1, places, (values >= limits.floor) & (values > 0))
    return chosen.view_as(plausible)


def _scored(
    start: int, length: int, index: int, scores: list[float], uncertainty: float, names: tuple[str, ...]
) -> ScoredSpan:
    return ScoredSpan(
        span=Span(start, start + length),
        label=names[index],
        probability=scores[index],
        uncertainty=uncertainty,
        scores=dict(zip(names, scores, strict=True)),
    )
