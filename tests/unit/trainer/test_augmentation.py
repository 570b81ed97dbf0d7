from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.conll import Sentence
from linkner.spans import LabelledSpan, Span
from tests.unit.linkner.strategies import flat_entities
from tests.unit.trainer.tiny import recipe
from trainer.augmentation import Augmentation, names_of, with_other_names
from trainer.datasets import as_post

ANNA = Sentence(
    ("Anna", "Smith", "left", "Oslo"),
    (LabelledSpan(Span(0, 2), "person"), LabelledSpan(Span(3, 4), "location")),
)
NAMES = {"person": (("Bo",),), "location": (("New", "York"),)}


@st.composite
def sentences(draw: st.DrawFn) -> Sentence:
    found = draw(st.lists(st.sampled_from(["Oslo", "Anna", "and", "Rome", "x"]), min_size=1, max_size=8))
    return Sentence(tuple(found), draw(flat_entities(length=len(found))))


def test_names_are_those_of_the_data_each_once() -> None:
    other = Sentence(
        ("Oslo", "Rome"), (LabelledSpan(Span(0, 1), "location"), LabelledSpan(Span(1, 2), "location"))
    )
    assert names_of([ANNA, other]) == {
        "person": (("Anna", "Smith"),),
        "location": (("Oslo",), ("Rome",)),
    }


def test_other_names_take_their_places_whatever_their_length() -> None:
    assert with_other_names(ANNA, NAMES, share=1.0, rng=random.Random(1)) == Sentence(
        ("Bo", "left", "New", "York"),
        (LabelledSpan(Span(0, 1), "person"), LabelledSpan(Span(2, 4), "location")),
    )


@given(st.lists(sentences(), min_size=1, max_size=4), st.integers())
def test_what_is_no_entity_stays_and_names_keep_their_label(given, seed) -> None:
    names = names_of(given)
    for old in given:
        new = with_other_names(old, names, share=0.5, rng=random.Random(seed))
        assert [one.label for one in new.entities] == [one.label for one in old.entities]
        assert outside(new) == outside(old)
        for entity in new.entities:
            assert new.words[entity.span.start : entity.span.end] in names[entity.label]


def outside(sentence: Sentence) -> list[str]:
    inside = {place for one in sentence.entities for place in range(one.span.start, one.span.end)}
    return [word for place, word in enumerate(sentence.words) if place not in inside]


def test_a_sentence_with_overlapping_entities_stays() -> None:
    nested = Sentence(ANNA.words, (LabelledSpan(Span(0, 2), "person"), LabelledSpan(Span(1, 2), "person")))
    assert with_other_names(nested, NAMES, share=1.0, rng=random.Random(1)) == nested


@pytest.mark.parametrize(
    ("change", "varies"),
    [({}, False), ({"entity_replacement": 1.0}, True), ({"typos": 1.0}, True)],
)
def test_the_recipe_says_what_is_varied(change, varies) -> None:
    tagged = Sentence(("#NewDelhi", "calls"), (LabelledSpan(Span(0, 1), "location"),))
    oslo = Sentence(("Oslo",), (LabelledSpan(Span(0, 1), "location"),))
    made = Augmentation([tagged, oslo], recipe(post_share=0.0, **change))
    assert any(made.vary(tagged, random.Random(seed)) != tagged for seed in range(20)) == varies
    as_posts = Augmentation([tagged], recipe(post_share=1.0))
    assert as_posts.vary(tagged, random.Random(1)) == as_post(tagged)


def test_one_seed_varies_alike() -> None:
    made = Augmentation([ANNA], recipe(entity_replacement=0.5, typos=0.5))
    assert made.vary(ANNA, random.Random(3)) == made.vary(ANNA, random.Random(3))
