"""Few-shot examples for the question about one span: N-way K-shot, drawn once or chosen for each post."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from linkner.spans import Span
from linkner.text import words


@dataclass(frozen=True, slots=True)
class Example:
    """A span of a text with its right label (`OUTSIDE` for no entity): one shot of the few."""

    text: str
    span: Span
    label: str


def nearest(pool: Sequence[Example], text: str, *, labels: Iterable[str]) -> tuple[Example, ...]:
    """One example of each label that the pool has: the one whose text shares most words with this text.

    Measured as intersection over union of the sets of words, in lower case; of equal ones the first of the
    pool is taken. An example of the very same text would give its answer away, and is passed over.
    """
    wanted = _vocabulary(text)
    others = [example for example in pool if example.text != text]
    chosen = (
        max(
            (example for example in others if example.label == label),
            key=lambda example: _shared(_vocabulary(example.text), wanted),
            default=None,
        )
        for label in labels
    )
    return tuple(example for example in chosen if example is not None)


@lru_cache(maxsize=10_000)
def _vocabulary(text: str) -> frozenset[str]:
    return frozenset(word.of(text).casefold() for word in words(text))


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one or other else 0.0
