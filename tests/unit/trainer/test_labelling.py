"""Posts labelled by models."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from linkner.held_out import HeldOut
from linkner.spans import OUTSIDE, LabelledSpan, Recognition, ScoredSpan, Span
from trainer.labelling import label_posts

UNSURE = (0.3, 0.6)


@dataclass
class OneWordModel:
    """Says that each post's first word is a person, with the probability that the word names (p70)."""

    labels = ("person",)

    def recognise_words(self, sentences, *, floor, max_plausible):
        return [self._of(words[0], floor) for words in sentences]

    def _of(self, word: str, floor: float) -> Recognition:
        probability = int(word[1:]) / 100
        scores = {OUTSIDE: 1 - probability, "person": probability}
        best = max(scores, key=lambda label: scores[label])
        scored = ScoredSpan(Span(0, 1), best, scores[best], 0.1, scores)
        if best != OUTSIDE:
            return Recognition(entities=(scored,), plausible=())
        return Recognition(entities=(), plausible=(scored,) if probability >= floor else ())


def labelled(*posts: str, seed: int = 1):
    texts = {str(index): post for index, post in enumerate(posts)}
    return label_posts(texts, OneWordModel(), unsure=UNSURE, seed=seed)  # type: ignore[arg-type]


def test_posts_become_sentences_with_the_models_entities() -> None:
    (only,) = labelled("p90 sings").sentences
    assert (only.words, only.entities) == (("p90", "sings"), (LabelledSpan(Span(0, 1), "person"),))


@pytest.mark.parametrize("word", ["p31", "p59"])
def test_posts_with_a_doubtful_span_are_left_out(word: str) -> None:
    made = labelled(f"{word} sings", "p90 sings")
    assert (len(made.sentences), made.unsure) == (1, 1)


def test_copies_and_posts_without_words_are_left_out() -> None:
    made = labelled("p90 sings", "RT @someone: p90 sings", " ", "p90 dances")
    assert (len(made.sentences), made.repeated) == (2, 2)


def test_posts_to_measure_on_are_left_out() -> None:
    texts = {"a": "p90 sings", "b": "p90 dances"}
    made = label_posts(texts, OneWordModel(), unsure=UNSURE, seed=1, held_out=HeldOut([["P90", "sings"]]))  # type: ignore[arg-type]
    assert [one.words for one in made.sentences] == [("p90", "dances")]
    assert (made.held_out, made.repeated) == (1, 0)


def test_as_many_posts_without_an_entity_are_kept_as_with_one() -> None:
    posts = [f"p10 word{index}" for index in range(9)]
    made = labelled("p90 sings", "p80 sings", *posts)
    bare = [one for one in made.sentences if not one.entities]
    assert (len(made.sentences), len(bare), made.surplus) == (4, 2, 7)
    again, other = (
        labelled("p90 sings", "p80 sings", *posts),
        labelled("p90 sings", "p80 sings", *posts, seed=2),
    )
    assert again == made
    assert replace(other, sentences=made.sentences) == made


@pytest.mark.parametrize(("bare", "kept"), [(0.0, 0), (0.5, 1), (1.0, 2), (9.0, 3)])
def test_posts_without_an_entity_are_kept_by_a_share_of_those_with_one(bare: float, kept: int) -> None:
    texts = {str(n): text for n, text in enumerate(["p90 sings", "p80 sings", "p10 a", "p10 b", "p10 c"])}
    made = label_posts(texts, OneWordModel(), unsure=UNSURE, bare=bare, seed=1)  # type: ignore[arg-type]
    assert (len(made.sentences), made.surplus) == (2 + kept, 3 - kept)


def test_progress_ends_with_all_posts() -> None:
    told: list[int] = []
    texts = {"a": "p90 sings", "b": "p90 sings", "c": "p10 sleeps"}
    label_posts(texts, OneWordModel(), unsure=UNSURE, seed=1, told=told.append)  # type: ignore[arg-type]
    assert told == [3]
