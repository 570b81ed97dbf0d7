"""Training data from raw posts that trained models label themselves: self-training."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from linkner.conll import Sentence
from linkner.held_out import HeldOut
from linkner.recognition.ensemble import Ensemble
from linkner.repeats import Copies
from linkner.spans import LabelledSpan, Recognition
from linkner.text import words

_CHUNK = 256  # posts between two reports of progress
NOTHING_HELD_OUT = HeldOut(())
_ALL = 1_000_000  # more spans than a post has


@dataclass(frozen=True, slots=True)
class SelfLabelled:
    """Posts with the models' entities, one a sentence.

    Left out: `repeated`, posts without words and copies of an earlier one; `held_out`, those that hold a text
    of the sets to measure on; `unsure`, those with a span that may be an entity or none; `surplus`, posts
    without an entity beyond the share that is kept.
    """

    sentences: tuple[Sentence, ...]
    repeated: int
    held_out: int
    unsure: int
    surplus: int


def label_posts(
    texts: Mapping[str, str],
    models: Ensemble,
    *,
    unsure: tuple[float, float],
    bare: float = 1.0,
    seed: int,
    held_out: HeldOut = NOTHING_HELD_OUT,
    told: Callable[[int], None] = lambda _: None,
) -> SelfLabelled:
    """Label posts, cut into words as the stream's posts are.

    Of the posts without an entity some are kept, at random by the seed: most posts have none, and say little.

    Args:
        texts: the posts by id.
        models: what labels them.
        unsure: an entity probability between these two, each in [0, 1], is neither a yes nor a no.
        bare: how many posts without an entity are kept for each one with, at least 0.
        seed: the same seed keeps the same posts.
        held_out: texts that a model is to be measured on; posts that hold one are left out.
        told: hears now and then how many posts are done.
    """
    distinct = list(_distinct(texts.values()))
    usable = [one for one in distinct if not held_out.is_in(one)]
    named: list[Sentence] = []
    without: list[Sentence] = []
    for begin in range(0, len(usable), _CHUNK):
        chunk = usable[begin : begin + _CHUNK]
        recognitions = models.recognise_words(chunk, floor=unsure[0], max_plausible=_ALL)
        for one, found in zip(chunk, recognitions, strict=True):
            if not _doubtful(found, unsure):
                entities = tuple(LabelledSpan(scored.span, scored.label) for scored in found.entities)
                (named if entities else without).append(Sentence(words=one, entities=entities))
        told(len(texts) - len(usable) + begin + len(chunk))
    kept = random.Random(seed).sample(without, min(len(without), round(bare * len(named))))
    return SelfLabelled(
        sentences=(*named, *kept),
        repeated=len(texts) - len(distinct),
        held_out=len(distinct) - len(usable),
        unsure=len(usable) - len(named) - len(without),
        surplus=len(without) - len(kept),
    )


def _distinct(texts: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """The words of each post that has any, copies and retweets once."""
    copies = Copies()
    for text in texts:
        offsets = words(text)
        if offsets and copies.is_new(text):
            yield tuple(word.of(text) for word in offsets)


def _doubtful(found: Recognition, unsure: tuple[float, float]) -> bool:
    low, high = unsure
    return any(low < scored.entity_probability < high for scored in (*found.entities, *found.plausible))
