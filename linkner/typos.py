"""Typos in entities, to measure and to train robustness.

As in TextFlint (Wang et al., ACL 2021), which made the paper's CoNLL'03-Typos: one character of one word of
an entity is inserted, deleted, replaced, or swapped with its neighbour, never the word's first. Words keep
their number and their tags.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import replace

from linkner.conll import Sentence


def misspelt(word: str, rng: random.Random) -> str:
    """The word with one edit behind its first character; words of one character come back as they are."""
    if len(word) < 2:
        return word
    edits: list[Callable[[], str]] = [
        lambda: _insert(word, rng),
        lambda: _delete(word, rng),
        lambda: _replace(word, rng),
    ]
    unlike = [place for place in range(1, len(word) - 1) if word[place] != word[place + 1]]
    if unlike:
        edits.append(lambda: _swap(word, rng.choice(unlike)))
    return rng.choice(edits)()


def with_typos(sentence: Sentence, *, share: float, rng: random.Random) -> Sentence:
    """The sentence with a typo in a word of each entity, or of a random `share` in [0, 1] of its entities.

    An entity whose words have one character each stays as it is.
    """
    words = list(sentence.words)
    for entity in sentence.entities:
        places = [
            place for place in range(entity.span.start, entity.span.end) if len(sentence.words[place]) > 1
        ]
        if places and rng.random() < share:
            place = rng.choice(places)
            words[place] = misspelt(words[place], rng)
    return replace(sentence, words=tuple(words))


def _insert(word: str, rng: random.Random) -> str:
    place = rng.randint(1, len(word))
    return word[:place] + _letter(word[place - 1], rng) + word[place:]


def _delete(word: str, rng: random.Random) -> str:
    place = rng.randrange(1, len(word))
    return word[:place] + word[place + 1 :]


def _replace(word: str, rng: random.Random) -> str:
    place = rng.randrange(1, len(word))
    return word[:place] + _letter(word[place], rng) + word[place + 1 :]


def _swap(word: str, place: int) -> str:
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _letter(like: str, rng: random.Random) -> str:
    """A letter of the same case as `like`, and another one than that."""
    letters = string.ascii_uppercase if like.isupper() else string.ascii_lowercase
    return rng.choice(letters.replace(like, ""))
