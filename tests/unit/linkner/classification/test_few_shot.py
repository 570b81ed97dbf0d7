"""The few-shot sampler: it always ends, and draws what it says."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkner.classification.few_shot import draw_examples
from linkner.conll import Sentence
from linkner.errors import InputError
from linkner.spans import LabelledSpan, Span
from tests.unit.linkner.strategies import LABELS, flat_entities


def sentence(text: str, *entities: tuple[int, str]) -> Sentence:
    """One-word entities at the given places."""
    return Sentence(
        tuple(text.split()), tuple(LabelledSpan(Span(place, place + 1), label) for place, label in entities)
    )


@st.composite
def sentences(draw: st.DrawFn) -> Sentence:
    length = draw(st.integers(1, 6))
    return Sentence(tuple(f"w{place}" for place in range(length)), draw(flat_entities(length=length)))


@given(st.lists(sentences(), max_size=6), st.integers(1, 3), st.integers(0, 5))
def test_each_label_gets_its_shots_or_all_that_there_are(found, shots, seed) -> None:
    there = Counter(entity.label for one in found for entity in one.entities)
    if not there:
        with pytest.raises(InputError, match="nothing to draw examples from"):
            draw_examples(found, LABELS, shots=shots, seed=seed)
        return
    drawn = draw_examples(found, LABELS, shots=shots, seed=seed)
    assert Counter(example.label for example in drawn) == Counter(
        {label: min(shots, count) for label, count in there.items()}
    )
    gold = {(one.text, one.to_text(entity.span), entity.label) for one in found for entity in one.entities}
    assert {(example.text, example.span, example.label) for example in drawn} <= gold
    assert drawn == draw_examples(found, LABELS, shots=shots, seed=seed)


def test_the_seed_decides_and_labels_keep_their_order() -> None:
    found = [sentence(f"name{index} in town{index}", (0, "person"), (2, "location")) for index in range(20)]
    draws = {draw_examples(found, ("location", "person"), seed=seed) for seed in range(5)}
    assert len(draws) > 1
    assert {tuple(example.label for example in drawn) for drawn in draws} == {("location", "person")}


def test_a_sentence_gives_a_second_example_only_where_it_must() -> None:
    both = sentence("Mina in Oslo", (0, "person"), (2, "location"))
    for seed in range(8):
        drawn = draw_examples([both, sentence("off to Rome", (2, "location"))], LABELS, seed=seed)
        assert [example.span.of(example.text) for example in drawn] == ["Mina", "Rome"]
        assert len(draw_examples([both], LABELS, seed=seed)) == 2
