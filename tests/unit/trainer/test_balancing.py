from __future__ import annotations

import pytest

from linkner.conll import Sentence
from linkner.recognition.recogniser import Recogniser
from linkner.spans import LabelledSpan
from tests.unit.linkner.recognition.models import tiny_recogniser
from trainer.balancing import SHIFTS, best_shift

POSTS = ["Off to New York with Anna Karenina !", "the tree", "one two three four five six seven eight nine"]


@pytest.fixture(scope="module")
def recogniser(tiny_encoder: str) -> Recogniser:
    return tiny_recogniser(tiny_encoder, outside=4.0)


def labelled_at(recogniser: Recogniser, shift: float) -> list[Sentence]:
    """Sentences whose gold entities are those that the model finds when OUTSIDE is lowered by `shift`."""
    words = [tuple(post.split()) for post in POSTS]
    found = recogniser.decode(recogniser.compute(words), outside=shift)
    return [
        Sentence(words=one, entities=tuple(LabelledSpan(item.span, item.label) for item in hit.entities))
        for one, hit in zip(words, found, strict=True)
    ]


@pytest.mark.parametrize("shift", [1.0, 2.0])
def test_the_shift_with_the_best_f1_is_found(recogniser: Recogniser, shift: float) -> None:
    sentences = labelled_at(recogniser, shift)
    assert sentences != labelled_at(recogniser, shift - 1.0)
    found, scores = best_shift(recogniser, sentences, shifts=(0.0, 1.0, 2.0, 3.0))
    assert found == shift
    assert scores.micro.f1 == 1.0


def test_of_equally_good_shifts_the_first_is_taken(recogniser: Recogniser) -> None:
    nothing = [Sentence(words=("tree",), entities=())]
    shift, _ = best_shift(recogniser, nothing)
    assert shift == SHIFTS[0] == 0.0
