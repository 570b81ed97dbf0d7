"""Training data: labelled sentences as the model's windows, in batches of similar length."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from linkner.conll import Sentence
from linkner.errors import InputError
from linkner.recognition.decoding import owned_spans
from linkner.recognition.features import Batch, Vectoriser, Window
from linkner.spans import LabelledSpan, Span
from linkner.text import words

_POOL = 50  # batches' worth of windows that are sorted by length together


@dataclass(frozen=True, slots=True)
class Example:
    """A window and its gold entities as (start in the window, length - 1, class)."""

    window: Window
    entities: tuple[tuple[int, int, int], ...]


def as_post(sentence: Sentence) -> Sentence:
    """The sentence with its words split as `linkner.text.words` splits a raw post.

    Annotated data keeps `#NewDelhi` whole; a post's words are `#`, `New`, `Delhi`. An entity that begins with
    a hashtag begins after its `#` then, so that its surface is the name.
    """
    pieces = [[piece.of(word) for piece in words(word)] or [word] for word in sentence.words]
    starts = [0]
    for parts in pieces:
        starts.append(starts[-1] + len(parts))

    def place(entity: LabelledSpan) -> LabelledSpan:
        first = pieces[entity.span.start]
        skipped = 1 if len(first) > 1 and first[0] == "#" else 0
        return LabelledSpan(Span(starts[entity.span.start] + skipped, starts[entity.span.end]), entity.label)

    return Sentence(
        words=tuple(piece for parts in pieces for piece in parts),
        entities=tuple(map(place, sentence.entities)),
    )


def check_labels(
    sentences: Sequence[Sentence], *, labels: Collection[str], path: str | Path = "the data"
) -> None:
    """Raises InputError where there is no sentence, or one with a label that is not among these."""
    if not sentences:
        raise InputError(f"{path} holds no sentence", expected="words and tags in columns")
    unknown = {entity.label for sentence in sentences for entity in sentence.entities}.difference(labels)
    if unknown:
        raise InputError(
            f"{path} has labels that the model lacks",
            expected=", ".join(labels),
            got=", ".join(sorted(unknown)),
            hint="take a model of this label set, or train one (--label-set)",
        )


def examples(
    sentences: Sequence[Sentence], vectoriser: Vectoriser, *, labels: Sequence[str], max_span_length: int
) -> list[Example]:
    """The windows of the sentences with the entities that they own; longer entities are left out.

    Raises:
        InputError: an entity's label is not one of `labels`.
    """
    check_labels(sentences, labels=labels)
    classes = {label: index for index, label in enumerate(labels, start=1)}
    windows = vectoriser.windows([sentence.words for sentence in sentences])
    return [
        Example(window, tuple(_owned(window, sentences[window.sentence], classes, max_span_length)))
        for window in windows
    ]


def batches(items: Sequence[Example], *, size: int, rng: random.Random) -> list[list[Example]]:
    """The examples in random batches of `size` of similar length, each example once."""
    shuffled = rng.sample(items, len(items))
    pool = size * _POOL
    ordered = [
        example
        for begin in range(0, len(shuffled), pool)
        for example in sorted(shuffled[begin : begin + pool], key=lambda example: example.window.length)
    ]
    made = [ordered[begin : begin + size] for begin in range(0, len(ordered), size)]
    rng.shuffle(made)
    return made


def tensors(
    items: Sequence[Example], vectoriser: Vectoriser, *, max_span_length: int
) -> tuple[Batch, Tensor, Tensor]:
    """The batch of the windows; the class [B, N, L] of every span; the mask [B, N, L] of those to learn."""
    windows = [example.window for example in items]
    batch = vectoriser.collate(windows)
    mask = owned_spans(batch.span_mask(max_span_length), windows)
    targets = torch.zeros(mask.shape, dtype=torch.long)
    for row, example in enumerate(items):
        for start, length, index in example.entities:
            targets[row, start, length] = index
    return batch, targets, mask


def hide(batch: Batch, *, share: float, mask: int) -> Batch:
    """The batch with a random `share` of its wordpieces replaced by the token `mask`.

    A name is then learned less by heart, and more from its context and shape.
    """
    hidden = (torch.rand(batch.tokens.shape) < share) & (batch.word_of_token >= 0)
    return replace(batch, tokens=batch.tokens.masked_fill(hidden, mask))


def _owned(
    window: Window, sentence: Sentence, classes: dict[str, int], max_span_length: int
) -> Iterator[tuple[int, int, int]]:
    for entity in sentence.entities:
        start = entity.span.start - window.first
        if window.owned[0] <= start < window.owned[1] and len(entity.span) <= max_span_length:
            yield start, len(entity.span) - 1, classes[entity.label]
