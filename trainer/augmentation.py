"""Training sentences varied anew in each epoch: other names, typos, the words of a raw post."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from linkner.conll import Sentence
from linkner.spans import LabelledSpan, Span
from linkner.typos import with_typos
from trainer.datasets import as_post
from trainer.recipe import Recipe

Names = Mapping[str, Sequence[tuple[str, ...]]]
"""The surface forms of each label, as their words."""


class Augmentation:
    """Varies the training sentences as the recipe says; the shares are those of `Recipe`."""

    def __init__(self, sentences: Sequence[Sentence], recipe: Recipe) -> None:
        self._names = names_of(sentences)
        self._recipe = recipe

    def vary(self, sentence: Sentence, rng: random.Random) -> Sentence:
        """The sentence as it is to be learned this time."""
        recipe = self._recipe
        if recipe.entity_replacement:
            sentence = with_other_names(sentence, self._names, share=recipe.entity_replacement, rng=rng)
        if recipe.typos:
            sentence = with_typos(sentence, share=recipe.typos, rng=rng)
        return as_post(sentence) if rng.random() < recipe.post_share else sentence


def names_of(sentences: Sequence[Sentence]) -> Names:
    """The surface forms of the entities by label, each once, in the order in which they occur."""
    found: dict[str, dict[tuple[str, ...], None]] = {}
    for sentence in sentences:
        for entity in sentence.entities:
            words = sentence.words[entity.span.start : entity.span.end]
            found.setdefault(entity.label, {})[words] = None
    return {label: tuple(names) for label, names in found.items()}


def with_other_names(sentence: Sentence, names: Names, *, share: float, rng: random.Random) -> Sentence:
    """The sentence with a random `share` in [0, 1] of its entities replaced by others of the same label.

    This is mention replacement (Dai and Adel, COLING 2020), the paper's DataAug. A sentence whose entities
    overlap stays as it is.
    """
    words: list[str] = []
    entities: list[LabelledSpan] = []
    done = 0
    for entity in sentence.entities:
        start, end = entity.span.start, entity.span.end
        if start < done:
            return sentence
        words.extend(sentence.words[done:start])
        name = sentence.words[start:end]
        if rng.random() < share:
            name = rng.choice(names[entity.label])
        entities.append(LabelledSpan(Span(len(words), len(words) + len(name)), entity.label))
        words.extend(name)
        done = end
    return Sentence(words=(*words, *sentence.words[done:]), entities=tuple(entities))
