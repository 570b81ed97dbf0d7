"""Typos: one edit, never the first character, words and tags as they were."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.conll import Sentence
from linkner.spans import LabelledSpan, Span
from linkner.typos import misspelt, with_typos
from tests.unit.linkner.strategies import flat_entities

words = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=8)


@st.composite
def sentences(draw: st.DrawFn) -> Sentence:
    found = draw(st.lists(words, min_size=1, max_size=8))
    return Sentence(tuple(found), draw(flat_entities(length=len(found))))


def is_one_edit(word: str, typo: str) -> bool:
    """Whether inserting, deleting, replacing or swapping one character makes `typo` of `word`."""
    if len(typo) == len(word):
        unlike = [place for place in range(len(word)) if word[place] != typo[place]]
        swapped = len(unlike) == 2 and unlike[1] == unlike[0] + 1
        first = unlike[0] if unlike else 0
        return len(unlike) == 1 or (swapped and word[first : first + 2] == typo[first : first + 2][::-1])
    longer, shorter = sorted((word, typo), key=len, reverse=True)
    return any(longer[:place] + longer[place + 1 :] == shorter for place in range(len(longer)))


@given(words.filter(lambda word: len(word) > 1), st.integers())
def test_a_typo_is_one_edit_behind_the_first_character(word, seed) -> None:
    typo = misspelt(word, random.Random(seed))
    assert typo != word
    assert typo[0] == word[0]
    assert is_one_edit(word, typo)


def test_all_four_edits_occur() -> None:
    made = {misspelt("Oslo", random.Random(seed)) for seed in range(400)}
    assert {"Olso", "Olo", "Osl", "Oso"} <= made
    assert {len(typo) for typo in made} == {3, 4, 5}
    assert any(len(typo) == 4 and sorted(typo) != sorted("Oslo") for typo in made)


def test_letters_keep_the_case_around_them() -> None:
    assert all(misspelt("NASA", random.Random(seed)).isupper() for seed in range(100))


@given(sentences(), st.integers())
def test_only_one_word_of_each_entity_changes(sentence, seed) -> None:
    typo = with_typos(sentence, share=1.0, rng=random.Random(seed))
    assert typo.entities == sentence.entities
    changed = {
        place for place, (old, new) in enumerate(zip(sentence.words, typo.words, strict=True)) if old != new
    }
    for entity in sentence.entities:
        inside = set(range(entity.span.start, entity.span.end))
        can_change = any(len(sentence.words[place]) > 1 for place in inside)
        assert len(changed & inside) == can_change
        changed -= inside
    assert not changed


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (0.3, 300), (1.0, 1000)])
def test_a_share_of_the_entities_is_edited(share, expected) -> None:
    given = Sentence(("Oslo",), (LabelledSpan(Span(0, 1), "location"),))
    rng = random.Random(1)
    edited = sum(with_typos(given, share=share, rng=rng) != given for _ in range(1000))
    assert edited == pytest.approx(expected, abs=50)
