"""Few-shot examples for the question to the LLM (section 4.4 of the paper)."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from linkner.classification.examples import Example
from linkner.conll import Sentence
from linkner.errors import InputError
from linkner.spans import LabelledSpan


def draw_examples(
    sentences: Sequence[Sentence], labels: Sequence[str], *, shots: int = 1, seed: int = 0
) -> tuple[Example, ...]:
    """N-way K-shot: `shots` entities of each of the N labels, drawn at random, in the order of the labels.

    A sentence gives more than one example only where a label is in no other. A label with fewer entities than
    `shots` gives those that it has. The same seed draws the same examples.

    Raises:
        InputError: no entity has one of the labels.
    """
    of_label: dict[str, list[tuple[int, LabelledSpan]]] = defaultdict(list)
    for index, sentence in enumerate(sentences):
        for entity in sentence.entities:
            of_label[entity.label].append((index, entity))
    if not any(label in of_label for label in labels):
        raise InputError(
            "there is nothing to draw examples from",
            expected=f"entities labelled {', '.join(labels)}",
            got=", ".join(sorted(of_label)) or "no entity",
        )
    rng = random.Random(seed)
    used: set[int] = set()
    drawn: list[Example] = []
    for label in labels:
        shuffled = rng.sample(of_label[label], len(of_label[label]))
        for index, entity in sorted(shuffled, key=lambda found: found[0] in used)[:shots]:
            sentence = sentences[index]
            used.add(index)
            drawn.append(_example(sentence, entity))
    return tuple(drawn)


def every_example(sentences: Sequence[Sentence]) -> tuple[Example, ...]:
    """Each entity of the sentences as an example, for those nearest to a post to be chosen from."""
    return tuple(_example(sentence, entity) for sentence in sentences for entity in sentence.entities)


def _example(sentence: Sentence, entity: LabelledSpan) -> Example:
    return Example(sentence.text, sentence.to_text(entity.span), entity.label)
