"""Posts that repeat each other: what the copies of a post share, and the key of a question about them.

Left out is only what tells nothing of the names in a post: the retweet prefix, the code of a t.co link (drawn
anew for each post that holds the link), and surplus white space. Handles, hashtags, other links and case
stay: they are evidence. Whatever touches a candidate stays too: no candidate ever changes its surface.

A normalised text is the post with characters deleted and white space made plain, nothing more: each of its
characters is one character of the post, and offsets lead back exactly.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from linkner.spans import Span

_SURPLUS = re.compile(
    r"""
      \A\s*(?:RT\s+@\w+:\s+)+       # the retweet of a retweet has two prefixes
    | \A\s+
    | \s+\Z
    | (?<=\s)\s+
    | (?<=https://t\.co/)\w+ | (?<=http://t\.co/)\w+
    """,
    re.VERBOSE | re.ASCII,
)
_SPACE = re.compile(r"\s", re.ASCII)


@dataclass(frozen=True, slots=True)
class Normalised:
    """What the copies of a post share: `offsets[i]` is where character i of `text` stands in the post.

    `candidates` are offsets in `text`, in text order.
    """

    text: str
    offsets: tuple[int, ...]
    candidates: tuple[Span, ...]

    def to_post(self, span: Span) -> Span | None:
        """Where a span of `text` is in the post; None where it ends after `text`, or is not in one piece."""
        if span.end > len(self.offsets):
            return None
        found = Span(self.offsets[span.start], self.offsets[span.end - 1] + 1)
        return found if len(found) == len(span) else None

    def to_normalised(self, span: Span) -> Span | None:
        """Where a span of the post is in `text`, the inverse of `to_post`; None where a part is left out."""
        start = bisect_left(self.offsets, span.start)
        if self.offsets[start : start + len(span)] != tuple(range(span.start, span.end)):
            return None
        return Span(start, start + len(span))


def normalise(text: str, candidates: Collection[Span]) -> Normalised:
    """The post without what differs from copy to copy; every character of a candidate is kept as it is."""
    surplus = [span for span in _surplus(text) if not any(map(span.overlaps, candidates))]
    offsets = tuple(_outside(surplus, len(text)))
    kept = {position for span in candidates for position in range(span.start, span.end)}
    shared = "".join(
        " " if _SPACE.match(text, position) and position not in kept else text[position]
        for position in offsets
    )
    bare = Normalised(shared, offsets, ())
    moved = (bare.to_normalised(span) for span in sorted(candidates))
    return Normalised(shared, offsets, tuple(span for span in moved if span is not None))


class Copies:
    """Tells a post that is new from a copy or retweet of one that came before."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def is_new(self, text: str) -> bool:
        """Whether no copy of the post came before; from now on one has."""
        core = normalise(text, ()).text
        if core in self._seen:
            return False
        self._seen.add(core)
        return True


def question_key(*, model: str, prompt_version: str, context: Normalised) -> bytes:
    """A name of 32 bytes for a question: those of one key have one answer.

    `prompt_version` stands for the form of the question, the label set and its descriptions.
    """
    candidates = [[span.start, span.end] for span in context.candidates]
    return sha256(json.dumps([model, prompt_version, context.text, candidates]).encode()).digest()


def _surplus(text: str) -> Iterator[Span]:
    return (Span(*found.span()) for found in _SURPLUS.finditer(text))


def _outside(spans: Iterable[Span], length: int) -> Iterator[int]:
    """The positions of a text of this length that are in none of the spans, which come in text order."""
    position = 0
    for span in spans:
        yield from range(position, span.start)
        position = span.end
    yield from range(position, length)
