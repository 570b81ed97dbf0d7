"""Entities that the LLM adds to a post's candidates, checked against the post.

What an LLM writes is no offset, so each of them is looked for. It stands at the first place of its surface
that begins and ends with a word, is no candidate, and overlaps none that was found before it. What is nowhere
like this is dropped, as is what is too long, or too much.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from linkner.spans import LabelledSpan, Span
from linkner.text import occurrences, to_words, words

MAX_PROPOSALS = 8
"""Most entities that are taken from one reply; the first of them are."""

MAX_PROPOSAL_CHARS = 100


def find_proposals(
    added: Iterable[tuple[str, str]], text: str, *, candidates: Collection[Span]
) -> tuple[LabelledSpan, ...]:
    """The added entities, given as (surface, label), where they stand in the text; in text order."""
    cut = words(text)
    found: list[LabelledSpan] = []
    for surface, label in added:
        if len(found) == MAX_PROPOSALS:
            break
        for place in (
            occurrences(text, surface.strip()) if 0 < len(surface.strip()) <= MAX_PROPOSAL_CHARS else ()
        ):
            taken = place in candidates or any(place.overlaps(one.span) for one in found)
            if not taken and to_words(cut, place) is not None:
                found.append(LabelledSpan(place, label))
                break
    return tuple(sorted(found))
