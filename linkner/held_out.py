"""Texts that a model is to be measured on, so that training data can be kept free of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_LEAST = 20
"""Letters and digits from which on a text counts as known where it is a part of a longer one: shorter ones
("Good morning!") are a part of many posts."""


class HeldOut:
    """Knows texts again, whole or as a part of a longer one, by their letters and digits alone.

    The words of a data set and those of a raw post are cut in different ways, and one has links or handles
    that the other lacks.
    """

    def __init__(self, sentences: Iterable[Sequence[str]]) -> None:
        self._whole = {letters for words in sentences if (letters := _letters(words))}
        self._by_beginning: dict[str, list[str]] = {}
        for letters in self._whole:
            if len(letters) >= _LEAST:
                self._by_beginning.setdefault(letters[:_LEAST], []).append(letters)

    def is_in(self, words: Sequence[str]) -> bool:
        """Whether these words are one of the texts, or hold one of those that are long enough."""
        letters = _letters(words)
        return letters in self._whole or any(
            letters.startswith(known, at)
            for at in range(len(letters) - _LEAST + 1)
            for known in self._by_beginning.get(letters[at : at + _LEAST], ())
        )


def _letters(words: Sequence[str]) -> str:
    return "".join(filter(str.isalnum, "".join(words).casefold()))
